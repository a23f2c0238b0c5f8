//! What every [`Store`] must do: one suite for all of them. [`blobs`] has one for content.
//!
//! A store's tests say how to make one, and [`conformance!`](crate::conformance!) makes a test of
//! every property:
//!
//! ```ignore
//! wargate_testkit::conformance!(|| MyFixture::new());
//! ```
//!
//! The stores that are tested hold a history as a registry would make it: real leaves, tiles and
//! pages, over records that say nothing. [`answers`] is all that a store answers about it, so that
//! two stores, or one before and after, can be compared whole.

#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests only: a store that does not do what it must has failed the test"
)]

pub mod answers;
pub mod blobs;
pub mod commits;
pub mod durable;
pub mod history;
pub mod index;
pub mod ledger;
pub mod model;
pub mod nodes;
pub mod pending;

use std::sync::Arc;

use wargate_registry::store::Store;

/// A store under test.
pub trait Fixture {
    /// The store. It is empty at first, and the same every time until it is opened again.
    fn store(&self) -> Arc<dyn Store>;

    /// Drops the store and opens what it has kept; `false` if it keeps nothing. No reference to the
    /// store of before is left when this is called.
    fn reopen(&mut self) -> bool;
}

/// Makes a test of every property of a store. Takes a function that makes a [`Fixture`].
#[macro_export]
macro_rules! conformance {
    ($make:expr) => {
        $crate::conformance! {@tests $make;
            commits::revisions_are_compared
            commits::a_commit_that_fails_changes_nothing
            commits::a_commit_may_say_only_the_time
            commits::one_of_many_writers_wins_each_revision
            commits::readers_see_whole_commits
            commits::big_batches_are_kept
            durable::what_was_committed_is_there_when_it_is_opened_again
            ledger::an_empty_store_has_nothing
            ledger::commits_are_listed_and_found
            ledger::the_newest_commit_at_a_second
            ledger::records_of_a_log_lie_between_bounds
            ledger::records_of_all_logs_are_in_order
            ledger::records_are_found_by_their_id
            ledger::leaves_come_in_the_order_asked
            ledger::what_was_signed_comes_back_byte_for_byte
            model::random_batches_are_answered_like_the_reference
            nodes::tiles_grow_wider_and_never_narrower
            nodes::missing_tiles_are_damage
            nodes::missing_pages_are_damage
            nodes::pruning_drops_what_no_version_uses
            nodes::parts_of_logs_are_read_by_name
            nodes::changes_of_a_log_take_the_place_of_what_was
            nodes::logs_are_listed_by_id
            pending::records_are_kept_as_admitted
            pending::lists_are_in_the_order_of_admission
            pending::old_records_come_first
            pending::content_sets_records_free
            pending::content_and_admission_in_one_batch
            pending::content_stays_as_it_came
            pending::referred_content_is_for_one_record
            pending::contents_are_listed_by_digest
            pending::refused_records_stay_refused
            pending::what_a_batch_says_happens_in_order
            pending::appended_records_are_no_longer_pending
        }
    };
    (@tests $make:expr; $($group:ident::$name:ident)*) => {
        $(#[test]
        fn $name() {
            $crate::conformance::$group::$name(&mut $make());
        })*
    };
}
