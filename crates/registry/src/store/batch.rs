//! What a store is told to keep.

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::{LogId, PackageName, RecordId};
use wargate_transparency::log::StoredTile;
use wargate_transparency::map::{Page, PageId};

use super::accounts::Counted;
use super::rows::{Committed, ContentRow, LogRows, LoggedRecord, PendingRecord};

/// Everything that happens in one commit.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The time of the checkpoint that will be signed after the commit, in seconds of the Unix epoch.
    pub checkpoint_seconds: u64,
    /// Pending records that are refused.
    pub rejected: Vec<Rejection>,
    /// Pending records that are forgotten.
    pub dropped: Vec<(LogId, RecordId)>,
    /// Records that become pending. One that is pending already stays as it is.
    pub admitted: Vec<Admitted>,
    /// Content that is there from now on. What is there already stays as it is, unless it is only
    /// referred to: then this takes its place.
    pub content: Vec<ContentArrived>,
    /// Digests that one pending record does not miss any more, and others still do.
    pub referred: Vec<Referral>,
    /// What becomes history.
    pub append: Option<Append>,
    /// Content that a pending record wants to name, and when, in seconds of the Unix epoch. What is
    /// unnamed has this time from now on.
    pub wanted: Vec<(Digest, u64)>,
    /// What is added to the accounts.
    pub counted: Option<Counted>,
    /// Content that is forgotten, if it is still unnamed then.
    pub discarded: Vec<Digest>,
}

/// A record that becomes pending, in the state that the record says.
pub type Admitted = PendingRecord;

/// Content that is there from now on.
pub type ContentArrived = ContentRow;

/// A pending record for which content that is only referred to is good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// The log that it is for.
    pub log: LogId,
    /// Its id.
    pub record: RecordId,
    /// The content.
    pub content: Digest,
}

/// A pending record that is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The log that it is for.
    pub log: LogId,
    /// Its id.
    pub record: RecordId,
    /// For people.
    pub reason: String,
}

/// Records that become history, and all that follows from them.
#[derive(Clone, Debug)]
pub struct Append {
    /// The records, from the old length on without gaps.
    pub records: Vec<AppendedRecord>,
    /// What becomes of each log that has one of the records, each log once.
    pub logs: Vec<LogChange>,
    /// Tiles to write; a wider one takes the place of a narrower one with the same
    /// [`TileId`](wargate_transparency::log::TileId).
    pub tiles: Vec<StoredTile>,
    /// Pages to write.
    pub pages: Vec<(PageId, Arc<Page>)>,
    /// Pages that maps from this commit on do not use.
    pub superseded: Vec<PageId>,
    /// The new length and roots.
    pub committed: Committed,
    /// Lengths between the old and the new one that were committed, too, ascending: for whoever
    /// restores a history, of which many commits become one. Their maps cannot be asked for unless
    /// their pages are among `pages`.
    pub earlier: Vec<Committed>,
}

/// A record that becomes history.
pub type AppendedRecord = LoggedRecord;

/// What becomes of a log: its new head, and what takes the place of what was there. Its name, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChange {
    /// The log.
    pub log: LogId,
    /// The changed parts; [`LogRows::head`] is never `None`.
    pub rows: LogRows,
}

impl Batch {
    /// Whether there is nothing to commit but the time.
    pub fn is_empty(&self) -> bool {
        self.rejected.is_empty()
            && self.dropped.is_empty()
            && self.admitted.is_empty()
            && self.content.is_empty()
            && self.referred.is_empty()
            && self.append.is_none()
            && self.wanted.is_empty()
            && self.counted.is_none()
            && self.discarded.is_empty()
    }
}

impl LogChange {
    /// The package; `None` for the operator log.
    pub const fn name(&self) -> Option<&PackageName> {
        self.rows.name.as_ref()
    }
}
