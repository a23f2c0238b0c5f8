//! Both trees, computed anew from the records and compared with every root that was committed.
//!
//! The newest map is held in memory, some hundred bytes for each package.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::MapLeaf;
use wargate_transparency::log::{Edge, StoredTile, TileId};
use wargate_transparency::map::{MapVersion, MemoryPages, Page, PageId, Path};

use super::replay::Group;
use super::{SnapshotError, SnapshotResult};
use crate::store::{Committed, LoggedRecord};

/// The trees as they grow.
pub struct Grow {
    edge: Edge,
    map: MemoryPages,
    pages: Pages,
}

/// Which pages are handed out.
enum Pages {
    /// None until a commit of this second or a later one: then all that the map before it has, and from
    /// there on those of every commit.
    From(u64),
    /// Those of every commit.
    All,
}

/// What is to be stored for a group.
#[derive(Default)]
pub struct Grown {
    /// Tiles, each as wide as it is at the end of the group.
    pub tiles: Vec<StoredTile>,
    /// Pages.
    pub pages: Vec<(PageId, Arc<Page>)>,
    /// Pages that maps from the end of the group on do not use.
    pub superseded: Vec<PageId>,
}

impl Grow {
    /// Trees without leaves. Pages are handed out for maps that can be asked for: those from a second
    /// of the Unix epoch on, and the newest.
    pub fn new(pages_from_seconds: u64) -> Self {
        Self {
            edge: Edge::empty(),
            map: MemoryPages::default(),
            pages: Pages::From(pages_from_seconds),
        }
    }

    /// Adds a group, and says what to store for it.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] if a root is another one.
    pub fn add(&mut self, group: &Group, is_last: bool) -> SnapshotResult<Grown> {
        let mut grown = Grown::default();
        let mut tiles: HashMap<TileId, StoredTile> = HashMap::new();
        let mut records = group.records.as_slice();
        for commit in &group.commits {
            if let Pages::From(second) = self.pages
                && commit.seconds >= second
            {
                self.hand_out_all(&mut grown);
            }
            let first = records.first().map_or(0, |record| record.index.get());
            let many = usize::try_from(commit.length().get().saturating_sub(first));
            let cut = records.split_at_checked(many.unwrap_or(usize::MAX));
            let gap = || SnapshotError::damaged("a commit ends behind the records");
            let (mine, rest) = cut.ok_or_else(gap)?;
            records = rest;
            self.commit(commit, mine, &mut grown, &mut tiles)?;
        }
        if is_last && matches!(self.pages, Pages::From(_)) {
            self.hand_out_all(&mut grown);
        }
        grown.tiles = tiles.into_values().collect();
        grown.tiles.sort_by_key(|tile| tile.at.id);
        Ok(grown)
    }

    fn hand_out_all(&mut self, grown: &mut Grown) {
        self.pages = Pages::All;
        grown.pages.extend(self.map.iter().map(|(id, page)| (*id, Arc::clone(page))));
    }

    fn commit(
        &mut self,
        commit: &Committed,
        records: &[LoggedRecord],
        grown: &mut Grown,
        tiles: &mut HashMap<TileId, StoredTile>,
    ) -> SnapshotResult<()> {
        let length = commit.length();
        let damaged = |what: String| SnapshotError::Damaged(format!("at length {length}: {what}"));
        let hashes: Vec<_> = records.iter().map(|record| record.leaf.hash()).collect();
        let appended = self.edge.append(&hashes).map_err(|error| damaged(error.to_string()))?;
        let heads: BTreeMap<Path, Digest> = records
            .iter()
            .map(|record| {
                let head = MapLeaf { record_id: record.leaf.record_id };
                (record.leaf.log_id.map_path(), head.hash())
            })
            .collect();
        let version = MapVersion(length.get());
        let updated = self.map.set(version, heads).map_err(|error| damaged(error.to_string()))?;
        self.map.prune(version);
        if appended.root != commit.checkpoint.log_root {
            return Err(damaged("the log has another root".into()));
        }
        if updated.root != commit.checkpoint.map_root {
            return Err(damaged("the map has another root".into()));
        }
        self.edge = appended.edge;
        tiles.extend(appended.tiles.into_iter().map(|tile| (tile.at.id, tile)));
        if matches!(self.pages, Pages::All) {
            grown.pages.extend(updated.written);
            grown.superseded.extend(updated.superseded);
        }
        Ok(())
    }
}
