//! State and cache in memory, for hosts without files, and for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use wargate_crypto::Digest;

use crate::origin::Domain;
use crate::seams::{Cache, CacheError, Content, Guard, Key, Partial, State, StateError};

/// State that ends with its last clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    values: Arc<Mutex<BTreeMap<Key, Vec<u8>>>>,
    locks: Arc<Locks>,
}

#[derive(Debug, Default)]
struct Locks {
    held: Mutex<BTreeSet<Key>>,
    released: Condvar,
}

impl State for MemoryState {
    fn read(&self, key: &Key) -> Result<Option<Vec<u8>>, StateError> {
        Ok(open(&self.values).get(key).cloned())
    }

    fn write(&self, key: &Key, value: &[u8]) -> Result<(), StateError> {
        open(&self.values).insert(key.clone(), value.to_vec());
        Ok(())
    }

    fn remove(&self, key: &Key) -> Result<(), StateError> {
        open(&self.values).remove(key);
        Ok(())
    }

    fn list(&self, below: &Key) -> Result<Vec<Key>, StateError> {
        let begin = format!("{below}/");
        let values = open(&self.values);
        Ok(values.keys().filter(|key| key.as_str().starts_with(&begin)).cloned().collect())
    }

    fn lock(&self, key: &Key) -> Result<Box<dyn Guard>, StateError> {
        let locks = Arc::clone(&self.locks);
        let held = open(&locks.held);
        let wait = locks.released.wait_while(held, |held| held.contains(key));
        wait.unwrap_or_else(PoisonError::into_inner).insert(key.clone());
        Ok(Box::new(MemoryGuard { locks: Arc::clone(&locks), key: key.clone() }))
    }
}

struct MemoryGuard {
    locks: Arc<Locks>,
    key: Key,
}

impl Guard for MemoryGuard {}

impl Drop for MemoryGuard {
    fn drop(&mut self) {
        open(&self.locks.held).remove(&self.key);
        self.locks.released.notify_all();
    }
}

/// Content that ends with the last clone of its cache. Nothing limits it but the memory there is.
#[derive(Clone, Debug, Default)]
pub struct MemoryCache(Arc<Mutex<Shelves>>);

type Place = (Domain, Digest);

#[derive(Debug, Default)]
struct Shelves {
    complete: BTreeMap<Place, Arc<[u8]>>,
    /// What came and nobody is at.
    left: BTreeMap<Place, Vec<u8>>,
    in_use: BTreeSet<Place>,
}

impl Cache for MemoryCache {
    fn open(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Content>>, CacheError> {
        let complete = open(&self.0).complete.get(&(registry.clone(), *digest)).cloned();
        Ok(complete.map(|bytes| Box::new(MemoryContent(bytes)) as Box<dyn Content>))
    }

    fn begin(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Partial>>, CacheError> {
        let place = (registry.clone(), *digest);
        let mut shelves = open(&self.0);
        if !shelves.in_use.insert(place.clone()) {
            return Ok(None);
        }
        let bytes = shelves.left.remove(&place).unwrap_or_default();
        Ok(Some(Box::new(MemoryPartial { shelves: Arc::clone(&self.0), place, bytes })))
    }

    fn remove(&self, registry: &Domain, digest: &Digest) -> Result<(), CacheError> {
        open(&self.0).complete.remove(&(registry.clone(), *digest));
        Ok(())
    }

    fn clear(&self) -> Result<u64, CacheError> {
        let mut shelves = open(&self.0);
        let complete: usize = shelves.complete.values().map(|bytes| bytes.len()).sum();
        let left: usize = shelves.left.values().map(Vec::len).sum();
        shelves.complete.clear();
        shelves.left.clear();
        Ok((complete + left) as u64)
    }
}

struct MemoryContent(Arc<[u8]>);

impl Content for MemoryContent {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError> {
        Ok(read_at(&self.0, offset, into))
    }
}

struct MemoryPartial {
    shelves: Arc<Mutex<Shelves>>,
    place: Place,
    bytes: Vec<u8>,
}

impl Partial for MemoryPartial {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError> {
        Ok(read_at(&self.bytes, offset, into))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn restart(&mut self) -> Result<(), CacheError> {
        self.bytes.clear();
        Ok(())
    }

    fn commit(mut self: Box<Self>) -> Result<Box<dyn Content>, CacheError> {
        let bytes: Arc<[u8]> = std::mem::take(&mut self.bytes).into();
        open(&self.shelves).complete.insert(self.place.clone(), Arc::clone(&bytes));
        Ok(Box::new(MemoryContent(bytes)))
    }
}

impl Drop for MemoryPartial {
    fn drop(&mut self) {
        let mut shelves = open(&self.shelves);
        shelves.in_use.remove(&self.place);
        if !self.bytes.is_empty() {
            shelves.left.insert(self.place.clone(), std::mem::take(&mut self.bytes));
        }
    }
}

fn read_at(bytes: &[u8], offset: u64, into: &mut [u8]) -> usize {
    let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let length = into.len().min(bytes.len() - offset);
    into[..length].copy_from_slice(&bytes[offset..offset + length]);
    length
}

/// A panic elsewhere leaves these maps whole.
fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_kept_listed_and_locked() {
        let state = MemoryState::default();
        let key = |text: &str| Key::new(text.split('/')).unwrap();
        for at in ["a", "a/c", "a/b", "ab/c"] {
            state.write(&key(at), at.as_bytes()).unwrap();
        }
        assert_eq!(state.list(&key("a")).unwrap(), [key("a/b"), key("a/c")]);
        state.remove(&key("a/c")).unwrap();
        assert_eq!(state.read(&key("a/c")).unwrap(), None);
        assert_eq!(state.clone().read(&key("a/b")).unwrap().unwrap(), b"a/b");
        let guard = state.lock(&key("a")).unwrap();
        drop(state.lock(&key("b")).unwrap());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| drop(state.lock(&key("a")).unwrap()));
            drop(guard);
            waiting.join().unwrap();
        });
    }

    #[test]
    fn content_appears_at_once_and_what_came_before_stays() {
        let cache = MemoryCache::default();
        let (registry, digest) = ("warg.io".parse().unwrap(), Digest::of(b"abc"));
        let mut partial = cache.begin(&registry, &digest).unwrap().unwrap();
        partial.append(b"ab").unwrap();
        assert!(cache.begin(&registry, &digest).unwrap().is_none());
        drop(partial);
        let mut partial = cache.begin(&registry, &digest).unwrap().unwrap();
        assert_eq!(partial.length(), 2);
        assert_eq!(cache.clear().unwrap(), 0, "it is in use");
        partial.append(b"c").unwrap();
        assert!(cache.open(&registry, &digest).unwrap().is_none());
        let mut content = partial.commit().unwrap();
        let mut bytes = [0; 8];
        assert_eq!(content.read_at(1, &mut bytes).unwrap(), 2);
        assert_eq!(&bytes[..2], b"bc");
        assert_eq!(content.read_at(9, &mut bytes).unwrap(), 0);
        assert_eq!(cache.clear().unwrap(), 3);
        assert_eq!(cache.begin(&registry, &digest).unwrap().unwrap().length(), 0);
    }
}
