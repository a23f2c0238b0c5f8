//! Bundles, tiles and numbers of the Merkle log.

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_transparency::log::{
    BalancedRoots, Claims, Edge, EntriesRef, EntryBundle, LeafHash, LeafIndex, LogLength,
    LogProofBundle, NodeId, ProofPlan, RootPlan, Side, Tile, TileId, TileRef, TileWidth,
    VerifyError,
};

use super::{Bytes, exact_text};

/// Most claims of a bundle that are verified here: each takes up to 64 × 64 hashes.
const CLAIMS_MAX: usize = 64;

/// Proof bundles of the log, verified against claims that fit the bundle as far as possible.
pub fn log_bundle(data: &[u8]) {
    let Ok(bundle) = LogProofBundle::decode(data) else { return };
    assert_eq!(bundle.encode().as_deref(), Ok(data), "there is one encoding of each bundle");
    if bundle.consistent().len() + bundle.included().len() > CLAIMS_MAX {
        return;
    }
    let mut consistent: Vec<_> =
        bundle.consistent().iter().map(|from| (*from, Digest::of(b"unknown"))).collect();
    let leaf = |index: &LeafIndex| (*index, LeafHash::of(&index.get().to_le_bytes()));
    let included: Vec<_> = bundle.included().iter().map(leaf).collect();
    let mut root = Digest::of(b"unknown");
    // Believe each root that the bundle leads to, so as to get behind the check of it.
    for _ in 0..=consistent.len() + 1 {
        let length = bundle.length();
        let claims = Claims { length, root, consistent: &consistent, included: &included };
        match bundle.verify(&claims) {
            Err(VerifyError::RootMismatch { found, .. }) => root = found,
            Err(VerifyError::EarlierRootMismatch { from, found }) => {
                let mut wrong = consistent.iter_mut().filter(|(length, _)| *length == from);
                wrong.by_ref().for_each(|(_, root)| *root = found);
            }
            Err(_) => return,
            Ok(()) => {
                let root = Digest::of(b"another");
                assert!(bundle.verify(&Claims { root, ..claims }).is_err(), "any root will do");
                return;
            }
        }
    }
}

/// Tiles, and what is computed from them.
pub fn tile(data: &[u8]) {
    let mut bytes = Bytes(data);
    let length = LogLength::new(bytes.number() >> (bytes.byte() % 64)).unwrap_or(LogLength::MAX);
    let Ok(tile) = Tile::decode(bytes.rest()) else { return };
    assert_eq!(tile.encode(), bytes_after(data));
    tile.warm();
    assert_eq!(usize::from(tile.width().get()), tile.hashes().len());
    let tile = Arc::new(tile);
    let copies = |count| vec![Arc::clone(&tile); count];
    let wanted = Edge::wanted(length);
    match Edge::from_tiles(length, &copies(wanted.len()), &Digest::of(b"unknown")) {
        Err(wargate_transparency::log::EdgeError::RootMismatch { found, .. }) => {
            let edge = Edge::from_tiles(length, &copies(wanted.len()), &found).unwrap();
            assert_eq!((edge.length(), edge.root()), (length, found));
            if let Ok(appended) = edge.append(&[LeafHash::of(b"one more")]) {
                assert_eq!(appended.length().get(), length.get() + 1);
            }
        }
        Err(_) => {}
        Ok(edge) => assert_eq!(edge.length(), length),
    }
    if let Ok(plan) = RootPlan::new(length, length) {
        let root = plan.complete(&copies(plan.tiles().len()));
        assert!(root.is_ok() || !plan.tiles().is_empty());
    }
    let leaf = LeafIndex::new(length.get() / 3).unwrap_or_default();
    if let Ok(plan) = ProofPlan::inclusion(length, length, &[leaf])
        && let Ok(bundle) = plan.complete(&copies(plan.tiles().len()))
    {
        assert_eq!(bundle.included(), [leaf]);
    }
}

/// What stands behind the nine bytes that choose a length.
fn bytes_after(data: &[u8]) -> &[u8] {
    data.get(9..).unwrap_or_default()
}

