//! One map on both sides: ours as stored pages, theirs as a tree in memory.

use warg_crypto::hash::Sha256;
use warg_protocol::registry;
use wargate_crypto::Digest;
use wargate_protocol::{LogId, MapLeaf, RecordId};
use wargate_transparency::map::Path;

use crate::random::Random;
use crate::records;

/// Their map from logs to newest records.
pub type TheirMap = warg_transparency::map::Map<Sha256, registry::LogId, registry::MapLeaf>;
/// Their bundle of proofs about such a map.
pub type TheirBundle =
    warg_transparency::map::MapProofBundle<Sha256, registry::LogId, registry::MapLeaf>;

/// A log and its newest record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The log.
    pub log_id: LogId,
    /// Its newest record.
    pub leaf: MapLeaf,
}

impl Entry {
    /// Another value for a log.
    pub fn random_of(log_id: LogId, random: &Random) -> Self {
        let record_id = RecordId::from_digest(Digest::from_bytes(random.array()));
        Self { log_id, leaf: MapLeaf { record_id } }
    }

    /// A log that nothing else is like.
    pub fn random(random: &Random) -> Self {
        let log_id = LogId::from_digest(Digest::from_bytes(random.array()));
        Self::random_of(log_id, random)
    }

    /// What our map holds of it: the slot and the leaf hash.
    pub fn ours(&self) -> (Path, Digest) {
        (path(&self.log_id), self.leaf.hash())
    }

    /// What their map holds of it.
    pub fn theirs(&self) -> (registry::LogId, registry::MapLeaf) {
        (records::log_id(&self.log_id), records::map_leaf(&self.leaf))
    }
}

/// The slot of a log.
pub fn path(log_id: &LogId) -> Path {
    log_id.map_path()
}
