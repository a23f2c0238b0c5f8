//! Names of what is imported and exported, and which of them mean the same in two releases.

use wargate_protocol::Version;

use crate::names::ImportName;

/// The name of an import or an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name {
    /// As it stands in the file.
    pub(crate) text: String,
    pub(crate) form: Form,
}

/// What kind of name it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// An interface with a version: `ns:name/interface@1.0.0`.
    Versioned {
        /// What stands before the `@`.
        path: String,
        version: Version,
    },
    /// Content of a registry, by the package and what is meant within.
    Dependency(String),
    /// An interface of the WIT package that is read, whose version is that of the package.
    Own(String),
    /// Any other.
    Plain,
}

impl Name {
    /// Reads a name in a file, which is the WIT package `own` if that is given.
    pub(crate) fn new(text: &str, own: Option<&str>) -> Self {
        Self { text: text.to_owned(), form: Form::new(text, own) }
    }

    /// What two names have in common that mean the same, apart from versions.
    pub(crate) fn path(&self) -> &str {
        match &self.form {
            Form::Versioned { path, .. } | Form::Own(path) | Form::Dependency(path) => path,
            Form::Plain => &self.text,
        }
    }

    /// Whether it is an interface of the WIT package that is read.
    pub(crate) const fn is_own(&self) -> bool {
        matches!(self.form, Form::Own(_))
    }

    /// Whether it names content of a registry.
    pub(crate) const fn is_dependency(&self) -> bool {
        matches!(self.form, Form::Dependency(_))
    }

    /// The version of an interface.
    pub(crate) const fn version(&self) -> Option<&Version> {
        match &self.form {
            Form::Versioned { version, .. } => Some(version),
            _ => None,
        }
    }

    /// What two names have in common where one can stand for the other.
    pub(crate) fn key(&self) -> String {
        match &self.form {
            Form::Versioned { path, version } => format!("{path}@{}", track(version)),
            _ => self.path().to_owned(),
        }
    }
}

impl Form {
    fn new(text: &str, own: Option<&str>) -> Self {
        if let Ok(
            ImportName::Unlocked { package, projection, .. }
            | ImportName::Locked { package, projection, .. },
        ) = text.parse()
        {
            let projection = projection.map(|part| format!("/{part}")).unwrap_or_default();
            return Self::Dependency(format!("{package}{projection}"));
        }
        let (path, version) = match text.split_once('@') {
            Some((path, version)) => (path, version.parse::<Version>().ok()),
            None => (text, None),
        };
        match (path.split_once('/'), version) {
            (Some((package, _)), _) if Some(package) == own => Self::Own(path.to_owned()),
            (Some(_), Some(version)) if !path.contains(['<', '=']) => {
                Self::Versioned { path: path.to_owned(), version }
            }
            _ => Self::Plain,
        }
    }
}

/// What versions have in common one of which can stand for the other if it is higher: the major
/// version, the minor one before 1.0, and the whole one before 0.1 and for pre-releases.
pub(crate) fn track(version: &Version) -> String {
    let version = version.as_semver();
    match (version.major, version.minor) {
        _ if !version.pre.is_empty() => {
            format!("{}.{}.{}-{}", version.major, version.minor, version.patch, version.pre)
        }
        (0, 0) => format!("0.0.{}", version.patch),
        (0, minor) => format!("0.{minor}"),
        (major, _) => major.to_string(),
    }
}
