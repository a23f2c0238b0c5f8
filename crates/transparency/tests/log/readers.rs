//! Stores that lie, forget or fail, and claims that do not fit the proof.

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_transparency::log::{
    BundleDecodeError, Claim, Edge, EdgeError, LeafHash, LogProofBundle, NodeId, ProofError,
    ProofPlan, ReadError, RootPlan, Tile, TileReader, TileRef, TilesError, VerifyError,
};

use crate::model::{Log, Missing, Store, index, length, plain_leaves};

/// A store that changes the list of tiles before it hands it over.
struct Hostile<F>(Store, F);

impl<F: Fn(&mut Vec<Arc<Tile>>)> TileReader for Hostile<F> {
    type Error = Missing;

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, Missing> {
        let mut tiles = self.0.tiles(wanted)?;
        (self.1)(&mut tiles);
        Ok(tiles)
    }
}

fn cut(tile: &Tile) -> Arc<Tile> {
    let hashes = tile.hashes();
    Arc::new(Tile::new(hashes[..hashes.len() - 1].to_vec()).unwrap())
}

fn flip(tile: &Tile, place: usize) -> Arc<Tile> {
    let mut bytes = tile.encode();
    bytes[32 * place] ^= 1;
    Arc::new(Tile::decode(&bytes).unwrap())
}

#[test]
fn missing_tiles() {
    let mut log = Log::of(&plain_leaves(1000));
    let plan = ProofPlan::inclusion(length(1000), length(900), &[index(300)]).unwrap();
    let names: Vec<_> = plan.tiles().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["tile/0/001", "tile/0/003.p/232", "tile/1/000.p/3"]);
    let gone = plan.tiles()[1];
    log.store.tiles.remove(&gone);
    assert_eq!(plan.read(&log.store), Err(ReadError::Reader(Missing(gone))));
    assert_eq!(
        RootPlan::new(length(1000), length(900)).unwrap().read(&log.store),
        Err(ReadError::Reader(Missing(gone)))
    );
    assert_eq!(
        Edge::read_from(&log.store, length(1000), &log.edge.root()),
        Err(ReadError::Reader(Missing(gone)))
    );
}

#[test]
fn too_few_too_many_too_narrow() {
    let log = Log::of(&plain_leaves(1000));
    let plan = ProofPlan::inclusion(length(1000), length(900), &[index(300)]).unwrap();
    let at = plan.tiles()[1];
    let few = TilesError::Count { wanted: 3, given: 2 };
    let many = TilesError::Count { wanted: 3, given: 4 };
    let narrow = TilesError::Narrow { at, width: 231 };
    let run = |change: fn(&mut Vec<Arc<Tile>>)| {
        plan.read(&Hostile(log.store.clone(), change)).unwrap_err()
    };
    assert_eq!(run(|tiles| drop(tiles.pop())), ReadError::Log(few));
    assert_eq!(run(|tiles| tiles.push(tiles[0].clone())), ReadError::Log(many));
    assert_eq!(run(|tiles| tiles[1] = cut(&tiles[1])), ReadError::Log(narrow));
    let edge = |change: fn(&mut Vec<Arc<Tile>>)| {
        let reader = Hostile(log.store.clone(), change);
        Edge::read_from(&reader, length(1000), &log.edge.root()).unwrap_err()
    };
    assert_eq!(edge(|tiles| tiles[0] = cut(&tiles[0])), ReadError::Log(EdgeError::Tiles(narrow)));
    assert!(matches!(edge(Vec::clear), ReadError::Log(EdgeError::Tiles(TilesError::Count { .. }))));
}

/// A tile with one wrong hash, or in the place of another one: without a root the bundle convinces
/// nobody, with one it is not made.
#[test]
fn wrong_tiles() {
    let leaves = plain_leaves(1000);
    let log = Log::of(&leaves);
    let root = RootPlan::new(length(1000), length(900)).unwrap().read(&log.store).unwrap();
    let plan = ProofPlan::inclusion(length(1000), length(900), &[index(300)]).unwrap();
    let claims = [(index(300), leaves[300])];
    let check = |change: &dyn Fn(&mut Vec<Arc<Tile>>)| {
        let store = Hostile(log.store.clone(), change);
        let bundle = plan.read(&store).unwrap();
        assert!(bundle.verify_inclusion(length(900), &claims, &root).is_err());
        let Err(ReadError::Log(error)) = plan.read_checked(&store, &root) else {
            panic!("a wrong tile went unnoticed");
        };
        assert!(matches!(error, ProofError::Verify(VerifyError::RootMismatch { .. })));
    };
    let other = "tile/0/002".parse().unwrap();
    check(&|tiles| tiles[0] = Arc::clone(&log.store.tiles[&other]));
    check(&|tiles| tiles[2] = flip(&tiles[2], 0));
    check(&|tiles| tiles[1] = flip(&tiles[1], 131));
    for place in (0..256).filter(|place| *place != 300 - 256) {
        check(&|tiles| tiles[0] = flip(&tiles[0], place));
    }
    // The leaf itself is not in the bundle, but the check against the root covers it.
    let store =
        Hostile(log.store.clone(), |tiles: &mut Vec<Arc<Tile>>| tiles[0] = flip(&tiles[0], 44));
    assert!(plan.read_checked(&store, &root).is_err());
    // Hashes beyond the length do not matter.
    let store =
        Hostile(log.store.clone(), |tiles: &mut Vec<Arc<Tile>>| tiles[1] = flip(&tiles[1], 132));
    assert!(plan.read_checked(&store, &root).is_ok());
}

