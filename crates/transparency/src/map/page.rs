//! A page: four levels of the tree, up to 16 children.

use std::sync::OnceLock;

use wargate_crypto::Digest;

use super::path::{PageId, Path, Prefix};
use super::{DEPTH, MapVersion, STEM_DEPTH, branch_preimage, empty, lift};

/// Children of a page.
const WIDTH: usize = 16;

/// Levels of the tree in a page.
const LEVELS: usize = 4;

/// Nodes between the children of a page and its root: rows of 8, 4 and 2.
const INNER: usize = WIDTH - 2;

/// First byte of an encoded page; another value is another format.
const FORMAT: u8 = 1;

/// Bytes of the check at the end of an encoded page.
const CHECK_BYTES: usize = 8;

/// The child of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Child {
    /// A subtree with several keys: the root of a page below.
    Page {
        /// The version that wrote the page.
        version: MapVersion,
        /// The subtree's hash.
        hash: Digest,
    },
    /// A subtree with one key.
    Leaf(Leaf),
}

impl Child {
    /// The subtree's hash.
    pub(super) fn hash(&self) -> &Digest {
        match self {
            Self::Page { hash, .. } => hash,
            Self::Leaf(leaf) => &leaf.hash,
        }
    }
}

/// A key that is alone in its subtree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The key's slot.
    pub path: Path,
    /// The hash of the slot itself.
    pub slot: Digest,
    /// The hash of the subtree at depth [`STEM_DEPTH`].
    pub stem: Digest,
    /// The hash of the subtree where it hangs: one level of pages below its page.
    pub hash: Digest,
}

impl Leaf {
    /// The leaf where it hangs at `depth`, and the number of hashes that this took.
    pub(super) fn hang(mut self, depth: usize) -> (Self, u64) {
        let (from, hash) =
            if depth <= STEM_DEPTH { (STEM_DEPTH, self.stem) } else { (DEPTH, self.slot) };
        self.hash = lift(hash, &self.path, from, depth);
        (self, (from - depth) as u64)
    }
}

/// Why bytes are no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PageDecodeError {
    /// Written by a version of this software that this one does not know.
    #[error("the page has format {0}, this software reads format {FORMAT}")]
    Format(u8),
    /// The bytes end too early or too late, or contradict themselves.
    #[error("the page is damaged: {0}")]
    Damaged(&'static str),
}

/// Four levels of the tree below one position. Never empty.
///
/// The page's own hash is computed when the page is first read, or known from when it was written; the
/// nodes between it and the children when the first proof passes. Both are then kept (500 bytes), so
/// that whoever shares pages pays for them once.
#[derive(Debug, Default)]
pub struct Page {
    /// Bit n is set if there is a child n.
    occupied: u16,
    /// The children, ascending.
    children: Vec<Child>,
    /// The nodes between, row by row from the bottom; `None` is an empty subtree.
    inner: OnceLock<Box<[Option<Digest>; INNER]>>,
    /// The level at which the page stands, and its hash there.
    root: OnceLock<(usize, Digest)>,
}

impl Page {
    /// The child at a position 0 to 15.
    pub fn child(&self, nibble: usize) -> Option<&Child> {
        self.index(nibble).ok().map(|at| &self.children[at])
    }

    /// Every child with its position, ascending.
    pub fn children(&self) -> impl Iterator<Item = (usize, &Child)> {
        let positions = (0..WIDTH).filter(|nibble| self.occupied >> nibble & 1 == 1);
        positions.zip(&self.children)
    }

    pub(super) fn set(&mut self, nibble: usize, child: Child) {
        (self.inner, self.root) = (OnceLock::new(), OnceLock::new());
        match self.index(nibble) {
            Ok(at) => self.children[at] = child,
            Err(at) => {
                self.children.insert(at, child);
                self.occupied |= 1 << nibble;
            }
        }
    }

