//! Names of the static resources of a tiled log and their paths (C2SP tlog-tiles).

use std::fmt;
use std::str::FromStr;

use super::node::NodeId;
use super::position::LogLength;

/// Hashes in a full tile, entries in a full bundle.
pub(super) const WIDTH_MAX: u16 = 256;
/// How many heights of the tree one tile spans.
pub(super) const TILE_HEIGHT: u32 = 8;
/// The highest level with a tile in a log of 2^63 entries.
const LEVEL_MAX: u8 = 7;
/// The longest path that can be well-formed: a level, eight elements, a width.
const PATH_BYTES_MAX: usize = 64;

/// How many hashes a tile has, or how many entries an entry bundle: 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileWidth(u16);

impl TileWidth {
    /// A full tile.
    pub const FULL: Self = Self(WIDTH_MAX);

    /// A width, if it is 1 to 256.
    pub const fn new(width: u16) -> Option<Self> {
        if width >= 1 && width <= WIDTH_MAX { Some(Self(width)) } else { None }
    }

    /// The number of hashes or entries.
    pub const fn get(self) -> u16 {
        self.0
    }

    /// Whether there is no room left, so that the resource never changes.
    pub const fn is_full(self) -> bool {
        self.0 == WIDTH_MAX
    }

    pub(super) fn of_count(count: usize) -> Option<Self> {
        u16::try_from(count).ok().and_then(Self::new)
    }

    pub(super) fn count(self) -> usize {
        usize::from(self.0)
    }

    /// The part of `total` that falls on the `index`-th run of 256.
    fn of_run(total: u64, index: u64) -> Option<Self> {
        let before = index.checked_mul(u64::from(WIDTH_MAX))?;
        let rest = total.checked_sub(before)?.min(u64::from(WIDTH_MAX));
        Self::new(u16::try_from(rest).ok()?)
    }
}

/// A tile by its place. Level 0 holds leaf hashes; at level `l`, hash `i` of tile `n` is that of
/// the subtree over the leaves from `(256n + i) * 256^l` on (C2SP tlog-tiles, *Merkle Tree*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    level: u8,
    index: u64,
}

impl TileId {
    /// A tile, if a log of 2^63 entries has it. (C2SP lets levels go up to 63; a log that has a
    /// tile at level 8 would have 2^64 entries.)
    pub const fn new(level: u8, index: u64) -> Option<Self> {
        if level > LEVEL_MAX {
            return None;
        }
        let spans = LogLength::MAX.get() >> (TILE_HEIGHT * level as u32);
        // The tile at level 7 has room for twice as many leaves as there can be.
        let tiles = spans.div_ceil(WIDTH_MAX as u64);
        if index < tiles { Some(Self { level, index }) } else { None }
    }

    /// The level: 0 for leaf hashes, at most 7.
    pub const fn level(self) -> u8 {
        self.level
    }

    /// How many tiles of the same level lie to the left.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How wide the tile is in a log of this length. None if it is not there yet.
    pub fn width_at(self, length: LogLength) -> Option<TileWidth> {
        TileWidth::of_run(hashes_at(self.level, length), self.index)
    }

    /// The tile as a log of this length has it. None if it is not there yet.
    pub fn at_length(self, length: LogLength) -> Option<TileRef> {
        Some(TileRef { id: self, width: self.width_at(length)? })
    }

    /// The partial tiles of a log of this length, lowest level first: its right edge. Levels whose
    /// tiles are all full have none.
    pub fn partial_at(length: LogLength) -> impl Iterator<Item = TileRef> {
        (0..=LEVEL_MAX).filter_map(move |level| {
            let last = Self::new(level, hashes_at(level, length) / u64::from(WIDTH_MAX))?;
            last.at_length(length)
        })
    }

    /// The tile that holds a node, and where: the row, 0 to 7, counted from the tile's own hashes,
    /// and the place in that row.
    pub(super) fn of_node(node: NodeId) -> (Self, u32, usize) {
        let level = node.height() / TILE_HEIGHT;
        let row = node.height() % TILE_HEIGHT;
        let in_row = u64::from(WIDTH_MAX) >> row;
        // Heights are at most 63 and places less than 256: neither conversion loses anything.
        let id = Self { level: level.to_le_bytes()[0], index: node.ordinal() / in_row };
        (id, row, usize::from((node.ordinal() % in_row).to_le_bytes()[0]))
    }
}

/// How many complete subtrees of 256^level leaves a log of this length has.
fn hashes_at(level: u8, length: LogLength) -> u64 {
    length.get() >> (TILE_HEIGHT * u32::from(level))
}

/// A tile with the width that is meant. Its text is the path of the resource below the log's
/// prefix: `tile/0/x001/x234/067`, with `.p/5` if it is partial (C2SP tlog-tiles).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileRef {
    /// Which tile.
    pub id: TileId,
    /// How many hashes.
    pub width: TileWidth,
}

