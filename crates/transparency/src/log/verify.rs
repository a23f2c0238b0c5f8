//! What a verifier must check of a bundle (specification 7.3 to 7.5).

use wargate_crypto::Digest;

use super::bundle::LogProofBundle;
use super::hash::{LeafHash, empty_root, fold_balanced_roots};
use super::node::{BalancedRoots, NodeId};
use super::path::InclusionPath;
use super::position::{LeafIndex, LogLength};

/// What was asked for, and what the verifier knows itself.
#[derive(Clone, Copy, Debug)]
pub struct Claims<'a> {
    /// The length of the log.
    pub length: LogLength,
    /// Its root at that length.
    pub root: Digest,
    /// Earlier lengths, each with its root, in the order asked.
    pub consistent: &'a [(LogLength, Digest)],
    /// Entries, each with its hash, in the order asked.
    pub included: &'a [(LeafIndex, LeafHash)],
}

/// One of the things that a bundle proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Claim {
    /// The log at this earlier length is a prefix.
    Consistency(LogLength),
    /// The entry is in the log.
    Inclusion(LeafIndex),
}

impl std::fmt::Display for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Consistency(from) => write!(f, "consistency from length {from}"),
            Self::Inclusion(leaf) => write!(f, "inclusion of entry {leaf}"),
        }
    }
}

/// Why a bundle does not prove what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Nothing was asked for, which nothing can prove.
    #[error("no proof was asked for")]
    NothingAsked,
    /// The proofs are for another length.
    #[error("proofs for length {asked} were asked for, but these are for {answered}")]
    Length {
        /// The length asked for.
        asked: LogLength,
        /// The length in the bundle.
        answered: LogLength,
    },
    /// There are more or fewer consistency proofs than asked for.
    #[error("{asked} consistency proofs were asked for, but there are {answered}")]
    ConsistencyCount {
        /// The number of lengths asked for.
        asked: usize,
        /// The number of lengths in the bundle.
        answered: usize,
    },
    /// There are more or fewer inclusion proofs than asked for.
    #[error("{asked} inclusion proofs were asked for, but there are {answered}")]
    InclusionCount {
        /// The number of entries asked for.
        asked: usize,
        /// The number of entries in the bundle.
        answered: usize,
    },
    /// A proof is for another length or entry than the one asked for at its place.
    #[error("{asked} was asked for, but there is {answered}")]
    OtherClaim {
        /// What was asked for.
        asked: Claim,
        /// What the bundle has in its place.
        answered: Claim,
    },
    /// A proof needs a hash that the bundle lacks.
    #[error("the proof of {claim} needs the hash of node {node}, which is missing")]
    MissingHash {
        /// What it was to prove.
        claim: Claim,
        /// The node.
        node: NodeId,
    },
    /// The hashes lead to another root.
    #[error("the proof of {claim} leads to the root {found}")]
    RootMismatch {
        /// What it was to prove.
        claim: Claim,
        /// The root it leads to.
        found: Digest,
    },
    /// The hashes lead to another root of the earlier length.
    #[error("the proof of consistency leads to the root {found} at the earlier length {from}")]
    EarlierRootMismatch {
        /// The earlier length.
        from: LogLength,
        /// The root it leads to.
        found: Digest,
    },
    /// The bundle has a hash that no proof needs.
    #[error("no proof needs the hash of node {0}")]
    UnusedHash(NodeId),
}

impl LogProofBundle {
    /// Verifies that the bundle proves the inclusion of each of `leaves` in the log of `length`
    /// with this `root`, in this order, and nothing else.
    ///
    /// # Errors
    /// As [`LogProofBundle::verify`].
    pub fn verify_inclusion(
        &self,
        length: LogLength,
        leaves: &[(LeafIndex, LeafHash)],
        root: &Digest,
    ) -> Result<(), VerifyError> {
        self.verify(&Claims { length, root: *root, consistent: &[], included: leaves })
    }

    /// Verifies that the bundle proves that the log of length `from` is a prefix of the log of
    /// length `to`, and nothing else.
    ///
    /// # Errors
    /// As [`LogProofBundle::verify`].
    pub fn verify_consistency(
        &self,
        from: LogLength,
        from_root: &Digest,
        to: LogLength,
        to_root: &Digest,
    ) -> Result<(), VerifyError> {
        let consistent = &[(from, *from_root)];
        self.verify(&Claims { length: to, root: *to_root, consistent, included: &[] })
    }

