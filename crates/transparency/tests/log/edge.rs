//! Appending: roots at every length, tiles at every width.

use wargate_crypto::Sha256;
use wargate_transparency::log::{Edge, LogLength, RootPlan, TileId, empty_root};

use crate::model::{Log, length, plain_leaves};

/// SHA-256 over the roots of lengths 1 to 100,000 of the plain series, one after the other.
/// Computed with Python's hashlib and a stack of complete subtrees, independently of this crate.
const ROOTS_DIGEST: &str =
    "sha256:0a895705ba71f103e5027b71c5866e4e16f71908a8319bd9939d3ce235e6edb2";

#[test]
fn a_hundred_thousand_roots() {
    let mut edge = Edge::empty();
    let mut roots = Sha256::new();
    for leaf in plain_leaves(100_000) {
        let appended = edge.append(&[leaf]).unwrap();
        roots.update(appended.root.as_bytes());
        edge = appended.edge;
    }
    assert_eq!(roots.finish().to_string(), ROOTS_DIGEST);
}

#[test]
fn a_batch_names_the_tiles_that_it_changes() {
    let leaves = plain_leaves(70_000);
    let mut log = Log::default();
    let names = |log: &mut Log, from: usize, to: usize| -> Vec<String> {
        log.append(&leaves[from..to]).tiles.iter().map(|tile| tile.at.to_string()).collect()
    };
    assert_eq!(names(&mut log, 0, 0), [""; 0]);
    assert_eq!(names(&mut log, 0, 3), ["tile/0/000.p/3"]);
    assert_eq!(names(&mut log, 3, 256), ["tile/0/000", "tile/1/000.p/1"]);
    // The tile at level 1 has not changed.
    assert_eq!(names(&mut log, 256, 257), ["tile/0/001.p/1"]);
    let rest = names(&mut log, 257, 70_000);
    assert_eq!(rest.len(), 272 + 1 + 1 + 1 + 1);
    assert_eq!(rest[0], "tile/0/001");
    assert_eq!(
        rest[271..],
        ["tile/0/272", "tile/0/273.p/112", "tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    let edge: Vec<_> = log.edge.tiles().map(|tile| tile.at).collect();
    assert!(edge.iter().copied().eq(TileId::partial_at(length(70_000))));
}

#[test]
fn an_empty_log_has_a_root() {
    let edge = Edge::empty();
    assert_eq!((edge.root(), edge.length()), (empty_root(), LogLength::EMPTY));
    let appended = edge.append(&[]).unwrap();
    assert_eq!((appended.root, appended.length()), (empty_root(), LogLength::EMPTY));
    assert_eq!(Edge::from_tiles(LogLength::EMPTY, &[], &empty_root()), Ok(edge));
    let plan = RootPlan::new(LogLength::EMPTY, LogLength::EMPTY).unwrap();
    assert_eq!(plan.complete(&[]), Ok(empty_root()));
}
