//! The same log as C2SP tiles (tlog-tiles).

use wargate_protocol::{LogLeaf, RegistryIndex};
use wargate_transparency::log::{EntriesRef, EntryBundle, TileRef};

use crate::error::ReadError;
use crate::registry::Registry;
use crate::sequencer::tree_length;
use crate::store::StoreError;

impl Registry {
    /// The bytes of a tile; `None` if the newest checkpoint has no such tile.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn tile(&self, at: TileRef) -> Result<Option<Vec<u8>>, ReadError> {
        let length = tree_length(self.newest().committed.length())?;
        if at.id.width_at(length).is_none_or(|width| width < at.width) {
            return Ok(None);
        }
        let tiles = self.store().tiles(&[at])?;
        let tile = tiles.first().ok_or_else(|| StoreError::Damaged("a tile is missing".into()))?;
        let hashes = tile.hashes().iter().take(usize::from(at.width.get()));
        Ok(Some(hashes.flat_map(|hash| *hash.as_bytes()).collect()))
    }

    /// The bytes of an entry bundle; `None` if the newest checkpoint does not cover it.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn entry_bundle(&self, at: EntriesRef) -> Result<Option<Vec<u8>>, ReadError> {
        let length = tree_length(self.newest().committed.length())?;
        let there = EntriesRef::at_length(at.index(), length);
        if there.is_none_or(|there| there.width() < at.width()) {
            return Ok(None);
        }
        let first = RegistryIndex::new(at.index() * 256);
        let leaves = self.leaves(first, usize::from(at.width().get()))?;
        let entries: Vec<_> = leaves.iter().map(LogLeaf::encode).collect();
        let bundle =
            EntryBundle::new(&entries).map_err(|error| StoreError::Damaged(error.to_string()))?;
        Ok(Some(bundle.as_bytes().to_vec()))
    }
}
