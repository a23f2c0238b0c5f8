//! The log against all its leaves in a `Vec`.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;
use wargate_transparency::log::{
    Claims, Edge, EntryBundle, LeafHash, LogProofBundle, ProofPlan, RootPlan, Tile, TileId,
    TileRef, TileWidth,
};

use crate::model::{self, Log, index, length, plain_leaves};

/// Longer than two full tiles and a bit of level 1; with batches of every size up to three tiles.
fn batches() -> impl Strategy<Value = Vec<usize>> {
    let size = prop_oneof![0..4_usize, 200..300_usize, 0..800_usize];
    prop::collection::vec(size, 1..8)
}

fn log_of(leaves: &[LeafHash], batches: &[usize]) -> Log {
    let mut log = Log::default();
    let mut rest = leaves;
    for batch in batches {
        let (now, later) = rest.split_at(*batch);
        let appended = log.append(now);
        assert_eq!(appended.length(), log.edge.length());
        rest = later;
    }
    log
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn batches_do_not_matter(batches in batches()) {
        let leaves = plain_leaves(batches.iter().sum());
        let log = log_of(&leaves, &batches);
        prop_assert_eq!(log.edge.root(), model::root(&leaves));
        prop_assert_eq!(log.edge.length(), length(leaves.len() as u64));
        let whole = Log::of(&leaves);
        prop_assert_eq!(&log.edge, &whole.edge);
        for (at, tile) in &whole.store.tiles {
            prop_assert_eq!(log.store.tiles.get(at), Some(tile));
        }
        for (at, tile) in &log.store.tiles {
            prop_assert_eq!(&naive_tile(&leaves, *at), &**tile, "{}", at);
        }
    }

    #[test]
    fn every_root_can_be_read(
        batches in batches(),
        places in prop::collection::vec(any::<Index>(), 8),
    ) {
        let leaves = plain_leaves(batches.iter().sum());
        let log = log_of(&leaves, &batches);
        for place in places {
            let at = place.index(leaves.len() + 1);
            let plan = RootPlan::new(log.edge.length(), length(at as u64)).unwrap();
            prop_assert_eq!(plan.read(&log.store).unwrap(), model::root(&leaves[..at]));
        }
    }

    #[test]
    fn an_edge_is_rebuilt_from_tiles(
        before in batches(),
        after in batches(),
        grown in any::<bool>(),
    ) {
        let (stored, added): (usize, usize) = (before.iter().sum(), after.iter().sum());
        let leaves = plain_leaves(stored + added);
        let mut log = log_of(&leaves[..stored], &before);
        let (at, root) = (log.edge.length(), log.edge.root());
        if grown {
            // Only the tiles of a later length are there, wider than wanted.
            log.append(&leaves[stored..]);
        }
        let now = log.edge.length();
        let tiles: Vec<_> = Edge::wanted(at)
            .into_iter()
            .map(|tile| cold(&log.store.tiles[&tile.id.at_length(now).unwrap()]))
            .collect();
        let edge = Edge::from_tiles(at, &tiles, &root).unwrap();
        let mut rebuilt = Log { edge, store: log.store.clone() };
        let appended = rebuilt.append(&leaves[stored..]);
        let direct = Log::of(&leaves);
        prop_assert_eq!(appended.root, direct.edge.root());
        prop_assert_eq!(&rebuilt.edge, &direct.edge);
        for (at, tile) in &direct.store.tiles {
            prop_assert_eq!(rebuilt.store.tiles.get(at), Some(tile));
        }
    }

    #[test]
    fn proofs_of_any_past_length(
        stored in 1..2500_usize,
        to in any::<Index>(),
        included in prop::collection::vec(any::<Index>(), 0..5),
        consistent in prop::collection::vec(any::<Index>(), 0..5),
        warm in any::<bool>(),
    ) {
        prop_assume!(!included.is_empty() || !consistent.is_empty());
        let leaves = plain_leaves(stored);
        let mut log = Log::of(&leaves);
        if !warm {
            log.store.tiles.values_mut().for_each(|tile| *tile = cold(tile));
        }
        let to = 1 + to.index(stored);
        let root_of = |at: usize| model::root(&leaves[..at]);
        let (mut needed, mut froms, mut claims) = (BTreeSet::new(), Vec::new(), Vec::new());
        for from in consistent.iter().map(|from| 1 + from.index(to)) {
            needed.extend(model::consistency_nodes(from as u64, to as u64));
            froms.push((length(from as u64), root_of(from)));
        }
        for leaf in included.iter().map(|leaf| leaf.index(to)) {
            needed.extend(model::inclusion_nodes(to as u64, leaf as u64, leaf as u64 + 1));
            claims.push((index(leaf as u64), leaves[leaf]));
        }
        let claims = Claims {
            length: length(to as u64),
            root: root_of(to),
            consistent: &froms,
            included: &claims,
        };
        let lengths: Vec<_> = froms.iter().map(|(from, _)| *from).collect();
        let indices: Vec<_> = claims.included.iter().map(|(leaf, _)| *leaf).collect();
        let plan = ProofPlan::new(log.edge.length(), claims.length, &lengths, &indices).unwrap();
        let bundle = plan.read_checked(&log.store, &claims.root).unwrap();
        let bundle = LogProofBundle::decode(&bundle.encode().unwrap()).unwrap();
        prop_assert!(bundle.hashes().iter().map(|(node, _)| node.get()).eq(needed));
        prop_assert_eq!(bundle.verify(&claims), Ok(()));
    }

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        width in (1..=256_u16).prop_map(|width| TileWidth::new(width).unwrap()),
    ) {
        if let Ok(bundle) = LogProofBundle::decode(&bytes) {
            prop_assert_eq!(&bundle.encode().unwrap(), &bytes);
            let leaf = LeafHash::of(b"");
            let claims: Vec<_> = bundle.included().iter().map(|i| (*i, leaf)).collect();
            let root = leaf.digest();
            prop_assert!(bundle.verify_inclusion(bundle.length(), &claims, &root).is_err());
        }
        drop(EntryBundle::decode(&bytes, width));
        drop(Tile::decode(&bytes));
    }
}

/// The tile by its definition.
fn naive_tile(leaves: &[LeafHash], at: TileRef) -> Tile {
    let span = 256_usize.pow(u32::from(at.id.level()));
    let first = usize::try_from(at.id.index()).unwrap() * 256;
    let places = first..first + usize::from(at.width.get());
    let hashes = places.map(|place| model::root(&leaves[place * span..(place + 1) * span]));
    Tile::new(hashes.collect()).unwrap()
}

/// The tile as a store would read it.
fn cold(tile: &Tile) -> Arc<Tile> {
    Arc::new(Tile::decode(&tile.encode()).unwrap())
}

/// Plans are arithmetic alone, so they work for logs that nobody could store.
#[test]
fn plans_for_the_longest_log() {
    let longest = length(1 << 63);
    let almost = length((1 << 63) - 1);
    let leaf = almost.last_leaf().unwrap();
    let plan = ProofPlan::new(longest, almost, &[length(1), almost], &[leaf, index(0)]).unwrap();
    assert!(plan.tiles().iter().all(|tile| tile.id.level() <= 7));
    assert!(plan.tiles().iter().any(|tile| tile.id == TileId::new(7, 0).unwrap()));
    assert!(RootPlan::new(longest, longest).unwrap().tiles().len() == 1);
}
