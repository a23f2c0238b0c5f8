//! What the log is compared with: RFC 6962 by recursion over all leaves, and a store in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_transparency::log::{
    Appended, Edge, LeafHash, LeafIndex, LogLength, NodeId, Tile, TileReader, TileRef,
};

pub(crate) fn length(entries: u64) -> LogLength {
    LogLength::new(entries).unwrap()
}

pub(crate) fn index(leaf: u64) -> LeafIndex {
    LeafIndex::new(leaf).unwrap()
}

/// Leaf hashes of the entries `leaf 0`, `leaf 1`, … (`plain_series` of the vectors).
pub(crate) fn plain_leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|i| LeafHash::of(format!("leaf {i}").as_bytes())).collect()
}

/// `MTH` of RFC 6962, 2.1, over leaf hashes.
pub(crate) fn root(leaves: &[LeafHash]) -> Digest {
    match leaves {
        [] => Digest::of(b""),
        [leaf] => leaf.digest(),
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            let (left, right) = (root(left), root(right));
            Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
        }
    }
}

/// The hash of a complete node.
pub(crate) fn node_hash(leaves: &[LeafHash], node: NodeId) -> Digest {
    let (first, last) = node.leaves();
    root(&leaves[usize::try_from(first).unwrap()..=usize::try_from(last).unwrap()])
}

/// The nodes that prove leaves `first..end` (a complete subtree) in a log of `length`: going down
/// from the root, everything beside the way.
pub(crate) fn inclusion_nodes(length: u64, first: u64, end: u64) -> BTreeSet<u64> {
    let mut nodes = BTreeSet::new();
    let (mut low, mut high) = (0, length);
    while (low, high) != (first, end) {
        let middle = low + split(usize::try_from(high - low).unwrap()) as u64;
        if first < middle {
            cover(middle, high, &mut nodes);
            high = middle;
        } else {
            cover(low, middle, &mut nodes);
            low = middle;
        }
    }
    nodes
}

/// The nodes that prove consistency between two lengths.
pub(crate) fn consistency_nodes(from: u64, to: u64) -> BTreeSet<u64> {
    let mut starts = BTreeSet::new();
    cover(0, from, &mut starts);
    let mut nodes = starts.clone();
    for start in starts {
        let (first, last) = NodeId::new(start).unwrap().leaves();
        nodes.extend(inclusion_nodes(to, first, last + 1));
    }
    nodes
}

/// The complete subtrees over the leaves `low..high` of a tree that is split as RFC 6962 says.
fn cover(low: u64, high: u64, nodes: &mut BTreeSet<u64>) {
    let count = high - low;
    if count.is_power_of_two() {
        nodes.insert(2 * low + count - 1);
    } else {
        let middle = low + split(usize::try_from(count).unwrap()) as u64;
        cover(low, middle, nodes);
        cover(middle, high, nodes);
    }
}

/// The largest power of two below `count`.
fn split(count: usize) -> usize {
    count.next_power_of_two() / 2
}

/// Every tile that was ever stored, as its resource.
#[derive(Clone, Default)]
pub(crate) struct Store {
    pub(crate) tiles: BTreeMap<TileRef, Arc<Tile>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing(pub(crate) TileRef);

impl TileReader for Store {
    type Error = Missing;

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, Missing> {
        wanted.iter().map(|at| self.tiles.get(at).cloned().ok_or(Missing(*at))).collect()
    }
}

/// A log and its store.
#[derive(Clone, Default)]
pub(crate) struct Log {
    pub(crate) edge: Edge,
    pub(crate) store: Store,
}

impl Log {
    pub(crate) fn of(leaves: &[LeafHash]) -> Self {
        let mut log = Self::default();
        log.append(leaves);
        log
    }

    pub(crate) fn append(&mut self, leaves: &[LeafHash]) -> Appended {
        let appended = self.edge.append(leaves).unwrap();
        for stored in &appended.tiles {
            self.store.tiles.insert(stored.at, Arc::clone(&stored.tile));
        }
        self.edge = appended.edge.clone();
        appended
    }
}
