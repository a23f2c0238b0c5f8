//! Content that was downloaded, or is being downloaded.

use std::path::Path;

use wargate_crypto::Digest;

use crate::origin::Domain;

/// Content by registry and digest, shared between processes.
///
/// Contract: content appears under its digest all at once, by [`Partial::commit`], never in part, and
/// what is there was synced to disk before. The bytes may rot, so whoever reads them hashes them.
pub trait Cache: Send + Sync {
    /// Content that is complete.
    ///
    /// # Errors
    /// [`CacheError`]
    fn open(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Content>>, CacheError>;

    /// Content that comes in. What an earlier attempt left is there. `None`: another process is at it;
    /// ask again a little later, first whether it is complete.
    ///
    /// # Errors
    /// [`CacheError`]
    fn begin(
        &self,
        registry: &Domain,
        digest: &Digest,
    ) -> Result<Option<Box<dyn Partial>>, CacheError>;

    /// Removes content, because its bytes are not what its digest says, or are not wanted.
    ///
    /// # Errors
    /// [`CacheError`]
    fn remove(&self, registry: &Domain, digest: &Digest) -> Result<(), CacheError>;

    /// Removes all content of all registries, and what is incomplete and nobody is at. Returns how
    /// many bytes that were.
    ///
    /// # Errors
    /// [`CacheError`]
    fn clear(&self) -> Result<u64, CacheError>;
}

/// Content that is complete, or said to be.
pub trait Content: Send {
    /// How many bytes it has.
    fn length(&self) -> u64;

    /// Reads into a buffer from an offset; how many bytes were read, 0 only at the end.
    ///
    /// # Errors
    /// [`CacheError`]
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError>;

    /// Where it is, if it is a file.
    fn path(&self) -> Option<&Path> {
        None
    }
}

/// Content that comes in, in order. Dropping it keeps what came for a later attempt.
pub trait Partial: Send {
    /// How many bytes have come.
    fn length(&self) -> u64;

    /// Reads what came, as [`Content::read_at`].
    ///
    /// # Errors
    /// [`CacheError`]
    fn read_at(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, CacheError>;

    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`CacheError`]
    fn append(&mut self, bytes: &[u8]) -> Result<(), CacheError>;

    /// Forgets all that came.
    ///
    /// # Errors
    /// [`CacheError`]
    fn restart(&mut self) -> Result<(), CacheError>;

    /// Makes it complete. The caller has hashed the bytes and found them to be what the digest says.
    ///
    /// # Errors
    /// [`CacheError`]
    fn commit(self: Box<Self>) -> Result<Box<dyn Content>, CacheError>;
}

/// A cache that cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct CacheError {
    /// For people: what failed, where, and why.
    pub message: String,
}