#[test]
fn an_edge_is_checked_against_the_root() {
    let log = Log::of(&plain_leaves(70_000));
    let (at, root) = (log.edge.length(), log.edge.root());
    for (level, tile) in log.edge.tiles().enumerate() {
        for place in 0..tile.tile.hashes().len() {
            let mut tiles: Vec<_> = log.edge.tiles().map(|tile| tile.tile).collect();
            tiles[level] = flip(&tiles[level], place);
            let error = Edge::from_tiles(at, &tiles, &root).unwrap_err();
            assert!(matches!(error, EdgeError::RootMismatch { .. }));
        }
    }
}

fn bundle(stored: u64, at: u64, leaves: &[u64]) -> LogProofBundle {
    let log = Log::of(&plain_leaves(usize::try_from(stored).unwrap()));
    let leaves: Vec<_> = leaves.iter().map(|leaf| index(*leaf)).collect();
    ProofPlan::inclusion(length(stored), length(at), &leaves).unwrap().read(&log.store).unwrap()
}

/// Specification 7.5, what a verifier must check besides the hashes.
#[test]
fn proofs_of_something_else() {
    let leaves = plain_leaves(20);
    let log = Log::of(&leaves[..10]);
    let root = log.edge.root();
    let claim = |leaf: u64| (index(leaf), leaves[usize::try_from(leaf).unwrap()]);
    let both = bundle(20, 10, &[3, 7]);
    let at = length(10);
    assert_eq!(both.verify_inclusion(at, &[claim(3), claim(7)], &root), Ok(()));
    assert_eq!(
        both.verify_inclusion(at, &[claim(7), claim(3)], &root),
        Err(VerifyError::OtherClaim {
            asked: Claim::Inclusion(index(7)),
            answered: Claim::Inclusion(index(3))
        })
    );
    assert_eq!(
        both.verify_inclusion(at, &[claim(3)], &root),
        Err(VerifyError::InclusionCount { asked: 1, answered: 2 })
    );
    assert_eq!(
        both.verify_inclusion(at, &[claim(3), claim(7), claim(7)], &root),
        Err(VerifyError::InclusionCount { asked: 3, answered: 2 })
    );
    assert_eq!(both.verify_inclusion(at, &[], &root), Err(VerifyError::NothingAsked));
    assert_eq!(
        both.verify_inclusion(length(11), &[claim(3), claim(7)], &root),
        Err(VerifyError::Length { asked: length(11), answered: at })
    );
    assert_eq!(
        both.verify_consistency(length(3), &root, at, &root),
        Err(VerifyError::ConsistencyCount { asked: 1, answered: 0 })
    );
    let wrong = (index(7), LeafHash::of(b"another"));
    assert!(matches!(
        both.verify_inclusion(at, &[claim(3), wrong], &root),
        Err(VerifyError::RootMismatch { claim: Claim::Inclusion(leaf), .. }) if leaf == index(7)
    ));
    let log = Log::of(&leaves);
    let proof = ProofPlan::consistency(length(20), length(3), at).unwrap();
    let proof = proof.read(&log.store).unwrap();
    let from_root = crate::model::root(&leaves[..3]);
    assert_eq!(proof.verify_consistency(length(3), &from_root, at, &root), Ok(()));
    assert_eq!(
        proof.verify_consistency(length(3), &root, at, &root),
        Err(VerifyError::EarlierRootMismatch { from: length(3), found: from_root })
    );
    assert!(matches!(
        proof.verify_consistency(length(3), &from_root, at, &from_root),
        Err(VerifyError::RootMismatch { claim: Claim::Consistency(_), .. })
    ));
    assert_eq!(
        proof.verify_consistency(length(4), &from_root, at, &root),
        Err(VerifyError::OtherClaim {
            asked: Claim::Consistency(length(4)),
            answered: Claim::Consistency(length(3))
        })
    );
}

