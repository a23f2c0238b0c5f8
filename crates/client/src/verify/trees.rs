//! The log and the map, recomputed from leaves.

use std::collections::HashMap;

use wargate_crypto::Digest;
use wargate_protocol::{Checkpoint, LogId, LogLeaf, LogLength, MapLeaf};
use wargate_transparency::log::Edge;
use wargate_transparency::map::{MapVersion, MemoryPages, Path, prove};

use super::finding::Finding;

/// Leaves that are hashed at a time.
const CHUNK: usize = 4096;

/// The log's right edge, and the map: some hundred bytes for each package.
#[derive(Clone, Default)]
pub(crate) struct Trees {
    edge: Edge,
    map: MemoryPages,
}

impl Trees {
    pub(crate) const fn length(&self) -> LogLength {
        LogLength::new(self.edge.length().get())
    }

    /// Appends leaves. On an error they are of no use any more.
    pub(crate) fn extend(&mut self, leaves: &[LogLeaf]) -> Result<(), Finding> {
        if leaves.is_empty() {
            return Ok(());
        }
        let beyond = |error: &dyn std::fmt::Display| Finding::Ledger(format!("cannot be: {error}"));
        let mut heads: HashMap<LogId, Digest> = HashMap::new();
        for chunk in leaves.chunks(CHUNK) {
            let hashes: Vec<_> = chunk.iter().map(LogLeaf::hash).collect();
            self.edge = self.edge.append(&hashes).map_err(|error| beyond(&error))?.edge;
            for leaf in chunk {
                heads.insert(leaf.log_id, MapLeaf { record_id: leaf.record_id }.hash());
            }
        }
        let version = MapVersion(self.edge.length().get());
        let heads = heads.into_iter().map(|(log, leaf)| (log.map_path(), leaf));
        self.map.set(version, heads).map_err(|error| beyond(&error))?;
        self.map.prune(version);
        Ok(())
    }

    /// Compares both roots with what a checkpoint of this length says.
    pub(crate) fn compare(&self, checkpoint: &Checkpoint) -> Result<(), Finding> {
        let (length, found) = (checkpoint.log_length, self.edge.root());
        if found != checkpoint.log_root || self.length() != length {
            return Err(Finding::LogRoot { length, signed: checkpoint.log_root, found });
        }
        let empty = wargate_transparency::map::empty_root();
        let found = self.map.head().map_or(empty, |head| head.root);
        if found != checkpoint.map_root {
            return Err(Finding::MapRoot { length, signed: checkpoint.map_root, found });
        }
        Ok(())
    }

    /// What the map has for each log: the hash of its newest record's id.
    pub(crate) fn heads(&self, logs: &[LogId]) -> Result<Vec<Option<Digest>>, Finding> {
        let paths: Vec<Path> = logs.iter().map(LogId::map_path).collect();
        let found = prove(&self.map, self.map.head(), &paths);
        let found = found.map_err(|error| Finding::Ledger(format!("makes no map: {error}")))?;
        Ok(found.into_iter().map(|found| found.map(|found| found.leaf)).collect())
    }
}
