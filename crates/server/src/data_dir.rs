//! The data directory: who holds it, and what is where.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A data directory that this process holds. Nobody else can, until the value is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// Somebody else holds the data directory.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data directory {} is held by another process, probably a running `wargate serve`\nhint: stop \
     it first, or use another --data-dir", .0.display()
)]
pub(crate) struct Held(PathBuf);

impl DataDir {
    /// Makes the directory if it is not there, and takes hold of it.
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let wrong = || format!("cannot make the data directory {}", path.display());
        for folder in [path.to_owned(), path.join("keys")] {
            create_folder(&folder).with_context(wrong)?;
            only_for_owner(&folder, 0o700).with_context(wrong)?;
        }
        Self::hold(path)
    }

    /// Takes hold of a directory that has a registry in it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !path.join("registry.db").exists() {
            bail!(
                "there is no registry in {}\nhint: `wargate serve` makes one; --data-dir says where",
                path.display()
            );
        }
        Self::hold(path)
    }

    fn hold(path: &Path) -> Result<Self> {
        let at = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&at);
        let lock = lock.with_context(|| format!("cannot open {}", at.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Held(path.to_owned()).into()),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", at.display()))
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("registry.db")
    }

    pub(crate) fn content(&self) -> PathBuf {
        self.path.join("content")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
}

/// Where a running server listens for its operator.
pub(crate) fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// Writes a secret to a new file that only the owner can read; durable on return. A file that exists
/// is left alone, and an error. Whatever interrupts this, the file is not there or whole.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let unfinished = path.with_added_extension("unfinished");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result?,
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    // A crash here leaves the secret under its other name only, where nobody looks for it.
    fs::rename(unfinished, path)?;
    sync_folder_of(path)
}

/// Makes a folder, with those above it that are missing. Its name is durable on return, also if
/// somebody has made it before who did not come as far as that.
fn create_folder(path: &Path) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.exists()) {
        create_folder(above)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        result => result?,
    }
    match sync_folder_of(path) {
        // A folder that we may enter and not read was made, with this name in it, by somebody else.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        result => result,
    }
}

/// Makes what happened to the names in a file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(folder) = path.parent() {
        let here = folder.as_os_str().is_empty();
        File::open(if here { Path::new(".") } else { folder })?.sync_all()?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(unix)]
pub(crate) fn only_for_owner(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(crate) fn only_for_owner(_: &Path, _: u32) -> io::Result<()> {
    Ok(())
}
