//! Proving that a key has a value, and checking such proofs (specification 8.2).

use std::sync::Arc;

use wargate_crypto::Digest;

use super::error::{MapError, MapReadError};
use super::page::{Child, Page};
use super::path::{PageId, Path};
use super::walk::Walk;
use super::{DEPTH, MapHead, PageReader, climb, empty};

/// A proof that a slot holds a value in a map.
///
/// Sibling hashes bottom-up: the last one is the root's child. `None` is the empty subtree of that
/// height; siblings that are not listed, at the bottom, are empty subtrees too. At most 256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    pub(super) siblings: Vec<Option<Digest>>,
}

impl MapProof {
    /// The sibling hashes, bottom-up.
    pub fn siblings(&self) -> &[Option<Digest>] {
        &self.siblings
    }

    /// The root of the only maps in which the slot has this leaf hash by this proof.
    pub fn root(&self, path: &Path, leaf: Digest) -> Digest {
        let listed = self.siblings.len();
        let mut hash = super::lift(leaf, path, DEPTH, listed);
        for (depth, sibling) in (0..listed).rev().zip(&self.siblings) {
            let sibling = sibling.unwrap_or_else(|| empty(DEPTH - depth - 1));
            hash = climb(&hash, &sibling, path, depth);
        }
        hash
    }
}

/// A key that is in the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The leaf hash of its value.
    pub leaf: Digest,
    /// The proof, in the form that the reference produces: every sibling explicit, from the root
    /// down to the first subtree that holds only this key, at least one.
    pub proof: MapProof,
}

/// Keys to look up, waiting for the pages above them.
///
/// Supply what [`Self::wanted`] names until nothing is wanted, then ask with [`Self::find`].
#[derive(Debug)]
pub struct Lookup {
    walk: Walk,
}

impl Lookup {
    /// Looks these slots up in the state with this head.
    pub fn new(head: Option<MapHead>, paths: impl IntoIterator<Item = Path>) -> Self {
        let mut paths: Vec<_> = paths.into_iter().collect();
        paths.sort_unstable();
        paths.dedup();
        Self { walk: Walk::new(head, paths) }
    }

    /// The pages to supply next; none if all keys can be found.
    pub fn wanted(&self) -> &[PageId] {
        self.walk.wanted()
    }

    /// Takes the wanted pages, in the order asked.
    ///
    /// # Errors
    /// [`MapError`] if they are not as many, or not pages of one map.
    pub fn supply(&mut self, pages: Vec<Arc<Page>>) -> Result<(), MapError> {
        self.walk.supply(pages)
    }

    /// The value of one of the slots with its proof; `None` if the slot is empty. The protocol has no
    /// proof of absence.
    ///
    /// # Errors
    /// [`MapError::Incomplete`] if pages are still wanted or the slot was not asked for.
    pub fn find(&self, path: &Path) -> Result<Option<Found>, MapError> {
        let at = self.walk.paths().binary_search(path).map_err(|_| MapError::Incomplete)?;
        let Some(mut visit) = self.walk.root()? else { return Ok(None) };
        // Top-down, each page's own siblings still bottom-up.
        let mut pages = Vec::with_capacity(8);
        loop {
            let nibble = path.nibble(visit.id.prefix.level());
            pages.push(visit.page.siblings(nibble, visit.id.prefix.level()));
            match visit.page.child(nibble) {
                None => return Ok(None),
                Some(Child::Leaf(leaf)) if leaf.path != *path => return Ok(None),
                Some(Child::Leaf(leaf)) => {
                    let proof = assemble(&pages);
                    return Ok(Some(Found { leaf: leaf.slot, proof }));
                }
                Some(Child::Page { .. }) => {
                    let below = visit.below.iter().find(|(child, _)| *child == nibble);
                    let (_, below) = below.ok_or(MapError::Misplaced(visit.id))?;
                    visit = self.walk.visit(*below);
                    debug_assert!(visit.paths.contains(&at), "the walk went this way");
                }
            }
        }
    }
}

/// Finds slots with their proofs, in the order asked, with a synchronous reader. See [`Lookup`].
///
/// # Errors
/// [`MapReadError`]: the reader's own, or what its pages lack.
pub fn prove<R: PageReader>(
    reader: &R,
    head: Option<MapHead>,
    paths: &[Path],
) -> Result<Vec<Option<Found>>, MapReadError<R::Error>> {
    let mut lookup = Lookup::new(head, paths.iter().copied());
    lookup.walk.complete(reader)?;
    Ok(paths.iter().map(|path| lookup.find(path)).collect::<Result<_, _>>()?)
}

/// Joins the siblings of the pages on the way, root page first, into one proof.
fn assemble(pages: &[[Option<Digest>; 4]]) -> MapProof {
    let bottom_up = pages.iter().rev().flatten().copied();
    // Below the first subtree that holds only this key all siblings are empty: they are left out.
    // A map with one key still lists the root's child.
    let alone = bottom_up.clone().take_while(Option::is_none).count();
    let listed = (pages.len() * 4 - alone).max(1);
    let siblings = bottom_up.skip(pages.len() * 4 - listed);
    let explicit = siblings
        .zip((0..listed).rev())
        .map(|(sibling, depth)| Some(sibling.unwrap_or_else(|| empty(DEPTH - depth - 1))));
    MapProof { siblings: explicit.collect() }
}