/// An entry bundle: the entries whose leaf hashes are in the tile of the same index at level 0. Its
/// text is the path of the resource below the log's prefix: `tile/entries/x001/x234/067`, with
/// `.p/5` if it is partial (C2SP tlog-tiles, *Log entries*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntriesRef {
    index: u64,
    width: TileWidth,
}

impl EntriesRef {
    /// A bundle, if a log of 2^63 entries has it.
    pub fn new(index: u64, width: TileWidth) -> Option<Self> {
        TileId::new(0, index).map(|_| Self { index, width })
    }

    /// The bundle as a log of this length has it. None if it is not there yet.
    pub fn at_length(index: u64, length: LogLength) -> Option<Self> {
        Some(Self { index, width: TileWidth::of_run(length.get(), index)? })
    }

    /// How many bundles lie to the left.
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many entries.
    pub const fn width(self) -> TileWidth {
        self.width
    }
}

impl fmt::Display for TileRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tile/{}/", self.id.level)?;
        write_run(f, self.id.index, self.width)
    }
}

impl fmt::Display for EntriesRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tile/entries/")?;
        write_run(f, self.index, self.width)
    }
}

/// Why a text is not the path of a tile or an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourcePathError {
    /// It does not begin with `tile/<level>/` or `tile/entries/`.
    #[error("the path does not begin with tile/<level>/ or tile/entries/")]
    Prefix,
    /// The index is not written in groups of three digits, all but the last after an `x`, without
    /// groups of zeros in front.
    #[error("the index is not written as groups of three digits like x001/x234/067")]
    Index,
    /// What follows `.p/` is not 1 to 255 without leading zeros.
    #[error("the width of a partial tile is a number from 1 to 255")]
    Width,
    /// No log of at most 2^63 entries has such a tile.
    #[error("no log of at most 2^63 entries has such a tile")]
    OutOfRange,
}

impl FromStr for TileRef {
    type Err = ResourcePathError;

    fn from_str(path: &str) -> Result<Self, ResourcePathError> {
        let (level, run) = strip(path)?.split_once('/').ok_or(ResourcePathError::Prefix)?;
        let level = decimal(level, 63).ok_or(ResourcePathError::Prefix)?;
        let (index, width) = parse_run(run)?;
        let level = u8::try_from(level).map_err(|_| ResourcePathError::OutOfRange)?;
        let id = TileId::new(level, index).ok_or(ResourcePathError::OutOfRange)?;
        Ok(Self { id, width })
    }
}

impl FromStr for EntriesRef {
    type Err = ResourcePathError;

    fn from_str(path: &str) -> Result<Self, ResourcePathError> {
        let run = strip(path)?.strip_prefix("entries/").ok_or(ResourcePathError::Prefix)?;
        let (index, width) = parse_run(run)?;
        Self::new(index, width).ok_or(ResourcePathError::OutOfRange)
    }
}

fn write_run(f: &mut fmt::Formatter<'_>, index: u64, width: TileWidth) -> fmt::Result {
    let mut group = 1_u64;
    while index / group >= 1000 {
        group *= 1000;
    }
    while group > 1 {
        write!(f, "x{:03}/", index / group % 1000)?;
        group /= 1000;
    }
    write!(f, "{:03}", index % 1000)?;
    if width.is_full() { Ok(()) } else { write!(f, ".p/{}", width.0) }
}

fn strip(path: &str) -> Result<&str, ResourcePathError> {
    let rest = path.strip_prefix("tile/").ok_or(ResourcePathError::Prefix)?;
    if path.len() > PATH_BYTES_MAX { Err(ResourcePathError::Index) } else { Ok(rest) }
}

fn parse_run(run: &str) -> Result<(u64, TileWidth), ResourcePathError> {
    let (run, width) = match run.split_once(".p/") {
        None => (run, TileWidth::FULL),
        Some((run, width)) => {
            let width = decimal(width, u64::from(WIDTH_MAX) - 1).ok_or(ResourcePathError::Width)?;
            let width = u16::try_from(width).ok().and_then(TileWidth::new);
            (run, width.ok_or(ResourcePathError::Width)?)
        }
    };
    let mut groups = run.split('/').peekable();
    let mut index = 0_u64;
    let mut first = true;
    while let Some(group) = groups.next() {
        let is_last = groups.peek().is_none();
        let digits = if is_last { Some(group) } else { group.strip_prefix('x') };
        let digits = digits.filter(|d| d.len() == 3).ok_or(ResourcePathError::Index)?;
        if !digits.bytes().all(|digit| digit.is_ascii_digit())
            || (first && !is_last && digits == "000")
        {
            return Err(ResourcePathError::Index);
        }
        let digits: u64 = digits.parse().map_err(|_| ResourcePathError::Index)?;
        index = index
            .checked_mul(1000)
            .and_then(|index| index.checked_add(digits))
            .ok_or(ResourcePathError::OutOfRange)?;
        first = false;
    }
    Ok((index, width))
}

/// A decimal number up to `max`, without sign and leading zeros.
fn decimal(text: &str, max: u64) -> Option<u64> {
    let plain =
        text.bytes().all(|digit| digit.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|number| plain && *number <= max)
}
