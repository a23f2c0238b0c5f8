//! Setting many keys at once.

use std::ops::Range;
use std::sync::Arc;

use wargate_crypto::Digest;

use super::error::{MapError, MapReadError};
use super::page::{Child, Leaf, Page};
use super::path::{PageId, Path, Prefix};
use super::walk::{Visit, Walk, groups};
use super::{DEPTH, MapHead, MapVersion, PageReader, STEM_DEPTH, empty_root, lift, lift_all};

/// A batch of keys to set, waiting for the pages that it touches.
///
/// Supply what [`Self::wanted`] names until nothing is wanted, then [`Self::finish`].
#[derive(Debug)]
pub struct Update {
    walk: Walk,
    /// What becomes of each path of the walk.
    stems: Vec<Stem>,
    head: Option<MapHead>,
}

/// A slot, what to set it to, and the part of the hashing that does not depend on the map: most of it.
/// It can be made before its turn has come, wherever there is time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stem {
    path: Path,
    slot: Digest,
    /// The hash of the subtree at depth [`STEM_DEPTH`], where the slot is alone in it.
    hash: Digest,
}

impl Stem {
    /// A slot, and its new leaf hash (see [`leaf_hash`](super::leaf_hash)).
    pub fn new(path: Path, slot: Digest) -> Self {
        Self { path, slot, hash: lift(slot, &path, DEPTH, STEM_DEPTH) }
    }

    /// Many at once, which takes less time than one by one.
    pub fn all(leaves: impl IntoIterator<Item = (Path, Digest)>) -> Vec<Self> {
        let (paths, slots): (Vec<Path>, Vec<Digest>) = leaves.into_iter().unzip();
        let mut hashes = slots.clone();
        lift_all(&mut hashes, &paths, DEPTH, STEM_DEPTH);
        let all = paths.into_iter().zip(slots).zip(hashes);
        all.map(|((path, slot), hash)| Self { path, slot, hash }).collect()
    }
}

/// What an update makes of a map. The caller writes the pages, remembers the superseded ones and the
/// new head, and commits them together.
#[derive(Clone, Debug)]
pub struct Updated {
    /// Where to read the new state: the update's own, or the old one if nothing was set;
    /// `None` if the map is still empty.
    pub head: Option<MapHead>,
    /// The new root.
    pub root: Digest,
    /// The pages to write, each once.
    pub written: Vec<(PageId, Arc<Page>)>,
    /// The pages that the new state no longer uses. Once no version before it is to be read any
    /// more, they can be dropped.
    pub superseded: Vec<PageId>,
    /// SHA-256 computations made, those of the stems included, and the leaf hashes that the caller
    /// brought left out.
    pub hashes: u64,
}

impl Update {
    /// A batch that sets slots to these leaf hashes (see [`leaf_hash`](super::leaf_hash)) in the
    /// state with this head. Of several values for one slot the last one counts.
    pub fn new(head: Option<MapHead>, leaves: impl IntoIterator<Item = (Path, Digest)>) -> Self {
        Self::of_stems(head, Stem::all(leaves))
    }

    /// The same with stems.
    pub fn of_stems(head: Option<MapHead>, mut given: Vec<Stem>) -> Self {
        // Stable, so that of equal paths the last one given stays last.
        given.sort_by_key(|stem| stem.path);
        let (mut paths, mut stems) = (Vec::new(), Vec::new());
        for stem in given {
            if paths.last() == Some(&stem.path) {
                stems.pop();
            } else {
                paths.push(stem.path);
            }
            stems.push(stem);
        }
        Self { walk: Walk::new(head, paths), stems, head }
    }

    /// The pages to supply next; none if the update can be finished.
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

    /// Computes the new state, under a version greater than the head's.
    ///
    /// # Errors
    /// [`MapError::Incomplete`] if pages are still wanted, [`MapError::Version`] if the version is
    /// not greater, [`MapError::Misplaced`] if the pages supplied make no map.
    pub fn finish(self, version: MapVersion) -> Result<Updated, MapError> {
        if self.head.is_some_and(|head| head.version >= version) {
            return Err(MapError::Version);
        }
        let Self { walk, stems, head } = &self;
        let old = walk.root()?;
        if stems.is_empty() {
            let root = head.map_or_else(empty_root, |head| head.root);
            let (written, superseded) = (Vec::new(), Vec::new());
            return Ok(Updated { head: *head, root, written, superseded, hashes: 0 });
        }
        let hashes = (stems.len() * (DEPTH - STEM_DEPTH)) as u64;
        let mut pen = Pen { walk, stems, version, written: Vec::new(), hashes };
        let root = if let Some(visit) = old {
            pen.rewrite(visit)?
        } else {
            let leaves = pen.leaves(0..stems.len());
            pen.page(Prefix::ROOT, leaves)?
        };
        let Pen { written, hashes, .. } = pen;
        let superseded = walk.superseded();
        Ok(Updated { head: Some(MapHead { version, root }), root, written, superseded, hashes })
    }
}

