//! The seam to whatever keeps content that is too large for the store.
//!
//! # Contract
//!
//! - Content is written to a [`Spool`] first, which nobody else sees and which vanishes with its value,
//!   or at the latest when the process starts again.
//! - [`Blobs::keep`] makes it content, durably: when it has returned, the bytes survive the loss of
//!   power. Keeping what is there already changes nothing. It trusts the digest.
//! - Content never changes. A reader that was opened goes on reading, even if the content is removed;
//!   one that waits for a network may fail then, and never reads anything else.
//! - Failures are reported at once; retries are the caller's.

use std::io;

use wargate_crypto::Digest;

use crate::seams::Offload;

/// Where content is.
pub trait Blobs: Send + Sync {
    /// A new place for bytes that come in.
    ///
    /// # Errors
    /// Those of the medium.
    fn spool(&self) -> io::Result<Box<dyn Spool>>;

    /// Makes spooled bytes the content of a digest.
    ///
    /// # Errors
    /// Those of the medium; the spooled bytes are gone then.
    fn keep(&self, content: &Digest, spool: Box<dyn Spool>) -> io::Result<()>;

    /// Opens content; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the medium.
    fn open(&self, content: &Digest) -> io::Result<Option<Box<dyn Blob>>>;

    /// Removes content. What is not there is removed.
    ///
    /// # Errors
    /// Those of the medium.
    fn remove(&self, content: &Digest) -> io::Result<()>;

    /// Digests of content above `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// Those of the medium.
    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Digest>>;

    /// A URL at which anybody can read content for a short time without asking the registry; `None` if
    /// there is no such thing. Whoever has it needs no credentials, so it is for the one who asked, and
    /// for no log. Whether the content is there is not looked at.
    ///
    /// # Errors
    /// Those of the medium.
    fn link(&self, _content: &Digest) -> io::Result<Option<String>> {
        Ok(None)
    }

    /// Where work goes that waits for this, if not where all other work goes: for content behind a
    /// network, which must not keep those waiting who only read the log.
    fn offload(&self) -> Option<&dyn Offload> {
        None
    }
}

/// Bytes that come in.
pub trait Spool: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// Those of the medium.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// All bytes so far, in memory. The caller knows how many they are.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_back(&mut self) -> io::Result<Vec<u8>>;

    /// For [`Blobs::keep`] of the implementation that made it.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// Content that is open.
pub trait Blob: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> u64;

    /// Reads up to as many bytes as fit from a position on, and says how many; 0 at the end.
    ///
    /// # Errors
    /// Those of the medium.
    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize>;
}
