//! Records and content on their way.

use wargate_registry::store::{
    Batch, ContentPlace, ContentRow, Counted, PendingCounts, PendingRecord, PendingState, Referral,
    Rejection, Store,
};

use super::Fixture;
use super::answers::{ALL, waiting_for};
use super::history::{History, content, digest, elsewhere, log_id, sourcing};

fn admit(history: &mut History, store: &dyn Store, admitted: Vec<PendingRecord>) {
    let batch = Batch { admitted, ..history.batch() };
    history.commit(store, &batch);
}

fn arrive(history: &mut History, store: &dyn Store, numbers: impl IntoIterator<Item = u64>) {
    let content = numbers.into_iter().map(content).collect();
    let batch = Batch { content, ..history.batch() };
    history.commit(store, &batch);
}

/// The state of record `serial` of log `log`.
fn state(history: &History, store: &dyn Store, log: u64, serial: u64) -> Option<PendingState> {
    let leaf = history.sample(log, serial).leaf;
    store.pending(&leaf.log_id, &leaf.record_id).unwrap().map(|record| record.state)
}

fn refusal(history: &History, log: u64, serial: u64, reason: &str) -> Rejection {
    let leaf = history.sample(log, serial).leaf;
    Rejection { log: leaf.log_id, record: leaf.record_id, reason: reason.into() }
}

fn refused(reason: &str) -> PendingState {
    PendingState::Rejected { reason: reason.into() }
}

/// In each state, with every part. A second admission changes nothing.
pub fn records_are_kept_as_admitted(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let states =
        [PendingState::Ready, sourcing([7]), sourcing([5, 2, 9, 1]), refused("\"no\"\n\u{fffd}")];
    let admitted: Vec<_> =
        (1..).zip(states).map(|(log, state)| history.admitted(log, 0, state)).collect();
    admit(&mut history, store, admitted.clone());
    let again: Vec<_> = (1..5).map(|log| history.admitted(log, 0, sourcing([3]))).collect();
    let again = again.into_iter().map(|it| PendingRecord { admitted_seconds: 1, ..it });
    admit(&mut history, store, again.collect());
    for record in &admitted {
        let found = store.pending(&record.log, &record.record).unwrap();
        assert_eq!(found.as_ref(), Some(record));
        assert_eq!(store.pending(&log_id(9), &record.record).unwrap(), None);
    }
    assert_eq!(waiting_for(store, &digest(3)), []);
    let counts = PendingCounts { sourcing: 2, ready: 1, rejected: 1 };
    assert_eq!(store.counts().unwrap(), counts);
}

/// Whatever the log, across batches and within them, and after others have left.
pub fn lists_are_in_the_order_of_admission(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let order = [(5, 1), (2, 2), (9, 3), (1, 4), (7, 5), (3, 6), (8, 7), (4, 8)];
    let mut waiting = Vec::new();
    let mut ready = Vec::new();
    for chunk in order.chunks(3) {
        for (log, serial) in chunk {
            waiting.push(history.admitted(*log, *serial, sourcing([1, 10 + serial])));
            ready.push(history.admitted(*log, 100 + serial, PendingState::Ready));
        }
        let new = |all: &[PendingRecord]| all[all.len() - chunk.len()..].to_vec();
        admit(&mut history, store, [new(&ready), new(&waiting)].concat());
    }
    for limit in [0, 1, 4, 8, 9, usize::MAX] {
        let count = limit.min(order.len());
        assert_eq!(store.ready(limit).unwrap(), ready[..count]);
    }
    assert_eq!(waiting_for(store, &digest(1)), waiting);
    assert_eq!(waiting_for(store, &digest(13)), waiting[2..3]);
    // The last one goes; the next takes its place behind the others.
    let gone = waiting.pop().unwrap();
    waiting.remove(3);
    let gone = vec![(gone.log, gone.record), {
        let leaf = history.sample(1, 4).leaf;
        (leaf.log_id, leaf.record_id)
    }];
    waiting.push(history.admitted(1, 50, sourcing([1])));
    waiting.push(history.admitted(1, 4, sourcing([1])));
    let admitted = waiting[waiting.len() - 2..].to_vec();
    let batch = Batch { dropped: gone, admitted, ..history.batch() };
    history.commit(store, &batch);
    assert_eq!(waiting_for(store, &digest(1)), waiting);
}

