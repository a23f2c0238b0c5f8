//! Where published content comes from: the cache, or memory.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use wargate_crypto::{Digest, Sha256};

use super::Contents;
use crate::client::Client;
use crate::error::Error;
use crate::origin::Domain;
use crate::seams::{CacheError, ChunkSource, Content};

/// Content that was put into the cache with [`Client::keep`].
pub struct Kept {
    client: Client,
    registry: Domain,
}

impl Client {
    /// Puts content into the cache, to be published to a registry now or later.
    ///
    /// # Errors
    /// [`Error::Content`] if what is read is not what the digest says; [`Error::Cache`]
    pub fn keep(
        &self,
        registry: &Domain,
        digest: &Digest,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let cache = &*self.parts.cache;
        if cache.open(registry, digest)?.is_some() {
            return Ok(());
        }
        // Somebody downloads it at this moment: it will be there.
        let Some(mut partial) = cache.begin(registry, digest)? else { return Ok(()) };
        partial.restart()?;
        let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
        loop {
            let read = content.read(&mut chunk);
            let read = read.map_err(|error| Error::Content(error.to_string()))?;
            let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { break };
            hasher.update(piece);
            partial.append(piece)?;
        }
        if hasher.finish() != *digest {
            partial.restart()?;
            return Err(Error::Content("the file changed while it was read".into()));
        }
        partial.commit()?;
        Ok(())
    }

    /// What was [kept](Self::keep) for a registry.
    pub fn kept(&self, registry: &Domain) -> Kept {
        Kept { client: self.clone(), registry: registry.clone() }
    }
}

impl Contents for Kept {
    fn open(&self, digest: &Digest) -> std::io::Result<(u64, Box<dyn ChunkSource>)> {
        let content = self.client.parts.cache.open(&self.registry, digest).map_err(io_error)?;
        let content = content.ok_or(std::io::ErrorKind::NotFound)?;
        let length = content.length();
        Ok((length, Box::new(CachedSource { content, offset: 0 })))
    }
}

/// Content from the cache, as it is sent.
struct CachedSource {
    content: Box<dyn Content>,
    offset: u64,
}

/// Most bytes that are read at a time.
const CHUNK_BYTES: usize = 128 << 10;

impl ChunkSource for CachedSource {
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = self.content.read_at(self.offset, &mut chunk).map_err(io_error)?;
        chunk.truncate(read);
        self.offset += u64::try_from(read).unwrap_or_default();
        Ok((read > 0).then(|| chunk.into()))
    }
}

fn io_error(error: CacheError) -> std::io::Error {
    std::io::Error::other(error)
}

/// Content in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryContents(BTreeMap<Digest, Bytes>);

impl MemoryContents {
    /// These contents.
    pub fn of<B: Into<Bytes>>(contents: impl IntoIterator<Item = B>) -> Self {
        let named = |content: B| {
            let content = content.into();
            (Digest::of(&content), content)
        };
        Self(contents.into_iter().map(named).collect())
    }
}

impl Contents for MemoryContents {
    fn open(&self, digest: &Digest) -> std::io::Result<(u64, Box<dyn ChunkSource>)> {
        let content = self.0.get(digest).cloned().ok_or(std::io::ErrorKind::NotFound)?;
        let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
        Ok((length, Box::new(Whole(Some(content)))))
    }
}

struct Whole(Option<Bytes>);

impl ChunkSource for Whole {
    fn next(&mut self) -> std::io::Result<Option<Bytes>> {
        Ok(self.0.take().filter(|bytes| !bytes.is_empty()))
    }
}
