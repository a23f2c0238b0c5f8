//! The map against the golden vectors, against a model, and against damage.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use wargate_crypto::Digest;
use wargate_testkit::vectors::{Walk as _, hex, load};

use super::*;

/// The root by the definition: split the keys at each level, down to single slots.
fn model_root(slots: &[(Path, Digest)], depth: usize) -> Digest {
    match slots {
        [] => empty(DEPTH - depth),
        [(path, slot)] => lift(*slot, path, DEPTH, depth),
        _ => {
            let middle = slots.partition_point(|(path, _)| !path.bit(depth));
            let (left, right) = slots.split_at(middle);
            branch(&model_root(left, depth + 1), &model_root(right, depth + 1))
        }
    }
}

fn root_of(model: &BTreeMap<Path, Digest>) -> Digest {
    let slots: Vec<_> = model.iter().map(|(path, slot)| (*path, *slot)).collect();
    model_root(&slots, 0)
}

/// Slot and leaf hash of key `key` of the vectors, which name both in the protocol's terms.
fn vector_key(key: u64, generation: u64) -> (Path, Digest) {
    let log = package_log(&format!("test:m{key}"));
    slot_of(&log, Digest::of(format!("map record {key} {generation}").as_bytes()))
}

/// Slot and leaf hash of leaf `at` of the series that `leaves.json` describes.
fn series_key(at: u64) -> (Path, Digest) {
    let log = match at {
        0 => Digest::of(b"WARG-OPERATOR-LOG-ID-V0"),
        _ => package_log(&format!("test:pkg{}", (at - 1) % 7)),
    };
    slot_of(&log, Digest::of(format!("record {at}").as_bytes()))
}

fn package_log(name: &str) -> Digest {
    Digest::of_parts(&[b"WARG-PACKAGE-LOG-ID-V0:WARG-PACKAGE-ID-V0", &lp(name)])
}

fn slot_of(log: &Digest, record: Digest) -> (Path, Digest) {
    let value = [b"WARG-MAP-LEAF-V0", lp(&record.to_text()).as_slice()].concat();
    (Path::of_key(log.as_bytes()), leaf_hash(&value))
}

