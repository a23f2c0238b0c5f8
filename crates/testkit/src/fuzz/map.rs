//! Bundles and pages of the map.

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_transparency::map::{
    Child, MapBundleError, MapHead, MapProofBundle, MapVersion, MemoryPages, Page, PageId, Path,
    Prefix, prove,
};

use super::Bytes;

/// Most proofs of a bundle that are verified here: each takes 256 hashes.
const PROOFS_MAX: usize = 32;

/// Proof bundles of the map. Each proof leads somewhere, and nowhere else.
pub fn map_bundle(data: &[u8]) {
    let Ok(bundle) = MapProofBundle::decode(data) else { return };
    assert_eq!(MapProofBundle::decode(&bundle.encode()).as_ref(), Ok(&bundle));
    if bundle.proofs().len() > PROOFS_MAX {
        return;
    }
    let leaf = |at: usize| (Path::of_key(&at.to_le_bytes()), Digest::of(&at.to_le_bytes()));
    let leaves: Vec<_> = (0..bundle.proofs().len()).map(leaf).collect();
    let verified = bundle.verify(&leaves, Digest::of(b"unknown"));
    assert_eq!(verified.is_ok(), leaves.is_empty());
    for (proof, (path, leaf)) in bundle.proofs().iter().zip(leaves) {
        let root = proof.root(&path, leaf);
        let alone = MapProofBundle::new(vec![proof.clone()]);
        assert_eq!(alone.verify(&[(path, leaf)], root), Ok(()));
        let other = alone.verify(&[(path, Digest::of(b"another"))], root);
        assert!(matches!(other, Err(MapBundleError::Root { .. })));
    }
}

/// Page ids and pages. The first byte is the length of the id; the page's check, which no search
/// could guess, is added here. A root page is then read and written to as a map.
pub fn map_page(data: &[u8]) {
    let mut bytes = Bytes(data);
    let count = usize::from(bytes.byte());
    let id_bytes = bytes.take(count);
    let Some(id) = PageId::from_bytes(id_bytes) else { return };
    assert_eq!(id.to_bytes(), id_bytes, "there is one encoding of each id");
    assert!(id.prefix.level() < Prefix::LEVELS);

    let body = bytes.rest();
    assert!(Page::decode(&id, body).is_err(), "a page without its check");
    let check = Digest::of_parts(&[id_bytes, body]);
    let encoded = [body, &check.as_bytes()[..8]].concat();
    let Ok(page) = Page::decode(&id, &encoded) else { return };
    assert_eq!(page.encode(&id), encoded, "there is one encoding of each page");
    use_page(id, page);
}

fn use_page(id: PageId, page: Page) {
    let mut paths: Vec<Path> = vec![Path::of_key(b"a key"), Path::from_bytes([0xff; 32])];
    for (nibble, child) in page.children() {
        assert_eq!(page.child(nibble), Some(child));
        if let Child::Leaf(leaf) = child {
            paths.push(leaf.path);
        }
    }
    let mut pages = MemoryPages::default();
    let head = MapHead { version: id.version, root: page.hash_at(&Prefix::ROOT) };
    pages.insert([(id, Arc::new(page))]);
    pages.set_head(Some(head));
    if let Ok(found) = prove(&pages, pages.head(), &paths) {
        assert_eq!(found.len(), paths.len());
    }
    let leaves = paths.iter().map(|path| (*path, Digest::of(path.as_bytes())));
    let next = MapVersion(id.version.0.saturating_add(1));
    if let Ok(updated) = pages.set(next, leaves) {
        let found = prove(&pages, updated.head, &paths).expect("what was set can be read");
        for (path, found) in paths.iter().zip(found) {
            let found = found.expect("what was set is there");
            assert_eq!(found.leaf, Digest::of(path.as_bytes()));
        }
    }
}