/// Entry bundles. The first byte is the width that is asked for, less one.
pub fn entry_bundle(data: &[u8]) {
    let Some((width, data)) = data.split_first() else { return };
    let width = TileWidth::new(u16::from(*width) + 1).unwrap();
    let Ok(bundle) = EntryBundle::decode(data, width) else { return };
    assert_eq!(bundle.as_bytes(), data);
    let entries: Vec<_> = bundle.entries().collect();
    assert_eq!(entries.len(), usize::from(width.get()));
    assert_eq!(EntryBundle::new(&entries).as_ref(), Ok(&bundle), "there is one encoding");
}

/// The numbers of nodes and tiles, and plans, for any lengths and places.
pub fn log_numbers(data: &[u8]) {
    let mut bytes = Bytes(data);
    let numbers: [u64; 5] = std::array::from_fn(|_| bytes.number() >> (bytes.byte() % 64));
    numbers.into_iter().for_each(node);
    let [stored, length, from, first, second] = numbers;
    let (Some(stored), Some(length), Some(from)) =
        (LogLength::new(stored), LogLength::new(length), LogLength::new(from))
    else {
        return;
    };
    balanced_roots(length);
    tile_names(length, first);
    let leaves: Vec<_> = [first, second].into_iter().filter_map(LeafIndex::new).collect();
    if let Ok(plan) = RootPlan::new(stored, length) {
        check_tiles(plan.tiles(), stored);
    }
    if let Ok(plan) = ProofPlan::new(stored, length, &[from], &leaves) {
        check_tiles(plan.tiles(), stored);
    } else {
        let provable = length <= stored
            && !from.is_empty()
            && from <= length
            && leaves.iter().all(|leaf| leaf.is_within(length));
        assert!(!provable, "{stored} {length} {from} {leaves:?}");
    }
}

fn node(number: u64) {
    let Some(node) = NodeId::new(number) else { return };
    assert_eq!(NodeId::at(node.height(), node.ordinal()), Some(node));
    let (first, last) = node.leaves();
    assert_eq!(last - first, (1 << node.height()) - 1);
    assert_eq!(node.as_leaf().map(NodeId::of_leaf), (node.height() == 0).then_some(node));
    assert!(node.is_complete_at(LogLength::MAX));
    assert!(!node.is_complete_at(LogLength::new(last).unwrap()));
    let Some(parent) = node.parent() else { return assert_eq!(node.height(), 63) };
    let sibling = node.sibling().unwrap();
    assert_eq!((sibling.parent(), sibling.sibling()), (Some(parent), Some(node)));
    assert_ne!(sibling.side(), node.side());
    let (outer_first, outer_last) = parent.leaves();
    match node.side() {
        Side::Left => assert_eq!((first, sibling.leaves().1), (outer_first, outer_last)),
        Side::Right => assert_eq!((sibling.leaves().0, last), (outer_first, outer_last)),
    }
}

fn balanced_roots(length: LogLength) {
    let roots: Vec<_> = BalancedRoots::of(length).collect();
    let mut end = 0;
    for root in &roots {
        assert_eq!(root.leaves().0, end, "the roots of {length} follow each other");
        end = root.leaves().1 + 1;
        assert!(root.is_complete_at(length));
    }
    assert_eq!(end, length.get());
    assert!(BalancedRoots::of(length).rev().eq(roots.into_iter().rev()));
}

fn tile_names(length: LogLength, index: u64) {
    for tile in TileId::partial_at(length) {
        assert_eq!(tile.id.at_length(length), Some(tile));
        assert_eq!(exact_text::<TileRef>(&tile.to_string()), Some(tile));
    }
    if let Some(entries) = EntriesRef::at_length(index, length) {
        assert_eq!(exact_text::<EntriesRef>(&entries.to_string()), Some(entries));
        assert!(entries.index() * 256 < length.get());
    }
}

/// The tiles of a plan are few, ascending, and there.
fn check_tiles(tiles: &[TileRef], stored: LogLength) {
    assert!(tiles.len() <= 64 * 8 && tiles.is_sorted_by(|a, b| a.id < b.id));
    assert!(tiles.iter().all(|tile| tile.id.width_at(stored) >= Some(tile.width)));
}
