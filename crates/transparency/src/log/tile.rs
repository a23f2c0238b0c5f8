//! A tile: up to 256 hashes of one height of the tree, and the nodes above them.

use std::fmt;
use std::sync::OnceLock;

use wargate_crypto::Digest;

use super::hash::{BRANCH_BYTES, branch_preimage};
use super::resource::{TileWidth, WIDTH_MAX};

const HASH_BYTES: usize = 32;
/// Complete nodes above the hashes of a full tile, its root included.
const INNER_MAX: usize = WIDTH_MAX as usize - 1;
/// The row of the nodes that are kept with a full tile: halfway to its root.
const MIDDLE_ROW: u32 = 4;
/// How many there are, and how many hashes are below each.
const MIDDLE_WIDTH: usize = 1 << MIDDLE_ROW;

/// Up to 256 consecutive hashes of one height of the tree (C2SP tlog-tiles), and the nodes that
/// they make up.
///
/// Proofs need the nodes between the levels of tiles as well. They are computed when the first of
/// them is asked for, all at once (one hash per hash of the tile), and then kept, so that a warm
/// tile answers by lookup. A tile made by [`super::Edge::append`] is warm from birth. A full warm
/// tile takes 16 KiB, a cold one 8 KiB.
///
/// A full tile that is stored with its [`Tile::middle`] computes nothing but what is asked for, at
/// most 15 hashes for a node, and some 20 for those of a proof instead of 255.
///
/// A tile does not know its place in the log, and its hashes are as trustworthy as their source.
pub struct Tile {
    hashes: Box<[Digest]>,
    middle: Option<Box<[Digest; MIDDLE_WIDTH]>>,
    inner: OnceLock<Box<[Digest]>>,
}

/// Why bytes or hashes are no tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// A tile has 1 to 256 hashes.
    #[error("a tile has 1 to 256 hashes, not {0}")]
    Width(usize),
    /// The bytes end within a hash.
    #[error("a tile consists of hashes of 32 bytes each, but there are {0} bytes")]
    Torn(usize),
    /// What is stored between its hashes and its root does not belong to it.
    #[error("a full tile has 16 nodes halfway to its root, and others are stored with none")]
    Middle,
}

impl Tile {
    /// A tile of these hashes.
    ///
    /// # Errors
    /// [`TileError::Width`] unless there are 1 to 256.
    pub fn new(hashes: Vec<Digest>) -> Result<Self, TileError> {
        TileWidth::of_count(hashes.len()).ok_or(TileError::Width(hashes.len()))?;
        Ok(Self { hashes: hashes.into_boxed_slice(), middle: None, inner: OnceLock::new() })
    }

    /// The same tile with what [`Self::middle`] gave when it was stored. Whether that follows from the
    /// hashes is not looked at: [`Self::is_sound`] does.
    ///
    /// # Errors
    /// [`TileError::Middle`] unless the tile is full and there are 16 hashes.
    pub fn with_middle(self, bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        let middle: &[_; MIDDLE_WIDTH] = hashes.try_into().map_err(|_| TileError::Middle)?;
        if !rest.is_empty() || self.hashes.len() != usize::from(WIDTH_MAX) {
            return Err(TileError::Middle);
        }
        Ok(Self { middle: Some(Box::new(middle.map(Digest::from_bytes))), ..self })
    }

    /// The 16 nodes halfway to the root of a full tile, 32 bytes each, to be stored with it.
    pub fn middle(&self) -> Option<Vec<u8>> {
        if self.hashes.len() != usize::from(WIDTH_MAX) {
            return None;
        }
        (0..MIDDLE_WIDTH).try_fold(Vec::new(), |mut bytes, place| {
            bytes.extend_from_slice(self.node(MIDDLE_ROW, place)?.as_bytes());
            Some(bytes)
        })
    }

    /// Whether what was stored with the tile follows from its hashes.
    pub fn is_sound(&self) -> bool {
        self.middle.as_ref().is_none_or(|middle| {
            let below = self.hashes.chunks_exact(MIDDLE_WIDTH);
            below.map(root_of).eq(middle.iter().copied())
        })
    }

