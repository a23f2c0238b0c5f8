//! The registry log from its first record on: leaves, tiles, roots, and the map.

use std::collections::BTreeMap;

use wargate_crypto::Digest;
use wargate_protocol::{LogLength, MapLeaf};
use wargate_transparency::log::{Edge, StoredTile, Tile};
use wargate_transparency::map::{MapVersion, MemoryPages, Page, PageId, Path};

use super::{CHUNK, Report};
use crate::sequencer::tree_length;
use crate::store::{Committed, Store, StoreError, StoreResult};

/// Rebuilds both trees, commit by commit, and compares them with what is kept.
pub(super) fn check(store: &dyn Store, newest: &Committed, report: &mut Report) -> StoreResult<()> {
    let mut rebuilt = Rebuilt { edge: Edge::empty(), map: MemoryPages::default(), seconds: 0 };
    let mut after = LogLength::EMPTY;
    loop {
        let commits = store.commits(after, CHUNK)?;
        let Some(last) = commits.last() else { break };
        after = last.length();
        for commit in &commits {
            let wrong = rebuilt.advance(store, commit, report)?;
            report.verdict("checkpoints", wrong);
        }
    }
    let end = (after != newest.length())
        .then(|| format!("the newest has length {} instead of {after}", newest.length()));
    report.verdict("head", end);
    let beyond = store.records(newest.length().next_index(), 1)?;
    report.verdict("log end", (!beyond.is_empty()).then(|| "there are records behind it".into()));
    rebuilt.compare_edge(store, report)?;
    rebuilt.compare_map(store, report)
}

/// What follows from the records so far.
struct Rebuilt {
    edge: Edge,
    map: MemoryPages,
    seconds: u64,
}

impl Rebuilt {
    /// Adds the records of one commit, and says what is wrong with its roots.
    fn advance(
        &mut self,
        store: &dyn Store,
        commit: &Committed,
        report: &mut Report,
    ) -> StoreResult<Option<String>> {
        let (mut hashes, mut heads) = (Vec::new(), BTreeMap::<Path, Digest>::new());
        let mut next = LogLength::new(self.edge.length().get());
        while next < commit.length() {
            let left = usize::try_from(commit.length().get() - next.get()).unwrap_or(CHUNK);
            let records = store.records(next.next_index(), left.min(CHUNK))?;
            if records.is_empty() {
                return Ok(Some(format!("record {next} is missing")));
            }
            for record in records {
                let misplaced = (record.index != next.next_index())
                    .then(|| format!("{} stands at {}", record.index, next));
                report.verdict("records", misplaced);
                next = LogLength::new(next.get() + 1);
                hashes.push(record.leaf.hash());
                let head = MapLeaf { record_id: record.leaf.record_id };
                heads.insert(record.leaf.log_id.map_path(), head.hash());
            }
        }
        let damaged = |what: String| StoreError::Damaged(what);
        let appended = self.edge.append(&hashes).map_err(|full| damaged(full.to_string()))?;
        for tile in appended.tiles.iter().filter(|tile| tile.at.width.is_full()) {
            let wrong = compare_tile(store, tile)?;
            report.verdict("tiles", wrong);
        }
        self.edge = appended.edge;
        let version = MapVersion(commit.length().get());
        let updated = self.map.set(version, heads);
        let updated = updated.map_err(|error| damaged(error.to_string()))?;
        self.map.prune(version);
        let backwards = commit.seconds < self.seconds;
        self.seconds = commit.seconds;
        let length = commit.length();
        Ok(if appended.root != commit.checkpoint.log_root {
            Some(format!("the log has another root at length {length}"))
        } else if updated.root != commit.checkpoint.map_root {
            Some(format!("the map has another root at length {length}"))
        } else if backwards {
            Some(format!("time goes back at length {length}"))
        } else {
            None
        })
    }

    fn compare_edge(&self, store: &dyn Store, report: &mut Report) -> StoreResult<()> {
        for tile in self.edge.tiles() {
            let wrong = compare_tile(store, &tile)?;
            report.verdict("tiles", wrong);
        }
        debug_assert!(tree_length(LogLength::new(self.edge.length().get())).is_ok());
        Ok(())
    }

    fn compare_map(&self, store: &dyn Store, report: &mut Report) -> StoreResult<()> {
        for (id, page) in self.map.iter() {
            let wrong = compare_page(store, id, page)?;
            report.verdict("map pages", wrong);
        }
        Ok(())
    }
}

fn compare_tile(store: &dyn Store, tile: &StoredTile) -> StoreResult<Option<String>> {
    let found = match store.tiles(&[tile.at]) {
        Ok(found) => found,
        Err(StoreError::Damaged(why)) => return Ok(Some(format!("{}: {why}", tile.at))),
        Err(error) => return Err(error),
    };
    let wide = usize::from(tile.at.width.get());
    let same = |found: &Tile| found.hashes().get(..wide) == Some(tile.tile.hashes());
    let same = found.first().is_some_and(|found| same(found) && found.is_sound());
    Ok((!same).then(|| format!("{} has other hashes", tile.at)))
}

fn compare_page(store: &dyn Store, id: &PageId, page: &Page) -> StoreResult<Option<String>> {
    let found = match store.pages(&[*id]) {
        Ok(found) => found,
        Err(StoreError::Damaged(why)) => return Ok(Some(why)),
        Err(error) => return Err(error),
    };
    let same = found.first().is_some_and(|found| **found == *page);
    Ok((!same).then(|| format!("a page of version {} is another one", id.version.0)))
}
