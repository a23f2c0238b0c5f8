//! Configuration: files, variables and flags, one on top of the other.
//!
//! Nothing here reads a file, a variable or a directory: the caller hands in texts and says where they
//! come from, and gets [`Config`] back, in which every value knows its origin.
//!
//! From the weakest to the strongest:
//!
//! 1. the default;
//! 2. the user's `config.json` in the reference client's form, shared with it;
//! 3. the user's `config.toml`. It comes after the shared file because it is written for this program
//!    alone, so who has both says in it what is to be different here;
//! 4. a `warg-config.json` in the current directory or above it. Unlike in the reference client it hides
//!    nothing: what it does not say is said by the files before it, and but for the registry it says
//!    nothing that they say;
//! 5. the project's `warg.toml` in the current directory or above it;
//! 6. a file that the user names (`--config`). It takes the place of 2, 3 and 4, and comes after the
//!    project's file because who names a file means it;
//! 7. the environment;
//! 8. flags.
//!
//! A project's files come with whatever was cloned, so nobody has agreed to what they say. They
//! choose registries and pin keys, and may neither name files and programs of this machine nor weaken a
//! check: such a line is an error, not a line without effect.

mod docs;
mod file;
mod form;
mod merge;
mod similar;
mod table;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use wargate_protocol::{PackageName, Version, VersionReq};

pub use self::docs::markdown;
pub use self::form::{Form, Value};
pub use self::similar::closest;
pub use self::table::{BACKENDS, Row, TABLE, row};
use crate::origin::RegistryUrl;
use crate::settings::Settings;

/// Most bytes of a configuration file.
pub const FILE_BYTES_MAX: usize = 1 << 20;

/// What there is to make a configuration of.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files, in any order.
    pub files: Vec<SourceFile>,
    /// Variables of the environment. Those that do not begin with `WARG_` do not count.
    pub variables: Vec<(String, String)>,
    /// Flags of the command line.
    pub flags: Vec<Flag>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Where it is, for messages, and for the relative paths that stand in it.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Whose file it is.
    pub role: Role,
}

/// Whose file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// In the user's directory for configurations.
    User,
    /// The reference client's `warg-config.json`, in the current directory or above it.
    Found,
    /// The project's `warg.toml`, in the current directory or above it.
    Project,
    /// Named by the user.
    Given,
}

/// A flag.
#[derive(Clone, Debug)]
pub struct Flag {
    /// As it is typed: `--registry`.
    pub name: &'static str,
    /// The key of its row in the [`TABLE`].
    pub key: &'static str,
    /// What was typed behind it.
    pub value: String,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// A file.
    File {
        /// Where it is.
        path: PathBuf,
        /// Whose it is.
        role: Role,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(&'static str),
}

impl Origin {
    /// Whether it came with the directory that the user happens to be in.
    pub const fn is_project(&self) -> bool {
        matches!(self, Self::File { role: Role::Project | Role::Found, .. })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, .. } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A value that counts.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its whole key, with names in the place of the row's placeholders.
    pub key: String,
    /// Its row.
    pub row: &'static Row,
    /// The value; `None` if it has none by default.
    pub value: Option<Value>,
    /// Where it comes from.
    pub origin: Origin,
}

/// A configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the client follows.
    pub settings: Settings,
    /// Where this machine keeps things.
    pub machine: Machine,
    /// What the project publishes, and what it needs.
    pub project: Project,
    /// What the reference client's file says for that client alone.
    pub reference: Reference,
    /// Whether questions may be asked.
    pub interactive: bool,
    /// When to colour: `auto`, `always` or `never`.
    pub color: &'static str,
    /// Whether the home registry was chosen by a file that came with the current directory, and by
    /// nobody else.
    pub home_is_of_project: bool,
    /// What the user should know: words that are probably misspelt.
    pub warnings: Vec<String>,
    entries: Vec<Entry>,
}

/// Where this machine keeps things. `None`: the usual place, which the caller knows.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// A file with more certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// The directory of the content cache.
    pub cache_dir: Option<PathBuf>,
    /// The directory of what is remembered of registries.
    pub state_dir: Option<PathBuf>,
    /// The keyring; one of [`BACKENDS`].
    pub keyring_backend: Option<&'static str>,
    /// The file of the key that signs.
    pub key_file: Option<PathBuf>,
    /// A program that has secrets, with its arguments.
    pub credential_helper: Option<Vec<String>>,
    /// Directories whose files count although they are another user's; `*` for all.
    pub safe_directories: Vec<String>,
}

/// What the project publishes, and what it needs.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The project's file, if there is one.
    pub file: Option<PathBuf>,
    /// The package.
    pub name: Option<PackageName>,
    /// The version.
    pub version: Option<Version>,
    /// The files, relative to the project's file unless absolute.
    pub files: Vec<PathBuf>,
    /// The packages that it needs, with the versions that will do.
    pub dependencies: BTreeMap<PackageName, VersionReq>,
}

/// What the reference client's file says for that client alone.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// Names of keys in its keyring.
    pub keys: Vec<String>,
}

impl Config {
    /// Puts the sources on top of each other.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value, key or file that cannot be used.
    pub fn resolve(sources: &Sources) -> Result<Self, ConfigError> {
        merge::resolve(sources)
    }

    /// All values that count, in the order of the [`TABLE`].
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Where the value of a key comes from.
    pub fn origin(&self, key: &str) -> Option<&Origin> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| &entry.origin)
    }

    /// The home registry, unless a file that came with the current directory chose it. A secret that
    /// names no registry is for this one alone.
    pub fn trusted_home(&self) -> Option<&RegistryUrl> {
        self.settings.home.as_ref().filter(|_| !self.home_is_of_project)
    }
}

/// A configuration that cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{origin}: {message}")]
pub struct ConfigError {
    /// Where it stands: a file with its line, a variable or a flag.
    pub origin: String,
    /// What is wrong, and what is possible.
    pub message: String,
}

impl ConfigError {
    fn new(origin: impl fmt::Display, message: impl Into<String>) -> Self {
        Self { origin: origin.to_string(), message: message.into() }
    }
}

#[cfg(test)]
mod tests;
