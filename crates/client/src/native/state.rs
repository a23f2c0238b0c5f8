//! State in a directory.
//!
//! ```text
//! <directory>/registries+/warg.io+/pin    the value of the key `registries/warg.io/pin`
//!            /registries+/warg.io+/.tmp-… a value that is being written, or that a killed process left
//!            /.locks/<hash of a key>      a lock; the file stays, the lock ends with its holder
//! ```
//!
//! A segment that has others behind it is a directory with a `+` at its end, which no segment has, so
//! that a key can be the beginning of another one. Since no segment begins with `.`, no key leads to a
//! lock, to a file that is being written, or out of the directory.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use wargate_crypto::Digest;

use super::files::{complaint, make_directory, private_file, remove, sync_directory};
use crate::seams::{Guard, Key, State, StateError};

/// Most bytes of a value.
const VALUE_BYTES_MAX: u64 = 64 << 20;

/// What a killed writer left is removed when it is as old as this.
const LEFT_BEHIND: Duration = Duration::from_hours(24);

/// Most segments of a key.
const SEGMENTS_MAX: usize = 16;

const LOCKS: &str = ".locks";
const TEMPORARY: &str = ".tmp-";

/// State in a directory, which is made when something is written. Only the user can read it.
#[derive(Debug)]
pub struct FileState {
    root: PathBuf,
    /// Directories that were cleaned of what killed writers left.
    swept: Mutex<HashSet<PathBuf>>,
}

impl FileState {
    /// State in this directory, which need not exist.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { root: directory.into(), swept: Mutex::default() }
    }

    fn path(&self, key: &Key) -> Result<PathBuf, StateError> {
        if key.segments().count() > SEGMENTS_MAX {
            let message = format!("`{key}` has more than {SEGMENTS_MAX} segments");
            return Err(StateError { message });
        }
        let mut path = self.root.clone();
        let mut segments = key.segments().peekable();
        while let Some(segment) = segments.next() {
            match segments.peek() {
                Some(_) => path.push(format!("{segment}+")),
                None => path.push(segment),
            }
        }
        Ok(path)
    }

    /// Puts a value in the place of another one, at once.
    fn replace(&self, key: &Key, value: &[u8], durably: bool) -> Result<(), StateError> {
        let path = self.path(key)?;
        let directory = path.parent().unwrap_or(&self.root);
        let fail = |error: io::Error| failed("write", &path, &error);
        if value.len() as u64 > VALUE_BYTES_MAX {
            return Err(fail(io::Error::other("the value is too large")));
        }
        let made = make_directory(directory, true).map_err(fail)?;
        self.sweep(directory);
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| fail(io::Error::other(error)))?;
        let name = format!("{TEMPORARY}{:016x}", u64::from_le_bytes(random));
        let temporary = directory.join(name);
        let written = write_whole(&temporary, value, durably);
        let written = written.and_then(|()| fs::rename(&temporary, &path));
        if let Err(error) = written {
            let _ = remove(&temporary);
            return Err(fail(error));
        }
        if durably {
            sync_directory(directory).map_err(fail)?;
        }
        // A directory that others find is there to stay, whatever comes into it first.
        made.iter().try_for_each(|above| sync_directory(above)).map_err(fail)?;
        Ok(())
    }

    /// Once for each directory, removes what killed writers left. It is no failure if that fails.
    fn sweep(&self, directory: &Path) {
        let mut swept = self.swept.lock().unwrap_or_else(PoisonError::into_inner);
        if !swept.insert(directory.to_owned()) {
            return;
        }
        drop(swept);
        let Ok(entries) = fs::read_dir(directory) else { return };
        for entry in entries.flatten() {
            let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(TEMPORARY));
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|at| SystemTime::now().duration_since(at).unwrap_or_default());
            if ours && age.is_ok_and(|age| age > LEFT_BEHIND) {
                let _ = remove(&entry.path());
            }
        }
    }
}

impl State for FileState {
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        let path = self.path(key)?;
        let read = || {
            let mut value = Vec::new();
            File::open(&path)?.take(VALUE_BYTES_MAX + 1).read_to_end(&mut value)?;
            Ok(value)
        };
        match read() {
            Ok(value) if value.len() as u64 > VALUE_BYTES_MAX => {
                let (path, most) = (path.display(), VALUE_BYTES_MAX >> 20);
                Err(StateError { message: format!("{path} has more than {most} MiB") })
            }
            Ok(value) => Ok(Some(value)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed("read", &path, &error)),
        }
    }

    fn write(&self, key: &Key, value: &[u8]) -> Result<(), StateError> {
        self.replace(key, value, true)
    }

    fn keep(&self, key: &Key, value: &[u8]) -> Result<(), StateError> {
        self.replace(key, value, false)
    }

    fn remove(&self, key: &Key) -> Result<(), StateError> {
        let path = self.path(key)?;
        let removed = remove(&path).and_then(|there| match path.parent() {
            Some(directory) if there => sync_directory(directory),
            _ => Ok(()),
        });
        match removed {
            Err(error) if !is_missing(&error) => Err(failed("remove", &path, &error)),
            _ => Ok(()),
        }
    }

    fn list(&self, below: &Key) -> Result<Vec<Key>, StateError> {
        let mut directory = self.path(below)?.into_os_string();
        directory.push("+");
        let segments: Vec<String> = below.segments().map(str::to_owned).collect();
        let mut keys = Vec::new();
        list_into(&mut keys, Path::new(&directory), &segments)?;
        keys.sort();
        Ok(keys)
    }

    fn lock(&self, key: &Key) -> Result<Box<dyn Guard>, StateError> {
        let hash = Digest::of(key.as_str().as_bytes()).to_string().replace(':', "-");
        let directory = self.root.join(LOCKS);
        let path = directory.join(hash);
        let lock = || {
            make_directory(&directory, true)?;
            let file =
                private_file().read(true).write(true).create(true).truncate(false).open(&path)?;
            file.lock()?;
            Ok(file)
        };
        let file = lock().map_err(|error| failed("lock", &path, &error))?;
        Ok(Box::new(FileGuard { _file: file }))
    }
}

