//! The content cache in a directory.
//!
//! ```text
//! <directory>/<registry>/sha256/<hex>    content that is complete
//!            /<registry>/partial/<hex>   content that comes in, locked while somebody is at it
//! ```
//!
//! Content comes under its own name by a rename. Nobody waits for the disk: what a power failure has
//! damaged is found when its digest is looked at, and comes again. What a killed process left in
//! `partial` is taken up by the next one: the lock ended with the process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use wargate_crypto::Digest;

use super::files::{complaint, is_still_at, make_directory, remove};
use crate::origin::Domain;
use crate::seams::{Cache, CacheError, Content, Partial};

const COMPLETE: &str = "sha256";
const PARTIAL: &str = "partial";

/// How often a file is opened anew that others rename or remove at the same time.
const OPENED_MAX: u32 = 100;

/// Content in a directory, which is made when something comes in.
#[derive(Clone, Debug)]
pub struct FileCache {
    root: PathBuf,
}

impl FileCache {
    /// A cache in this directory, which need not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { root: directory.into() }
    }

    fn place(&self, registry: &Domain, digest: &Digest) -> Place {
        let registry = self.root.join(registry.as_str());
        let text = digest.to_text();
        let hex = text.rsplit(':').next().unwrap_or_default();
        Place {
            complete: registry.join(COMPLETE).join(hex),
            partial: registry.join(PARTIAL).join(hex),
        }
    }
}

/// Where content is, and where it is before.
#[derive(Clone, Debug)]
struct Place {
    complete: PathBuf,
    partial: PathBuf,
}

