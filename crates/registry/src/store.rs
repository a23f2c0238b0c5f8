//! The seam to whatever keeps a registry's data: a database in a file, a server, a host of a Wasm
//! instance.
//!
//! Small traits for reading, [`Ledger`] (history), [`Pending`] (records and content on their
//! way) and [`Nodes`] (trees and the state of logs), with what is counted beside them in [`Accounts`],
//! joined by [`Store`] with its one atomic
//! [`Store::commit`]. They speak of what a registry does, not of tables, and **validate nothing**:
//! whatever must hold was checked before it came here, or is checked after it was read.
//!
//! # Contract
//!
//! - **Durable**: what [`Store::commit`] has returned `Ok` for survives the loss of the process and
//!   of power.
//! - **Atomic**: a commit happens whole or not at all, also if it returns an error. After an error the
//!   caller does not know which, and reads [`Ledger::head`] to find out.
//! - **One history**: a commit succeeds only if no other was made since the revision that it names.
//!   Two writers cannot both go on from one state.
//! - **Reads** see what was committed before they began. Two reads need not see the same state; every
//!   answer that must fit a length names the length, and what lies below a length never changes.
//! - **Retries** are the caller's. An implementation reports a failure at once, as
//!   [`StoreError::Unavailable`] if the same call may succeed later, and does not try for longer than
//!   its own short timeout.
//! - **Order**: lists come in the order that the method names, never by accident.
//!
//! All methods may block; asynchronous callers go through an [`Offload`](crate::seams::Offload).

mod accounts;
mod batch;
mod rows;

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLeaf, LogLength, RecordId, RegistryIndex};
use wargate_transparency::log::{Tile, TileRef};
use wargate_transparency::map::{MapVersion, Page, PageId};

pub use self::accounts::{Accounts, Counted};
pub use self::batch::{
    Admitted, Append, AppendedRecord, Batch, ContentArrived, LogChange, Referral, Rejection,
};
pub use self::rows::{
    Committed, ContentPlace, ContentRow, LogQuery, LogRow, LogRows, LoggedRecord, PendingCounts,
    PendingRecord, PendingState, Revision, StoreHead,
};

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The medium failed: disk full, input or output error, connection lost, locked for too long. The
    /// same call may succeed later.
    #[error("the store is not available: {0}")]
    Unavailable(#[source] BoxError),
    /// What was read contradicts itself or the caller: a missing tile, a row that does not decode.
    /// Trying again does not help; `wargate fsck` says more.
    #[error("the store is damaged: {0}")]
    Damaged(String),
}

/// Why a commit did not happen, or perhaps did.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Another writer has committed since the expected revision. Nothing was changed.
    #[error("another writer has changed the registry")]
    Conflict,
    /// The store failed. Whether the commit happened is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The cause of a failure, from outside this crate.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A result of a store.
pub type StoreResult<T> = Result<T, StoreError>;

/// History: what was committed, in order.
pub trait Ledger: Send + Sync {
    /// The newest state; `None` before the first commit.
    ///
    /// # Errors
    /// [`StoreError`]
    fn head(&self) -> StoreResult<Option<StoreHead>>;

    /// The committed lengths behind `after`, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn commits(&self, after: LogLength, limit: usize) -> StoreResult<Vec<Committed>>;

    /// The commit that made exactly this length; `None` if none did.
    ///
    /// # Errors
    /// [`StoreError`]
    fn commit_of_length(&self, length: LogLength) -> StoreResult<Option<Committed>>;

    /// The newest commit at or before a second of the Unix epoch.
    ///
    /// # Errors
    /// [`StoreError`]
    fn commit_at(&self, second: u64) -> StoreResult<Option<Committed>>;

    /// Records of one log with `after` < index < `below`, ascending, at most `limit`. `None` as
    /// `after` begins with the first.
    ///
    /// # Errors
    /// [`StoreError`]
    fn log_records(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
    ) -> StoreResult<Vec<LoggedRecord>>;

