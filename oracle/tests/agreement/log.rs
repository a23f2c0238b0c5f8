//! The Merkle log (specification 7): roots, and bundles byte for byte, ours from tiles.

use warg_protocol::registry;
use warg_transparency::log::{LogBuilder, LogData, Node};
use wargate_crypto::Digest;
use wargate_oracle::log::{OurLog, TheirBundle, TheirLog, push, random_leaf, theirs};
use wargate_oracle::random::Random;
use wargate_protocol::LogLeaf;
use wargate_transparency::log::{
    Claims, LeafIndex, LogLength, LogProofBundle, ProofPlan, RootPlan,
};

use crate::each_seed;

/// One log on both sides, with everything that both know of its past.
#[derive(Default)]
struct Both {
    ours: OurLog,
    theirs: TheirLog,
    leaves: Vec<LogLeaf>,
    their_leaves: Vec<registry::LogLeaf>,
    nodes: Vec<Node>,
    /// Their root at each length.
    roots: Vec<Digest>,
}

impl Both {
    fn new() -> Self {
        let mut both = Self::default();
        both.roots.push(root_of(&both.theirs));
        both
    }

    /// Appends a batch and compares the root after it.
    fn append(&mut self, random: &Random, count: usize) {
        let leaves: Vec<_> = (0..count).map(|_| random_leaf(random)).collect();
        let their_leaves = theirs(&leaves);
        for leaf in &their_leaves {
            self.nodes.extend(push(&mut self.theirs, std::slice::from_ref(leaf)));
            self.roots.push(root_of(&self.theirs));
        }
        assert_eq!(self.ours.append(&leaves), self.roots[self.roots.len() - 1]);
        self.leaves.extend(leaves);
        self.their_leaves.extend(their_leaves);
    }

    fn length(&self) -> usize {
        self.leaves.len()
    }

    /// A random request for one length, with its bundles from both; None where both refuse.
    fn bundles(&self, random: &Random) -> Option<Request> {
        if self.leaves.is_empty() {
            return None;
        }
        let length = random.below(self.length() + 1);
        let list = |random: &Random, most: usize, end: usize| -> Vec<usize> {
            (0..random.below(most)).map(|_| random.below(end)).collect()
        };
        // Now and then something that cannot be proven.
        let over = if random.one_in(20) { self.length() } else { length };
        let consistent = list(random, 3, over.max(1)).into_iter().map(|from| from + 1).collect();
        let included = list(random, 6, over.max(1).min(self.length()));
        let request = Request { length, consistent, included, bytes: Vec::new() };
        let (ours, theirs) = (self.our_bundle(&request), self.their_bundle(&request));
        assert_eq!(ours, theirs, "{request:?}");
        ours.map(|bytes| Request { bytes, ..request })
    }

    fn our_bundle(&self, request: &Request) -> Option<Vec<u8>> {
        let consistent: Vec<_> = request.consistent.iter().map(|from| length_of(*from)).collect();
        let included: Vec<_> = request.included.iter().map(|leaf| index_of(*leaf)).collect();
        let (stored, length) = (length_of(self.length()), length_of(request.length));
        let plan = ProofPlan::new(stored, length, &consistent, &included).ok()?;
        let root = self.roots[request.length];
        let checked = plan.read_checked(&self.ours.tiles, &root).unwrap();
        assert_eq!(plan.read(&self.ours.tiles).unwrap(), checked);
        Some(checked.encode().unwrap())
    }

    fn their_bundle(&self, request: &Request) -> Option<Vec<u8>> {
        let consistent = request.consistent.iter();
        let consistent =
            consistent.map(|from| self.theirs.prove_consistency(*from, request.length)).collect();
        let included = request.included.iter();
        let included = included
            .map(|leaf| self.theirs.prove_inclusion(self.nodes[*leaf], request.length))
            .collect();
        Some(TheirBundle::bundle(consistent, included, &self.theirs).ok()?.encode())
    }

    /// Whether we take bytes as the proof of a request.
    fn we_accept(&self, request: &Request, bytes: &[u8]) -> bool {
        let consistent: Vec<_> =
            request.consistent.iter().map(|from| (length_of(*from), self.roots[*from])).collect();
        let leaf_hash = |leaf: &usize| self.leaves[*leaf].hash();
        let included: Vec<_> =
            request.included.iter().map(|leaf| (index_of(*leaf), leaf_hash(leaf))).collect();
        let claims = Claims {
            length: length_of(request.length),
            root: self.roots[request.length],
            consistent: &consistent,
            included: &included,
        };
        LogProofBundle::decode(bytes).is_ok_and(|bundle| bundle.verify(&claims).is_ok())
    }

