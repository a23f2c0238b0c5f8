//! Snapshots in a directory.
//!
//! ```text
//! wargate-snapshots     says what the directory is
//! lock                  shared by those who add, held alone by those who remove
//! parts/5e/5e884898…    parts, by their digests
//! manifests/….json      snapshots
//! tmp/4711-3            what is being written
//! ```
//!
//! A part gets its name after its bytes have reached the medium, and a manifest after the names of all
//! its parts have. Everything is the owner's alone. Nothing is read through a symbolic link, nor
//! written: who can write here can destroy snapshots, but not make this program read or write
//! elsewhere.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use wargate_crypto::{Digest, Sha256};
use wargate_registry::snapshot::{SnapshotId, Target};

use super::Use;

/// Says what a place is.
pub(super) const MARK: &str = "wargate-snapshots";
/// What that has.
pub(super) const MARK_TEXT: &str = "wargate snapshots, version 1\n";
const MARK_BEGIN: &str = "wargate snapshots, version ";
const LOCK: &str = "lock";
const SPOOLS: &str = "tmp";
/// Where parts and manifests are, and what their names have, in object storage as well.
pub(super) const PARTS: &str = "parts";
pub(super) const MANIFESTS: &str = "manifests";
pub(super) const MANIFEST_SUFFIX: &str = ".json";
pub(super) const ALGORITHM: &str = "sha256:";

/// A directory with snapshots.
#[derive(Debug)]
pub(crate) struct FolderTarget {
    path: PathBuf,
    /// Folders that have names which are not durable yet.
    unsettled: Mutex<BTreeSet<PathBuf>>,
    _lock: Option<File>,
}

impl FolderTarget {
    /// Opens a directory; makes it if snapshots are to be added.
    pub(super) fn open(path: &Path, how: Use) -> io::Result<Self> {
        if how == Use::Add {
            create(path)?;
        }
        check_mark(path)?;
        for name in [PARTS, MANIFESTS, SPOOLS] {
            require_folder(&path.join(name))?;
        }
        let lock = if how == Use::Read { None } else { Some(lock(path, how)?) };
        Ok(Self { path: path.to_owned(), unsettled: Mutex::default(), _lock: lock })
    }

    fn shard(&self, digest: &Digest) -> PathBuf {
        let [first, ..] = digest.as_bytes();
        self.path.join(PARTS).join(format!("{first:02x}"))
    }

    fn part_path(&self, digest: &Digest) -> PathBuf {
        let text = digest.to_string();
        self.shard(digest).join(text.strip_prefix(ALGORITHM).unwrap_or(&text))
    }

    fn manifest_path(&self, id: &SnapshotId) -> PathBuf {
        self.path.join(MANIFESTS).join(format!("{id}{MANIFEST_SUFFIX}"))
    }