/// An encoded bundle from numbers: length, lengths, leaf nodes, hashes.
fn encode(length: u8, consistent: &[u8], included: &[u8], hashes: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = if length == 0 { vec![] } else { vec![0x08, length] };
    for (tag, numbers) in [(0x12, consistent), (0x1a, included)] {
        if !numbers.is_empty() {
            bytes.extend([tag, u8::try_from(numbers.len()).unwrap()]);
            bytes.extend(numbers);
        }
    }
    for (node, hash) in hashes {
        let size = u8::try_from(hash.len()).unwrap();
        let index: &[u8] = if *node == 0 { &[] } else { &[0x08, *node] };
        bytes.extend([0x22, u8::try_from(index.len()).unwrap() + 2 + size]);
        bytes.extend(index);
        bytes.extend([0x12, size]);
        bytes.extend(*hash);
    }
    bytes
}

#[test]
fn malformed_bundles() {
    let (a, b) = ([1; 32], [2; 32]);
    let decode = |bytes: &[u8]| LogProofBundle::decode(bytes);
    let good = encode(2, &[], &[0], &[(2, &a)]);
    assert!(decode(&good).is_ok());
    let rows = [
        (encode(0, &[], &[], &[]), BundleDecodeError::NoProofs),
        (encode(2, &[], &[], &[(2, &a)]), BundleDecodeError::NoProofs),
        (encode(0, &[], &[0], &[]), BundleDecodeError::NotALeaf(0)),
        (encode(2, &[], &[1], &[(2, &a)]), BundleDecodeError::NotALeaf(1)),
        (encode(2, &[], &[4], &[(2, &a)]), BundleDecodeError::NotALeaf(4)),
        (encode(2, &[3], &[], &[]), BundleDecodeError::Consistency { from: 3, to: 2 }),
        (encode(2, &[0], &[], &[]), BundleDecodeError::Consistency { from: 0, to: 2 }),
        // One node, two hashes; the same hash twice; not in order.
        (encode(2, &[], &[0], &[(2, &a), (2, &b)]), BundleDecodeError::NotAscending(2)),
        (encode(2, &[], &[0], &[(2, &a), (2, &a)]), BundleDecodeError::NotAscending(2)),
        (encode(4, &[], &[0], &[(5, &a), (2, &b)]), BundleDecodeError::NotAscending(2)),
        (
            encode(2, &[], &[0], &[(2, &a[1..])]),
            BundleDecodeError::HashLength { node: 2, bytes: 31 },
        ),
        // An unknown field, a number longer than needed, a field in another place.
        ([&good[..], &[0x28, 0x01]].concat(), BundleDecodeError::NotCanonical),
        ([&[0x08, 0x82, 0x00], &good[2..]].concat(), BundleDecodeError::NotCanonical),
        ([&good[2..], &good[..2]].concat(), BundleDecodeError::NotCanonical),
        // 2^31 + 1 entries.
        (
            [&[0x08, 0x81, 0x80, 0x80, 0x80, 0x08], &good[2..]].concat(),
            BundleDecodeError::Length((1 << 31) + 1),
        ),
        (vec![0; (4 << 20) + 1], BundleDecodeError::TooLarge { bytes: (4 << 20) + 1 }),
    ];
    for (bytes, error) in rows {
        assert_eq!(decode(&bytes), Err(error));
    }
    assert!(matches!(decode(&good[..4]), Err(BundleDecodeError::Protobuf(_))));
}

#[test]
fn hashes_that_no_proof_needs() {
    let leaves = plain_leaves(3);
    let root = Log::of(&leaves[..2]).edge.root();
    let hash = leaves[1].digest();
    let verify = |hashes: &[(u8, &[u8])]| {
        let bundle = LogProofBundle::decode(&encode(2, &[], &[0], hashes)).unwrap();
        bundle.verify_inclusion(length(2), &[(index(0), leaves[0])], &root)
    };
    let hash = hash.as_bytes().as_slice();
    assert_eq!(verify(&[(2, hash)]), Ok(()));
    for node in [0, 1, 3, 4] {
        let mut hashes = [(2, hash), (node, hash)];
        hashes.sort_unstable();
        assert_eq!(verify(&hashes), Err(VerifyError::UnusedHash(NodeId::from(u32::from(node)))));
    }
}

/// The last length that fits a bundle, and the first that does not.
#[test]
fn a_bundle_ends_at_two_to_the_31() {
    let digest = Digest::of(b"");
    let tile = Arc::new(Tile::new(vec![digest; 256]).unwrap());
    let run = |entries: u64| {
        let at = length(entries);
        let plan = ProofPlan::inclusion(at, at, &[index(0), at.last_leaf().unwrap()]).unwrap();
        plan.complete(&vec![Arc::clone(&tile); plan.tiles().len()]).unwrap()
    };
    let bytes = run(1 << 31).encode().unwrap();
    let decoded = LogProofBundle::decode(&bytes).unwrap();
    assert_eq!(decoded.included()[1].get(), (1 << 31) - 1);
    assert_eq!(run((1 << 31) + 1).encode().unwrap_err().length, length((1 << 31) + 1));
}