    /// Whether they do, used as carefully as specification 7.5 asks.
    fn they_accept(&self, request: &Request, bytes: &[u8]) -> bool {
        let Ok(bundle) = TheirBundle::decode(bytes) else { return false };
        let (data, consistent, included) = bundle.unbundle();
        let root = self.roots[request.length];
        let asked = request.consistent.iter();
        let consistent = consistent.len() == request.consistent.len()
            && consistent.iter().zip(asked).all(|(proof, from)| {
                (proof.old_length, proof.new_length) == (*from, request.length)
                    && proof.evaluate(&data).is_ok_and(|(earlier, later)| {
                        digest(&earlier) == self.roots[*from] && digest(&later) == root
                    })
            });
        let asked = request.included.iter();
        let included = included.len() == request.included.len()
            && included.iter().zip(asked).all(|(proof, leaf)| {
                proof.leaf() == self.nodes[*leaf]
                    && proof.log_length() == request.length
                    && proof
                        .evaluate_value(&data, &self.their_leaves[*leaf])
                        .is_ok_and(|found| digest(&found) == root)
            });
        consistent && included
    }
}

#[derive(Debug)]
struct Request {
    length: usize,
    consistent: Vec<usize>,
    included: Vec<usize>,
    bytes: Vec<u8>,
}

#[test]
fn roots_are_the_same_at_every_length() {
    each_seed(6, |random| {
        let mut both = Both::new();
        while both.length() < 1200 {
            let count = *random.pick(&[0, 1, 2, 3, 17, 200, 256, 300]);
            both.append(random, count);
        }
        let stored = length_of(both.length());
        for length in 0..=both.length() {
            let plan = RootPlan::new(stored, length_of(length)).unwrap();
            assert_eq!(plan.read(&both.ours.tiles).unwrap(), both.roots[length], "{length}");
        }
    });
}

#[test]
fn bundles_are_the_same_and_each_side_verifies_them() {
    each_seed(60, |random| {
        let mut both = Both::new();
        let mut proven = 0;
        for _ in 0..12 {
            let most = *random.pick(&[3, 40, 400]);
            let count = random.below(most);
            both.append(random, count);
            for _ in 0..12 {
                let Some(request) = both.bundles(random) else { continue };
                assert!(both.we_accept(&request, &request.bytes), "{request:?}");
                assert!(both.they_accept(&request, &request.bytes), "{request:?}");
                proven += 1;
            }
        }
        assert!(proven > 20, "{proven} requests could be proven");
    });
}

#[test]
fn no_corrupted_bundle_convinces_us_but_not_them() {
    each_seed(80, |random| {
        let mut both = Both::new();
        let count = random.between(2, 600);
        both.append(random, count);
        for _ in 0..10 {
            let Some(request) = both.bundles(random) else { continue };
            for _ in 0..20 {
                let bytes = random.corrupt(&request.bytes);
                // We take the one encoding only (specification 3.6, 7.5), so what we refuse they may
                // take: fields in another order, hashes that nothing needs.
                if both.we_accept(&request, &bytes) {
                    assert!(both.they_accept(&request, &bytes), "{bytes:02x?}");
                    assert_eq!(bytes, request.bytes);
                }
            }
        }
    });
}

/// Three levels of tiles begin at 65,536 leaves.
#[test]
fn a_log_with_three_levels_of_tiles_gives_the_same_bundles() {
    let random = Random::new(1);
    let mut both = Both::new();
    for count in [65_530, 5, 1, 1, 4_000, 600] {
        both.append(&random, count);
        let mut proven = 0;
        while proven < 40 {
            let Some(request) = both.bundles(&random) else { continue };
            assert!(both.we_accept(&request, &request.bytes), "{request:?}");
            assert!(both.they_accept(&request, &request.bytes), "{request:?}");
            proven += 1;
        }
    }
}

fn root_of(log: &TheirLog) -> Digest {
    digest(&log.checkpoint().root())
}

fn digest(hash: &warg_crypto::hash::Hash<warg_crypto::hash::Sha256>) -> Digest {
    Digest::from_bytes(hash.bytes().try_into().unwrap())
}

fn length_of(length: usize) -> LogLength {
    LogLength::from(u32::try_from(length).unwrap())
}

fn index_of(leaf: usize) -> LeafIndex {
    LeafIndex::from(u32::try_from(leaf).unwrap())
}
