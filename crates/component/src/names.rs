//! The names of a component's imports (specification 18.1), some of which are dependencies on
//! packages of a registry.

mod integrity;
mod range;

pub use integrity::Integrity;
pub use range::PackageRange;

use std::fmt;
use std::str::FromStr;

use wargate_protocol::{NameError, PackageName, Version, VersionError};

use crate::limits::IMPORT_NAME_BYTES_MAX;

/// What the name of a component's import says.
///
/// Only [`Self::Unlocked`] and [`Self::Locked`] name packages that a client resolves. Their text is
/// read strictly; any other text is some name, whatever it looks like. Printing gives the text back
/// in its one canonical form, in which `@*` and `@{*}` are left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ImportName {
    /// `ns:name/interface@1.0.0`: any instance of an interface, from whoever has one.
    Interface(InterfaceName),
    /// `unlocked-dep=<ns:name@{>=1.0.0 <2.0.0}>`: a package in a range of versions.
    Unlocked {
        /// The package.
        package: PackageName,
        /// What is meant within the package: the `iface` of `ns:name/iface`. Usually absent.
        projection: Option<String>,
        /// Which versions will do.
        range: PackageRange,
    },
    /// `locked-dep=<ns:name@1.0.0>,integrity=<…>`: one version of a package.
    Locked {
        /// The package.
        package: PackageName,
        /// What is meant within the package, as for [`Self::Unlocked`].
        projection: Option<String>,
        /// The version. Without one, only the digest says what is meant.
        version: Option<Version>,
        /// The digest of the content.
        integrity: Option<Integrity>,
    },
    /// `url=<…>`: what can be downloaded there. No package.
    Url {
        /// The text between the brackets.
        url: String,
        /// The digest of the content.
        integrity: Option<Integrity>,
    },
    /// `integrity=<…>`: content by its digest alone. No package.
    Integrity(Integrity),
    /// Any other text: a plain name such as `custom-hook`, or what no rule of ours reads. No package.
    Plain(String),
}

/// The name of an interface: `ns:name/interface`, and a version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct InterfaceName {
    /// Namespace and name of the package that defines the interface. It need not be in any registry.
    pub package: PackageName,
    /// What stands behind the slash.
    pub interface: String,
    /// The version of the package.
    pub version: Option<Version>,
}

/// Why the name of an import says that it is a dependency but cannot be read as one. It is the fault
/// of the component that has the import.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ImportNameError {
    /// Longer than [`IMPORT_NAME_BYTES_MAX`].
    #[error("the name of the import is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// Something must stand at a place and does not.
    #[error("`{expected}` must stand at byte {offset} of the import's name")]
    Expected {
        /// What must stand there.
        expected: &'static str,
        /// Where, in bytes from the start of the name.
        offset: usize,
    },
    /// What stands before the version is no name of a package.
    #[error("the import does not name a package: {0}")]
    Package(#[from] NameError),
    /// What stands behind the slash is no name.
    #[error("the import names no part of its package: what follows the slash is not in kebab case")]
    Projection,
    /// A version, or a bound of a range.
    #[error("the import's version is wrong: {0}")]
    Version(#[from] VersionError),
    /// The digest is not in the form of Subresource Integrity.
    #[error("the import's integrity is no list of `sha256-`, `sha384-` or `sha512-` and base64")]
    Integrity,
}

impl ImportName {
    /// The package that a client must resolve for this import.
    pub const fn dependency(&self) -> Option<&PackageName> {
        match self {
            Self::Unlocked { package, .. } | Self::Locked { package, .. } => Some(package),
            Self::Interface(_) | Self::Url { .. } | Self::Integrity(_) | Self::Plain(_) => None,
        }
    }
}

impl FromStr for ImportName {
    type Err = ImportNameError;

    fn from_str(text: &str) -> Result<Self, ImportNameError> {
        if text.len() > IMPORT_NAME_BYTES_MAX {
            return Err(ImportNameError::TooLong { bytes_max: IMPORT_NAME_BYTES_MAX });
        }
        let mut rest = Rest { text, offset: 0 };
        if rest.eat("unlocked-dep=") {
            rest.unlocked()
        } else if rest.eat("locked-dep=") {
            rest.locked()
        } else {
            let other = rest.other().or_else(|| interface(text).map(Self::Interface));
            Ok(other.unwrap_or_else(|| Self::Plain(text.to_owned())))
        }
    }
}

impl fmt::Display for ImportName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (projection, integrity) = match self {
            Self::Interface(name) => return write!(f, "{name}"),
            Self::Integrity(integrity) => return write!(f, "integrity=<{integrity}>"),
            Self::Plain(text) => return f.write_str(text),
            Self::Url { url, integrity } => {
                write!(f, "url=<{url}")?;
                (&None, integrity)
            }
            Self::Unlocked { package, projection, .. } => {
                write!(f, "unlocked-dep=<{package}")?;
                (projection, &None)
            }
            Self::Locked { package, projection, integrity, .. } => {
                write!(f, "locked-dep=<{package}")?;
                (projection, integrity)
            }
        };
        if let Some(projection) = projection {
            write!(f, "/{projection}")?;
        }
        match self {
            Self::Unlocked { range, .. } if *range != PackageRange::ANY => write!(f, "@{range}")?,
            Self::Locked { version: Some(version), .. } => write!(f, "@{version}")?,
            _ => {}
        }
        f.write_str(">")?;
        integrity.as_ref().map_or(Ok(()), |integrity| write!(f, ",integrity=<{integrity}>"))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.interface)?;
        self.version.as_ref().map_or(Ok(()), |version| write!(f, "@{version}"))
    }
}

