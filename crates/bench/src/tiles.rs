//! A log in memory.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Result;
use wargate_crypto::Digest;
use wargate_transparency::log::{Edge, LeafHash, LogLength, Tile, TileId, TileReader, TileRef};

/// Bytes of an entry: those of a registry's log leaf.
pub const ENTRY_BYTES: usize = 160;

/// A log with all its tiles warm.
pub struct MemoryTiles {
    tiles: HashMap<TileId, Arc<Tile>>,
    /// Its length.
    pub length: LogLength,
    /// Its root.
    pub root: Digest,
}

/// A tile that is not there.
#[derive(Debug)]
pub struct Missing;

impl TileReader for MemoryTiles {
    type Error = Missing;

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, Missing> {
        wanted.iter().map(|at| self.tiles.get(&at.id).cloned().ok_or(Missing)).collect()
    }
}

/// The entry at a place.
pub fn entry(index: u64) -> [u8; ENTRY_BYTES] {
    let mut entry = [0x2a; ENTRY_BYTES];
    entry[..8].copy_from_slice(&index.to_be_bytes());
    entry
}

/// A log of this length.
///
/// # Errors
/// If the log is longer than one can be.
pub fn log(length: u64) -> Result<MemoryTiles> {
    const BATCH: u64 = 100_000;
    let mut edge = Edge::empty();
    let mut tiles = HashMap::new();
    for start in (0..length).step_by(usize::try_from(BATCH)?) {
        let batch = start..length.min(start + BATCH);
        let leaves = LeafHash::of_each(&batch.map(entry).collect::<Vec<_>>());
        let appended = edge.append(&leaves)?;
        for stored in appended.tiles {
            stored.tile.warm();
            tiles.insert(stored.at.id, stored.tile);
        }
        edge = appended.edge;
    }
    Ok(MemoryTiles { tiles, length: edge.length(), root: edge.root() })
}
