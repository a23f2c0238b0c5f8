//! Nodes by their in-order number (specification 7.2).

use std::fmt;

use super::position::{LeafIndex, LogLength};

/// Height of the root of the largest log, 2^63 entries.
const HEIGHT_MAX: u32 = 63;

/// A node of the tree: a leaf, or a subtree of 2^height leaves.
///
/// Nodes are numbered as an in-order walk meets them: leaf `i` is node `2i`, and a subtree of 2^h
/// leaves that starts at leaf `a` is node `2a + 2^h - 1`. A node has the same number at every
/// length of the log. Every number but the largest 64-bit one names a node of a log of 2^63
/// entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(u64);

/// On which side of its parent a node hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The parent's first half.
    Left,
    /// The parent's second half.
    Right,
}

impl NodeId {
    /// A node by its number. None for 2^64 - 1, which names none.
    pub const fn new(number: u64) -> Option<Self> {
        if number == u64::MAX { None } else { Some(Self(number)) }
    }

    /// The node of an entry.
    pub const fn of_leaf(leaf: LeafIndex) -> Self {
        Self(leaf.get() * 2)
    }

    /// The node that is the `ordinal`-th of its height, counted from 0 at the left. None outside a
    /// log of 2^63 entries.
    pub const fn at(height: u32, ordinal: u64) -> Option<Self> {
        if height > HEIGHT_MAX || ordinal >= (1 << (HEIGHT_MAX - height)) {
            return None;
        }
        Some(Self((ordinal << 1 << height) | ((1 << height) - 1)))
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The height: 0 for a leaf, at most 63.
    pub const fn height(self) -> u32 {
        self.0.trailing_ones()
    }

    /// How many nodes of the same height lie to the left.
    pub const fn ordinal(self) -> u64 {
        self.0 >> self.height() >> 1
    }

    /// On which side of its parent the node hangs.
    pub const fn side(self) -> Side {
        if self.ordinal() & 1 == 0 { Side::Left } else { Side::Right }
    }

    /// The node above. None for the root of a log of 2^63 entries.
    pub const fn parent(self) -> Option<Self> {
        Self::at(self.height() + 1, self.ordinal() >> 1)
    }

    /// The other child of the same parent. None for the root of a log of 2^63 entries.
    pub const fn sibling(self) -> Option<Self> {
        Self::at(self.height(), self.ordinal() ^ 1)
    }

    /// The entry, if the node is a leaf.
    pub const fn as_leaf(self) -> Option<LeafIndex> {
        if self.height() == 0 { LeafIndex::new(self.0 >> 1) } else { None }
    }

    /// The first and the last leaf below the node; the leaf itself if it is one.
    pub const fn leaves(self) -> (u64, u64) {
        let first = self.ordinal() << self.height();
        (first, first + ((1 << self.height()) - 1))
    }

    /// Whether a log of this length has every leaf below the node, so that the node has a hash.
    pub const fn is_complete_at(self, length: LogLength) -> bool {
        self.leaves().1 < length.get()
    }
}

impl From<u32> for NodeId {
    fn from(number: u32) -> Self {
        Self(u64::from(number))
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NodeId({})", self.0)
    }
}

/// The complete subtrees that make up a log of some length, largest first, which is left to right
/// (specification 7.2): one for each binary one of the length. From the back: right to left.
#[derive(Clone, Debug)]
pub struct BalancedRoots {
    length: u64,
    /// The ones that are still to come.
    rest: u64,
}

impl BalancedRoots {
    /// The balanced roots of a length; none for an empty log.
    pub const fn of(length: LogLength) -> Self {
        Self { length: length.get(), rest: length.get() }
    }

    /// Those lower than `height`, which lie to the right of the others.
    pub(super) const fn below(length: LogLength, height: u32) -> Self {
        Self { length: length.get(), rest: length.get() & ((1 << height) - 1) }
    }

    /// Those higher than `height`, which lie to the left of the others.
    pub(super) const fn above(length: LogLength, height: u32) -> Self {
        let through = (1 << height) | ((1 << height) - 1);
        Self { length: length.get(), rest: length.get() & !through }
    }

    /// The subtree for the one at place `height` of the length. It ends where the digits above and
    /// the one itself say, so it is one place to the left of that.
    fn at(&self, height: u32) -> Option<NodeId> {
        NodeId::at(height, (self.length >> height) ^ 1)
    }
}

impl Iterator for BalancedRoots {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        let height = self.rest.checked_ilog2()?;
        self.rest ^= 1 << height;
        self.at(height)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let ones = self.rest.count_ones() as usize;
        (ones, Some(ones))
    }
}

impl DoubleEndedIterator for BalancedRoots {
    fn next_back(&mut self) -> Option<NodeId> {
        if self.rest == 0 {
            return None;
        }
        let height = self.rest.trailing_zeros();
        self.rest ^= 1 << height;
        self.at(height)
    }
}

impl ExactSizeIterator for BalancedRoots {}
