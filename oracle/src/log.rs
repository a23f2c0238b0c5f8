//! One registry log on both sides: ours as stored tiles, theirs as a vector of every node.

use std::collections::HashMap;
use std::sync::Arc;

use warg_crypto::hash::Sha256;
use warg_protocol::registry;
use warg_transparency::log::{LogBuilder, Node, VecLog};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLeaf, RecordId};
use wargate_transparency::log::{
    Edge, LeafHash, StoredTile, Tile, TileId, TileReader, TileRef, TileWidth,
};

use crate::random::Random;
use crate::records;

/// Their log of registry leaves.
pub type TheirLog = VecLog<Sha256, registry::LogLeaf>;
/// Their bundle of proofs about such a log.
pub type TheirBundle = warg_transparency::log::LogProofBundle<Sha256, registry::LogLeaf>;

/// Our log: the edge, and the tiles that a store would have.
#[derive(Default)]
pub struct OurLog {
    /// The right edge.
    pub edge: Edge,
    /// The widest tile of each place.
    pub tiles: Tiles,
}

impl OurLog {
    /// Appends a batch, hashing its leaves. Returns the new root.
    pub fn append(&mut self, leaves: &[LogLeaf]) -> Digest {
        let entries: Vec<_> = leaves.iter().map(LogLeaf::encode).collect();
        let hashes = LeafHash::of_each(&entries);
        let appended = self.edge.append(&hashes).expect("a log of 2^63 entries has room");
        self.tiles.store(appended.tiles);
        self.edge = appended.edge;
        appended.root
    }
}

/// Tiles in memory.
#[derive(Default)]
pub struct Tiles(HashMap<TileId, Arc<Tile>>);

/// A tile that is not there, or not wide enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTile(pub TileRef);

impl Tiles {
    /// Puts tiles in the place of narrower ones.
    pub fn store(&mut self, tiles: Vec<StoredTile>) {
        self.0.extend(tiles.into_iter().map(|stored| (stored.at.id, stored.tile)));
    }

    /// The width of the tile at a place.
    pub fn width(&self, id: TileId) -> Option<TileWidth> {
        self.0.get(&id).map(|tile| tile.width())
    }
}

impl TileReader for Tiles {
    type Error = NoTile;

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, NoTile> {
        let find = |at: &TileRef| {
            let tile = self.0.get(&at.id).filter(|tile| tile.width() >= at.width);
            tile.cloned().ok_or(NoTile(*at))
        };
        wanted.iter().map(find).collect()
    }
}

/// A leaf that nothing else is like.
pub fn random_leaf(random: &Random) -> LogLeaf {
    LogLeaf {
        log_id: LogId::from_digest(Digest::from_bytes(random.array())),
        record_id: RecordId::from_digest(Digest::from_bytes(random.array())),
    }
}

/// Appends leaves to their log, one by one, as it wants it. Returns the nodes of the leaves.
pub fn push(log: &mut TheirLog, leaves: &[registry::LogLeaf]) -> Vec<Node> {
    leaves.iter().map(|leaf| log.push(leaf)).collect()
}

/// The same leaves as theirs.
pub fn theirs(leaves: &[LogLeaf]) -> Vec<registry::LogLeaf> {
    leaves.iter().map(records::log_leaf).collect()
}
