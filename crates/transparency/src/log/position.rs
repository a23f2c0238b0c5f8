//! Lengths of a log and places in it: two kinds of numbers that must never mix.

use std::fmt;

/// The number does not fit a log of at most 2^63 entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} does not fit a log of at most 2^63 entries")]
pub struct OutOfRange(pub u64);

/// How many entries a log has: 0 to 2^63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogLength(u64);

impl LogLength {
    /// A log without entries.
    pub const EMPTY: Self = Self(0);
    /// The longest log whose nodes all have a 64-bit number.
    pub const MAX: Self = Self(1 << 63);

    /// A length, if it is at most 2^63.
    pub const fn new(entries: u64) -> Option<Self> {
        if entries <= Self::MAX.0 { Some(Self(entries)) } else { None }
    }

    /// The number of entries.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether the log has no entries.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The length after `entries` more, if that is at most 2^63.
    pub const fn checked_add(self, entries: u64) -> Option<Self> {
        match self.0.checked_add(entries) {
            Some(sum) => Self::new(sum),
            None => None,
        }
    }

    /// The entry that comes next: the first that a log of this length lacks. None at 2^63.
    pub const fn next_leaf(self) -> Option<LeafIndex> {
        LeafIndex::new(self.0)
    }

    /// The last entry of a log of this length. None if it is empty.
    pub const fn last_leaf(self) -> Option<LeafIndex> {
        match self.0.checked_sub(1) {
            Some(last) => LeafIndex::new(last),
            None => None,
        }
    }
}

impl From<u32> for LogLength {
    fn from(entries: u32) -> Self {
        Self(u64::from(entries))
    }
}

impl TryFrom<u64> for LogLength {
    type Error = OutOfRange;

    fn try_from(entries: u64) -> Result<Self, OutOfRange> {
        Self::new(entries).ok_or(OutOfRange(entries))
    }
}

impl fmt::Display for LogLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The place of an entry in a log, counted from 0: less than 2^63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeafIndex(u64);

impl LeafIndex {
    /// A place, if it is less than 2^63.
    pub const fn new(index: u64) -> Option<Self> {
        if index < LogLength::MAX.0 { Some(Self(index)) } else { None }
    }

    /// The number of entries before this one.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether a log of this length has the entry.
    pub const fn is_within(self, length: LogLength) -> bool {
        self.0 < length.0
    }
}

impl From<u32> for LeafIndex {
    fn from(index: u32) -> Self {
        Self(u64::from(index))
    }
}

impl TryFrom<u64> for LeafIndex {
    type Error = OutOfRange;

    fn try_from(index: u64) -> Result<Self, OutOfRange> {
        Self::new(index).ok_or(OutOfRange(index))
    }
}

impl fmt::Display for LeafIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