impl Cache for FileCache {
    fn open(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Content>>, CacheError> {
        let path = self.place(registry, digest).complete;
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => {
                Ok(Some(Box::new(FileContent { path, length: metadata.len(), file: None })))
            }
            Ok(_) => Err(CacheError { message: format!("{} is no file", path.display()) }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn begin(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Partial>>, CacheError> {
        let place = self.place(registry, digest);
        let fail = |error: io::Error| failed("write", &place.partial, &error);
        for path in [&place.partial, &place.complete] {
            make_directory(path.parent().unwrap_or(&self.root), false).map_err(fail)?;
        }
        let Some(file) = open_locked(&place.partial, true).map_err(fail)? else { return Ok(None) };
        let length = file.metadata().map_err(fail)?.len();
        Ok(Some(Box::new(FilePartial { place, file, length })))
    }

    fn remove(&self, registry: &Domain, digest: &Digest) -> Result<(), CacheError> {
        let path = self.place(registry, digest).complete;
        remove(&path).map(drop).map_err(|error| failed("remove", &path, &error))
    }

    /// Files that are not ours are left where they are.
    fn clear(&self) -> Result<u64, CacheError> {
        let mut bytes = 0;
        for registry in entries(&self.root, |name| name.parse::<Domain>().is_ok())? {
            let (complete, partial) = (registry.join(COMPLETE), registry.join(PARTIAL));
            for path in entries(&complete, is_hex)? {
                let length = fs::symlink_metadata(&path).map_or(0, |metadata| metadata.len());
                let removed = remove(&path).map_err(|error| failed("remove", &path, &error))?;
                bytes += if removed { length } else { 0 };
            }
            for path in entries(&partial, is_hex)? {
                let cleared = clear_partial(&path);
                bytes += cleared.map_err(|error| failed("remove", &path, &error))?;
            }
            // Only those that are empty go.
            for directory in [complete, partial, registry] {
                let _ = fs::remove_dir(directory);
            }
        }
        Ok(bytes)
    }
}

/// Removes what nobody is at, and returns its length.
fn clear_partial(path: &Path) -> io::Result<u64> {
    let Some(file) = open_locked(path, false)? else { return Ok(0) };
    let length = file.metadata()?.len();
    Ok(if remove(path)? { length } else { 0 })
}

/// Opens a file and locks it; `None` if another process has, or if it is not there and not to be made.
fn open_locked(path: &Path, make: bool) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(make);
    for _ in 0..OPENED_MAX {
        let file = match options.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) if !make => return Ok(None),
            Err(_) => {
                // Somebody clears the cache.
                make_directory(path.parent().unwrap_or(Path::new(".")), false)?;
                continue;
            }
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // Before the lock was ours, its last holder may have made the file complete, or removed it.
        if is_still_at(&file, path)? {
            return Ok(Some(file));
        }
    }
    Err(io::Error::other("others remove it all the time"))
}

/// The paths in a directory whose names are such; none if there is no such directory.
fn entries(directory: &Path, such: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>, CacheError> {
    let fail = |error: io::Error| failed("list", directory, &error);
    let read = match fs::read_dir(directory) {
        Ok(read) => read,
        Err(error) if is_no_directory(&error) => return Ok(Vec::new()),
        Err(error) => return Err(fail(error)),
    };
    let mut paths = Vec::new();
    for entry in read {
        let entry = entry.map_err(fail)?;
        if entry.file_name().to_str().is_some_and(&such) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}

fn is_no_directory(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn is_hex(name: &str) -> bool {
    format!("sha256:{name}").parse::<Digest>().is_ok()
}

fn failed(what: &str, path: &Path, error: &io::Error) -> CacheError {
    CacheError { message: complaint(what, path, error) }
}

/// Content that is complete. The file is opened when it is read, so that many can be at hand.
struct FileContent {
    path: PathBuf,
    length: u64,
    file: Option<File>,
}

impl Content for FileContent {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError> {
        let file = match &mut self.file {
            Some(file) => file,
            closed => {
                let file = File::open(&self.path);
                closed.insert(file.map_err(|error| failed("read", &self.path, &error))?)
            }
        };
        read_at(file, offset, into).map_err(|error| failed("read", &self.path, &error))
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }
}

/// Content that comes in. The file is locked.
struct FilePartial {
    place: Place,
    file: File,
    length: u64,
}

impl FilePartial {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.length = length;
        Ok(())
    }
}

impl Partial for FilePartial {
    fn length(&self) -> u64 {
        self.length
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError> {
        let read = read_at(&mut self.file, offset, into);
        read.map_err(|error| failed("read", &self.place.partial, &error))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        let seek = self.file.seek(SeekFrom::Start(self.length));
        if let Err(error) = seek.and_then(|_| self.file.write_all(bytes)) {
            // What came of these bytes is not counted, so it must not stay.
            let _ = self.cut(self.length);
            return Err(failed("write", &self.place.partial, &error));
        }
        self.length += bytes.len() as u64;
        Ok(())
    }

    fn restart(&mut self) -> Result<(), CacheError> {
        self.cut(0).map_err(|error| failed("write", &self.place.partial, &error))
    }

    fn commit(self: Box<Self>) -> Result<Box<dyn Content>, CacheError> {
        let Place { complete, partial } = &self.place;
        let commit = || {
            // It may be gone if somebody has cleared the cache meanwhile.
            make_directory(complete.parent().unwrap_or(Path::new(".")), false)?;
            fs::rename(partial, complete)
        };
        commit().map_err(|error| failed("write", complete, &error))?;
        let content = FileContent { path: complete.clone(), length: self.length, file: None };
        Ok(Box::new(content))
    }
}

fn read_at(file: &mut File, offset: u64, into: &mut [u8]) -> io::Result<usize> {
    file.seek(SeekFrom::Start(offset))?;
    file.read(into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Domain {
        "warg.io".parse().unwrap()
    }

    fn whole(content: &mut dyn Content) -> Vec<u8> {
        let mut bytes = vec![0; usize::try_from(content.length()).unwrap() + 1];
        let read = content.read_at(0, &mut bytes).unwrap();
        bytes.truncate(read);
        bytes
    }

    #[test]
    fn content_appears_at_once_and_what_came_before_stays() {
        let directory = tempfile::tempdir().unwrap();
        let cache = FileCache::new(directory.path().join("cache"));
        let digest = Digest::of(b"content");
        let mut partial = cache.begin(&registry(), &digest).unwrap().unwrap();
        partial.append(b"cont").unwrap();
        assert!(cache.begin(&registry(), &digest).unwrap().is_none(), "it is locked");
        assert!(cache.open(&registry(), &digest).unwrap().is_none());
        drop(partial);
        let mut partial = cache.begin(&registry(), &digest).unwrap().unwrap();
        assert_eq!(partial.length(), 4);
        let mut byte = [0; 2];
        assert_eq!(partial.read_at(3, &mut byte).unwrap(), 1);
        partial.append(b"ent").unwrap();
        let mut content = partial.commit().unwrap();
        assert_eq!(whole(&mut *content), b"content");
        assert_eq!(whole(&mut *cache.open(&registry(), &digest).unwrap().unwrap()), b"content");
        assert!(cache.open(&"other".parse().unwrap(), &digest).unwrap().is_none());
        // It can be fetched again, and replaces what is there.
        cache.remove(&registry(), &digest).unwrap();
        cache.remove(&registry(), &digest).unwrap();
        assert!(cache.open(&registry(), &digest).unwrap().is_none());
        assert_eq!(cache.begin(&registry(), &digest).unwrap().unwrap().length(), 0);
    }

    #[test]
    fn clearing_leaves_what_is_in_use_and_what_is_not_ours() {
        let directory = tempfile::tempdir().unwrap();
        let cache = FileCache::new(directory.path());
        let begin = |bytes: &[u8]| {
            let mut partial = cache.begin(&registry(), &Digest::of(bytes)).unwrap().unwrap();
            partial.append(bytes).unwrap();
            partial
        };
        begin(b"complete").commit().unwrap();
        drop(begin(b"left"));
        let mut used = begin(b"used");
        fs::write(directory.path().join("warg.io/sha256/notes.txt"), "mine").unwrap();
        fs::write(directory.path().join("README"), "mine").unwrap();
        assert_eq!(cache.clear().unwrap(), 12);
        assert!(cache.open(&registry(), &Digest::of(b"complete")).unwrap().is_none());
        assert!(directory.path().join("warg.io/sha256/notes.txt").exists());
        assert!(directory.path().join("README").exists());
        used.append(b"!").unwrap();
        assert_eq!(whole(&mut *used.commit().unwrap()), b"used!");
        assert_eq!(cache.clear().unwrap(), 5);
    }

    #[test]
    fn a_full_disk_is_named() {
        let error = io::Error::from(io::ErrorKind::StorageFull);
        let error = failed("write", Path::new("/cache/x"), &error);
        assert_eq!(error.message, "cannot write /cache/x: the disk is full");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_does_not_fit_is_not_counted() {
        // Every write to this device finds a full disk.
        let file = OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
        let place = Place { complete: "/nowhere/c".into(), partial: "/nowhere/p".into() };
        let mut partial = FilePartial { place, file, length: 0 };
        let error = partial.append(&[0; 1000]).unwrap_err();
        assert_eq!(error.message, "cannot write /nowhere/p: the disk is full");
        assert_eq!(partial.length(), 0);
    }
}
