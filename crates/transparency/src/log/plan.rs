//! Roots and proofs from tiles, in two steps: which tiles are needed, and what follows from them.

use std::sync::Arc;

use wargate_crypto::Digest;

use super::bundle::LogProofBundle;
use super::hash::{LeafHash, empty_root, fold_balanced_roots};
use super::node::{BalancedRoots, NodeId};
use super::path::InclusionPath;
use super::position::{LeafIndex, LogLength};
use super::reader::{ReadError, TileReader};
use super::resource::{TileId, TileRef};
use super::tile::Tile;
use super::verify::{Claims, VerifyError};

/// Why proofs cannot be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofRequestError {
    /// Nothing is to be proven: there is no empty bundle (specification 7.5).
    #[error("no proof is asked for")]
    NoProofs,
    /// Nothing needs to be proven of the log without entries (specification 7.4).
    #[error("there is no consistency proof from length 0")]
    FromEmpty,
    /// Consistency goes forwards.
    #[error("there is no consistency proof from length {from} back to {to}")]
    Backwards {
        /// The length to start from.
        from: LogLength,
        /// The length to prove it for.
        to: LogLength,
    },
    /// The log has never been that long (specification 20.3, N6).
    #[error("the log has {stored} entries; there is no length {length} yet")]
    BeyondLog {
        /// The length asked for.
        length: LogLength,
        /// The length of the log.
        stored: LogLength,
    },
    /// The entry came later.
    #[error("a log of length {length} has no entry {leaf}")]
    LeafBeyondLength {
        /// The entry.
        leaf: LeafIndex,
        /// The length asked for.
        length: LogLength,
    },
}

/// Why tiles do not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilesError {
    /// There are more or fewer tiles than wanted.
    #[error("{wanted} tiles were wanted and {given} given")]
    Count {
        /// The number of tiles wanted.
        wanted: usize,
        /// The number of tiles at hand.
        given: usize,
    },
    /// A tile is narrower than wanted.
    #[error("{at} was wanted, but the tile has only {width} hashes")]
    Narrow {
        /// The tile wanted.
        at: TileRef,
        /// How many hashes it has.
        width: u16,
    },
}

/// The root of the log at any length that it has had.
#[derive(Clone, Debug)]
pub struct RootPlan {
    length: LogLength,
    nodes: NodeSet,
}

impl RootPlan {
    /// Plans the root at `length`. `stored` is the length of which tiles are at hand: that of the
    /// log or of any checkpoint since `length`.
    ///
    /// # Errors
    /// [`ProofRequestError::BeyondLog`] if `length` is more than `stored`.
    pub fn new(stored: LogLength, length: LogLength) -> Result<Self, ProofRequestError> {
        if length > stored {
            return Err(ProofRequestError::BeyondLog { length, stored });
        }
        let nodes = NodeSet::new(BalancedRoots::of(length).collect(), std::iter::empty(), stored);
        Ok(Self { length, nodes })
    }

    /// The tiles that [`RootPlan::complete`] takes, distinct and ascending.
    pub fn tiles(&self) -> &[TileRef] {
        &self.nodes.tiles
    }

    /// The root, from the tiles in the order of [`RootPlan::tiles`].
    ///
    /// # Errors
    /// [`TilesError`] if a tile is missing or too narrow.
    pub fn complete(&self, tiles: &[Arc<Tile>]) -> Result<Digest, TilesError> {
        let source = self.nodes.source(tiles)?;
        let hashes = BalancedRoots::of(self.length).rev().map(|node| source.hash(node));
        Ok(fold_balanced_roots(hashes)?.unwrap_or_else(empty_root))
    }

    /// Reads the tiles and completes the plan.
    ///
    /// # Errors
    /// Those of the reader and of [`RootPlan::complete`].
    pub fn read<R: TileReader>(
        &self,
        reader: &R,
    ) -> Result<Digest, ReadError<R::Error, TilesError>> {
        let tiles = reader.tiles(self.tiles()).map_err(ReadError::Reader)?;
        self.complete(&tiles).map_err(ReadError::Log)
    }
}

/// Any number of proofs for one length that the log has had.
#[derive(Clone, Debug)]
pub struct ProofPlan {
    length: LogLength,
    consistent: Vec<LogLength>,
    included: Vec<LeafIndex>,
    /// What goes into the bundle. The tiles also cover the included leaves.
    nodes: NodeSet,
}

