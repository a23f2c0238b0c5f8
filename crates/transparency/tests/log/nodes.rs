//! Node numbers: no number makes the arithmetic overflow, and all relations agree.

use proptest::prelude::*;
use wargate_transparency::log::{BalancedRoots, LeafIndex, LogLength, NodeId, Side};

/// Numbers of every size, and those around the powers of two.
fn numbers() -> impl Strategy<Value = u64> {
    let near = (0_u32..64, -2_i64..=2).prop_map(|(bit, by)| (1_u64 << bit).wrapping_add_signed(by));
    let sized = (any::<u64>(), 0_u32..64).prop_map(|(number, by)| number >> by);
    prop_oneof![near, sized, Just(u64::MAX), Just(u64::MAX - 1)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn relations_agree(number in numbers()) {
        let Some(node) = NodeId::new(number) else {
            prop_assert_eq!(number, u64::MAX);
            return Ok(());
        };
        let (first, last) = node.leaves();
        prop_assert_eq!(last - first, (1_u64 << node.height()) - 1);
        prop_assert_eq!(first + last, number);
        prop_assert_eq!(NodeId::at(node.height(), node.ordinal()), Some(node));
        prop_assert_eq!(node.as_leaf().map(NodeId::of_leaf), (node.height() == 0).then_some(node));
        let (Some(parent), Some(sibling)) = (node.parent(), node.sibling()) else {
            prop_assert_eq!(node.height(), 63);
            prop_assert!(node.parent().is_none() && node.sibling().is_none());
            return Ok(());
        };
        prop_assert_eq!(sibling.parent(), Some(parent));
        prop_assert_eq!(sibling.sibling(), Some(node));
        prop_assert_ne!(sibling.side(), node.side());
        let (left, right) = match node.side() {
            Side::Left => (node, sibling),
            Side::Right => (sibling, node),
        };
        prop_assert!(left < parent && parent < right);
        prop_assert_eq!(left.leaves().1 + 1, right.leaves().0);
        prop_assert_eq!(parent.leaves(), (left.leaves().0, right.leaves().1));
    }

    #[test]
    fn completeness_is_having_the_last_leaf(number in numbers(), entries in numbers()) {
        let (Some(node), Some(length)) = (NodeId::new(number), LogLength::new(entries)) else {
            return Ok(());
        };
        prop_assert_eq!(node.is_complete_at(length), node.leaves().1 < entries);
    }

    #[test]
    fn balanced_roots_cover_the_log(entries in numbers()) {
        let Some(length) = LogLength::new(entries) else {
            prop_assert!(entries > 1 << 63);
            return Ok(());
        };
        let roots = BalancedRoots::of(length);
        prop_assert_eq!(roots.len(), entries.count_ones() as usize);
        let mut end = 0;
        for root in roots.clone() {
            prop_assert!(root.is_complete_at(length));
            prop_assert!(root.parent().is_none_or(|parent| !parent.is_complete_at(length)));
            prop_assert_eq!(root.leaves().0, end);
            end = root.leaves().1 + 1;
        }
        prop_assert_eq!(end, entries);
        let mut reversed: Vec<_> = roots.clone().rev().collect();
        reversed.reverse();
        prop_assert!(roots.eq(reversed));
    }
}

#[test]
fn lengths_and_leaves_end_where_nodes_do() {
    assert_eq!(LogLength::new((1 << 63) + 1), None);
    assert_eq!(LogLength::MAX.next_leaf(), None);
    assert_eq!(LogLength::MAX.checked_add(1), None);
    assert_eq!(LogLength::EMPTY.last_leaf(), None);
    assert_eq!(LeafIndex::new(1 << 63), None);
    let last = LogLength::MAX.last_leaf().unwrap();
    assert_eq!(NodeId::of_leaf(last).get(), u64::MAX - 1);
    assert_eq!(NodeId::at(64, 0), None);
    assert_eq!(NodeId::at(63, 1), None);
    assert_eq!(NodeId::at(0, 1 << 63), None);
}

/// The example of specification 7.2.
#[test]
fn balanced_roots_of_seven() {
    let roots = BalancedRoots::of(LogLength::from(7));
    assert_eq!(roots.map(NodeId::get).collect::<Vec<_>>(), [3, 9, 12]);
}