    /// Where a child stands in the list, or would stand.
    fn index(&self, nibble: usize) -> Result<usize, usize> {
        let below = (self.occupied & ((1 << nibble) - 1)).count_ones() as usize;
        if self.occupied >> nibble & 1 == 1 { Ok(below) } else { Err(below) }
    }

    /// The hash of the whole page where it stands: what the page above it must have for it.
    pub fn hash_at(&self, prefix: &Prefix) -> Digest {
        let level = prefix.level();
        match self.root.get_or_init(|| (level, self.hash(level).0)) {
            (known, root) if *known == level => *root,
            _ => self.hash(level).0,
        }
    }

    /// Computes [`Self::root`] of a page that is being written. Returns the number of hashes too.
    pub(super) fn seal(&self, level: usize) -> (Digest, u64) {
        let (root, hashes) = self.hash(level);
        // A page is sealed once, after its last change.
        let _ = self.root.set((level, root));
        (root, hashes)
    }

    /// Shared branches are hashed once, empty ones never.
    fn hash(&self, level: usize) -> (Digest, u64) {
        let mut row = self.row();
        let mut hashes = 0;
        for step in 0..LEVELS {
            hashes += join_row(&mut row[..WIDTH >> step], DEPTH - LEVELS * (level + 1) + step);
        }
        (row[0].unwrap_or_else(|| empty(DEPTH - LEVELS * level)), hashes)
    }

    /// The siblings on the way from child `nibble` to the page's own root, bottom-up; `None` is an
    /// empty subtree.
    pub(super) fn siblings(&self, nibble: usize, level: usize) -> [Option<Digest>; LEVELS] {
        let inner = self.inner.get_or_init(|| self.inner(level));
        let own = self.child(nibble ^ 1).map(|child| *child.hash());
        let above = |first: usize, step: usize| inner[first + (nibble >> step ^ 1)];
        [own, above(0, 1), above(8, 2), above(12, 3)]
    }

    fn inner(&self, level: usize) -> Box<[Option<Digest>; INNER]> {
        let mut inner = Box::new([None; INNER]);
        let mut row = self.row();
        let mut rest = inner.as_mut_slice();
        for step in 0..LEVELS - 1 {
            join_row(&mut row[..WIDTH >> step], DEPTH - LEVELS * (level + 1) + step);
            let (joined, above) = rest.split_at_mut(WIDTH >> (step + 1));
            joined.copy_from_slice(&row[..joined.len()]);
            rest = above;
        }
        inner
    }

    fn row(&self) -> [Option<Digest>; WIDTH] {
        let mut row = [None; WIDTH];
        for (nibble, child) in self.children() {
            row[nibble] = Some(*child.hash());
        }
        row
    }

    /// The page as bytes, for stores: format, children, and a check over all of it and the id.
    pub fn encode(&self, id: &PageId) -> Vec<u8> {
        let leaves = self.children().filter(|(_, child)| matches!(child, Child::Leaf(_)));
        let leaves = leaves.fold(0u16, |leaves, (nibble, _)| leaves | 1 << nibble);
        let mut bytes = vec![FORMAT];
        bytes.extend(self.occupied.to_be_bytes());
        bytes.extend(leaves.to_be_bytes());
        for child in &self.children {
            match child {
                Child::Page { version, hash } => {
                    bytes.extend(version.0.to_be_bytes());
                    bytes.extend(hash.as_bytes());
                }
                Child::Leaf(leaf) => {
                    bytes.extend(leaf.path.as_bytes());
                    bytes.extend(leaf.slot.as_bytes());
                    bytes.extend(leaf.stem.as_bytes());
                    bytes.extend(leaf.hash.as_bytes());
                }
            }
        }
        let check = check(id, &bytes);
        bytes.extend(check);
        bytes
    }

