//! The verifiable map (specification 8): roots, and bundles byte for byte, ours from pages.

use warg_crypto::hash::{Hash, Sha256};
use wargate_crypto::Digest;
use wargate_oracle::map::{Entry, TheirBundle, TheirMap, path};
use wargate_oracle::random::Random;
use wargate_protocol::LogId;
use wargate_transparency::map::{
    MapHead, MapProofBundle, MapVersion, MemoryPages, empty_root, prove,
};

use crate::each_seed;

/// Numbers whose logs have slots that share their first bits: how many, and the two numbers. Found
/// by sorting the slots of the first 2^22 numbers; the test checks that they do.
const NEIGHBOURS: &[(usize, u64, u64)] = &[
    (4, 1_254_553, 669_739),
    (5, 3_623_947, 840_317),
    (8, 3_906_637, 4_111_740),
    (9, 977_363, 2_324_276),
    (12, 190_622, 1_070_781),
    (13, 547_967, 3_488_435),
    (16, 1_409_700, 2_343_105),
    (17, 3_349_200, 2_042_340),
    (28, 1_242_163, 1_477_568),
    (33, 2_825_871, 2_256_710),
    (38, 2_169_127, 2_600_733),
    (39, 4_110_084, 1_347_274),
    (40, 3_204_369, 28_691),
    (41, 699_067, 900_413),
    (42, 2_337_309, 3_693_141),
];

/// One map on both sides at one moment.
struct Moment {
    version: Option<MapHead>,
    theirs: TheirMap,
    root: Digest,
    /// The keys and their values.
    entries: Vec<Entry>,
}

/// One map on both sides, with all of its past.
struct Both {
    pages: MemoryPages,
    moments: Vec<Moment>,
}

impl Both {
    fn new() -> Self {
        let theirs = TheirMap::default();
        let root = digest(theirs.root());
        assert_eq!(root, empty_root());
        let moment = Moment { version: None, theirs, root, entries: Vec::new() };
        Self { pages: MemoryPages::default(), moments: vec![moment] }
    }

    fn newest(&self) -> &Moment {
        &self.moments[self.moments.len() - 1]
    }

    /// Sets a batch and compares the root after it.
    fn set(&mut self, batch: &[Entry]) {
        let version = MapVersion(self.moments.len() as u64);
        let updated = self.pages.set(version, batch.iter().map(Entry::ours)).unwrap();
        let mut entries = self.newest().entries.clone();
        for entry in batch {
            entries.retain(|old| old.log_id != entry.log_id);
            entries.push(*entry);
        }
        let theirs = self.newest().theirs.extend(batch.iter().map(Entry::theirs));
        let root = digest(theirs.root());
        assert_eq!(updated.root, root);
        self.moments.push(Moment { version: updated.head, theirs, root, entries });
    }

    /// The bundles of both for some keys at a moment, which must be the same and verify.
    fn prove(&self, moment: &Moment, entries: &[Entry]) -> Vec<u8> {
        let paths: Vec<_> = entries.iter().map(|entry| path(&entry.log_id)).collect();
        let found = prove(&self.pages, moment.version, &paths).unwrap();
        let found = found.into_iter().zip(entries).map(|(found, entry)| {
            let found = found.expect("the key is in our map");
            assert_eq!(found.leaf, entry.leaf.hash());
            found.proof
        });
        let bytes = MapProofBundle::new(found.collect()).encode();
        let theirs = entries.iter().map(|entry| moment.theirs.prove(entry.theirs().0).unwrap());
        assert_eq!(bytes, TheirBundle::bundle(theirs.collect()).encode());
        assert!(we_accept(moment, entries, &bytes));
        assert!(they_accept(moment, entries, &bytes));
        bytes
    }

    fn is_absent(&self, moment: &Moment, log_id: &LogId) {
        let ours = prove(&self.pages, moment.version, &[path(log_id)]).unwrap();
        assert!(ours[0].is_none() && moment.theirs.prove(records_id(log_id)).is_none());
    }
}

#[test]
fn roots_and_bundles_are_the_same_over_all_of_a_maps_past() {
    each_seed(30, |random| {
        let mut both = Both::new();
        for _ in 0..10 {
            let batch = batch(random, &both.newest().entries);
            both.set(&batch);
        }
        for moment in &both.moments {
            both.is_absent(moment, &Entry::random(random).log_id);
            if moment.entries.is_empty() {
                continue;
            }
            for _ in 0..4 {
                let count = random.between(1, 5);
                let asked: Vec<_> = (0..count).map(|_| *random.pick(&moment.entries)).collect();
                both.prove(moment, &asked);
            }
        }
    });
}