/// By the time of admission, then by its order, in every state.
pub fn old_records_come_first(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let states = [PendingState::Ready, sourcing([1]), refused("no")];
    for (serial, seconds) in (0..).zip([50, 40, 50, 10, 40, 60]) {
        let state = states[usize::try_from(serial % 3).unwrap()].clone();
        let record = history.admitted(1, serial, state);
        let record = PendingRecord { admitted_seconds: seconds, ..record };
        admit(&mut history, store, vec![record]);
    }
    let order = [3, 1, 4, 0, 2, 5].map(|serial| history.sample(1, serial).leaf.record_id);
    let rows = [(9, ALL, 0), (10, ALL, 1), (39, ALL, 1), (40, ALL, 3), (40, 2, 2), (50, ALL, 5)];
    for (second, limit, count) in rows.into_iter().chain([(u64::MAX, ALL, 6), (99, 0, 0)]) {
        let found = store.pending_until(second, limit).unwrap();
        let found: Vec<_> = found.iter().map(|record| record.record).collect();
        assert_eq!(found, order[..count], "until {second}, at most {limit}");
    }
}

/// A record is ready when the last of what it misses has come, one batch after the other.
pub fn content_sets_records_free(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let admitted = [sourcing([1]), sourcing([3, 1, 2]), sourcing([2, 3]), PendingState::Ready];
    let admitted = (1..).zip(admitted).map(|(log, state)| history.admitted(log, 0, state));
    let admitted = admitted.collect();
    admit(&mut history, store, admitted);
    let ready = PendingState::Ready;
    let rows: [(&[u64], [PendingState; 3]); 5] = [
        (&[9], [sourcing([1]), sourcing([3, 1, 2]), sourcing([2, 3])]),
        (&[1], [ready.clone(), sourcing([3, 2]), sourcing([2, 3])]),
        (&[1, 8], [ready.clone(), sourcing([3, 2]), sourcing([2, 3])]),
        (&[3, 7, 3], [ready.clone(), sourcing([2]), sourcing([2])]),
        (&[2], [ready.clone(), ready.clone(), ready.clone()]),
    ];
    for (numbers, states) in rows {
        arrive(&mut history, store, numbers.iter().copied());
        for (log, wanted) in (1..).zip(&states) {
            assert_eq!(state(&history, store, log, 0).as_ref(), Some(wanted), "{numbers:?}");
        }
        for number in 0..10 {
            let found = waiting_for(store, &digest(number));
            let misses = |it: &&PendingState| matches!(it, PendingState::Sourcing(all) if all.contains(&digest(number)));
            let waiting: Vec<_> = states.iter().filter(misses).cloned().collect();
            assert_eq!(found.into_iter().map(|it| it.state).collect::<Vec<_>>(), waiting);
        }
        let sourcing = states.iter().filter(|it| matches!(it, PendingState::Sourcing(_))).count();
        let counts = store.counts().unwrap();
        assert_eq!((counts.sourcing, counts.ready), (sourcing as u64, 4 - sourcing as u64));
    }
    let order: Vec<_> = store.ready(ALL).unwrap().iter().map(|record| record.log).collect();
    assert_eq!(order, [1, 2, 3, 4].map(log_id), "as admitted, not as set free");
}

/// Content counts for what its own batch admits, whether it is new or has been there.
pub fn content_and_admission_in_one_batch(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    arrive(&mut history, store, [1]);
    let admitted = vec![
        history.admitted(1, 0, sourcing([1])),
        history.admitted(2, 0, sourcing([2])),
        history.admitted(3, 0, sourcing([1, 2, 3])),
        history.admitted(4, 0, sourcing([4, 4, 2, 4])),
    ];
    let batch = Batch { admitted, content: vec![content(2), content(1)], ..history.batch() };
    history.commit(store, &batch);
    let states = [PendingState::Ready, PendingState::Ready, sourcing([3]), sourcing([4])];
    for (log, wanted) in (1..).zip(states) {
        assert_eq!(state(&history, store, log, 0), Some(wanted));
    }
    // Content of an earlier batch does not count: whoever admits looks for it.
    let admitted = vec![history.admitted(5, 0, sourcing([1]))];
    admit(&mut history, store, admitted);
    assert_eq!(state(&history, store, 5, 0), Some(sourcing([1])));
    arrive(&mut history, store, [1]);
    assert_eq!(state(&history, store, 5, 0), Some(PendingState::Ready));
}

