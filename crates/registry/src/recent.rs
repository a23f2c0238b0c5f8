//! What became of records a moment ago, for the next who asks: most publishers send content right
//! behind its record, and ask how far it is right behind that. Whatever is not here is in the store.

use std::sync::Arc;

use wargate_protocol::{LogId, PackageEnvelope, RecordError, RecordId, RegistryIndex};
use wargate_transparency::map::Stem;

use crate::kept::Kept;
use crate::limits::RECENT_BYTES_MAX;
use crate::sequencer;
use crate::store::PendingRecord;

/// A record's place in the world: the same record may be submitted to several logs (specification
/// 12.4), so its id alone does not do.
pub(crate) type RecordKey = (LogId, RecordId);

/// How far a record is.
#[derive(Clone, Debug)]
pub(crate) enum Known {
    /// It waits for content.
    Waiting(Arc<Waiting>),
    /// It is in the log. The newest checkpoint may not cover it yet.
    Published(RegistryIndex),
}

/// A record that waits, as the store has it, and as it was verified: reading a record again and
/// verifying its signature takes longer than everything else that is done with it.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) pending: PendingRecord,
    pub(crate) verified: Verified,
}

/// What was found out about a record when it came.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) envelope: PackageEnvelope,
    /// What it will make of its log's slot in the map.
    pub(crate) stem: Stem,
}

impl Verified {
    /// Reads a record that was verified when it came.
    pub(crate) fn read(pending: &PendingRecord) -> Result<Self, RecordError> {
        let envelope = PackageEnvelope::decode(pending.envelope.clone())?;
        let stem = sequencer::stem(&pending.log, envelope.record_id());
        Ok(Self { envelope, stem })
    }
}

/// Some of the newest records.
#[derive(Debug)]
pub(crate) struct Recent(Kept<RecordKey, Known>);

impl Default for Recent {
    fn default() -> Self {
        Self(Kept::weighed(RECENT_BYTES_MAX, Known::bytes))
    }
}

impl Recent {
    /// How far a record is, if that is known here.
    pub(crate) fn get(&self, key: &RecordKey) -> Option<Known> {
        self.0.get(key)
    }

    /// The record, if it is here and waits.
    pub(crate) fn waiting(&self, key: &RecordKey) -> Option<Arc<Waiting>> {
        match self.get(key)? {
            Known::Waiting(waiting) => Some(waiting),
            Known::Published(_) => None,
        }
    }

    /// Takes note of what a commit has done. `None` is for records of which nothing is to be kept.
    ///
    /// Nor is anything kept of those that wait for several contents: the store takes content that came
    /// for another record off them, and nobody is told. One that waited for that alone is ready then,
    /// which the sequencer sees.
    pub(crate) fn update(&self, changes: impl IntoIterator<Item = (RecordKey, Option<Known>)>) {
        let keep = |known: &Known| match known {
            Known::Waiting(waiting) => waiting.pending.missing().len() <= 1,
            Known::Published(_) => true,
        };
        self.0.change(changes.into_iter().map(|(key, known)| (key, known.filter(keep))));
    }

    /// Forgets everything: the store may know better.
    pub(crate) fn clear(&self) {
        self.0.clear();
    }
}

impl Known {
    /// What it takes of the memory, roughly and at the most: a record's bytes twice, and what was read
    /// from them. A record in the log takes less, but is soon asked for or never.
    fn bytes(&self) -> usize {
        match self {
            Self::Waiting(waiting) => {
                1024 + 4 * waiting.verified.envelope.signed().content_bytes().len()
            }
            Self::Published(_) => 1024,
        }
    }
}
