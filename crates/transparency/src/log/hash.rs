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

    /// The leaf hashes of many entries, in order. Takes less time than [`LeafHash::of`] for each, since
    /// a processor is slow to read what it has just written: four are written before they are hashed.
    pub fn of_each<E: AsRef<[u8]>>(entries: &[E]) -> Vec<Self> {
        const TURNS: usize = 4;
        const ROOM: usize = 256;
        let mut hashes = Vec::with_capacity(entries.len());
        let mut preimages = [[0; ROOM]; TURNS];
        for entries in entries.chunks(TURNS) {
            for (preimage, entry) in preimages.iter_mut().zip(entries) {
                let entry = entry.as_ref();
                if let Some(room) = preimage.get_mut(1..=entry.len()) {
                    room.copy_from_slice(entry);
                }
            }
            hashes.extend(preimages.iter().zip(entries).map(|(preimage, entry)| {
                let entry = entry.as_ref();
                // An entry that had no room goes its own way.
                preimage
                    .get(..=entry.len())
                    .map_or_else(|| Self::of(entry), |p| Self(Digest::of(p)))
            }));
        }
        hashes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_has_the_hash_that_it_has_alone() {
        let entries: Vec<_> = (0..600).step_by(5).map(|length| vec![0xa7; length]).collect();
        for count in [0, 1, 3, 4, 5, entries.len()] {
            let alone: Vec<_> = entries[..count].iter().map(|entry| LeafHash::of(entry)).collect();
            assert_eq!(LeafHash::of_each(&entries[..count]), alone);
        }
        let borders: Vec<_> = (254..=258).map(|length| vec![1; length]).collect();
        let alone: Vec<_> = borders.iter().map(|entry| LeafHash::of(entry)).collect();
        assert_eq!(LeafHash::of_each(&borders), alone);
    }
}