    fn spool(&self) -> io::Result<Spool> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("{}-{number}", std::process::id());
            let path = self.path.join(SPOOLS).join(name);
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            match options.open(&path) {
                Ok(file) => return Ok(Spool { file, path }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn unsettled(&self, folder: PathBuf) {
        self.unsettled.lock().unwrap_or_else(PoisonError::into_inner).insert(folder);
    }
}

impl Target for FolderTarget {
    fn part(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + '_>>> {
        Ok(open_file(&self.part_path(digest))?.map(|file| -> Box<dyn Read> { Box::new(file) }))
    }

    fn part_bytes(&self, digest: &Digest) -> io::Result<Option<u64>> {
        match fs::symlink_metadata(self.part_path(digest)) {
            Ok(found) => Ok(found.is_file().then_some(found.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn keep_part(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let mut spool = self.spool()?;
        let (mut hasher, mut found, mut buffer) = (Sha256::new(), 0_u64, vec![0; 256 << 10]);
        loop {
            let read = from.read(&mut buffer)?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            found += read as u64;
            spool.file.write_all(&buffer[..read])?;
        }
        if found != bytes || hasher.finish() != *digest {
            return Err(changed(digest));
        }
        let folder = self.shard(digest);
        if create_folder(&folder)? {
            self.unsettled(self.path.join(PARTS));
        }
        spool.keep(&self.part_path(digest))?;
        self.unsettled(folder);
        Ok(())
    }

    fn parts(&self, each: &mut dyn FnMut(Digest, u64)) -> io::Result<()> {
        for first in 0..=u8::MAX {
            let folder = self.path.join(PARTS).join(format!("{first:02x}"));
            match fs::symlink_metadata(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Err(no_folder(&folder)),
                Err(error) => return Err(error),
            }
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                let name = entry.file_name();
                let digest = name.to_str().map(|digits| format!("{ALGORITHM}{digits}").parse());
                // What somebody else has put there is not ours.
                let Some(Ok(digest)) = digest else { continue };
                let digest: Digest = digest;
                if digest.as_bytes()[0] == first {
                    each(digest, fs::symlink_metadata(entry.path())?.len());
                }
            }
        }
        Ok(())
    }

    fn remove_part(&self, digest: &Digest) -> io::Result<()> {
        require_folder(&self.shard(digest))?;
        self.unsettled(self.shard(digest));
        crate::data_dir::remove(&self.part_path(digest))
    }

    fn settle(&self) -> io::Result<()> {
        let folders =
            std::mem::take(&mut *self.unsettled.lock().unwrap_or_else(PoisonError::into_inner));
        folders.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn manifests(&self) -> io::Result<Vec<SnapshotId>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(self.path.join(MANIFESTS))? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(MANIFEST_SUFFIX));
            found.extend(id.and_then(|id| id.parse().ok()));
        }
        found.sort_unstable();
        Ok(found)
    }

    fn manifest(&self, id: &SnapshotId, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = open_file(&self.manifest_path(id))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    fn keep_manifest(&self, id: &SnapshotId, bytes: &[u8]) -> io::Result<()> {
        let mut spool = self.spool()?;
        spool.file.write_all(bytes)?;
        spool.keep(&self.manifest_path(id))?;
        sync_folder(&self.path.join(MANIFESTS))
    }

    fn remove_manifest(&self, id: &SnapshotId) -> io::Result<()> {
        crate::data_dir::remove(&self.manifest_path(id))?;
        sync_folder(&self.path.join(MANIFESTS))
    }
}

/// What is being written. It goes with the value, unless it was kept.
struct Spool {
    file: File,
    path: PathBuf,
}

impl Spool {
    /// Gives it its name. A crash before leaves it under its own, where nobody looks.
    fn keep(&self, path: &Path) -> io::Result<()> {
        self.file.sync_all()?;
        fs::rename(&self.path, path)
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        // What was kept has another name now.
        drop(crate::data_dir::remove(&self.path));
    }
}

/// Makes the directory what it is to be, if it is not there or has nothing in it.
fn create(path: &Path) -> io::Result<()> {
    if !path.exists() {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        create_folder(path)?;
    }
    match fs::symlink_metadata(path.join(MARK)) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let ours = [PARTS, MANIFESTS, SPOOLS, LOCK, "lost+found", "wargate-snapshots.new"];
            for entry in fs::read_dir(path)? {
                let name = entry?.file_name();
                if !name.to_str().is_some_and(|name| ours.contains(&name)) {
                    let hint = "name an empty directory, or one that does not exist";
                    return Err(has_something_else(&name.to_string_lossy(), hint));
                }
            }
        }
        Err(error) => return Err(error),
    }
    // One of those who come at the same time makes it.
    let lock = open_lock(path)?;
    let mark = path.join(MARK);
    if fs::symlink_metadata(&mark).is_err() {
        lock.lock()?;
    }
    for name in [PARTS, MANIFESTS, SPOOLS] {
        create_folder(&path.join(name))?;
    }
    if fs::symlink_metadata(&mark).is_err() {
        let new = path.join("wargate-snapshots.new");
        crate::data_dir::remove(&new)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&new)?;
        file.write_all(MARK_TEXT.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, &mark)?;
    }
    sync_folder(path)?;
    crate::data_dir::sync_folder_of(path)
}

fn check_mark(path: &Path) -> io::Result<()> {
    let Some(file) = open_file(&path.join(MARK))? else {
        let what = "there are no snapshots in it\nhint: `wargate snapshot DIR` takes one";
        return Err(io::Error::other(what));
    };
    let mut text = String::new();
    file.take(200).read_to_string(&mut text)?;
    check_mark_text(&text)
}

/// Refuses a place that is something else, or that a newer program made.
pub(super) fn check_mark_text(text: &str) -> io::Result<()> {
    if text == MARK_TEXT {
        Ok(())
    } else if text.starts_with(MARK_BEGIN) {
        Err(io::Error::other("a newer program has written it: use a newer program"))
    } else {
        Err(io::Error::other(format!("its file {MARK} says something else")))
    }
}

/// Refuses a place that is not ours to fill.
pub(super) fn has_something_else(name: &str, hint: &str) -> io::Error {
    io::Error::other(format!("it has something else in it ({name})\nhint: {hint}"))
}

/// What is to be kept is not what its name says.
pub(super) fn changed(digest: &Digest) -> io::Error {
    let what = format!("{digest} has other bytes: `wargate fsck` says more");
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Takes the lock, and removes what those have left who were interrupted.
fn lock(path: &Path, how: Use) -> io::Result<File> {
    let lock = open_lock(path)?;
    match lock.try_lock() {
        Ok(()) => {
            for entry in fs::read_dir(path.join(SPOOLS))? {
                let entry = entry?;
                if entry.file_type()?.is_file() {
                    crate::data_dir::remove(&entry.path())?;
                }
            }
            if how == Use::Remove {
                return Ok(lock);
            }
            lock.unlock()?;
        }
        Err(TryLockError::WouldBlock) if how == Use::Remove => {
            return Err(io::Error::other("somebody takes or removes snapshots: try again later"));
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    lock.lock_shared()?;
    Ok(lock)
}

fn open_lock(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    no_follow(&mut options);
    options.open(path.join(LOCK))
}

/// Opens a file to read; `None` if it is not there. What is no file is an error.
fn open_file(path: &Path) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true);
    no_follow(&mut options);
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if file.metadata()?.is_file() {
        Ok(Some(file))
    } else {
        Err(io::Error::other(format!("{} is no file", path.display())))
    }
}

/// Symbolic links are errors, and whatever else is there does not keep us waiting.
#[cfg(unix)]
fn no_follow(options: &mut OpenOptions) {
    use rustix::fs::OFlags;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags.bits().cast_signed());
}

#[cfg(not(unix))]
fn no_follow(_: &mut OpenOptions) {}

/// Makes a folder that only its owner may enter, unless there is one. Whether it was made.
fn create_folder(path: &Path) -> io::Result<bool> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            require_folder(path).map(|()| false)
        }
        created => created.map(|()| true),
    }
}

fn require_folder(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() { Ok(()) } else { Err(no_folder(path)) }
}

fn no_folder(path: &Path) -> io::Error {
    io::Error::other(format!("{} is no folder, perhaps a link to one", path.display()))
}

#[cfg(unix)]
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
