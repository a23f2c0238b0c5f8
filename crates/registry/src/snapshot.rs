//! Snapshots: a whole registry as parts that are named by their digests, and a manifest that names
//! them.
//!
//! `docs/spec/snapshot.md` is the format. It says what a registry *is* and nothing of how a store
//! keeps it: the log of records in segments, the lengths at which it was committed, content, and what
//! is pending. Trees and the state of logs follow from the records and are computed by whoever
//! restores.
//!
//! [`take`](take::take) writes what a [`Target`] does not have yet, and the manifest last, so that
//! what was interrupted is no snapshot. [`verify`](verify::verify) computes everything anew, and
//! [`restore`](restore::restore) does the same and writes what it finds to an empty store.
//!
//! **Invariant**: nothing that a target says is believed. Every part is compared with its digest
//! before a byte of it is decoded, every record with its signature and its log, every root with the
//! records, and no text of a target becomes a path.

pub mod frames;
pub mod grow;
pub mod manifest;
pub mod prune;
pub mod replay;
pub mod restore;
pub mod take;
pub mod target;
pub mod verify;

use crate::error::{OpenError, WriteError};
use crate::store::{CommitError, StoreError};

pub use self::manifest::{Manifest, PartRef, SnapshotId};
pub use self::prune::{Pruned, prune};
pub use self::restore::{Restored, restore, restore_with_new_operator};
pub use self::take::{Taken, take};
pub use self::target::Target;
pub use self::verify::{Verified, verify};

/// Why something with a snapshot failed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The registry's own store failed, or is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The registry's own content cannot be read or written.
    #[error("the registry's content: {0}")]
    Content(#[source] std::io::Error),
    /// Where snapshots are failed.
    #[error("the snapshots: {0}")]
    Target(#[source] std::io::Error),
    /// The snapshot is not what it must be.
    #[error("the snapshot is damaged: {0}")]
    Damaged(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Refused(String),
}

/// A result of what is done with snapshots.
pub type SnapshotResult<T> = Result<T, SnapshotError>;

impl SnapshotError {
    pub(crate) fn damaged(what: impl Into<String>) -> Self {
        Self::Damaged(what.into())
    }
}

impl From<CommitError> for SnapshotError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => Self::Store(error),
            CommitError::Conflict => {
                Self::Refused("somebody else writes to the registry that is being restored".into())
            }
        }
    }
}

impl From<WriteError> for SnapshotError {
    fn from(error: WriteError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl From<OpenError> for SnapshotError {
    fn from(error: OpenError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// How far something is, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Records so far.
    pub records: u64,
    /// Records in all.
    pub of_records: u64,
    /// Bytes that were read or written so far.
    pub bytes: u64,
}

/// Told from time to time how far something is.
pub type Watch<'a> = &'a mut dyn FnMut(Progress);