    /// Verifies that the bundle proves all claims, in their order, and nothing else (specification
    /// 7.5).
    ///
    /// An inclusion proof takes at most 64 hashes; a consistency proof is one of inclusion for each
    /// binary one of the earlier length.
    ///
    /// # Errors
    /// [`VerifyError`] with the first thing that is wrong. Everything else is compared before the
    /// first hash is computed.
    pub fn verify(&self, claims: &Claims<'_>) -> Result<(), VerifyError> {
        self.compare(claims)?;
        let mut evidence = Evidence { bundle: self, used: vec![false; self.hashes.len()] };
        for (from, root) in claims.consistent {
            evidence.check_consistency(*from, root, &claims.root)?;
        }
        for (leaf, hash) in claims.included {
            let claim = Claim::Inclusion(*leaf);
            evidence.check_path(claim, NodeId::of_leaf(*leaf), hash.digest(), &claims.root)?;
        }
        match self.hashes.iter().zip(&evidence.used).find(|(_, used)| !**used) {
            Some(((node, _), _)) => Err(VerifyError::UnusedHash(*node)),
            None => Ok(()),
        }
    }

    /// Compares what the bundle says that it proves with what was asked for.
    fn compare(&self, claims: &Claims<'_>) -> Result<(), VerifyError> {
        let (asked, answered) = (claims.length, self.length);
        if claims.consistent.is_empty() && claims.included.is_empty() {
            return Err(VerifyError::NothingAsked);
        }
        if asked != answered {
            return Err(VerifyError::Length { asked, answered });
        }
        let (asked, answered) = (claims.consistent.len(), self.consistent.len());
        if asked != answered {
            return Err(VerifyError::ConsistencyCount { asked, answered });
        }
        let (asked, answered) = (claims.included.len(), self.included.len());
        if asked != answered {
            return Err(VerifyError::InclusionCount { asked, answered });
        }
        let asked = claims.consistent.iter().map(|(from, _)| Claim::Consistency(*from));
        let asked = asked.chain(claims.included.iter().map(|(leaf, _)| Claim::Inclusion(*leaf)));
        let answered = self.consistent.iter().copied().map(Claim::Consistency);
        let answered = answered.chain(self.included.iter().copied().map(Claim::Inclusion));
        match asked.zip(answered).find(|(asked, answered)| asked != answered) {
            Some((asked, answered)) => Err(VerifyError::OtherClaim { asked, answered }),
            None => Ok(()),
        }
    }
}

/// The hashes of a bundle while proofs are evaluated.
struct Evidence<'a> {
    bundle: &'a LogProofBundle,
    used: Vec<bool>,
}

impl Evidence<'_> {
    fn check_consistency(
        &mut self,
        from: LogLength,
        earlier_root: &Digest,
        root: &Digest,
    ) -> Result<(), VerifyError> {
        let claim = Claim::Consistency(from);
        for node in BalancedRoots::of(from) {
            let own = self.hash(claim, node)?;
            self.check_path(claim, node, own, root)?;
        }
        let roots = BalancedRoots::of(from).rev().map(|node| self.hash(claim, node));
        let found = fold_balanced_roots(roots)?.unwrap_or_else(empty_root);
        if found == *earlier_root {
            return Ok(());
        }
        Err(VerifyError::EarlierRootMismatch { from, found })
    }

    fn check_path(
        &mut self,
        claim: Claim,
        node: NodeId,
        own: Digest,
        root: &Digest,
    ) -> Result<(), VerifyError> {
        let path = InclusionPath::new(node, self.bundle.length);
        let path = path.ok_or(VerifyError::MissingHash { claim, node })?;
        let found = path.evaluate(own, |node| self.hash(claim, node))?;
        if found == *root { Ok(()) } else { Err(VerifyError::RootMismatch { claim, found }) }
    }

    fn hash(&mut self, claim: Claim, node: NodeId) -> Result<Digest, VerifyError> {
        let hashes = &self.bundle.hashes;
        let found = hashes.binary_search_by_key(&node, |(node, _)| *node);
        let found = found.map_err(|_| VerifyError::MissingHash { claim, node })?;
        self.used[found] = true;
        Ok(hashes[found].1)
    }
}