    /// Where a record of a log stands in the registry log; `None` if it is not there.
    ///
    /// # Errors
    /// [`StoreError`]
    fn record_index(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<RegistryIndex>>;

    /// The leaves at these positions, in the order asked; `None` for those that are not there.
    ///
    /// # Errors
    /// [`StoreError`]
    fn leaves(&self, indices: &[RegistryIndex]) -> StoreResult<Vec<Option<LogLeaf>>>;

    /// Records of all logs from a position on, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn records(&self, from: RegistryIndex, limit: usize) -> StoreResult<Vec<LoggedRecord>>;
}

/// What is on its way into history: admitted records, and content.
pub trait Pending: Send + Sync {
    /// A record that was admitted and is not in the log: waiting, ready or rejected.
    ///
    /// # Errors
    /// [`StoreError`]
    fn pending(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<PendingRecord>>;

    /// Records that miss nothing and are not sequenced yet, in the order of their admission, at most
    /// `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn ready(&self, limit: usize) -> StoreResult<Vec<PendingRecord>>;

    /// Pending records in any state that were admitted at or before a second of the Unix epoch,
    /// oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn pending_until(&self, second: u64, limit: usize) -> StoreResult<Vec<PendingRecord>>;

    /// How much is pending.
    ///
    /// # Errors
    /// [`StoreError`]
    fn counts(&self) -> StoreResult<PendingCounts>;

    /// What is known of content that has arrived; `None` if it has not.
    ///
    /// # Errors
    /// [`StoreError`]
    fn content(&self, content: &Digest) -> StoreResult<Option<ContentRow>>;

    /// All content that has arrived with a digest above `after`, ascending by digest, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn contents(&self, after: Option<&Digest>, limit: usize) -> StoreResult<Vec<ContentRow>>;
}

/// Tiles of the log, pages of the map, and the state of single logs.
pub trait Nodes: Send + Sync {
    /// Tiles, in the order asked, each as wide as asked or wider. One that is missing or too narrow
    /// is [`StoreError::Damaged`].
    ///
    /// # Errors
    /// [`StoreError`]
    fn tiles(&self, wanted: &[TileRef]) -> StoreResult<Vec<Arc<Tile>>>;

    /// Pages, in the order asked. One that is missing is [`StoreError::Damaged`].
    ///
    /// # Errors
    /// [`StoreError`]
    fn pages(&self, wanted: &[PageId]) -> StoreResult<Vec<Arc<Page>>>;

    /// Parts of the state of logs, in the order asked. All answers are of one moment.
    ///
    /// # Errors
    /// [`StoreError`]
    fn log_rows(&self, wanted: &[LogQuery]) -> StoreResult<Vec<LogRows>>;

    /// The whole state of one log.
    ///
    /// # Errors
    /// [`StoreError`]
    fn all_log_rows(&self, log: &LogId) -> StoreResult<LogRows>;

    /// What logs there are with an id above `after`, ascending by id, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`]
    fn logs(&self, after: Option<&LogId>, limit: usize) -> StoreResult<Vec<LogRow>>;

    /// Drops pages that no map from `oldest` on uses, at most `limit`, and says how many. Not part of
    /// history: it needs no revision and may be lost.
    ///
    /// # Errors
    /// [`StoreError`]
    fn prune(&self, oldest: MapVersion, limit: usize) -> StoreResult<usize>;
}

/// All of a store.
pub trait Store: Ledger + Pending + Nodes + Accounts {
    /// Makes all of a batch part of the registry, or nothing, and returns the new revision.
    ///
    /// `expected` is the revision that the batch was made for; `None` if the store must be empty.
    /// Within the batch, in this order: rejections and drops, admissions, content (which, if it is
    /// kept, takes its digest off every pending record's missing list, those of this batch included),
    /// referrals (which take it off one list), the append (which removes the appended records from what
    /// is pending), what is wanted, counted and discarded, and the time of the checkpoint.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if the store is at another revision.
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError>;

    /// The newest state and all that is pending in it, in the order of admission: of one moment, unlike
    /// what several reads answer. `each` may read the store, and waits for nothing else: what a store
    /// does to remember the moment, it does until then.
    ///
    /// What is here reads until nobody wrote in between; a store that can do better does.
    ///
    /// # Errors
    /// [`StoreError`]
    fn moment(&self, each: &mut dyn FnMut(PendingRecord)) -> StoreResult<Option<StoreHead>> {
        for _ in 0..MOMENT_TRIES_MAX {
            let head = self.head()?;
            let pending = self.pending_until(u64::MAX, usize::MAX)?;
            if self.head()?.map(|head| head.revision) == head.map(|head| head.revision) {
                pending.into_iter().for_each(each);
                return Ok(head);
            }
        }
        Err(StoreError::Unavailable("others write all the time".into()))
    }
}

/// How often [`Store::moment`] begins again.
const MOMENT_TRIES_MAX: usize = 64;