    /// Reads the resource: hashes of 32 bytes, one after the other, and nothing else.
    ///
    /// # Errors
    /// [`TileError`] unless there are 1 to 256 whole hashes. Whether the width is the one that the
    /// resource's name promises is for the caller to compare.
    pub fn decode(bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
        if !rest.is_empty() {
            return Err(TileError::Torn(bytes.len()));
        }
        if hashes.len() > usize::from(WIDTH_MAX) {
            return Err(TileError::Width(hashes.len()));
        }
        Self::new(hashes.iter().map(|hash| Digest::from_bytes(*hash)).collect())
    }

    /// The resource: 32 bytes for each hash.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.hashes.len() * HASH_BYTES);
        self.hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
        bytes
    }

    /// The tile's own hashes, left to right.
    pub fn hashes(&self) -> &[Digest] {
        &self.hashes
    }

    /// How many hashes the tile has.
    pub fn width(&self) -> TileWidth {
        TileWidth::of_count(self.hashes.len()).unwrap_or(TileWidth::FULL)
    }

    /// Computes the nodes above the hashes, unless that has been done: at most 255 hashes.
    pub fn warm(&self) {
        self.inner();
    }

    /// The hash of the `place`-th node (from 0) at `row` heights above the tile's own hashes. None
    /// if the tile is too narrow for it or the row is above the tile's root (8).
    pub(super) fn node(&self, row: u32, place: usize) -> Option<Digest> {
        if row == 0 {
            return self.hashes.get(place).copied();
        }
        if row > 8 || (place.checked_add(1)? << row) > self.hashes.len() {
            return None;
        }
        match (&self.middle, self.inner.get()) {
            (Some(_), None) if row < MIDDLE_ROW => {
                Some(root_of(self.hashes.get(place << row..(place + 1) << row)?))
            }
            (Some(middle), None) => {
                let row = row - MIDDLE_ROW;
                Some(root_of(middle.get(place << row..(place + 1) << row)?))
            }
            _ => self.inner().get(inner_index(row, place)).copied(),
        }
    }

    /// The first `width` hashes as a tile, with their inner nodes if they are known. None if there
    /// are fewer.
    pub(super) fn narrowed(&self, width: TileWidth) -> Option<Self> {
        let width = width.count();
        let hashes = self.hashes.get(..width)?.into();
        let inner = OnceLock::new();
        if let Some(all) = self.inner.get() {
            let known: Box<[Digest]> = all.get(..inner_count(width))?.into();
            // The lock is new: nobody can have set it.
            drop(inner.set(known));
        }
        Some(Self { hashes, middle: None, inner })
    }

    fn inner(&self) -> &[Digest] {
        self.inner.get_or_init(|| {
            let mut builder = TileBuilder::new();
            builder.extend(&self.hashes);
            builder.inner.into_boxed_slice()
        })
    }
}

impl Clone for Tile {
    fn clone(&self) -> Self {
        let Self { hashes, middle, inner } = self;
        Self { hashes: hashes.clone(), middle: middle.clone(), inner: inner.clone() }
    }
}

/// The nodes above follow from the hashes, so only these count.
impl PartialEq for Tile {
    fn eq(&self, other: &Self) -> bool {
        self.hashes == other.hashes
    }
}

impl Eq for Tile {}

impl fmt::Debug for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.hashes.iter()).finish()
    }
}

/// A tile that grows. Each node above the hashes is computed once, when its last hash comes, and
/// appended: so the nodes of a wider tile begin with those of a narrower one.
pub(super) struct TileBuilder {
    hashes: Vec<Digest>,
    inner: Vec<Digest>,
}

impl TileBuilder {
    pub(super) fn new() -> Self {
        Self {
            hashes: Vec::with_capacity(usize::from(WIDTH_MAX)),
            inner: Vec::with_capacity(INNER_MAX),
        }
    }

    /// Goes on where a partial tile ends.
    pub(super) fn resume(tile: &Tile) -> Self {
        let mut builder = Self::new();
        builder.hashes.extend_from_slice(tile.hashes());
        builder.inner.extend_from_slice(tile.inner());
        builder
    }

