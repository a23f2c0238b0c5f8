//! The right edge of the log: all that appending needs to know of what is there.

use std::sync::Arc;

use wargate_crypto::Digest;

use super::hash::{LeafHash, empty_root, fold_balanced_roots};
use super::node::BalancedRoots;
use super::plan::TilesError;
use super::position::LogLength;
use super::reader::{ReadError, TileReader};
use super::resource::{TileId, TileRef};
use super::tile::{Tile, TileBuilder};

/// The partial tile of each level: what a log of some length needs to grow.
///
/// Every balanced root of the length is a node of one of these tiles, so the root at any moment
/// costs a few dozen hashes. At most 16 KiB for each level, of which 2^31 entries have four.
///
/// An edge is a value. [`Edge::append`] leaves it as it is and hands back the next one, so a caller
/// whose transaction fails goes on with what it had.
#[derive(Clone, Debug, Default)]
pub struct Edge {
    length: LogLength,
    /// By level, each exactly as wide as the length says; absent where all tiles are full.
    partial: Vec<Option<Arc<Tile>>>,
}

/// A tile for the caller to store, with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTile {
    /// Which tile, and how wide.
    pub at: TileRef,
    /// Its hashes.
    pub tile: Arc<Tile>,
}

/// What a batch does to a log. It has happened when the caller has stored it.
#[derive(Clone, Debug)]
pub struct Appended {
    /// The edge to go on with.
    pub edge: Edge,
    /// The root at the new length.
    pub root: Digest,
    /// Every tile that became full, and those partial ones of the new length that have changed;
    /// lowest level first, then left to right. Together with the tiles of earlier batches they are
    /// all that C2SP tlog-tiles asks of a log with a checkpoint at this length.
    pub tiles: Vec<StoredTile>,
}

impl Appended {
    /// The new length.
    pub const fn length(&self) -> LogLength {
        self.edge.length
    }
}

/// The batch would make the log longer than 2^63 entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a log cannot have more than 2^63 entries")]
pub struct LogFull;

/// Why an edge cannot be rebuilt from stored tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeError {
    /// The tiles are not those that the length needs.
    #[error(transparent)]
    Tiles(#[from] TilesError),
    /// The tiles give another root.
    #[error("the stored tiles give the root {found} at length {length} instead of {expected}")]
    RootMismatch {
        /// The length of the log.
        length: LogLength,
        /// The root that the caller knows.
        expected: Digest,
        /// The root of the tiles.
        found: Digest,
    },
}

impl Edge {
    /// The edge of a log without entries.
    pub const fn empty() -> Self {
        Self { length: LogLength::EMPTY, partial: Vec::new() }
    }

    /// The tiles from which the edge at this length is rebuilt, at most one for each level.
    pub fn wanted(length: LogLength) -> Vec<TileRef> {
        TileId::partial_at(length).collect()
    }

    /// The edge from stored tiles, in the order of [`Edge::wanted`]; wider ones will do. All of
    /// their hashes that belong to the length are checked against `root`.
    ///
    /// # Errors
    /// [`EdgeError::Tiles`] if a tile is missing or too narrow, [`EdgeError::RootMismatch`] if a
    /// hash is wrong.
    pub fn from_tiles(
        length: LogLength,
        tiles: &[Arc<Tile>],
        root: &Digest,
    ) -> Result<Self, EdgeError> {
        let wanted = Self::wanted(length);
        let mut partial = Vec::new();
        for (at, tile) in TilesError::pair(&wanted, tiles)? {
            let level = usize::from(at.id.level());
            partial.resize(level, None);
            // A tile of the right width is shared, a wider one cut.
            let cut = if tile.width() == at.width { None } else { tile.narrowed(at.width) };
            partial.push(Some(cut.map_or_else(|| Arc::clone(tile), Arc::new)));
        }
        let edge = Self { length, partial };
        let found = edge.root();
        if found != *root {
            return Err(EdgeError::RootMismatch { length, expected: *root, found });
        }
        Ok(edge)
    }

