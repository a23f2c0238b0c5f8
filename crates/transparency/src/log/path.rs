//! The way from a node to the root: which hashes it takes and how they combine (specification 7.3).

use wargate_crypto::Digest;

use super::hash::branch_hash;
use super::node::{BalancedRoots, NodeId, Side};
use super::position::LogLength;

/// The inclusion of one node in the log of one length.
#[derive(Clone, Copy, Debug)]
pub(super) struct InclusionPath {
    node: NodeId,
    length: LogLength,
    /// Height of the balanced root above the node, where the climb ends.
    top: u32,
}

impl InclusionPath {
    /// The path of a node. None if the node is not complete at the length.
    pub(super) fn new(node: NodeId, length: LogLength) -> Option<Self> {
        if !node.is_complete_at(length) {
            return None;
        }
        // Seen from the highest digit, the node's first leaf and the length first differ where the
        // length has the one that stands for the balanced root above that leaf.
        let (first, _) = node.leaves();
        let top = (first ^ length.get()).ilog2();
        Some(Self { node, length, top })
    }

    /// The nodes whose hashes the path takes, in the order in which they are combined: *climb*,
    /// *lower*, *upper*. At most 64.
    pub(super) fn nodes(self) -> impl Iterator<Item = NodeId> {
        self.climb().chain(self.lower()).chain(self.upper())
    }

    /// The root that the node's own hash leads to.
    ///
    /// # Errors
    /// The first error of `hash_of`, which is asked for each of [`InclusionPath::nodes`], in order.
    pub(super) fn evaluate<E>(
        self,
        own: Digest,
        mut hash_of: impl FnMut(NodeId) -> Result<Digest, E>,
    ) -> Result<Digest, E> {
        let mut hash = own;
        for sibling in self.climb() {
            let other = hash_of(sibling)?;
            hash = match sibling.side() {
                Side::Left => branch_hash(&other, &hash),
                Side::Right => branch_hash(&hash, &other),
            };
        }
        let lower = super::hash::fold_balanced_roots(self.lower().map(&mut hash_of))?;
        if let Some(lower) = lower {
            hash = branch_hash(&hash, &lower);
        }
        for left in self.upper() {
            hash = branch_hash(&hash_of(left)?, &hash);
        }
        Ok(hash)
    }

    /// The siblings of the node, of its parent, and so on below the balanced root.
    fn climb(self) -> impl Iterator<Item = NodeId> {
        let (first, _) = self.node.leaves();
        (self.node.height()..self.top)
            .filter_map(move |height| NodeId::at(height, (first >> height) ^ 1))
    }

    /// The balanced roots to the right, right to left.
    fn lower(self) -> impl Iterator<Item = NodeId> {
        BalancedRoots::below(self.length, self.top).rev()
    }

    /// The balanced roots to the left, right to left.
    fn upper(self) -> impl Iterator<Item = NodeId> {
        BalancedRoots::above(self.length, self.top).rev()
    }
}
