//! A sparse Merkle map: a complete binary tree over 2^256 slots (specification 8).
//!
//! A key is a [`Path`] of 256 bits from the root to its slot. An occupied slot hashes to a *leaf
//! hash*, an empty one to SHA-256 of one zero byte, a branch to SHA-256 of `01`, left and right. The
//! root depends on nothing but the set of keys and values.
//!
//! # How it is stored
//!
//! Four levels of the tree make a [`Page`] with up to 16 children, each the root of a page below or,
//! where a subtree holds one key only, that key's leaf. A map of n random keys is about log16 n pages
//! deep. Pages are immutable: an update writes every page on the way to a changed leaf anew, under
//! its own version, and names the pages that it supersedes. So every version stays readable until
//! its pages are dropped, and a version costs what changed in it.
//!
//! # How it is read
//!
//! An [`Update`] or a [`Lookup`] asks for pages in batches, one for each level, and computes when it
//! has them all: nothing here does I/O, so a synchronous and an asynchronous store drive the same
//! code. [`update`] and [`prove`] are the loop for synchronous ones. Memory depends on the batch,
//! never on the map.
//!
//! # What it costs
//!
//! There is no shortcut in the hashing: setting a key takes about 256 hashes, nearly all of them in
//! the part of the tree where the key is alone. A leaf therefore keeps its hash at depth
//! [`STEM_DEPTH`] beside the one at its page, so that a leaf that moves down because a new key came
//! near is rehashed over a handful of levels and not over 230.

mod bundle;
mod error;
mod memory;
mod page;
mod path;
mod proof;
mod update;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use wargate_crypto::Digest;

use crate::log::{BRANCH_BYTES, branch_hash as branch, branch_preimage};

pub use bundle::{MapBundleError, MapProofBundle};
pub use error::{MapError, MapReadError};
pub use memory::{MemoryPages, Missing};
pub use page::{Child, Leaf, Page, PageDecodeError};
pub use path::{PageId, Path, Prefix};
pub use proof::{Found, Lookup, MapProof, prove};
pub use update::{Stem, Update, Updated, update};

/// Levels of the tree: the number of bits in a path.
pub const DEPTH: usize = 256;

/// The depth at which a leaf keeps an extra hash. Slots of a map with up to 2^40 random keys lie
/// above it; a deeper one (keys that collide on purpose) is only slower to move.
pub const STEM_DEPTH: usize = 40;

/// Which state of a map: grows with every update, and nothing else is assumed of it.
///
/// A registry uses the log length that the state belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MapVersion(pub u64);

/// A state of a map that has keys: where its root page is, and what the page must hash to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapHead {
    /// The version that wrote the root page.
    pub version: MapVersion,
    /// The root.
    pub root: Digest,
}

/// Where pages come from.
///
/// # Contract
///
/// The answer holds the page of every id, in the order asked. A page that was written and is not
/// superseded at or before the oldest version still in use must be there: a missing one is an error,
/// not an empty page. Implementations need not check pages beyond [`Page::decode`]: every page is
/// compared with the hash that the page above it has, and the root page with the head's.
pub trait PageReader {
    /// Why the pages could not be read.
    type Error;

    /// The pages with these ids, in this order.
    ///
    /// # Errors
    /// Whatever the store reports; the caller retries or gives up.
    fn pages(&self, wanted: &[PageId]) -> Result<Vec<std::sync::Arc<Page>>, Self::Error>;
}

/// The hash of an occupied slot with this value encoding: SHA-256 of `00` and the value.
pub fn leaf_hash(value: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], value])
}

/// The root of a map without keys.
pub fn empty_root() -> Digest {
    empty(DEPTH)
}

/// The hash of a subtree of this height (0 to 256) without keys.
fn empty(height: usize) -> Digest {
    static EMPTY: LazyLock<[Digest; DEPTH + 1]> = LazyLock::new(|| {
        let mut hashes = [Digest::of(&[0]); DEPTH + 1];
        for height in 1..=DEPTH {
            hashes[height] = branch(&hashes[height - 1], &hashes[height - 1]);
        }
        hashes
    });
    EMPTY[height]
}

/// The hash at depth `to` of a subtree that holds `path` alone, from its hash at depth `from`.
fn lift(mut hash: Digest, path: &Path, from: usize, to: usize) -> Digest {
    for depth in (to..from).rev() {
        hash = climb(&hash, &empty(DEPTH - depth - 1), path, depth);
    }
    hash
}

/// [`lift`] for many paths at once.
///
/// Every hash of one path needs the one before it, so a few paths take turns: while the processor
/// waits for one it works on the next, and what a hash is computed from was written three hashes ago
/// and has left the processor's store buffer.
fn lift_all(hashes: &mut [Digest], paths: &[Path], from: usize, to: usize) {
    const TURNS: usize = 4;
    let prepare = |hash: &Digest, path: &Path, depth: usize| {
        let sibling = empty(DEPTH - depth - 1);
        if path.bit(depth) {
            branch_preimage(&sibling, hash)
        } else {
            branch_preimage(hash, &sibling)
        }
    };
    for (hashes, paths) in hashes.chunks_mut(TURNS).zip(paths.chunks(TURNS)) {
        let mut preimages = [[0; BRANCH_BYTES]; TURNS];
        for depth in (to..from).rev() {
            if depth + 1 == from {
                for ((next, hash), path) in preimages.iter_mut().zip(&*hashes).zip(paths) {
                    *next = prepare(hash, path, depth);
                }
            }
            for ((next, hash), path) in preimages.iter_mut().zip(&mut *hashes).zip(paths) {
                *hash = Digest::of(next);
                if depth > to {
                    *next = prepare(hash, path, depth - 1);
                }
            }
        }
    }
}

/// The hash at `depth` from the two below it, the one that `path` leads through and its sibling.
fn climb(hash: &Digest, sibling: &Digest, path: &Path, depth: usize) -> Digest {
    if path.bit(depth) { branch(sibling, hash) } else { branch(hash, sibling) }
}
