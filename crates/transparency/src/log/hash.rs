//! The three hashes of RFC 6962, section 2.1, which are those of specification 7.1.

use wargate_crypto::Digest;

/// The hash of an entry: SHA-256 over a zero byte and the entry.
///
/// A type of its own, so that neither a root nor the digest of something else is taken for a leaf.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafHash(Digest);

impl LeafHash {
    /// The leaf hash of an entry (RFC 6962, 2.1: `SHA-256(00 || entry)`).
    pub fn of(entry: &[u8]) -> Self {
        Self(Digest::of_parts(&[&[0], entry]))
    }

    /// A leaf hash that was computed before, for instance one that a store kept.
    pub const fn from_digest(digest: Digest) -> Self {
        Self(digest)
    }

    /// The 32 bytes of the hash.
    pub const fn digest(self) -> Digest {
        self.0
    }
}

impl From<LeafHash> for Digest {
    fn from(hash: LeafHash) -> Self {
        hash.0
    }
}

/// The hash of a subtree from those of its halves (RFC 6962, 2.1: `SHA-256(01 || left || right)`).
pub fn branch_hash(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&branch_preimage(left, right))
}

/// Bytes that a branch is hashed from.
pub(crate) const BRANCH_BYTES: usize = 65;

/// What a branch is hashed from. Where there are many branches, their preimages are written first and
/// hashed then: a processor that reads back what it has just written loses a fifth of the time.
pub(crate) fn branch_preimage(left: &Digest, right: &Digest) -> [u8; BRANCH_BYTES] {
    let mut preimage = [1; BRANCH_BYTES];
    preimage[1..33].copy_from_slice(left.as_bytes());
    preimage[33..].copy_from_slice(right.as_bytes());
    preimage
}

/// The root of the log without entries (RFC 6962, 2.1: SHA-256 over nothing).
pub fn empty_root() -> Digest {
    Digest::of(&[])
}

/// The root from the balanced roots, which come **right to left** (specification 7.2).
pub(super) fn fold_balanced_roots<E>(
    right_to_left: impl Iterator<Item = Result<Digest, E>>,
) -> Result<Option<Digest>, E> {
    let mut folded = None;
    for root in right_to_left {
        let root = root?;
        folded = Some(folded.map_or(root, |right| branch_hash(&root, &right)));
    }
    Ok(folded)
}
