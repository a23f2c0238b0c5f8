//! Files and directories that survive a power failure, and locks that end with their process.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Makes a directory and those above it, only for the user if `private`. Returns the directories that
/// have new names in them, the innermost first: with [`sync_directory`] they become durable. Whoever
/// has written into the innermost first waits for the disk once rather than for each.
pub(super) fn make_directory(path: &Path, private: bool) -> io::Result<Vec<PathBuf>> {
    if path.is_dir() {
        return Ok(Vec::new());
    }
    let mut above = match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => make_directory(parent, private)?,
        None => Vec::new(),
    };
    match builder(private).create(path) {
        Ok(()) => {
            above.splice(0..0, path.parent().map(Path::to_owned));
            Ok(above)
        }
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(above),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn builder(private: bool) -> fs::DirBuilder {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    if private {
        builder.mode(0o700);
    }
    builder
}

#[cfg(not(unix))]
fn builder(_private: bool) -> fs::DirBuilder {
    fs::DirBuilder::new()
}

/// How to create a file that only the user may read.
pub(super) fn private_file() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "there are no modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes names that were added to a directory, or removed from it, durable.
#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

/// Directories cannot be synced here; the file system's journal does it.
#[cfg(not(unix))]
pub(super) fn sync_directory(_path: &Path) -> io::Result<()> {
    Ok(())
}

/// Whether an open file is still the one that its path leads to, and was not renamed or removed by
/// another process meanwhile.
#[cfg(unix)]
pub(super) fn is_still_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(there.dev() == open.dev() && there.ino() == open.ino()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// See above; a file that is open under a lock cannot be replaced here, so it is there or gone.
#[cfg(not(unix))]
pub(super) fn is_still_at(_file: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

/// Removes a file; whether it was there.
pub(super) fn remove(path: &Path) -> io::Result<bool> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// For people: what could not be done, where and why.
pub(super) fn complaint(what: &str, path: &Path, error: &io::Error) -> String {
    let path = path.display();
    match error.kind() {
        io::ErrorKind::StorageFull => format!("cannot {what} {path}: the disk is full"),
        io::ErrorKind::QuotaExceeded => {
            format!("cannot {what} {path}: you may not use more of this disk")
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            format!("cannot {what} {path}: the disk cannot be written to")
        }
        _ => format!("cannot {what} {path}: {error}"),
    }
}