#[test]
fn no_corrupted_bundle_convinces_us_but_not_them() {
    each_seed(30, |random| {
        let mut both = Both::new();
        let entries: Vec<_> = (0..random.between(1, 40)).map(|_| Entry::random(random)).collect();
        both.set(&entries);
        let asked = [*random.pick(&entries), *random.pick(&entries)];
        let bytes = both.prove(both.newest(), &asked);
        for _ in 0..60 {
            let bytes = random.corrupt(&bytes);
            if we_accept(both.newest(), &asked, &bytes) {
                assert!(they_accept(both.newest(), &asked, &bytes), "{bytes:02x?}");
            }
        }
    });
}

#[test]
fn slots_that_are_close_to_each_other_are_told_apart_alike() {
    let random = Random::new(0);
    for (bits, one, other) in NEIGHBOURS {
        let keys = [numbered(*one), numbered(*other)];
        assert_eq!(shared_bits(&keys[0], &keys[1]), *bits);
        let [first, second] = keys.map(|key| Entry::random_of(key, &random));
        // One after the other, together, and with others that came before.
        let mut both = Both::new();
        both.set(&[first]);
        both.set(&[second]);
        both.set(&[Entry::random_of(keys[0], &random)]);
        for moment in &both.moments[1..] {
            both.prove(moment, &moment.entries);
        }
        let mut both = Both::new();
        let crowd: Vec<_> = (0..300).map(|_| Entry::random(&random)).collect();
        both.set(&crowd);
        both.set(&[second, first]);
        both.prove(both.newest(), &[first, second, crowd[7]]);
        both.is_absent(&both.moments[1], &keys[0]);
    }
}

/// A few new keys, and new values for old ones; now and then one key twice.
fn batch(random: &Random, old: &[Entry]) -> Vec<Entry> {
    let mut batch: Vec<_> =
        (0..random.below(*random.pick(&[2, 20, 150]))).map(|_| Entry::random(random)).collect();
    for _ in 0..random.below(8) {
        let Some(entry) = old.get(random.below(old.len().max(1))) else { break };
        batch.push(Entry::random_of(entry.log_id, random));
    }
    if let Some(entry) = batch.first().copied() {
        batch.push(Entry::random_of(entry.log_id, random));
    }
    batch
}

fn we_accept(moment: &Moment, entries: &[Entry], bytes: &[u8]) -> bool {
    let leaves: Vec<_> = entries.iter().map(Entry::ours).collect();
    MapProofBundle::decode(bytes).is_ok_and(|bundle| bundle.verify(&leaves, moment.root).is_ok())
}

/// Used as carefully as specification 8.2 asks: their arithmetic does not survive more than 256
/// hashes.
fn they_accept(moment: &Moment, entries: &[Entry], bytes: &[u8]) -> bool {
    let Ok(bundle) = TheirBundle::decode(bytes) else { return false };
    let proofs = bundle.unbundle();
    proofs.len() == entries.len()
        && proofs.iter().zip(entries).all(|(proof, entry)| {
            let (key, value) = entry.theirs();
            proof.peers.len() <= 256 && digest(&proof.evaluate(&key, &value)) == moment.root
        })
}

fn digest(hash: &Hash<Sha256>) -> Digest {
    Digest::from_bytes(hash.bytes().try_into().unwrap())
}

fn records_id(log_id: &LogId) -> warg_protocol::registry::LogId {
    wargate_oracle::records::log_id(log_id)
}

/// The log whose id is a number.
fn numbered(number: u64) -> LogId {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    LogId::from_digest(Digest::from_bytes(bytes))
}

fn shared_bits(one: &LogId, other: &LogId) -> usize {
    let (one, other) = (path(one), path(other));
    let pairs = one.as_bytes().iter().zip(other.as_bytes());
    let differing: Vec<u8> = pairs.map(|(one, other)| one ^ other).collect();
    let whole = differing.iter().take_while(|byte| **byte == 0).count();
    8 * whole + differing.get(whole).map_or(0, |byte| byte.leading_zeros() as usize)
}
