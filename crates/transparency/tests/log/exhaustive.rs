//! Every proof of every log of up to 64 entries, and every bit of it.

use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wargate_crypto::Digest;
use wargate_transparency::log::{LeafHash, LogProofBundle, NodeId, ProofPlan, VerifyError};

use crate::model::{self, Log, index, length, plain_leaves};

const LENGTH_MAX: usize = 64;

#[test]
fn every_proof_verifies_and_no_corrupted_one_does() {
    let leaves = plain_leaves(LENGTH_MAX);
    let log = Log::of(&leaves);
    let roots: Vec<_> = (0..=LENGTH_MAX).map(|at| model::root(&leaves[..at])).collect();
    // The longest first, so that the threads end together.
    let next = AtomicUsize::new(LENGTH_MAX);
    let take = || next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| at.checked_sub(1));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while let Ok(at @ 1..) = take() {
                    check_length(&log, &leaves, &roots, at);
                }
            });
        }
    });
}

fn check_length(log: &Log, leaves: &[LeafHash], roots: &[Digest], at: usize) {
    let stored = log.edge.length();
    let (to, to_root) = (length(at as u64), roots[at]);
    for (leaf, hash) in leaves[..at].iter().enumerate() {
        let claim = [(index(leaf as u64), *hash)];
        let plan = ProofPlan::inclusion(stored, to, &[claim[0].0]).unwrap();
        let bundle = plan.read(&log.store).unwrap();
        let needed = model::inclusion_nodes(at as u64, leaf as u64, leaf as u64 + 1);
        assert!(bundle.hashes().iter().map(|(node, _)| node.get()).eq(needed));
        check_hashes(&bundle, leaves);
        check_every_bit(&bundle, |bundle| bundle.verify_inclusion(to, &claim, &to_root));
    }
    for (from, from_root) in roots[..=at].iter().enumerate().skip(1) {
        let earlier = length(from as u64);
        let bundle = ProofPlan::consistency(stored, earlier, to).unwrap().read(&log.store).unwrap();
        let needed = model::consistency_nodes(from as u64, at as u64);
        assert!(bundle.hashes().iter().map(|(node, _)| node.get()).eq(needed));
        check_hashes(&bundle, leaves);
        check_every_bit(&bundle, |bundle| {
            bundle.verify_consistency(earlier, from_root, to, &to_root)
        });
    }
}

fn check_hashes(bundle: &LogProofBundle, leaves: &[LeafHash]) {
    for (node, hash) in bundle.hashes() {
        assert_eq!(*hash, model::node_hash(leaves, NodeId::new(node.get()).unwrap()));
    }
}

/// A bundle has one encoding, and all of it is verified, so that no bit can change unnoticed.
fn check_every_bit(
    bundle: &LogProofBundle,
    verify: impl Fn(&LogProofBundle) -> Result<(), VerifyError>,
) {
    let mut bytes = bundle.encode().unwrap();
    let decoded = LogProofBundle::decode(&bytes).unwrap();
    assert_eq!(decoded, *bundle);
    assert_eq!(verify(&decoded), Ok(()));
    for bit in 0..bytes.len() * 8 {
        bytes[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = LogProofBundle::decode(&bytes) {
            assert!(verify(&other).is_err(), "bit {bit} of {bundle:?} does not matter");
        }
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    for cut in 0..bytes.len() {
        if let Ok(other) = LogProofBundle::decode(&bytes[..cut]) {
            assert!(verify(&other).is_err(), "{cut} bytes of {bundle:?} are enough");
        }
    }
}
