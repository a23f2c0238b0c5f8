//! Pages in memory: for monitors, which recompute a map from its log, and for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use wargate_crypto::Digest;

use super::error::MapReadError;
use super::page::Page;
use super::path::{PageId, Path};
use super::update::{Updated, update};
use super::{MapHead, MapVersion, PageReader};

/// Every retained version of one map.
#[derive(Clone, Debug, Default)]
pub struct MemoryPages {
    pages: HashMap<PageId, Arc<Page>>,
    /// By the version that superseded them.
    superseded: BTreeMap<MapVersion, Vec<PageId>>,
    head: Option<MapHead>,
}

/// A page that was never written, or has been pruned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the map's page {0:?} is not there")]
pub struct Missing(pub PageId);

impl MemoryPages {
    /// The newest state; `None` while the map is empty.
    pub fn head(&self) -> Option<MapHead> {
        self.head
    }

    /// The number of pages held.
    pub fn len(&self) -> usize {
        self.pages.len()
    }

    /// Whether no page is held.
    pub fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Sets slots to leaf hashes and keeps the result as a new version. Returns the update.
    ///
    /// # Errors
    /// [`MapReadError`] if the version is not greater than the head, or the head has been pruned.
    pub fn set(
        &mut self,
        version: MapVersion,
        leaves: impl IntoIterator<Item = (Path, Digest)>,
    ) -> Result<Updated, MapReadError<Missing>> {
        let updated = update(self, self.head, version, leaves)?;
        self.head = updated.head;
        self.insert(updated.written.iter().cloned());
        if !updated.superseded.is_empty() {
            self.superseded.entry(version).or_default().extend(&updated.superseded);
        }
        Ok(updated)
    }

    /// Adds pages as they are, such as those read from a file.
    pub fn insert(&mut self, pages: impl IntoIterator<Item = (PageId, Arc<Page>)>) {
        self.pages.extend(pages);
    }

    /// Takes a state whose pages were [inserted](Self::insert) as the newest one.
    pub fn set_head(&mut self, head: Option<MapHead>) {
        self.head = head;
    }

    /// Every page held, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&PageId, &Arc<Page>)> {
        self.pages.iter()
    }

    /// Drops the pages that only versions before `oldest` use.
    pub fn prune(&mut self, oldest: MapVersion) {
        let kept = self.superseded.split_off(&MapVersion(oldest.0.saturating_add(1)));
        for id in std::mem::replace(&mut self.superseded, kept).into_values().flatten() {
            self.pages.remove(&id);
        }
    }
}

impl PageReader for MemoryPages {
    type Error = Missing;

    fn pages(&self, wanted: &[PageId]) -> Result<Vec<Arc<Page>>, Missing> {
        wanted.iter().map(|id| self.pages.get(id).cloned().ok_or(Missing(*id))).collect()
    }
}