/// The first word on content is the last.
pub fn content_stays_as_it_came(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let empty = ContentRow { place: ContentPlace::Inline(Vec::new()), size: 0, ..content(6) };
    let rows = [content(1), content(2), content(3), empty];
    let batch = Batch { content: rows.to_vec(), ..history.batch() };
    history.commit(store, &batch);
    let other = |row: &ContentRow| ContentRow {
        size: 99,
        place: ContentPlace::Inline(b"other".to_vec()),
        facts: "other".into(),
        arrived_seconds: 1,
        ..row.clone()
    };
    let batch = Batch { content: rows.iter().map(other).collect(), ..history.batch() };
    history.commit(store, &batch);
    for row in rows {
        assert_eq!(store.content(&row.digest).unwrap(), Some(row));
    }
    assert_eq!(store.content(&digest(9)).unwrap(), None);
}

/// It sets free the one record that is said, and what is kept takes its place.
pub fn referred_content_is_for_one_record(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let admitted = vec![
        history.admitted(1, 0, sourcing([1, 2])),
        history.admitted(2, 0, sourcing([1])),
        history.admitted(3, 0, sourcing([1])),
    ];
    admit(&mut history, store, admitted);
    let referral = |history: &History, log, of| {
        let leaf = history.sample(log, 0).leaf;
        Referral { log: leaf.log_id, record: leaf.record_id, content: digest(of) }
    };
    // One that misses something else, one that misses nothing else, and two that are not there.
    let referred = [(1, 1), (2, 1), (2, 2), (9, 1)].map(|(log, of)| referral(&history, log, of));
    let batch =
        Batch { content: vec![elsewhere(1)], referred: referred.to_vec(), ..history.batch() };
    history.commit(store, &batch);
    assert_eq!(store.content(&digest(1)).unwrap(), Some(elsewhere(1)));
    let states = [sourcing([2]), PendingState::Ready, sourcing([1])];
    for (log, wanted) in (1..).zip(states) {
        assert_eq!(state(&history, store, log, 0), Some(wanted), "log {log}");
    }
    let counts = PendingCounts { sourcing: 2, ready: 1, rejected: 0 };
    assert_eq!(store.counts().unwrap(), counts);
    assert_eq!(store.unnamed_until(u64::MAX, ALL).unwrap(), [digest(1)]);
    arrive(&mut history, store, [1]);
    assert_eq!(store.content(&digest(1)).unwrap(), Some(content(1)));
    assert_eq!(state(&history, store, 3, 0), Some(PendingState::Ready));
    assert_eq!(store.unnamed_until(u64::MAX, ALL).unwrap(), [digest(1)]);
    // What is kept stays.
    let batch = Batch { content: vec![elsewhere(1)], ..history.batch() };
    history.commit(store, &batch);
    assert_eq!(store.content(&digest(1)).unwrap(), Some(content(1)));
    // What is named is not unnamed when somebody brings it.
    let counted =
        Some(Counted { until: history.length(), added: Vec::new(), named: vec![digest(4)] });
    let batch = Batch { content: vec![elsewhere(4)], counted, ..history.batch() };
    history.commit(store, &batch);
    arrive(&mut history, store, [4]);
    assert_eq!(store.unnamed_until(u64::MAX, ALL).unwrap(), [digest(1)]);
}

/// Ascending, above one, page by page.
pub fn contents_are_listed_by_digest(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    arrive(&mut history, store, 0..25);
    let mut rows: Vec<_> = (0..25).map(content).collect();
    rows.sort_by_key(|row| row.digest);
    assert_eq!(store.contents(None, ALL).unwrap(), rows);
    for limit in [1, 4, 25] {
        let mut walked: Vec<ContentRow> = Vec::new();
        loop {
            let after = walked.last().map(|row| row.digest);
            let next = store.contents(after.as_ref(), limit).unwrap();
            assert!(next.len() <= limit);
            if next.is_empty() {
                break;
            }
            walked.extend(next);
        }
        assert_eq!(walked, rows);
    }
    assert_eq!(store.contents(None, 0).unwrap(), []);
}