fn lp(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

fn map_of(keys: u64) -> MemoryPages {
    let mut map = MemoryPages::default();
    map.set(MapVersion(1), (0..keys).map(|key| vector_key(key, 0))).unwrap();
    map
}

fn root(map: &MemoryPages) -> Digest {
    update(map, map.head(), MapVersion(u64::MAX), []).unwrap().root
}

fn find(map: &MemoryPages, head: Option<MapHead>, path: Path) -> Option<Found> {
    prove(map, head, &[path]).unwrap().remove(0)
}

#[test]
fn empty_subtrees_of_the_vectors() {
    let file = load("map");
    let hashes = file.list("empty_subtree_hash_hex_by_height");
    assert_eq!(hashes.len(), DEPTH + 1);
    for (height, hash) in hashes.iter().enumerate() {
        assert_eq!(empty(height).as_bytes().as_slice(), hex(hash.as_str().unwrap()));
    }
}

#[test]
fn roots_of_the_vectors_however_the_keys_are_batched() {
    let file = load("map");
    for case in file.list("roots_by_size") {
        let size = case.number("size");
        assert_eq!(root(&map_of(size)).to_string(), case.text("root"), "in one batch");
        for batch in [1, 3, 7] {
            let mut map = MemoryPages::default();
            let mut keys: Vec<_> = (0..size).rev().map(|key| vector_key(key, 0)).collect();
            for version in 1.. {
                let rest = keys.split_off(batch.min(keys.len()));
                map.set(MapVersion(version), std::mem::replace(&mut keys, rest)).unwrap();
                if keys.is_empty() {
                    break;
                }
            }
            assert_eq!(root(&map).to_string(), case.text("root"), "in batches of {batch}");
        }
    }
    let mut map = MemoryPages::default();
    for case in file.list("map_roots_for_registry_leaf_series") {
        let length = case.number("log_length");
        let updated = map.set(MapVersion(length), [series_key(length - 1)]).unwrap();
        assert_eq!(updated.root.to_string(), case.text("root"));
    }
}

#[test]
fn leaves_of_the_vectors() {
    for (at, case) in (0..).zip(load("leaves").list("leaves")) {
        let (path, slot) = series_key(at);
        assert_eq!(path.as_bytes().as_slice(), case.hex("map_path_hex"));
        assert_eq!(path, Path::of_key(&case.hex("map_key_encoding_hex")));
        assert_eq!(slot.as_bytes().as_slice(), case.hex("map_leaf_hash_hex"));
        assert_eq!(slot, leaf_hash(&case.hex("map_leaf_encoding_hex")));
    }
}

#[test]
fn replacing_a_value_of_the_vectors_and_back() {
    let case = &load("map")["value_replaced"];
    let mut map = map_of(case.number("size"));
    let key = case.number("replaced_key");
    let updated = map.set(MapVersion(2), [vector_key(key, case.number("generation"))]).unwrap();
    assert_eq!(updated.root.to_string(), case.text("root"));
    let updated = map.set(MapVersion(3), [vector_key(key, 0)]).unwrap();
    assert_eq!(updated.root.to_string(), case.text("root_after_restoring_generation_0"));
}

#[test]
fn proofs_of_the_vectors() {
    let file = load("map");
    for case in file.list("inclusion_proofs") {
        let map = map_of(case.number("map_size"));
        let (path, slot) = vector_key(case.number("key"), 0);
        let found = find(&map, map.head(), path).unwrap();
        assert_eq!(found.leaf, slot);
        let peers = case.list("peers_bottom_up");
        assert_eq!(peers.len(), found.proof.siblings().len());
        for (peer, sibling) in peers.iter().zip(found.proof.siblings()) {
            assert_eq!(hex(peer.as_str().unwrap()), sibling.unwrap().as_bytes());
        }
        let bundle = MapProofBundle::new(vec![found.proof]);
        let bytes = base64(case.text("bundle_base64"));
        assert_eq!(bundle.encode(), bytes);
        assert_eq!(MapProofBundle::decode(&bytes).unwrap(), bundle);
        let root = case.text("root").parse().unwrap();
        assert_eq!(bundle.verify(&[(path, slot)], root), Ok(()));
    }
    for case in file.list("absent_keys") {
        let map = map_of(case.number("map_size"));
        let (path, _) = vector_key(case.number("key"), 0);
        assert_eq!(find(&map, map.head(), path).is_some(), case.flag("provable"), "{case}");
    }
}

#[test]
fn bundles_of_the_vectors() {
    let file = load("map");
    let case = &file["multi_proof_bundle"];
    let map = map_of(case.number("map_size"));
    let keys = case.list("keys_in_order").iter().map(|key| vector_key(key.as_u64().unwrap(), 0));
    let keys: Vec<_> = keys.collect();
    let paths: Vec<_> = keys.iter().map(|(path, _)| *path).collect();
    let found = prove(&map, map.head(), &paths).unwrap();
    let proofs = found.into_iter().map(|found| found.unwrap().proof).collect();
    let bundle = MapProofBundle::new(proofs);
    assert_eq!(bundle.encode(), base64(case.text("bundle_base64")));
    let root = case.text("root").parse().unwrap();
    assert_eq!(bundle.verify(&keys, root), Ok(()));
    let mut swapped = keys.clone();
    swapped.swap(0, 1);
    assert!(matches!(bundle.verify(&swapped, root), Err(MapBundleError::Root { proof: 0, .. })));
    let fewer = bundle.verify(&keys[1..], root);
    assert_eq!(fewer, Err(MapBundleError::ProofCount { wanted: 2, found: 3 }));

    let forms = &file["absent_peer_forms"];
    let root = forms.text("root").parse().unwrap();
    for form in ["as_produced_by_reference", "equivalent_no_peers", "equivalent_one_absent_peer"] {
        let bundle = MapProofBundle::decode(&base64(forms[form].text("bundle_base64"))).unwrap();
        assert_eq!(bundle.verify(&[vector_key(0, 0)], root), Ok(()), "{form}");
    }

    let stale = &file["stale_value"];
    let (path, _) = vector_key(stale.number("key"), 0);
    let record = stale.text("stale_record_id");
    let leaf = leaf_hash(&[b"WARG-MAP-LEAF-V0", lp(record).as_slice()].concat());
    let bundle = MapProofBundle::decode(&base64(stale.text("bundle_base64"))).unwrap();
    let root = stale.text("expected_root").parse().unwrap();
    let found = stale.text("evaluates_to").parse().unwrap();
    let refused = bundle.verify(&[(path, leaf)], root);
    assert_eq!(refused, Err(MapBundleError::Root { proof: 0, root, found }));
}

#[test]
fn malformed_bundles_are_refused() {
    let sibling = |bytes: usize| {
        let hash = [vec![0x0a, u8::try_from(bytes).unwrap()], vec![7; bytes]].concat();
        [vec![0x0a, u8::try_from(hash.len()).unwrap()], hash].concat()
    };
    let bundle = |hashes: &[u8]| {
        let mut bytes = vec![0x0a];
        prost::encoding::encode_varint(hashes.len() as u64, &mut bytes);
        [bytes, hashes.to_vec()].concat()
    };
    for bytes in [0, 1, 31, 33] {
        let refused = MapProofBundle::decode(&bundle(&sibling(bytes)));
        assert_eq!(refused, Err(MapBundleError::HashLength { proof: 0, bytes }));
    }
    assert!(MapProofBundle::decode(&bundle(&sibling(32).repeat(256))).is_ok());
    let refused = MapProofBundle::decode(&bundle(&sibling(32).repeat(257)));
    assert_eq!(refused, Err(MapBundleError::TooManyHashes { proof: 0, hashes: 257 }));
    let refused = MapProofBundle::decode(&bundle(&sibling(32))[..20]);
    assert!(matches!(refused, Err(MapBundleError::Undecodable(_))));
    let large = vec![0; crate::limits::PROOF_BUNDLE_BYTES_MAX + 1];
    assert_eq!(MapProofBundle::decode(&large), Err(MapBundleError::TooLarge(large.len())));
}

/// But for one: a flipped bit in the tag of a hash makes it an unknown field, and so an absent
/// sibling, which says the same where the sibling is empty anyway.
#[test]
fn every_corrupted_bit_of_a_proof_is_refused() {
    let map = map_of(20);
    let root = root(&map);
    for key in 0..20 {
        let (path, slot) = vector_key(key, 0);
        let proof = find(&map, map.head(), path).unwrap().proof;
        let bytes = MapProofBundle::new(vec![proof.clone()]).encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let Ok(bundle) = MapProofBundle::decode(&changed) else { continue };
            if bundle.verify(&[(path, slot)], root).is_ok() {
                let depths = (0..proof.siblings().len()).rev();
                let same = bundle.proofs()[0].siblings().iter().zip(proof.siblings()).zip(depths);
                for ((changed, original), depth) in same {
                    let resolved = changed.unwrap_or(empty(DEPTH - depth - 1));
                    assert_eq!(Some(resolved), *original, "key {key} bit {bit}");
                }
            }
        }
    }
}