/// Why a bundle was not made, or would not convince anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tiles are not those that were planned.
    #[error(transparent)]
    Tiles(#[from] TilesError),
    /// The tiles have wrong hashes.
    #[error("the tiles do not belong to this log: {0}")]
    Verify(#[from] VerifyError),
}

impl ProofPlan {
    /// Plans consistency proofs from each of `consistent` and inclusion proofs of each of
    /// `included`, in this order, for the log at `length`. `stored` is the length of which tiles
    /// are at hand: that of the log or of any checkpoint since `length`.
    ///
    /// The work grows with the number of proofs, at most 64 nodes each (a consistency proof counts
    /// once for each binary one of its length). The caller limits how many a stranger may ask for:
    /// some 6,000 make a bundle that [`LogProofBundle::decode`] refuses as too large.
    ///
    /// # Errors
    /// [`ProofRequestError`] if anything that is asked for cannot be proven.
    pub fn new(
        stored: LogLength,
        length: LogLength,
        consistent: &[LogLength],
        included: &[LeafIndex],
    ) -> Result<Self, ProofRequestError> {
        if length > stored {
            return Err(ProofRequestError::BeyondLog { length, stored });
        }
        if consistent.is_empty() && included.is_empty() {
            return Err(ProofRequestError::NoProofs);
        }
        let mut nodes = Vec::new();
        for &from in consistent {
            if from.is_empty() {
                return Err(ProofRequestError::FromEmpty);
            }
            for node in BalancedRoots::of(from) {
                let path = InclusionPath::new(node, length);
                let path = path.ok_or(ProofRequestError::Backwards { from, to: length })?;
                nodes.push(node);
                nodes.extend(path.nodes());
            }
        }
        for &leaf in included {
            let path = InclusionPath::new(NodeId::of_leaf(leaf), length);
            nodes.extend(path.ok_or(ProofRequestError::LeafBeyondLength { leaf, length })?.nodes());
        }
        let leaves = included.iter().map(|leaf| NodeId::of_leaf(*leaf));
        let nodes = NodeSet::new(nodes, leaves, stored);
        Ok(Self { length, consistent: consistent.to_vec(), included: included.to_vec(), nodes })
    }

    /// Plans inclusion proofs of `leaves` at `length`. See [`ProofPlan::new`].
    ///
    /// # Errors
    /// As [`ProofPlan::new`].
    pub fn inclusion(
        stored: LogLength,
        length: LogLength,
        leaves: &[LeafIndex],
    ) -> Result<Self, ProofRequestError> {
        Self::new(stored, length, &[], leaves)
    }

    /// Plans the consistency proof from one length to a later or the same one. See
    /// [`ProofPlan::new`].
    ///
    /// # Errors
    /// As [`ProofPlan::new`].
    pub fn consistency(
        stored: LogLength,
        from: LogLength,
        to: LogLength,
    ) -> Result<Self, ProofRequestError> {
        Self::new(stored, to, &[from], &[])
    }

    /// The tiles that [`ProofPlan::complete`] takes, distinct and ascending.
    pub fn tiles(&self) -> &[TileRef] {
        &self.nodes.tiles
    }

    /// The bundle, from the tiles in the order of [`ProofPlan::tiles`]. From warm tiles nothing is
    /// hashed. Wrong hashes in the tiles make a bundle that a verifier refuses.
    ///
    /// # Errors
    /// [`TilesError`] if a tile is missing or too narrow.
    pub fn complete(&self, tiles: &[Arc<Tile>]) -> Result<LogProofBundle, TilesError> {
        self.bundle(&self.nodes.source(tiles)?)
    }

    /// [`ProofPlan::complete`] that also verifies every proof against the root at the plan's
    /// length, at some dozen hashes each. A store that lies or has rotted is found here rather than
    /// by those who ask for the proof.
    ///
    /// # Errors
    /// [`ProofError`] if a tile is missing, too narrow or has a wrong hash that matters.
    pub fn complete_checked(
        &self,
        tiles: &[Arc<Tile>],
        root: &Digest,
    ) -> Result<LogProofBundle, ProofError> {
        let source = self.nodes.source(tiles)?;
        let bundle = self.bundle(&source)?;
        let consistent: Vec<_> = self
            .consistent
            .iter()
            .map(|from| {
                let hashes = BalancedRoots::of(*from).rev().map(|node| source.hash(node));
                Ok((*from, fold_balanced_roots(hashes)?.unwrap_or_else(empty_root)))
            })
            .collect::<Result<_, TilesError>>()?;
        let included: Vec<_> = self
            .included
            .iter()
            .map(|leaf| {
                let hash = source.hash(NodeId::of_leaf(*leaf))?;
                Ok((*leaf, LeafHash::from_digest(hash)))
            })
            .collect::<Result<_, TilesError>>()?;
        bundle.verify(&Claims {
            length: self.length,
            root: *root,
            consistent: &consistent,
            included: &included,
        })?;
        Ok(bundle)
    }

    /// Reads the tiles and completes the plan.
    ///
    /// # Errors
    /// Those of the reader and of [`ProofPlan::complete`].
    pub fn read<R: TileReader>(
        &self,
        reader: &R,
    ) -> Result<LogProofBundle, ReadError<R::Error, TilesError>> {
        let tiles = reader.tiles(self.tiles()).map_err(ReadError::Reader)?;
        self.complete(&tiles).map_err(ReadError::Log)
    }

    /// Reads the tiles and completes the plan, checked against the root at the plan's length.
    ///
    /// # Errors
    /// Those of the reader and of [`ProofPlan::complete_checked`].
    pub fn read_checked<R: TileReader>(
        &self,
        reader: &R,
        root: &Digest,
    ) -> Result<LogProofBundle, ReadError<R::Error, ProofError>> {
        let tiles = reader.tiles(self.tiles()).map_err(ReadError::Reader)?;
        self.complete_checked(&tiles, root).map_err(ReadError::Log)
    }

    fn bundle(&self, source: &NodeSource<'_>) -> Result<LogProofBundle, TilesError> {
        let nodes = &self.nodes.nodes;
        let hashes = nodes.iter().map(|node| Ok((*node, source.hash(*node)?)));
        Ok(LogProofBundle {
            length: self.length,
            consistent: self.consistent.clone(),
            included: self.included.clone(),
            hashes: hashes.collect::<Result<_, TilesError>>()?,
        })
    }
}

impl TilesError {
    /// Pairs wanted tiles with given ones, none missing and each wide enough.
    pub(super) fn pair<'a>(
        wanted: &'a [TileRef],
        given: &'a [Arc<Tile>],
    ) -> Result<impl Iterator<Item = (TileRef, &'a Arc<Tile>)>, Self> {
        if wanted.len() != given.len() {
            return Err(Self::Count { wanted: wanted.len(), given: given.len() });
        }
        let pairs = wanted.iter().copied().zip(given);
        for (at, tile) in pairs.clone() {
            if tile.width() < at.width {
                return Err(Self::Narrow { at, width: tile.width().get() });
            }
        }
        Ok(pairs)
    }
}