/// A refusal takes a record out of every list but that of the old ones, for good.
pub fn refused_records_stay_refused(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let admitted =
        vec![history.admitted(1, 0, sourcing([1, 2])), history.admitted(2, 0, PendingState::Ready)];
    admit(&mut history, store, admitted);
    let refuse = |history: &mut History, reason: &str| {
        let rejected = [1, 2, 3].map(|log| refusal(history, log, 0, reason)).to_vec();
        let batch = Batch { rejected, ..history.batch() };
        history.commit(store, &batch);
    };
    refuse(&mut history, "first");
    refuse(&mut history, "second");
    arrive(&mut history, store, [1, 2]);
    let again = vec![history.admitted(1, 0, PendingState::Ready)];
    admit(&mut history, store, again);
    for log in [1, 2] {
        assert_eq!(state(&history, store, log, 0), Some(refused("first")));
    }
    assert_eq!(state(&history, store, 3, 0), None, "what is not pending cannot be refused");
    assert_eq!(store.ready(ALL).unwrap(), []);
    assert_eq!(waiting_for(store, &digest(1)), []);
    let counts = PendingCounts { rejected: 2, ..PendingCounts::default() };
    assert_eq!(store.counts().unwrap(), counts);
    assert_eq!(store.pending_until(u64::MAX, ALL).unwrap().len(), 2);
    // Once it is forgotten it may come again.
    let leaf = history.sample(1, 0).leaf;
    let batch = Batch { dropped: vec![(leaf.log_id, leaf.record_id)], ..history.batch() };
    history.commit(store, &batch);
    assert_eq!(state(&history, store, 1, 0), None);
    let again = vec![history.admitted(1, 0, sourcing([5]))];
    admit(&mut history, store, again);
    assert_eq!(state(&history, store, 1, 0), Some(sourcing([5])));
}

/// Refusals and drops, then admissions, then content, then the append.
pub fn what_a_batch_says_happens_in_order(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let old = (1..5).map(|log| history.admitted(log, 0, sourcing([1]))).collect();
    admit(&mut history, store, old);
    let leaf = |log| {
        let leaf = history.sample(log, 0).leaf;
        (leaf.log_id, leaf.record_id)
    };
    let mut next = history.clone();
    let mut batch = next.batch_of([(4, 0), (7, 0)]);
    batch.rejected = [1, 3, 5].map(|log| refusal(&history, log, 0, "no")).to_vec();
    batch.dropped = vec![leaf(2), leaf(3), leaf(6)];
    batch.admitted = (1..8).map(|log| history.admitted(log, 0, sourcing([1, 2]))).collect();
    batch.content = vec![content(1)];
    next.commit(store, &batch);
    let states = [
        Some(refused("no")),
        // Dropped and admitted anew.
        Some(sourcing([2])),
        Some(sourcing([2])),
        // In the log.
        None,
        // Refused before it was there.
        Some(sourcing([2])),
        Some(sourcing([2])),
        None,
    ];
    for (log, wanted) in (1..).zip(states) {
        assert_eq!(state(&next, store, log, 0), wanted, "log {log}");
    }
    assert_eq!(waiting_for(store, &digest(1)), []);
    let order: Vec<_> = waiting_for(store, &digest(2)).iter().map(|record| record.log).collect();
    assert_eq!(order, [2, 3, 5, 6].map(log_id));
}

/// Whatever their state was; their marks go with them, and others of the log stay.
pub fn appended_records_are_no_longer_pending(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let admitted = vec![
        history.admitted(1, 0, PendingState::Ready),
        history.admitted(1, 1, PendingState::Ready),
        history.admitted(2, 0, sourcing([1])),
        history.admitted(3, 0, refused("no")),
    ];
    admit(&mut history, store, admitted);
    history.extend(store, [(0, 0), (1, 0), (2, 0), (3, 0)]);
    assert_eq!(state(&history, store, 1, 0), None);
    assert_eq!(state(&history, store, 1, 1), Some(PendingState::Ready));
    let counts = PendingCounts { ready: 1, ..PendingCounts::default() };
    assert_eq!(store.counts().unwrap(), counts);
    assert_eq!(waiting_for(store, &digest(1)), []);
    arrive(&mut history, store, [1]);
    assert_eq!(store.counts().unwrap(), counts);
}
