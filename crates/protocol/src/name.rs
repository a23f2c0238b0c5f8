//! Package names and namespaces (specification 2.6).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::encoding::serde_as_text;
use crate::limits::{NAMESPACE_BYTES_MAX, PACKAGE_NAME_BYTES_MAX};

/// Why a text is no package name or no namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is no colon between a namespace and a name.
    #[error("a package name has the form <namespace>:<name>, but there is no colon")]
    MissingColon,
    /// The namespace is not lower-case kebab case.
    #[error(
        "a namespace is words of a-z and 0-9 that start with a letter, joined by single hyphens"
    )]
    InvalidNamespace,
    /// The part behind the colon is not lower-case kebab case.
    #[error("a name is words of a-z and 0-9 that start with a letter, joined by single hyphens")]
    InvalidName,
    /// Longer than [`PACKAGE_NAME_BYTES_MAX`] or [`NAMESPACE_BYTES_MAX`].
    #[error("the name is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
}

/// A namespace: lower-case kebab case, for example `my-namespace`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > NAMESPACE_BYTES_MAX {
            return Err(NameError::TooLong { bytes_max: NAMESPACE_BYTES_MAX });
        }
        if is_kebab(text) { Ok(Self(Arc::from(text))) } else { Err(NameError::InvalidNamespace) }
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// A package name: a namespace, a colon, and a name in lower-case kebab case, for example
/// `wasi:http`. Cheap to clone; ordered as its text.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageName {
    text: Arc<str>,
    namespace: Namespace,
}

impl PackageName {
    /// The whole text, `<namespace>:<name>`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the colon.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The part behind the colon.
    pub fn name(&self) -> &str {
        &self.text[self.namespace.0.len() + 1..]
    }
}

impl FromStr for PackageName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > PACKAGE_NAME_BYTES_MAX {
            return Err(NameError::TooLong { bytes_max: PACKAGE_NAME_BYTES_MAX });
        }
        let (namespace, name) = text.rsplit_once(':').ok_or(NameError::MissingColon)?;
        let namespace = namespace.parse()?;
        if is_kebab(name) {
            Ok(Self { text: Arc::from(text), namespace })
        } else {
            Err(NameError::InvalidName)
        }
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.text)
    }
}

serde_as_text!(Namespace, PackageName);

/// `word *( "-" word )` with `word := [a-z] [a-z0-9]*`.
fn is_kebab(text: &str) -> bool {
    text.split('-').all(|word| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}