/// Pins SHA-256 over the roots after each of 100,000 steps. Step i sets key i² mod 65,537 to value
/// i: most steps add a key, later ones replace. Computed once by a program of its own: a binary trie
/// over hashlib that shares no code with this one.
#[test]
fn one_digest_pins_100_000_successive_roots() {
    let mut map = MemoryPages::default();
    let mut pin = wargate_crypto::Sha256::new();
    for step in 0..100_000u64 {
        let path = Path::of_key(format!("key {}", step * step % 65_537).as_bytes());
        let slot = leaf_hash(format!("value {step}").as_bytes());
        let version = MapVersion(step + 1);
        pin.update(map.set(version, [(path, slot)]).unwrap().root.as_bytes());
        map.prune(version);
    }
    let pinned = "sha256:1134f8b39bdd41b034ebca47ccabb1bd05df9550f5501950c1af32e95a3d4fbe";
    assert_eq!(pin.finish().to_string(), pinned);
}

#[test]
fn reading_and_writing_touch_one_page_a_level_however_large_the_map() {
    struct Counting<'a>(&'a MemoryPages, Cell<usize>);
    impl PageReader for Counting<'_> {
        type Error = Missing;
        fn pages(&self, wanted: &[PageId]) -> Result<Vec<Arc<Page>>, Missing> {
            self.1.set(self.1.get() + wanted.len());
            self.0.pages(wanted)
        }
    }
    for (keys, most) in [(10, 3), (1_000, 5), (20_000, 7)] {
        let map = map_of(keys);
        for key in (0..keys).step_by(997) {
            let (path, slot) = vector_key(key, 1);
            let reader = Counting(&map, Cell::new(0));
            let found = prove(&reader, map.head(), &[path]).unwrap();
            assert!(found[0].is_some());
            assert!(reader.1.get() <= most, "{} pages of {keys} keys", reader.1.get());
            let updated = update(&reader, map.head(), MapVersion(2), [(path, slot)]).unwrap();
            assert!(reader.1.get() <= 2 * most);
            assert!(updated.written.len() <= most && updated.superseded.len() <= most);
        }
    }
}

