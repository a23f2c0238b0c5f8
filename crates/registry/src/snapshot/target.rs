//! The seam to where snapshots are: a directory, an object store.
//!
//! # Contract
//!
//! - A part has a digest for its name and never changes. Keeping one that is there changes nothing.
//! - What was kept is durable when [`Target::settle`] has returned, and a manifest when
//!   [`Target::keep_manifest`] has. A crash leaves a part or a manifest whole, or not at all.
//! - A target is **not trusted**: whoever reads a part compares it with its digest.
//! - Names of manifests are checked by [`SnapshotId`] before a target sees
//!   them, and those that a target lists before they are used.

use std::io::{self, Read};

use wargate_crypto::Digest;

use super::manifest::SnapshotId;

/// Where snapshots are.
pub trait Target: Send + Sync {
    /// Opens a part; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the medium.
    fn part(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + '_>>>;

    /// The size of a part in bytes; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the medium.
    fn part_bytes(&self, digest: &Digest) -> io::Result<Option<u64>>;

    /// Keeps a part of so many bytes.
    ///
    /// # Errors
    /// Those of the medium and of what is read; [`io::ErrorKind::InvalidData`] if the bytes are not
    /// those of the digest, and nothing is kept then.
    fn keep_part(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()>;

    /// Names every part with its size, in no order.
    ///
    /// # Errors
    /// Those of the medium.
    fn parts(&self, each: &mut dyn FnMut(Digest, u64)) -> io::Result<()>;

    /// Removes a part. What is not there is removed.
    ///
    /// # Errors
    /// Those of the medium.
    fn remove_part(&self, digest: &Digest) -> io::Result<()>;

    /// Makes the parts that were kept durable.
    ///
    /// # Errors
    /// Those of the medium.
    fn settle(&self) -> io::Result<()>;

    /// The snapshots, oldest first.
    ///
    /// # Errors
    /// Those of the medium.
    fn manifests(&self) -> io::Result<Vec<SnapshotId>>;

    /// The bytes of a manifest, at most `bytes_max`; `None` if it is not there.
    ///
    /// # Errors
    /// Those of the medium; [`io::ErrorKind::FileTooLarge`] if it has more bytes.
    fn manifest(&self, id: &SnapshotId, bytes_max: u64) -> io::Result<Option<Vec<u8>>>;

    /// Keeps a manifest, durably.
    ///
    /// # Errors
    /// Those of the medium.
    fn keep_manifest(&self, id: &SnapshotId, bytes: &[u8]) -> io::Result<()>;

    /// Removes a manifest, durably.
    ///
    /// # Errors
    /// Those of the medium.
    fn remove_manifest(&self, id: &SnapshotId) -> io::Result<()>;
}
