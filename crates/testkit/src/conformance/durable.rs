//! What is left of a store that was closed.

use wargate_registry::store::{PendingState, Rejection};

use super::Fixture;
use super::answers::{Universe, answers};
use super::history::{History, content, sourcing};

/// A store that was opened again answers as before, and goes on.
pub fn what_was_committed_is_there_when_it_is_opened_again(fixture: &mut dyn Fixture) {
    const UNIVERSE: Universe = Universe { logs: 5, serials: 9, contents: 6 };
    let mut history = History::new();
    for round in 0..4 {
        {
            let store = &*fixture.store();
            let mut batch = history.batch_of((0..3).map(|log| (log, 2 * round)));
            batch.admitted = vec![
                history.admitted(3, 2 * round, sourcing([round, 5])),
                history.admitted(4, 2 * round, PendingState::Ready),
            ];
            batch.content = vec![content(round)];
            history.commit(store, &batch);
            let leaf = history.sample(4, 2 * round).leaf;
            let mut batch = history.batch();
            batch.rejected.push(Rejection {
                log: leaf.log_id,
                record: leaf.record_id,
                reason: format!("round {round}"),
            });
            history.commit(store, &batch);
        }
        let before = answers(&*fixture.store(), &history, UNIVERSE);
        if !fixture.reopen() {
            return;
        }
        assert_eq!(answers(&*fixture.store(), &history, UNIVERSE), before);
    }
}