    /// Reads [`Self::encode`]. The check fails for the bytes of another page too.
    ///
    /// # Errors
    /// [`PageDecodeError`], which says that the store is damaged or newer than this software.
    pub fn decode(id: &PageId, bytes: &[u8]) -> Result<Self, PageDecodeError> {
        let damaged = PageDecodeError::Damaged;
        match bytes.first() {
            Some(&FORMAT) => {}
            Some(&format) => return Err(PageDecodeError::Format(format)),
            None => return Err(damaged("it is empty")),
        }
        let (body, found) =
            bytes.split_last_chunk::<CHECK_BYTES>().ok_or(damaged("it is too short"))?;
        if *found != check(id, body) {
            return Err(damaged("its check does not match"));
        }
        let mut rest = &body[1..];
        let occupied = u16::from_be_bytes(take(&mut rest)?);
        let leaves = u16::from_be_bytes(take(&mut rest)?);
        if occupied == 0 || leaves & !occupied != 0 {
            return Err(damaged("its children are none, or not its own"));
        }
        let mut children = Vec::with_capacity(occupied.count_ones() as usize);
        for nibble in (0..WIDTH).filter(|nibble| occupied >> nibble & 1 == 1) {
            children.push(match leaves >> nibble & 1 {
                1 => Child::Leaf(decode_leaf(&mut rest, &id.prefix, nibble)?),
                _ => Child::Page {
                    version: MapVersion(u64::from_be_bytes(take(&mut rest)?)),
                    hash: Digest::from_bytes(take(&mut rest)?),
                },
            });
        }
        if rest.is_empty() {
            Ok(Self { occupied, children, ..Self::default() })
        } else {
            Err(damaged("it is too long"))
        }
    }
}

/// A copy is made to be changed, so it leaves the nodes between behind.
impl Clone for Page {
    fn clone(&self) -> Self {
        let (occupied, children) = (self.occupied, self.children.clone());
        Self { occupied, children, ..Self::default() }
    }
}

/// All other nodes follow from the children, so only these count.
impl PartialEq for Page {
    fn eq(&self, other: &Self) -> bool {
        self.occupied == other.occupied && self.children == other.children
    }
}

impl Eq for Page {}

fn decode_leaf(rest: &mut &[u8], at: &Prefix, nibble: usize) -> Result<Leaf, PageDecodeError> {
    let path = Path::from_bytes(take(rest)?);
    if !at.leads_to(&path) || path.nibble(at.level()) != nibble {
        return Err(PageDecodeError::Damaged("it holds a leaf of another page"));
    }
    Ok(Leaf {
        path,
        slot: Digest::from_bytes(take(rest)?),
        stem: Digest::from_bytes(take(rest)?),
        hash: Digest::from_bytes(take(rest)?),
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], PageDecodeError> {
    let (taken, left) =
        rest.split_first_chunk().ok_or(PageDecodeError::Damaged("it is too short"))?;
    *rest = left;
    Ok(*taken)
}

/// Joins each two neighbouring subtrees of a height into one, in the first half of the row. Two empty
/// ones stay empty. Returns the number of hashes.
fn join_row(row: &mut [Option<Digest>], height: usize) -> u64 {
    let empty = empty(height);
    let pairs = row.len() / 2;
    // All written before any is hashed, see `branch_preimage`.
    let mut preimages = [None; WIDTH / 2];
    for (preimage, pair) in preimages.iter_mut().zip(row.chunks_exact(2)) {
        if let [left, right] = pair
            && (left.is_some() || right.is_some())
        {
            *preimage = Some(branch_preimage(&left.unwrap_or(empty), &right.unwrap_or(empty)));
        }
    }
    for (joined, preimage) in row.iter_mut().zip(&preimages[..pairs]) {
        *joined = preimage.map(|preimage| Digest::of(&preimage));
    }
    preimages[..pairs].iter().flatten().count() as u64
}

/// Finds damage, not forgery: the first bytes of SHA-256 over the id and the page.
fn check(id: &PageId, body: &[u8]) -> [u8; CHECK_BYTES] {
    let digest = Digest::of_parts(&[&id.to_bytes(), body]);
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&digest.as_bytes()[..CHECK_BYTES]);
    check
}