/// Closing the file ends the lock.
struct FileGuard {
    _file: File,
}

impl Guard for FileGuard {}

fn write_whole(path: &Path, value: &[u8], durably: bool) -> io::Result<()> {
    let mut file = private_file().write(true).create_new(true).open(path)?;
    file.write_all(value)?;
    if durably { file.sync_all() } else { Ok(()) }
}

/// Adds the keys of a directory, whose own key has these segments, and of those in it.
fn list_into(keys: &mut Vec<Key>, path: &Path, segments: &[String]) -> Result<(), StateError> {
    let fail = |error: io::Error| failed("list", path, &error);
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if is_missing(&error) => return Ok(()),
        Err(error) => return Err(fail(error)),
    };
    for entry in entries {
        let entry = entry.map_err(fail)?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let is_directory = entry.file_type().map_err(fail)?.is_dir();
        let segment = if is_directory { name.strip_suffix('+') } else { Some(name) };
        let Some(segment) = segment else { continue };
        let longer: Vec<String> = segments.iter().cloned().chain([segment.to_owned()]).collect();
        // What is no key is not ours.
        let Ok(key) = Key::new(&longer) else { continue };
        if !is_directory {
            keys.push(key);
        } else if longer.len() < SEGMENTS_MAX {
            list_into(keys, &entry.path(), &longer)?;
        }
    }
    Ok(())
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> StateError {
    StateError { message: complaint(what, path, error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text.split('/')).unwrap()
    }

    #[test]
    fn values_are_kept_replaced_listed_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let state = FileState::new(directory.path().join("new/state"));
        assert_eq!(state.read(&key("a/b")).unwrap(), None);
        assert_eq!(state.list(&key("a")).unwrap(), []);
        state.remove(&key("a/b")).unwrap();
        // A key may be the beginning of another one.
        for (at, value) in [("a", "1"), ("a/b", "2"), ("a/b/c", "3"), ("a/b", "4"), ("ab/c", "5")] {
            state.write(&key(at), value.as_bytes()).unwrap();
        }
        let again = FileState::new(directory.path().join("new/state"));
        assert_eq!(again.read(&key("a/b")).unwrap().unwrap(), b"4");
        assert_eq!(again.read(&key("a")).unwrap().unwrap(), b"1");
        assert_eq!(again.list(&key("a")).unwrap(), [key("a/b"), key("a/b/c")]);
        again.remove(&key("a/b")).unwrap();
        assert_eq!(state.read(&key("a/b")).unwrap(), None);
        assert_eq!(state.read(&key("a/b/c")).unwrap().unwrap(), b"3");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_user_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("state");
        let state = FileState::new(&root);
        state.write(&key("a/b"), b"secret").unwrap();
        drop(state.lock(&key("a/b")).unwrap());
        let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(""), mode("a+"), mode(LOCKS), mode("a+/b")], [0o700, 0o700, 0o700, 0o600]);
    }

    #[test]
    fn what_killed_writers_left_goes_after_a_day() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join("a+").join(name);
        fs::create_dir(directory.path().join("a+")).unwrap();
        for name in [".tmp-old", ".tmp-new", "other"] {
            File::create(at(name)).unwrap();
        }
        let old = SystemTime::now() - LEFT_BEHIND - Duration::from_mins(1);
        for name in [".tmp-old", "other"] {
            File::options().write(true).open(at(name)).unwrap().set_modified(old).unwrap();
        }
        let state = FileState::new(directory.path());
        state.write(&key("a/b"), b"1").unwrap();
        let there = [".tmp-old", ".tmp-new", "other", "b"].map(|name| at(name).exists());
        assert_eq!(there, [false, true, true, true]);
        // None of them is a value.
        assert_eq!(state.list(&key("a")).unwrap(), [key("a/b"), key("a/other")]);
    }

    #[test]
    fn a_value_that_is_too_large_is_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let file = File::create(directory.path().join("a")).unwrap();
        file.set_len(VALUE_BYTES_MAX + 1).unwrap();
        let error = FileState::new(directory.path()).read(&key("a")).unwrap_err();
        assert!(error.message.contains("more than 64 MiB"), "{error}");
    }

    #[test]
    fn a_lock_excludes_others_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let state = FileState::new(directory.path());
        let guard = state.lock(&key("a")).unwrap();
        drop(state.lock(&key("b")).unwrap());
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let _guard = state.lock(&key("a")).unwrap();
                sender.send(()).unwrap();
            });
            assert!(receiver.try_recv().is_err());
            drop(guard);
            receiver.recv().unwrap();
        });
    }
}
