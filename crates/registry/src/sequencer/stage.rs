//! All that follows from the records of a step: leaves, tiles, map pages and roots.

use wargate_protocol::{Checkpoint, LogLength, RegistryIndex};
use wargate_transparency::log::{self, Edge};
use wargate_transparency::map::{MapHead, MapVersion, Update};

use super::StepError;
use super::operator::OperatorWork;
use super::packages::{PackageWork, Sequenced};
use crate::store::{Append, Committed, LoggedRecord, Nodes, StoreError, StoreResult};

/// What to commit, and the edge to go on with afterwards.
pub(crate) struct Staged {
    pub(crate) append: Append,
    pub(crate) edge: Edge,
}

/// What is there before.
pub(crate) struct Before<'a> {
    /// The newest commit; `None` in an empty store.
    pub(crate) committed: Option<Committed>,
    pub(crate) edge: &'a Edge,
}

/// Computes what the records do; `None` if there are none.
pub(crate) fn stage(
    nodes: &dyn Nodes,
    before: &Before<'_>,
    now_seconds: u64,
    operator: OperatorWork,
    packages: PackageWork,
) -> Result<Option<Staged>, StepError> {
    let first = before.committed.map_or(0, |committed| committed.length().get());
    let sequenced = operator.records.into_iter().chain(packages.records);
    let mut stems = Vec::new();
    let record = |(at, Sequenced { leaf, envelope, stem })| {
        stems.push(stem);
        LoggedRecord { index: RegistryIndex::new(at), leaf, envelope }
    };
    let records: Vec<_> = (first..).zip(sequenced).map(record).collect();
    if records.is_empty() {
        return Ok(None);
    }
    let hashes: Vec<_> = records.iter().map(|record| record.leaf.hash()).collect();
    let appended = before.edge.append(&hashes).map_err(|full| damaged(full.to_string()))?;

    let length = appended.length().get();
    // Of several records of one log the last one is its head.
    let mut update = Update::of_stems(before.committed.map(|it| it.map_head()), stems);
    while !update.wanted().is_empty() {
        let pages = nodes.pages(update.wanted())?;
        update.supply(pages).map_err(|error| damaged(error.to_string()))?;
    }
    let map = update.finish(MapVersion(length)).map_err(|error| damaged(error.to_string()))?;
    debug_assert_eq!(map.head, Some(MapHead { version: MapVersion(length), root: map.root }));

    let log_length = LogLength::new(length);
    let checkpoint = Checkpoint { log_root: appended.root, log_length, map_root: map.root };
    let seconds = before.committed.map_or(now_seconds, |it| it.seconds.max(now_seconds));
    let append = Append {
        records,
        logs: operator.change.into_iter().chain(packages.changes).collect(),
        tiles: appended.tiles,
        pages: map.written,
        superseded: map.superseded,
        committed: Committed { checkpoint, seconds },
        earlier: Vec::new(),
    };
    Ok(Some(Staged { append, edge: appended.edge }))
}

/// A length as the tree counts it.
pub(crate) fn tree_length(length: LogLength) -> StoreResult<log::LogLength> {
    log::LogLength::new(length.get())
        .ok_or_else(|| StoreError::Damaged(format!("no log has {length} records")))
}

fn damaged(what: String) -> StepError {
    StepError::Store(StoreError::Damaged(what))
}
