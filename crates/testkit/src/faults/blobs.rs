//! Blobs in memory, and blobs that fail on purpose.

#![expect(clippy::panic, reason = "for tests only")]

use std::any::Any;
use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wargate_crypto::Digest;
use wargate_registry::blobs::{Blob, Blobs, Spool};

use super::{Method, Plan};

/// Content in memory. A copy is the same content.
#[derive(Clone, Debug, Default)]
pub struct MemoryBlobs(Arc<Mutex<BTreeMap<Digest, Arc<[u8]>>>>);

impl MemoryBlobs {
    /// No content.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bytes of content.
    pub fn bytes(&self, content: &Digest) -> Option<Arc<[u8]>> {
        self.contents().get(content).cloned()
    }

    /// How many contents there are.
    pub fn len(&self) -> usize {
        self.contents().len()
    }

    /// Whether there is no content.
    pub fn is_empty(&self) -> bool {
        self.contents().is_empty()
    }

    fn contents(&self) -> MutexGuard<'_, BTreeMap<Digest, Arc<[u8]>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blobs for MemoryBlobs {
    fn spool(&self) -> io::Result<Box<dyn Spool>> {
        Ok(Box::new(MemorySpool::default()))
    }

    fn keep(&self, content: &Digest, spool: Box<dyn Spool>) -> io::Result<()> {
        let Ok(spool) = spool.into_any().downcast::<MemorySpool>() else {
            panic!("a spool of other blobs")
        };
        self.contents().entry(*content).or_insert_with(|| spool.0.into());
        Ok(())
    }

    fn open(&self, content: &Digest) -> io::Result<Option<Box<dyn Blob>>> {
        let bytes = self.bytes(content);
        Ok(bytes.map(|bytes| Box::new(MemoryBlob(bytes)) as Box<dyn Blob>))
    }

    fn remove(&self, content: &Digest) -> io::Result<()> {
        self.contents().remove(content);
        Ok(())
    }

    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Digest>> {
        let after = after.map_or(Bound::Unbounded, |after| Bound::Excluded(*after));
        let contents = self.contents();
        Ok(contents.range((after, Bound::Unbounded)).take(limit).map(|(it, _)| *it).collect())
    }
}

#[derive(Debug, Default)]
struct MemorySpool(Vec<u8>);

impl Spool for MemorySpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }

    fn read_back(&mut self) -> io::Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

#[derive(Debug)]
struct MemoryBlob(Arc<[u8]>);

impl Blob for MemoryBlob {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        let from = usize::try_from(position).unwrap_or(usize::MAX);
        let rest = self.0.get(from..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Blobs in front of others.
///
/// A write that does not fit any more ([`Plan::fill_after`]) writes what fits and is
/// [`io::ErrorKind::StorageFull`]; everything else that fails is [`io::ErrorKind::Other`].
pub struct FaultyBlobs {
    plan: Plan,
    inner: Arc<dyn Blobs>,
}

impl FaultyBlobs {
    /// Puts a plan in front of blobs.
    pub fn new(inner: Arc<dyn Blobs>, plan: &Plan) -> Self {
        Self { plan: plan.clone(), inner }
    }
}

impl Blobs for FaultyBlobs {
    fn spool(&self) -> io::Result<Box<dyn Spool>> {
        self.plan.call(Method::Spool, failure, || {
            let inner = self.inner.spool()?;
            Ok(Box::new(FaultySpool { plan: self.plan.clone(), inner }) as Box<dyn Spool>)
        })
    }

    fn keep(&self, content: &Digest, spool: Box<dyn Spool>) -> io::Result<()> {
        let Ok(spool) = spool.into_any().downcast::<FaultySpool>() else {
            panic!("a spool of other blobs")
        };
        self.plan.call(Method::Keep, failure, || self.inner.keep(content, spool.inner))
    }

    fn open(&self, content: &Digest) -> io::Result<Option<Box<dyn Blob>>> {
        self.plan.call(Method::Open, failure, || self.inner.open(content))
    }

    fn remove(&self, content: &Digest) -> io::Result<()> {
        self.plan.call(Method::Remove, failure, || self.inner.remove(content))
    }

    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Digest>> {
        self.plan.call(Method::List, failure, || self.inner.list(after, limit))
    }
}

struct FaultySpool {
    plan: Plan,
    inner: Box<dyn Spool>,
}

impl Spool for FaultySpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let fitting = self.plan.fitting(bytes.len());
        self.inner.write(&bytes[..fitting])?;
        let is_full = fitting < bytes.len();
        if is_full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn read_back(&mut self) -> io::Result<Vec<u8>> {
        self.inner.read_back()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

fn failure() -> io::Error {
    io::Error::other("a failure on purpose")
}
