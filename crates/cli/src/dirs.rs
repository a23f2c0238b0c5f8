//! Where things are on this machine.

use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The directories of this user.
#[derive(Clone, Debug)]
pub(crate) struct Dirs {
    /// The directory that is shared with the reference client.
    pub(crate) config: Option<PathBuf>,
    cache: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl Dirs {
    /// Those of the environment.
    pub(crate) fn of_environment() -> Self {
        let absolute = |variable: &str| {
            std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
        };
        let home = |below: &str| absolute("HOME").map(|home| home.join(below));
        let config = if cfg!(target_os = "macos") {
            home("Library/Application Support")
        } else if cfg!(windows) {
            absolute("APPDATA")
        } else {
            absolute("XDG_CONFIG_HOME").or_else(|| home(".config"))
        };
        let local = || absolute("LOCALAPPDATA").filter(|_| cfg!(windows));
        Self {
            config: config.map(|path| path.join("warg")),
            cache: absolute("XDG_CACHE_HOME")
                .or_else(local)
                .or_else(|| home(".cache"))
                .map(|path| path.join("wargate/client")),
            state: absolute("XDG_STATE_HOME")
                .or_else(local)
                .or_else(|| home(".local/state"))
                .map(|path| path.join("wargate/client")),
        }
    }

    /// The user's directory for configurations.
    pub(crate) fn config(&self) -> Result<&Path, Failure> {
        self.config.as_deref().ok_or_else(|| homeless("XDG_CONFIG_HOME"))
    }

    /// The directory of the cache.
    pub(crate) fn cache(&self, configured: Option<&PathBuf>) -> Result<PathBuf, Failure> {
        configured.or(self.cache.as_ref()).cloned().ok_or_else(|| homeless("WARG_CACHE_DIR"))
    }

    /// The directory of the state.
    pub(crate) fn state(&self, configured: Option<&PathBuf>) -> Result<PathBuf, Failure> {
        configured.or(self.state.as_ref()).cloned().ok_or_else(|| homeless("WARG_STATE_DIR"))
    }
}

fn homeless(variable: &str) -> Failure {
    Failure::local("there is no home directory")
        .hint(format!("set HOME, or {variable} to an absolute path"))
}

/// The nearest file of this name, here or in a directory above.
pub(crate) fn find_above(name: &str) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    here.ancestors().map(|directory| directory.join(name)).find(|path| path.is_file())
}
