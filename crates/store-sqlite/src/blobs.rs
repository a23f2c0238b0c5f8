//! Content as files in a folder.
//!
//! ```text
//! sha256/5e/5e884898da28…   content, by its digest
//! tmp/4711-3                bytes that come in, by the process and a counter
//! tmp/lock                  held by every process that uses the folder
//! ```
//!
//! A file gets its name below `sha256` only after its bytes have reached the medium, so what stands
//! there is whole. After a crash there may be files in `tmp`, which the next process removes.

use std::any::Any;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use wargate_crypto::Digest;
use wargate_registry::blobs::{Blob, Blobs, Spool};

use crate::disk;

const CONTENTS: &str = "sha256";
const SPOOLS: &str = "tmp";
const LOCK: &str = "lock";
/// What stands before the digits in a digest's text.
const ALGORITHM: &str = "sha256:";

/// Content as files in a folder, which only their owner may read.
///
/// Several may be open on one folder, in one process or in many.
#[derive(Debug)]
pub struct FileBlobs {
    contents: PathBuf,
    spools: PathBuf,
    /// Shared with the others that use the folder. Closing it gives it back.
    _lock: File,
}

impl FileBlobs {
    /// Opens a folder, or makes it. Bytes that came in and were never kept are removed, unless somebody
    /// else uses the folder, whose bytes they may be.
    ///
    /// # Errors
    /// Those of the medium.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let (contents, spools) = (folder.join(CONTENTS), folder.join(SPOOLS));
        create_folder(folder)?;
        create_folder(&contents)?;
        create_folder(&spools)?;
        // All of them now, so that keeping content is one new name in a folder that is durable.
        (0..=u8::MAX)
            .try_for_each(|first| create_folder(&contents.join(format!("{first:02x}"))))?;
        disk::sync_directory(&contents)?;
        disk::sync_directory(folder)?;
        disk::sync_directory(disk::directory_of(folder))?;
        let mut options = OpenOptions::new();
        let lock = options.write(true).create(true).truncate(false).open(spools.join(LOCK))?;
        match lock.try_lock() {
            Ok(()) => {
                empty(&spools)?;
                lock.unlock()?;
            }
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Whoever empties the folder in between removes nothing of ours: there is nothing yet.
        lock.lock_shared()?;
        Ok(Self { contents, spools, _lock: lock })
    }

    fn shard(&self, content: &Digest) -> PathBuf {
        let [first, ..] = content.as_bytes();
        self.contents.join(format!("{first:02x}"))
    }

    fn path(&self, content: &Digest) -> PathBuf {
        let text = content.to_text();
        self.shard(content).join(text.strip_prefix(ALGORITHM).unwrap_or(&text))
    }
}

impl Blobs for FileBlobs {
    fn spool(&self) -> io::Result<Box<dyn Spool>> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = self.spools.join(format!("{}-{number}", std::process::id()));
            match disk::create_private(&path) {
                Ok(file) => return Ok(Box::new(FileSpool { file, path })),
                // Left by a process that had our number, while others use the folder.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn keep(&self, content: &Digest, spool: Box<dyn Spool>) -> io::Result<()> {
        let foreign = |_| io::Error::new(io::ErrorKind::InvalidInput, "a spool of other blobs");
        let spool = spool.into_any().downcast::<FileSpool>().map_err(foreign)?;
        let path = self.path(content);
        if !fs::exists(&path)? {
            spool.file.sync_all()?;
            // A crash here leaves the bytes under their temporary name only.
            fs::rename(&spool.path, &path)?;
        }
        // Also for a name that was there: whoever made it may not have come as far as this.
        disk::sync_directory(&self.shard(content))
    }

    fn open(&self, content: &Digest) -> io::Result<Option<Box<dyn Blob>>> {
        match File::open(self.path(content)) {
            Ok(file) => {
                Ok(Some(Box::new(FileBlob { size: file.metadata()?.len(), file: file.into() })))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn remove(&self, content: &Digest) -> io::Result<()> {
        remove(&self.path(content))
    }

    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Digest>> {
        let mut found = Vec::new();
        for first in after.map_or(0, |after| after.as_bytes()[0])..=u8::MAX {
            let left = limit.saturating_sub(found.len());
            if left == 0 {
                break;
            }
            found.extend(list_shard(&self.contents, first, after, left)?);
        }
        Ok(found)
    }
}

/// The least digests above `after` in one folder, at most `limit`, which is all that is held of it.
fn list_shard(
    contents: &Path,
    first: u8,
    after: Option<&Digest>,
    limit: usize,
) -> io::Result<BTreeSet<Digest>> {
    let mut least = BTreeSet::new();
    for entry in fs::read_dir(contents.join(format!("{first:02x}")))? {
        let name = entry?.file_name();
        let digest = name.to_str().and_then(|digits| format!("{ALGORITHM}{digits}").parse().ok());
        // What somebody else has put there is not ours to list.
        let Some(digest) = digest.filter(|digest: &Digest| digest.as_bytes()[0] == first) else {
            continue;
        };
        if after.is_none_or(|after| digest > *after) {
            least.insert(digest);
            if least.len() > limit {
                least.pop_last();
            }
        }
    }
    Ok(least)
}

/// Bytes that come in. Its file is removed with it; once it was kept, it has another name.
#[derive(Debug)]
struct FileSpool {
    file: File,
    path: PathBuf,
}

impl Spool for FileSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn read_back(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.file.seek(SeekFrom::Start(0))?;
        // The end is where the next write goes on.
        self.file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

impl Drop for FileSpool {
    fn drop(&mut self) {
        // What cannot be removed now is removed when the folder is opened again.
        drop(remove(&self.path));
    }
}

/// Content that is open.
#[derive(Debug)]
struct FileBlob {
    size: u64,
    file: Shared,
}

impl Blob for FileBlob {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        if position >= self.size {
            // Systems differ in what they say about positions that no file can have.
            return Ok(0);
        }
        loop {
            match self.file.read_at(position, into) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }
}

/// A file that many threads read.
#[cfg(unix)]
#[derive(Debug)]
struct Shared(File);

#[cfg(unix)]
impl Shared {
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, into, position)
    }
}

#[cfg(unix)]
impl From<File> for Shared {
    fn from(file: File) -> Self {
        Self(file)
    }
}

/// A file that many threads read, one after the other.
#[cfg(not(unix))]
#[derive(Debug)]
struct Shared(std::sync::Mutex<File>);

#[cfg(not(unix))]
impl Shared {
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        file.seek(SeekFrom::Start(position))?;
        file.read(into)
    }
}

#[cfg(not(unix))]
impl From<File> for Shared {
    fn from(file: File) -> Self {
        Self(file.into())
    }
}

/// Makes a folder that only its owner may enter, unless there is one.
fn create_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// Removes the spools of processes that are gone.
fn empty(spools: &Path) -> io::Result<()> {
    for entry in fs::read_dir(spools)? {
        let entry = entry?;
        if entry.file_name() != LOCK && entry.file_type()?.is_file() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Removes a file. One that is not there is removed.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