#[test]
fn a_new_neighbour_costs_a_leaf_no_more_than_its_stem() {
    let map = map_of(1_000);
    let (path, slot) = vector_key(0, 0);
    // The same slot but for the last bit above the stem: the old leaf moves as deep as it can.
    let mut near = *path.as_bytes();
    near[STEM_DEPTH / 8 - 1] ^= 1;
    let updated = update(&map, map.head(), MapVersion(2), [(Path::from_bytes(near), slot)]);
    let hashes = updated.unwrap().hashes;
    assert!(hashes < (DEPTH + 16 * STEM_DEPTH / 4) as u64, "{hashes} hashes");
}

#[test]
fn pages_survive_their_bytes_and_every_damage_shows() {
    let map = map_of(40);
    for (id, page) in map.iter() {
        let bytes = page.encode(id);
        assert_eq!(Page::decode(id, &bytes).as_ref(), Ok(&**page));
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(Page::decode(id, &changed).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Page::decode(id, &bytes[..cut]).is_err(), "cut at {cut}");
        }
        let elsewhere = PageId { version: MapVersion(id.version.0 + 1), ..*id };
        let refused = Page::decode(&elsewhere, &bytes);
        assert_eq!(refused, Err(PageDecodeError::Damaged("its check does not match")));
    }
    let refused = Page::decode(&PageId::root(MapVersion(1)), &[9; 64]);
    assert_eq!(refused, Err(PageDecodeError::Format(9)));
}

#[test]
fn a_reader_that_answers_nonsense_is_an_error() {
    struct Answer(Vec<Arc<Page>>);
    impl PageReader for Answer {
        type Error = std::convert::Infallible;
        fn pages(&self, _: &[PageId]) -> Result<Vec<Arc<Page>>, Self::Error> {
            Ok(self.0.clone())
        }
    }
    let map = map_of(100);
    let (path, slot) = vector_key(0, 1);
    let root = map.pages(&[PageId::root(MapVersion(1))]).unwrap().remove(0);
    let none = update(&Answer(vec![]), map.head(), MapVersion(2), [(path, slot)]);
    let wrong = MapError::Count { wanted: 1, got: 0 };
    assert_eq!(none.unwrap_err(), MapReadError::Map(wrong));
    // A root page at every level: an endless map, if a page were not compared with its hash.
    let endless = Answer(vec![Arc::clone(&root)]);
    let deep = (0..100).map(|key| vector_key(key, 1).0);
    let deep = deep.filter(|path| matches!(root.child(path.nibble(0)), Some(Child::Page { .. })));
    for path in deep {
        let refused = prove(&endless, map.head(), &[path]).unwrap_err();
        assert!(matches!(refused, MapReadError::Map(MapError::OtherPage(_))), "{refused}");
    }
    // A page that refers to one written after it.
    let before = map.head().map(|head| MapHead { version: MapVersion(0), ..head });
    let newer = update(&Answer(vec![Arc::clone(&root)]), before, MapVersion(2), [(path, slot)]);
    assert!(matches!(newer, Err(MapReadError::Map(MapError::Misplaced(_)))));
    // Another map's root page.
    let other = map_of(99).pages(&[PageId::root(MapVersion(1))]).unwrap();
    let refused = update(&Answer(other), map.head(), MapVersion(2), [(path, slot)]).unwrap_err();
    let expected = MapError::OtherPage(PageId::root(MapVersion(1)));
    assert_eq!(refused, MapReadError::Map(expected));
    let same = update(&map, map.head(), MapVersion(1), [(path, slot)]);
    assert_eq!(same.unwrap_err(), MapReadError::Map(MapError::Version));
    let unsupplied = Update::new(map.head(), [(path, slot)]).finish(MapVersion(2));
    assert_eq!(unsupplied.unwrap_err(), MapError::Incomplete);
}