    /// [`Edge::from_tiles`] with the tiles of a synchronous store.
    ///
    /// # Errors
    /// As [`Edge::from_tiles`], and those of the reader.
    pub fn read_from<R: TileReader>(
        reader: &R,
        length: LogLength,
        root: &Digest,
    ) -> Result<Self, ReadError<R::Error, EdgeError>> {
        let tiles = reader.tiles(&Self::wanted(length)).map_err(ReadError::Reader)?;
        Self::from_tiles(length, &tiles, root).map_err(ReadError::Log)
    }

    /// The length of the log.
    pub const fn length(&self) -> LogLength {
        self.length
    }

    /// The root of the log.
    pub fn root(&self) -> Digest {
        let roots = BalancedRoots::of(self.length).rev().map(|node| {
            let (tile, row, place) = TileId::of_node(node);
            let tile = self.partial.get(usize::from(tile.level())).and_then(Option::as_ref);
            tile.and_then(|tile| tile.node(row, place)).ok_or(())
        });
        // Each balanced root is a node of the partial tile of its level (`from_tiles`, `append`),
        // so none is missing, and there is none only in an empty log.
        fold_balanced_roots(roots).ok().flatten().unwrap_or_else(empty_root)
    }

    /// The tiles of the edge with their names, lowest level first.
    pub fn tiles(&self) -> impl Iterator<Item = StoredTile> {
        TileId::partial_at(self.length).filter_map(|at| {
            let tile = self.partial.get(usize::from(at.id.level()))?.as_ref()?;
            Some(StoredTile { at, tile: Arc::clone(tile) })
        })
    }

    /// Appends a batch. Nothing that is known is hashed again: a leaf costs one branch hash, and
    /// the batch some dozens more for its root. Nothing is copied but the partial tiles that
    /// change.
    ///
    /// Partial tiles are handed back for the length at the end of the batch only. A caller that
    /// makes a checkpoint in between appends up to there first.
    ///
    /// # Errors
    /// [`LogFull`] if the log would have more than 2^63 entries.
    pub fn append(&self, leaves: &[LeafHash]) -> Result<Appended, LogFull> {
        let added = u64::try_from(leaves.len()).map_err(|_| LogFull)?;
        let length = self.length.checked_add(added).ok_or(LogFull)?;
        let mut edge = Self { length, partial: self.partial.clone() };
        let mut tiles = Vec::new();
        let mut hashes = edge.grow(0, self.length, leaves, &mut tiles);
        let mut level = 1;
        while !hashes.is_empty() {
            hashes = edge.grow(level, self.length, &hashes, &mut tiles);
            level += 1;
        }
        Ok(Appended { root: edge.root(), tiles, edge })
    }

    /// Appends hashes at one level and returns those that this makes at the level above.
    fn grow(
        &mut self,
        level: u8,
        before: LogLength,
        hashes: &[impl Copy + Into<Digest>],
        tiles: &mut Vec<StoredTile>,
    ) -> Vec<Digest> {
        if hashes.is_empty() {
            return Vec::new();
        }
        let slot = usize::from(level);
        if self.partial.len() <= slot {
            self.partial.resize(slot + 1, None);
        }
        let mut above = Vec::with_capacity(hashes.len() / 256 + 1);
        let mut index = before.get() >> (8 * u32::from(level)) >> 8;
        let mut store = |tile: &Arc<Tile>, index: u64| {
            let at = TileId::new(level, index).map(|id| TileRef { id, width: tile.width() });
            tiles.extend(at.map(|at| StoredTile { at, tile: Arc::clone(tile) }));
        };
        let mut builder =
            self.partial[slot].take().map_or_else(TileBuilder::new, |t| TileBuilder::resume(&t));
        let mut rest = hashes;
        while !rest.is_empty() {
            rest = builder.extend(rest);
            if let Some(root) = builder.root() {
                above.push(root);
                let full = std::mem::replace(&mut builder, TileBuilder::new());
                full.finish().map(Arc::new).iter().for_each(|tile| store(tile, index));
                index += 1;
            }
        }
        self.partial[slot] = builder.finish().map(Arc::new);
        self.partial[slot].iter().for_each(|tile| store(tile, index));
        above
    }
}

impl PartialEq for Edge {
    fn eq(&self, other: &Self) -> bool {
        self.length == other.length && self.tiles().eq(other.tiles())
    }
}

impl Eq for Edge {}