/// Nodes, and the tiles that hold them; each ascending and without duplicates.
#[derive(Clone, Debug)]
struct NodeSet {
    nodes: Vec<NodeId>,
    tiles: Vec<TileRef>,
}

impl NodeSet {
    /// The set of `nodes`, with tiles for those of `besides` as well. All must be complete at
    /// `stored`.
    fn new(
        mut nodes: Vec<NodeId>,
        besides: impl Iterator<Item = NodeId>,
        stored: LogLength,
    ) -> Self {
        nodes.sort_unstable();
        nodes.dedup();
        let mut tiles: Vec<TileRef> = Vec::new();
        for node in nodes.iter().copied().chain(besides) {
            let (id, ..) = TileId::of_node(node);
            // Neighbours mostly share a tile.
            if tiles.last().is_none_or(|last| last.id != id) {
                tiles.extend(id.at_length(stored));
            }
        }
        tiles.sort_unstable();
        tiles.dedup();
        Self { nodes, tiles }
    }

    fn source<'a>(&'a self, tiles: &'a [Arc<Tile>]) -> Result<NodeSource<'a>, TilesError> {
        drop(TilesError::pair(&self.tiles, tiles)?);
        Ok(NodeSource { wanted: &self.tiles, tiles })
    }
}

/// Tiles at hand, for looking up nodes.
struct NodeSource<'a> {
    wanted: &'a [TileRef],
    tiles: &'a [Arc<Tile>],
}

impl NodeSource<'_> {
    fn hash(&self, node: NodeId) -> Result<Digest, TilesError> {
        let (id, row, place) = TileId::of_node(node);
        let missing = TilesError::Count { wanted: self.wanted.len() + 1, given: self.tiles.len() };
        let found = self.wanted.binary_search_by_key(&id, |at| at.id).map_err(|_| missing)?;
        let (at, tile) = (self.wanted[found], &self.tiles[found]);
        let narrow = TilesError::Narrow { at, width: tile.width().get() };
        tile.node(row, place).ok_or(narrow)
    }
}
