//! The text of a lock.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName, Version};

use super::{
    LOCK_FORMAT, Lock, LockedDependency, LockedFile, LockedPackage, LockedRegistry, LockedRoot,
    Origin, PackageId,
};
use crate::limits::{LOCK_BYTES_MAX, LOCK_TEXT_BYTES_MAX};
use crate::names::ImportName;
use crate::solve::{self, Release};

/// Why a text is no lock. It is the fault of whoever has changed the file, or of a newer program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockError {
    /// Longer than [`LOCK_BYTES_MAX`].
    #[error("the lock is larger than {bytes_max} bytes")]
    TooLarge {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// No TOML, or of another form.
    #[error("the lock cannot be read: {0}")]
    Form(String),
    /// Another format.
    #[error(
        "the lock has format {found}, this program knows format {LOCK_FORMAT}: use a newer one"
    )]
    Format {
        /// Its format.
        found: u32,
    },
    /// Twice the same.
    #[error("the lock has {0} twice")]
    Twice(String),
    /// An edge that leads nowhere.
    #[error("the lock says that {importer} needs {package}, which it does not have")]
    Nowhere {
        /// Who imports.
        importer: String,
        /// What is not there.
        package: PackageId,
    },
    /// The name of an import that does not name the package that answers it, or a version out of its
    /// range.
    #[error(
        "the lock says that {package} answers the import {import:?} of {importer}, which asks for something else"
    )]
    Mismatch {
        /// Who imports.
        importer: String,
        /// The name of the import.
        import: String,
        /// What would answer it.
        package: PackageId,
    },
    /// A package of a registry that the lock does not name.
    #[error("the lock says that {package} comes from {registry}, and has no checkpoint of it")]
    NoRegistry {
        /// The package.
        package: PackageId,
        /// The registry.
        registry: String,
    },
    /// A path that is absolute, or cannot be written so that every system reads it.
    #[error("the lock names the file {0:?}: a path is relative, with `/` between its parts")]
    Path(String),
    /// A text that nobody could show, or a longer one than [`LOCK_TEXT_BYTES_MAX`].
    #[error(
        "the lock has a text with control characters, or one of more than {LOCK_TEXT_BYTES_MAX} bytes"
    )]
    Text,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    registry: Vec<WrittenRegistry>,
    #[serde(default)]
    root: Vec<WrittenRoot>,
    #[serde(default)]
    package: Vec<WrittenPackage>,
    #[serde(rename = "format")]
    _format: u32,
}