#[test]
fn pages_that_were_refused_leave_the_update_as_it_was() {
    let map = map_of(300);
    let leaves: Vec<_> = (0..40).map(|key| vector_key(key, 1)).collect();
    let expected = update(&map, map.head(), MapVersion(2), leaves.iter().copied()).unwrap();
    let wrong = map_of(7).pages(&[PageId::root(MapVersion(1))]).unwrap().remove(0);
    let mut update = Update::new(map.head(), leaves);
    while !update.wanted().is_empty() {
        let wanted = update.wanted().to_vec();
        let pages = map.pages(&wanted).unwrap();
        for at in 0..pages.len() {
            let mut bad = pages.clone();
            bad[at] = Arc::clone(&wrong);
            assert_eq!(update.supply(bad), Err(MapError::OtherPage(wanted[at])));
            assert_eq!(update.wanted(), wanted);
        }
        update.supply(pages).unwrap();
    }
    let updated = update.finish(MapVersion(2)).unwrap();
    assert_eq!((updated.root, updated.written), (expected.root, expected.written));
}

/// Paths that collide for a random number of bits: two bytes decide where they part.
fn path() -> impl Strategy<Value = Path> {
    (0..32usize, any::<u8>(), 0..3u8).prop_map(|(at, byte, fill)| {
        let mut bytes = [fill; 32];
        bytes[at] = byte;
        Path::from_bytes(bytes)
    })
}

fn batches() -> impl Strategy<Value = Vec<Vec<(Path, u8)>>> {
    prop::collection::vec(prop::collection::vec((path(), any::<u8>()), 0..12), 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn agrees_with_a_btreemap_at_every_version(batches in batches(), oldest in 0..12u64) {
        let mut map = MemoryPages::default();
        let mut model = BTreeMap::new();
        let mut history = vec![(0, None, model.clone(), empty_root())];
        for (at, batch) in batches.into_iter().enumerate() {
            let leaves: Vec<_> =
                batch.iter().map(|(path, value)| (*path, leaf_hash(&[*value]))).collect();
            model.extend(leaves.iter().copied());
            let updated = map.set(MapVersion(at as u64 + 1), leaves).unwrap();
            prop_assert_eq!(updated.root, root_of(&model));
            history.push((at as u64 + 1, updated.head, model.clone(), updated.root));
        }
        let oldest = oldest.min(history.len() as u64 - 1);
        map.prune(MapVersion(oldest));
        history.retain(|(version, ..)| *version >= oldest);
        for (_, head, model, root) in &history {
            for (path, leaf) in model {
                let found = find(&map, *head, *path).unwrap();
                prop_assert_eq!(found.leaf, *leaf);
                prop_assert_eq!(found.proof.root(path, *leaf), *root);
                prop_assert!(found.proof.siblings().iter().all(Option::is_some));
            }
            let absent = Path::from_bytes([0x77; 32]);
            prop_assert_eq!(find(&map, *head, absent), None);
        }
        // What pruning kept is what the retained versions use, and no more.
        let mut used = std::collections::HashSet::new();
        for (_, head, ..) in &history {
            reach(&map, head.map(|head| PageId::root(head.version)), &mut used);
        }
        prop_assert_eq!(map.len(), used.len());
    }

    #[test]
    fn no_bytes_make_the_decoders_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(bundle) = MapProofBundle::decode(&bytes) {
            let leaf = vector_key(0, 0);
            let _ = bundle.verify(&vec![leaf; bundle.proofs().len()], empty_root());
        }
        let _ = Page::decode(&PageId::root(MapVersion(1)), &bytes);
        let _ = PageId::from_bytes(&bytes);
    }
}

fn reach(map: &MemoryPages, id: Option<PageId>, used: &mut std::collections::HashSet<PageId>) {
    let Some(id) = id else { return };
    used.insert(id);
    let page = map.pages(&[id]).unwrap().remove(0);
    for (nibble, child) in page.children() {
        if let Child::Page { version, .. } = child {
            let prefix = id.prefix.child(nibble).unwrap();
            reach(map, Some(PageId { version: *version, prefix }), used);
        }
    }
}

fn base64(text: &str) -> Vec<u8> {
    <base64ct::Base64 as base64ct::Encoding>::decode_vec(text).unwrap()
}