    /// Appends as many of the hashes as there is room for, and returns the others. The caller takes the
    /// tile when it is full.
    pub(super) fn extend<'h, H: Copy + Into<Digest>>(&mut self, hashes: &'h [H]) -> &'h [H] {
        let before = self.hashes.len();
        let room = usize::from(WIDTH_MAX).saturating_sub(before);
        let (taken, left) = hashes.split_at(room.min(hashes.len()));
        self.hashes.extend(taken.iter().map(|hash| (*hash).into()));
        let after = self.hashes.len();
        self.inner.resize(inner_count(after), Digest::from_bytes([0; HASH_BYTES]));
        for row in 1..=8 {
            self.complete(row, before >> row..after >> row);
        }
        left
    }

    /// Computes the nodes at these places of a row from those of the row below.
    fn complete(&mut self, row: u32, places: std::ops::Range<usize>) {
        const AT_ONCE: usize = 8;
        let mut preimages = [[0; BRANCH_BYTES]; AT_ONCE];
        for start in places.clone().step_by(AT_ONCE) {
            let places = start..places.end.min(start + AT_ONCE);
            for (preimage, place) in preimages.iter_mut().zip(places.clone()) {
                let (left, right) = (2 * place, 2 * place + 1);
                *preimage = match row {
                    1 => branch_preimage(&self.hashes[left], &self.hashes[right]),
                    _ => branch_preimage(
                        &self.inner[inner_index(row - 1, left)],
                        &self.inner[inner_index(row - 1, right)],
                    ),
                };
            }
            for (preimage, place) in preimages.iter().zip(places) {
                self.inner[inner_index(row, place)] = Digest::of(preimage);
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.hashes.len() >= usize::from(WIDTH_MAX)
    }

    /// The root of a full tile, which is a hash of the level above.
    pub(super) fn root(&self) -> Option<Digest> {
        self.inner.last().copied().filter(|_| self.is_full())
    }

    /// The tile, warm. None if nothing was pushed.
    pub(super) fn finish(self) -> Option<Tile> {
        TileWidth::of_count(self.hashes.len())?;
        let inner = OnceLock::from(self.inner.into_boxed_slice());
        Some(Tile { hashes: self.hashes.into_boxed_slice(), middle: None, inner })
    }
}

/// The node above 1, 2, 4, 8 or 16 neighbours.
fn root_of(neighbours: &[Digest]) -> Digest {
    let mut row = [Digest::from_bytes([0; HASH_BYTES]); MIDDLE_WIDTH];
    let mut width = neighbours.len().min(MIDDLE_WIDTH);
    row[..width].copy_from_slice(&neighbours[..width]);
    while width > 1 {
        width /= 2;
        for place in 0..width {
            row[place] = Digest::of(&branch_preimage(&row[2 * place], &row[2 * place + 1]));
        }
    }
    row[0]
}

/// How many complete nodes there are above `width` hashes: after each hash as many as it has
/// trailing ones in its index.
fn inner_count(width: usize) -> usize {
    width - width.count_ones() as usize
}

/// Where the `place`-th node of a row (1 to 8) stands among the nodes above the hashes, which are
/// in the order in which they become complete.
///
/// It becomes complete with hash `l = ((place + 1) << row) - 1`, after the `l - ones(l)` nodes of
/// the hashes before and the `row - 1` below it; `l` ends in `row` ones, the others are those of
/// `place`.
fn inner_index(row: u32, place: usize) -> usize {
    ((place + 1) << row) - 2 - place.count_ones() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Tile {
        Tile::new((0..=255).map(|number: u8| Digest::of(&[number])).collect()).unwrap()
    }

    #[test]
    fn a_tile_with_its_middle_has_the_same_nodes() {
        let warm = full();
        let sparing = full().with_middle(&warm.middle().unwrap()).unwrap();
        for row in 0..=9 {
            for place in 0..=256 >> row {
                assert_eq!(sparing.node(row, place), warm.node(row, place), "{row} {place}");
            }
        }
        assert!(sparing.inner.get().is_none(), "nothing else was computed");
        assert!(sparing.is_sound() && warm.is_sound());
        assert_eq!(sparing.middle(), warm.middle());
        assert_eq!(sparing.clone().narrowed(TileWidth::new(100).unwrap()).unwrap().middle(), None);
    }

    #[test]
    fn another_middle_is_refused_or_found() {
        let middle = full().middle().unwrap();
        let narrow = full().narrowed(TileWidth::new(255).unwrap()).unwrap();
        assert_eq!(narrow.with_middle(&middle), Err(TileError::Middle));
        for wrong in [&middle[1..], &middle[32..], &[&middle[..], &[0; 32]].concat()] {
            assert_eq!(full().with_middle(wrong), Err(TileError::Middle));
        }
        for place in 0..16 {
            let mut wrong = middle.clone();
            wrong[32 * place] ^= 1;
            assert!(!full().with_middle(&wrong).unwrap().is_sound());
        }
    }
}
