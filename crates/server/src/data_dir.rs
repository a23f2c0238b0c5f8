//! The data directory: who holds it, and what is where.

mod format;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// A data directory that this process holds. Nobody else can, until the value is dropped.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// `None` for a visitor.
    _lock: Option<File>,
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
        refuse_what_is_not_ours(path)?;
        let wrong = || format!("cannot make the data directory {}", path.display());
        for folder in [path.to_owned(), path.join("keys")] {
            create_folder(&folder, true).with_context(wrong)?;
        }
        let held = Self::hold(path)?;
        format::check(path)?;
        format::write(path)?;
        Ok(held)
    }

    /// Makes the directory if it is not there, and takes hold of it, to restore a registry in it. What
    /// has something in it is refused, unless an interrupted restore has left it.
    pub(crate) fn create_to_restore(path: &Path) -> Result<Self> {
        format::may_be_restored(path)?;
        let wrong = || format!("cannot make the data directory {}", path.display());
        create_folder(path, true).with_context(wrong)?;
        let held = Self::hold(path)?;
        format::begin_restore(path)?;
        create_folder(&path.join("keys"), true).with_context(wrong)?;
        Ok(held)
    }

    /// What was restored is whole, and can be used.
    pub(crate) fn is_restored(&self) -> Result<()> {
        format::end_restore(&self.path)
    }

    /// Takes hold of a directory that has a registry in it.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        require_registry(path)?;
        let held = Self::hold(path)?;
        format::check(path)?;
        Ok(held)
    }

    /// Looks into a directory that has a registry in it, and that somebody else may hold.
    pub(crate) fn visit(path: &Path) -> Result<Self> {
        require_registry(path)?;
        format::check(path)?;
        Ok(Self { path: path.to_owned(), _lock: None })
    }

    fn hold(path: &Path) -> Result<Self> {
        let at = path.join("lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&at);
        let lock = lock.with_context(|| format!("cannot open {}", at.display()))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: Some(lock) }),
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

    /// What can be made again of the database and the content.
    pub(crate) fn index(&self) -> PathBuf {
        self.path.join("index.db")
    }

    pub(crate) fn content(&self) -> PathBuf {
        self.path.join("content")
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
}

/// What a registry has in its directory, beside its database.
const NAMES: [&str; 10] = [
    "lock",
    "keys",
    "content",
    crate::content_store::FILE,
    "admin.sock",
    "format",
    "format.unfinished",
    "paused",
    "paused.new",
    "lost+found",
];

fn require_registry(path: &Path) -> Result<()> {
    // What is half restored says so itself.
    format::check(path)?;
    if path.join("registry.db").exists() {
        return Ok(());
    }
    bail!(
        "there is no registry in {}\nhint: `wargate serve` makes one; --data-dir says where",
        path.display()
    )
}

/// Whether something of this name in a data directory is the registry's.
pub(crate) fn is_ours(name: &str) -> bool {
    NAMES.contains(&name)
        || ["registry.db", "index.db"].iter().any(|database| {
            name.strip_prefix(database).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
        })
}

/// A directory that somebody uses for something else is no place for a registry.
fn refuse_what_is_not_ours(path: &Path) -> Result<()> {
    format::check(path)?;
    let wrong = || format!("cannot read the data directory {}", path.display());
    if path.join("registry.db").exists() {
        return Ok(());
    }
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(wrong)?,
    };
    for entry in entries {
        let name = entry.with_context(wrong)?.file_name();
        // A power failure may leave what belongs to the database, and not the database.
        let is_ours = name.to_str().is_some_and(|name| name != "registry.db" && is_ours(name));
        if !is_ours {
            bail!(
                "{} is no data directory: it has no registry in it, but {}\nhint: name an empty \
                 directory with --data-dir, or one that does not exist",
                path.display(),
                name.display()
            );
        }
    }
    Ok(())
}

/// Where a running server listens for its operator.
pub(crate) fn admin_socket(data_dir: &Path) -> PathBuf {
    data_dir.join("admin.sock")
}

/// Writes a secret to a new file that only the owner can read; whole and durable on return, and not
/// there at all if this is interrupted. A file that exists is left alone, and an error.
pub(crate) fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_added_extension("unfinished");
    remove(&unfinished)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&unfinished)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all())
        // Unlike renaming, this does not replace what is there.
        .and_then(|()| fs::hard_link(&unfinished, path));
    remove(&unfinished)?;
    written?;
    sync_folder_of(path)
}

/// Removes a file if it is there.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Makes a folder, with those above it that are missing. Its name is durable on return, also if
/// somebody has made it before who did not come as far as that. What is there keeps its mode.
fn create_folder(path: &Path, private: bool) -> io::Result<()> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    if let Some(above) = above.filter(|above| !above.exists()) {
        create_folder(above, false)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    if private {
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    }
    #[cfg(not(unix))]
    let _ = private;
    match builder.create(path) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_there_whole_or_not_at_all() {
        let name = format!("wargate-secret-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&folder);
        create_folder(&folder, true).unwrap();
        let path = folder.join("a.key");
        // Somebody was interrupted, with half of it written.
        fs::write(folder.join("a.key.unfinished"), "half").unwrap();
        write_secret(&path, "secret").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
        let again = write_secret(&path, "other").unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "secret\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