/// What stands in every format.
#[derive(Deserialize)]
struct Beginning {
    format: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct WrittenRegistry {
    name: String,
    log_length: u64,
    log_root: Digest,
    map_root: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRoot {
    file: Option<String>,
    digest: Option<Digest>,
    #[serde(default)]
    dependencies: Vec<WrittenDependency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPackage {
    name: PackageName,
    version: Version,
    digest: Digest,
    registry: Option<String>,
    file: Option<String>,
    #[serde(default)]
    dependencies: Vec<WrittenDependency>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDependency {
    import: String,
    package: String,
}

impl Lock {
    /// Reads a lock.
    ///
    /// # Errors
    /// [`LockError`]
    pub fn from_text(text: &str) -> Result<Self, LockError> {
        if text.len() > LOCK_BYTES_MAX {
            return Err(LockError::TooLarge { bytes_max: LOCK_BYTES_MAX });
        }
        let form = |error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            LockError::Form(format!("{} (line {line})", error.message()))
        };
        let Beginning { format } = toml::from_str(text).map_err(form)?;
        if format != LOCK_FORMAT {
            return Err(LockError::Format { found: format });
        }
        let written: Written = toml::from_str(text).map_err(form)?;
        let mut lock = Self::default();
        for registry in written.registry {
            let WrittenRegistry { name, log_length, log_root, map_root } = registry;
            harmless(&name)?;
            let log_length = LogLength::new(log_length);
            let locked = LockedRegistry { log_length, log_root, map_root };
            if lock.registries.insert(name.clone(), locked).is_some() {
                return Err(LockError::Twice(name));
            }
        }
        for root in written.root {
            let root = read_root(root)?;
            if !lock.roots.insert(root) {
                return Err(LockError::Twice("a root".into()));
            }
        }
        for package in written.package {
            let (id, package) = read_package(package)?;
            if lock.packages.insert(id.clone(), package).is_some() {
                return Err(LockError::Twice(id.to_string()));
            }
        }
        lock.check()?;
        Ok(lock)
    }

    /// What one part says must be true of the others.
    fn check(&self) -> Result<(), LockError> {
        for root in &self.roots {
            let importer = root.file.as_ref().map_or("the root", |file| &*file.path);
            self.check_edges(importer, &root.dependencies)?;
        }
        for (id, package) in &self.packages {
            self.check_edges(&id.to_string(), &package.dependencies)?;
            if let Origin::Registry(registry) = &package.origin
                && !self.registries.contains_key(registry)
            {
                let (package, registry) = (id.clone(), registry.clone());
                return Err(LockError::NoRegistry { package, registry });
            }
        }
        Ok(())
    }

    fn check_edges(
        &self,
        importer: &str,
        edges: &BTreeSet<LockedDependency>,
    ) -> Result<(), LockError> {
        for edge in edges {
            let importer = || importer.to_owned();
            let LockedDependency { import, package } = edge;
            let Some(target) = self.packages.get(package) else {
                return Err(LockError::Nowhere { importer: importer(), package: package.clone() });
            };
            let (version, digest) = (package.version.clone(), target.digest);
            let release =
                Release { version, digest, yanked: false, imports: std::sync::Arc::default() };
            let answers = |name| solve::may_answer(&name, &package.package, &release);
            if !edge.name().is_ok_and(answers) {
                let (import, package) = (import.clone(), package.clone());
                return Err(LockError::Mismatch { importer: importer(), import, package });
            }
        }
        Ok(())
    }
}

fn read_root(root: WrittenRoot) -> Result<LockedRoot, LockError> {
    let file = match (root.file, root.digest) {
        (Some(path), Some(digest)) => Some(LockedFile { path: relative(path)?, digest }),
        (None, None) => None,
        _ => return Err(LockError::Form("a root has a file and its digest, or neither".into())),
    };
    Ok(LockedRoot { file, dependencies: read_edges("the root", root.dependencies)? })
}

fn read_package(package: WrittenPackage) -> Result<(PackageId, LockedPackage), LockError> {
    let WrittenPackage { name, version, digest, registry, file, dependencies } = package;
    let id = PackageId { package: name, version };
    let origin = match (registry, file) {
        (Some(registry), None) => Origin::Registry(registry),
        (None, Some(path)) => Origin::File(relative(path)?),
        _ => return Err(LockError::Form(format!("{id} has a registry, or a file instead"))),
    };
    let dependencies = read_edges(&id.to_string(), dependencies)?;
    Ok((id, LockedPackage { digest, origin, dependencies }))
}

fn read_edges(
    importer: &str,
    edges: Vec<WrittenDependency>,
) -> Result<BTreeSet<LockedDependency>, LockError> {
    let (mut read, mut names) = (BTreeSet::new(), BTreeSet::new());
    for WrittenDependency { import, package } in edges {
        let package = package.parse().map_err(|_| {
            LockError::Form(format!(
                "{importer} needs {package:?}, which is no package in a version"
            ))
        })?;
        // An import has one answer, however its name is written.
        let name = import.parse::<ImportName>();
        if !names.insert(name.map_or_else(|_| import.clone(), |name| name.to_string())) {
            return Err(LockError::Twice(format!("the import {import:?} of {importer}")));
        }
        read.insert(LockedDependency { import, package });
    }
    Ok(read)
}

/// A path that is relative to the lock's folder. It may lead out of it, to what is built elsewhere.
fn relative(path: String) -> Result<String, LockError> {
    harmless(&path)?;
    let is_absolute = path.starts_with('/') || path.contains('\\') || path.contains(':');
    if path.is_empty() || is_absolute { Err(LockError::Path(path)) } else { Ok(path) }
}

fn harmless(text: &str) -> Result<(), LockError> {
    if text.len() > LOCK_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(LockError::Text);
    }
    Ok(())
}

impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Made by `warg lock`. It belongs in version control, and is not changed by hand."
        )?;
        writeln!(f, "format = {LOCK_FORMAT}")?;
        for (name, registry) in &self.registries {
            let LockedRegistry { log_length, log_root, map_root } = registry;
            writeln!(f, "\n[[registry]]\nname = {}\nlog-length = {log_length}", Quoted(name))?;
            writeln!(f, "log-root = \"{log_root}\"\nmap-root = \"{map_root}\"")?;
        }
        for root in &self.roots {
            writeln!(f, "\n[[root]]")?;
            if let Some(LockedFile { path, digest }) = &root.file {
                writeln!(f, "file = {}\ndigest = \"{digest}\"", Quoted(path))?;
            }
            write_edges(f, &root.dependencies)?;
        }
        for (PackageId { package, version }, locked) in &self.packages {
            writeln!(f, "\n[[package]]\nname = \"{package}\"\nversion = \"{version}\"")?;
            writeln!(f, "digest = \"{}\"", locked.digest)?;
            match &locked.origin {
                Origin::Registry(name) => writeln!(f, "registry = {}", Quoted(name))?,
                Origin::File(path) => writeln!(f, "file = {}", Quoted(path))?,
            }
            write_edges(f, &locked.dependencies)?;
        }
        Ok(())
    }
}

fn write_edges(f: &mut fmt::Formatter<'_>, edges: &BTreeSet<LockedDependency>) -> fmt::Result {
    if edges.is_empty() {
        return Ok(());
    }
    writeln!(f, "dependencies = [")?;
    for LockedDependency { import, package } in edges {
        writeln!(f, "    {{ import = {}, package = \"{package}\" }},", Quoted(import))?;
    }
    writeln!(f, "]")
}

/// A text as a basic string of TOML, which one of JSON is, too.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self.0).map_err(|_| fmt::Error)?)
    }
}