/// `ns:name/interface`, with or without `@version`.
fn interface(text: &str) -> Option<InterfaceName> {
    let (path, version) = match text.split_once('@') {
        Some((path, version)) => (path, Some(version.parse().ok()?)),
        None => (text, None),
    };
    let (package, interface) = path.split_once('/')?;
    let package = package.parse().ok()?;
    is_kebab(interface).then(|| InterfaceName { package, interface: interface.to_owned(), version })
}

/// What of a name is still to be read.
struct Rest<'a> {
    text: &'a str,
    /// Where it begins in the whole name, in bytes.
    offset: usize,
}

impl<'a> Rest<'a> {
    /// Skips a text, if it stands here.
    fn eat(&mut self, text: &str) -> bool {
        let Some(rest) = self.text.strip_prefix(text) else { return false };
        self.text = rest;
        self.offset += text.len();
        true
    }

    /// Skips a text that must stand here.
    fn expect(&mut self, expected: &'static str) -> Result<(), ImportNameError> {
        let offset = self.offset;
        if self.eat(expected) {
            Ok(())
        } else {
            Err(ImportNameError::Expected { expected, offset })
        }
    }

    /// Takes what stands before a text, and skips both.
    fn until(&mut self, end: &'static str) -> Result<&'a str, ImportNameError> {
        let Some((before, rest)) = self.text.split_once(end) else {
            let offset = self.offset + self.text.len();
            return Err(ImportNameError::Expected { expected: end, offset });
        };
        self.text = rest;
        self.offset += before.len() + end.len();
        Ok(before)
    }

    fn end(&self) -> Result<(), ImportNameError> {
        if self.text.is_empty() {
            Ok(())
        } else {
            let (expected, offset) = ("the end", self.offset);
            Err(ImportNameError::Expected { expected, offset })
        }
    }

    /// `<ns:name>`, `<ns:name@*>`, `<ns:name@{…}>`. A bound contains `>`, so the bracket that closes
    /// is the last one.
    fn unlocked(mut self) -> Result<ImportName, ImportNameError> {
        self.expect("<")?;
        let start = self.offset;
        let Some(inside) = self.text.strip_suffix('>') else {
            let offset = start + self.text.len();
            return Err(ImportNameError::Expected { expected: ">", offset });
        };
        let (path, range) = match inside.split_once('@') {
            Some((path, range)) => (path, PackageRange::read(range, start + path.len() + 1)?),
            None => (inside, PackageRange::ANY),
        };
        let (package, projection) = package_path(path)?;
        Ok(ImportName::Unlocked { package, projection, range })
    }

    /// `<ns:name>` or `<ns:name@1.0.0>`, and perhaps an integrity.
    fn locked(mut self) -> Result<ImportName, ImportNameError> {
        self.expect("<")?;
        let inside = self.until(">")?;
        let (path, version) = match inside.split_once('@') {
            Some((path, version)) => (path, Some(version.parse()?)),
            None => (inside, None),
        };
        let (package, projection) = package_path(path)?;
        let integrity = self.suffix()?;
        Ok(ImportName::Locked { package, projection, version, integrity })
    }

    /// The end of the name, or `,integrity=<…>` and the end.
    fn suffix(mut self) -> Result<Option<Integrity>, ImportNameError> {
        if self.text.is_empty() {
            return Ok(None);
        }
        self.expect(",integrity=<")?;
        let integrity = self.until(">")?.parse()?;
        self.end()?;
        Ok(Some(integrity))
    }

    /// `url=<…>` or `integrity=<…>`.
    fn other(mut self) -> Option<ImportName> {
        if self.eat("url=<") {
            let url = self.until(">").ok().filter(|url| !url.contains('<'))?.to_owned();
            let integrity = self.suffix().ok()?;
            return Some(ImportName::Url { url, integrity });
        }
        if self.eat("integrity=<") {
            let integrity = self.until(">").ok()?.parse().ok()?;
            self.end().ok()?;
            return Some(ImportName::Integrity(integrity));
        }
        None
    }
}

/// `ns:name` or `ns:name/projection`.
fn package_path(path: &str) -> Result<(PackageName, Option<String>), ImportNameError> {
    let Some((package, projection)) = path.split_once('/') else {
        return Ok((path.parse()?, None));
    };
    let package = package.parse()?;
    if is_kebab(projection) {
        Ok((package, Some(projection.to_owned())))
    } else {
        Err(ImportNameError::Projection)
    }
}

/// The component model's kebab case, which has words in capitals and numbers too.
fn is_kebab(text: &str) -> bool {
    wasmparser::names::KebabStr::new(text).is_some()
}