/// Sets slots to these leaf hashes, with a synchronous reader. See [`Update`].
///
/// # Errors
/// [`MapReadError`]: the reader's own, or what its pages lack.
pub fn update<R: PageReader>(
    reader: &R,
    head: Option<MapHead>,
    version: MapVersion,
    leaves: impl IntoIterator<Item = (Path, Digest)>,
) -> Result<Updated, MapReadError<R::Error>> {
    let mut update = Update::new(head, leaves);
    update.walk.complete(reader)?;
    Ok(update.finish(version)?)
}

/// Writes the new pages, bottom-up.
struct Pen<'a> {
    walk: &'a Walk,
    /// Of each path of the walk.
    stems: &'a [Stem],
    version: MapVersion,
    written: Vec<(PageId, Arc<Page>)>,
    hashes: u64,
}

impl Pen<'_> {
    /// Writes a page that exists anew, with all below it that changes. Returns its hash.
    fn rewrite(&mut self, visit: &Visit) -> Result<Digest, MapError> {
        let prefix = visit.id.prefix;
        let mut page = Page::clone(&visit.page);
        let mut below = visit.below.iter();
        for (nibble, group) in groups(self.walk.paths(), visit.paths.clone(), prefix.level()) {
            let child = match page.child(nibble) {
                Some(Child::Page { .. }) => {
                    let (_, at) = below.next().ok_or(MapError::Misplaced(visit.id))?;
                    let hash = self.rewrite(self.walk.visit(*at))?;
                    Child::Page { version: self.version, hash }
                }
                Some(Child::Leaf(old)) => {
                    let leaves = self.leaves_beside(old, group);
                    self.grow(prefix, nibble, leaves)?
                }
                None => {
                    let leaves = self.leaves(group);
                    self.grow(prefix, nibble, leaves)?
                }
            };
            page.set(nibble, child);
        }
        Ok(self.write(prefix, page))
    }

    /// Makes the child of a page that holds these leaves and nothing else.
    fn grow(
        &mut self,
        parent: Prefix,
        nibble: usize,
        mut leaves: Vec<Leaf>,
    ) -> Result<Child, MapError> {
        if leaves.len() == 1
            && let Some(leaf) = leaves.pop()
        {
            let (leaf, hashes) = leaf.hang(4 * (parent.level() + 1));
            self.hashes += hashes;
            return Ok(Child::Leaf(leaf));
        }
        let id = PageId { version: self.version, prefix: parent };
        let prefix = parent.child(nibble).ok_or(MapError::Misplaced(id))?;
        let hash = self.page(prefix, leaves)?;
        Ok(Child::Page { version: self.version, hash })
    }

    /// Writes a page that did not exist, with all below it. Returns its hash.
    fn page(&mut self, prefix: Prefix, leaves: Vec<Leaf>) -> Result<Digest, MapError> {
        let mut page = Page::default();
        let mut leaves = leaves.into_iter().peekable();
        while let Some(first) = leaves.next() {
            let nibble = first.path.nibble(prefix.level());
            let mut group = vec![first];
            while let Some(leaf) = leaves.next_if(|leaf| leaf.path.nibble(prefix.level()) == nibble)
            {
                group.push(leaf);
            }
            let child = self.grow(prefix, nibble, group)?;
            page.set(nibble, child);
        }
        Ok(self.write(prefix, page))
    }

    fn write(&mut self, prefix: Prefix, page: Page) -> Digest {
        let (hash, hashes) = page.seal(prefix.level());
        self.hashes += hashes;
        self.written.push((PageId { version: self.version, prefix }, Arc::new(page)));
        hash
    }

    /// New leaves for a run of the walk's paths. They hang nowhere yet.
    fn leaves(&self, group: Range<usize>) -> Vec<Leaf> {
        let leaf = |stem: &Stem| {
            let Stem { path, slot, hash } = *stem;
            Leaf { path, slot, stem: hash, hash }
        };
        self.stems[group].iter().map(leaf).collect()
    }

    /// New leaves, and the one that has been there unless it is one of them.
    fn leaves_beside(&self, old: &Leaf, group: Range<usize>) -> Vec<Leaf> {
        let mut leaves = self.leaves(group);
        if let Err(at) = leaves.binary_search_by_key(&old.path, |leaf| leaf.path) {
            leaves.insert(at, old.clone());
        }
        leaves
    }
}
