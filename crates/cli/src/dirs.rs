//! Where things are on this machine, and which configuration files count.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use wargate_client::config::{Config, FILE_BYTES_MAX, Role, SourceFile, Sources};

use crate::failure::Failure;
use crate::files::{open_regular, shell_word};

/// The directories of this user.
#[derive(Clone, Debug)]
pub(crate) struct Dirs {
    /// The directory that is shared with the reference client.
    pub(crate) config: Option<PathBuf>,
    home: Option<PathBuf>,
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
            home: absolute(if cfg!(windows) { "USERPROFILE" } else { "HOME" }),
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

/// The configuration files that count: the user's own, or the one that they name instead, and those
/// that came with the current directory.
pub(crate) fn config_files(
    given: Option<PathBuf>,
    dirs: &Dirs,
) -> Result<Vec<SourceFile>, Failure> {
    let variable = || std::env::var_os("WARG_CONFIG").filter(|path| !path.is_empty());
    let given = given.or_else(|| variable().map(PathBuf::from));
    let mut files = Vec::new();
    if let Some(path) = &given {
        files.extend(read(path, Role::Given)?);
        if files.is_empty() {
            let message = format!("there is no configuration file {}", path.display());
            return Err(Failure::usage(message).hint("`warg config PATH` writes one"));
        }
    } else if let Some(config) = &dirs.config {
        files.extend(read(&config.join("config.json"), Role::User)?);
        files.extend(read(&config.join("config.toml"), Role::User)?);
    }
    let own = files.clone();
    for (name, role) in [("warg-config.json", Role::Found), ("warg.toml", Role::Project)] {
        if role == Role::Found && given.is_some() {
            continue;
        }
        if let Some(path) = find_above(name, dirs.home.as_deref()) {
            files.extend(read_found(path, role, &own)?);
        }
    }
    Ok(files)
}

/// The nearest file of this name, here or in a directory above, up to the root of a repository or the
/// home directory. What is above them is none of the project, and may be anybody's.
fn find_above(name: &str, home: Option<&Path>) -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    // The current directory has no links in its path.
    let home = home.and_then(|home| home.canonicalize().ok());
    for directory in here.ancestors() {
        let path = directory.join(name);
        if path.is_file() {
            return Some(path);
        }
        if home.as_deref() == Some(directory) || directory.join(".git").exists() {
            break;
        }
    }
    None
}

/// Reads a file that came with the current directory. Whose it is, is asked of the file that is open, so
/// that it cannot be another one that is read.
fn read_found(
    path: PathBuf,
    role: Role,
    own: &[SourceFile],
) -> Result<Option<SourceFile>, Failure> {
    let (file, metadata) = match open_regular(&path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(cannot_read(&path, &error)),
    };
    if !is_ours(&path, &metadata) && !is_safe(&path, own)? {
        return Err(foreign(&path));
    }
    let text = read_text(file).map_err(|error| cannot_read(&path, &error))?;
    Ok(Some(SourceFile { path, text, role }))
}

/// Whether a file that was opened belongs to whoever runs this, or to the administrator; a link has to,
/// as well as what it leads to.
#[cfg(unix)]
fn is_ours(path: &Path, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    let us = rustix::process::geteuid().as_raw();
    let ours = |metadata: &Metadata| metadata.uid() == us || metadata.uid() == 0;
    ours(opened) && std::fs::symlink_metadata(path).is_ok_and(|link| ours(&link))
}

/// Files have other kinds of owners here.
#[cfg(not(unix))]
fn is_ours(_path: &Path, _opened: &Metadata) -> bool {
    true
}

/// Whether the user has said that a file's directory is safe, in their own files or in the environment.
fn is_safe(path: &Path, own: &[SourceFile]) -> Result<bool, Failure> {
    let variable = "WARG_SAFE_DIRECTORIES";
    let variables = std::env::var(variable).map(|value| (variable.to_owned(), value));
    let sources = Sources {
        files: own.to_vec(),
        variables: variables.into_iter().collect(),
        flags: Vec::new(),
    };
    let safe = Config::resolve(&sources)?.machine.safe_directories;
    let directory = path.parent().and_then(|parent| parent.canonicalize().ok());
    Ok(safe.iter().any(|safe| {
        safe == "*" || directory.is_some() && Path::new(safe).canonicalize().ok() == directory
    }))
}

fn foreign(path: &Path) -> Failure {
    let directory = shell_word(&path.parent().unwrap_or(path).to_string_lossy());
    let message = format!(
        "{} belongs to another user of this machine, who could choose with it what you get and where \
         you publish",
        path.display()
    );
    Failure::usage(message).hint(format!(
        "if you trust it, make it yours with `chown`, or set WARG_SAFE_DIRECTORIES={directory} or \
         `safe-directories` in your own configuration"
    ))
}

/// Reads a configuration file; `None` if it is not there.
fn read(path: &Path, role: Role) -> Result<Option<SourceFile>, Failure> {
    match File::open(path).and_then(read_text) {
        Ok(text) => Ok(Some(SourceFile { path: path.to_owned(), text, role })),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(cannot_read(path, &error)),
    }
}

fn cannot_read(path: &Path, error: &std::io::Error) -> Failure {
    Failure::local(format!("cannot read {}: {error}", path.display()))
}

fn read_text(file: File) -> std::io::Result<String> {
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX) + 1;
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text)?;
    Ok(text)
}
