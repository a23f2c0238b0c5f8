//! Commits: compared, whole, one at a time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use wargate_protocol::{LogLength, RegistryIndex};
use wargate_registry::store::{
    Batch, CommitError, PendingState, Rejection, Revision, Store, StoreError,
};

use super::Fixture;
use super::answers::{ALL, Universe, answers, waiting_for};
use super::history::{History, content, digest, sourcing};

const SMALL: Universe = Universe { logs: 4, serials: 8, contents: 6 };

/// A commit succeeds only from the revision that the store is at; another one changes nothing.
pub fn revisions_are_compared(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let rows: [(Option<u64>, Result<u64, ()>); 10] = [
        (Some(0), Err(())),
        (Some(1), Err(())),
        (None, Ok(1)),
        (None, Err(())),
        (Some(0), Err(())),
        (Some(2), Err(())),
        (Some(1), Ok(2)),
        (Some(1), Err(())),
        (Some(u64::MAX), Err(())),
        (Some(2), Ok(3)),
    ];
    let mut history = History::new();
    for (serial, (expected, result)) in (0..).zip(rows) {
        let before = answers(store, &history, SMALL);
        let mut next = history.clone();
        let mut batch = next.batch_of([(serial % 3, serial)]);
        batch.content = vec![content(serial)];
        let found = store.commit(expected.map(Revision), &batch);
        match (found, result) {
            (Ok(revision), Ok(wanted)) => {
                assert_eq!(revision, Revision(wanted));
                history = next;
                assert_eq!(store.head().unwrap().unwrap().revision, revision);
            }
            (Err(CommitError::Conflict), Err(())) => {
                assert_eq!(answers(store, &history, SMALL), before, "row {serial}");
            }
            (found, wanted) => panic!("row {serial}: {found:?} instead of {wanted:?}"),
        }
    }
}

/// A batch that contradicts history is refused as damage, and nothing of it stays.
pub fn a_commit_that_fails_changes_nothing(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, [(0, 0), (1, 0)]);
    let mut batch = history.batch();
    batch.admitted =
        vec![history.admitted(1, 1, sourcing([1, 2])), history.admitted(2, 1, PendingState::Ready)];
    history.commit(store, &batch);
    let before = answers(store, &history, SMALL);

    let mut next = history.clone();
    let mut batch = next.batch_of([(1, 2), (3, 2)]);
    batch.checkpoint_seconds += 1;
    let leaf = history.sample(2, 1).leaf;
    batch.rejected =
        vec![Rejection { log: leaf.log_id, record: leaf.record_id, reason: "no".into() }];
    batch.admitted = vec![history.admitted(3, 3, sourcing([3]))];
    batch.content = vec![content(1)];
    let mut wrong = batch.clone();
    let last = wrong.append.as_mut().unwrap().records.last_mut().unwrap();
    last.index = RegistryIndex::FIRST;
    match store.commit(history.revision(), &wrong) {
        Err(CommitError::Store(StoreError::Damaged(_))) => {}
        other => panic!("a place was taken twice: {other:?}"),
    }
    assert_eq!(answers(store, &history, SMALL), before);
    next.commit(store, &batch);
    assert_ne!(answers(store, &history, SMALL), before);
}

/// Without an append the commit of before stands; the time moves.
pub fn a_commit_may_say_only_the_time(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let first = Batch { checkpoint_seconds: 7, ..Batch::default() };
    history.commit(store, &first);
    let head = store.head().unwrap().unwrap();
    assert_eq!((head.revision, head.committed), (Revision(1), None));
    assert_eq!(head.checkpoint_seconds, 7);
    assert_eq!(store.commits(LogLength::EMPTY, ALL).unwrap(), []);
    history.extend(store, [(0, 0)]);
    history.commit(store, &Batch { checkpoint_seconds: 9, ..Batch::default() });
    let head = store.head().unwrap().unwrap();
    assert_eq!((head.revision, head.checkpoint_seconds), (Revision(3), 9));
    assert_eq!(head.committed, history.committed.last().copied());
    assert_eq!(store.commits(LogLength::EMPTY, ALL).unwrap().len(), 1);
}

/// Of many writers that go on from one revision exactly one is told that it did.
pub fn one_of_many_writers_wins_each_revision(fixture: &mut dyn Fixture) {
    const WRITERS: u64 = 8;
    const REVISIONS: u64 = 20;
    let store = &*fixture.store();
    let history = &History::new();
    let wins = AtomicUsize::new(0);
    let write = |writer: u64| {
        loop {
            let head = store.head().unwrap().map(|head| head.revision);
            let next = head.map_or(0, |revision| revision.0);
            if next >= REVISIONS {
                return;
            }
            let admitted = vec![history.admitted(1 + writer, next, PendingState::Ready)];
            match store.commit(head, &Batch { admitted, ..history.batch() }) {
                Ok(revision) => {
                    assert_eq!(revision, Revision(next + 1));
                    wins.fetch_add(1, Ordering::Relaxed);
                }
                Err(CommitError::Conflict) => {}
                Err(error) => panic!("writer {writer}: {error}"),
            }
        }
    };
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || write(writer));
        }
    });
    assert_eq!(wins.into_inner() as u64, REVISIONS);
    let ready = store.ready(ALL).unwrap();
    assert_eq!(ready.len() as u64, REVISIONS, "one record of each revision's winner");
    for (serial, record) in (0..).zip(ready) {
        let bytes = record.envelope.content_bytes();
        assert!(bytes.starts_with(format!("record {serial} of").as_bytes()));
    }
}

/// Readers find all of a commit or nothing, while others are made.
pub fn readers_see_whole_commits(fixture: &mut dyn Fixture) {
    const COMMITS: u64 = 30;
    let store = &*fixture.store();
    let done = &AtomicBool::new(false);
    let read = || {
        let mut newest = 0;
        while !done.load(Ordering::Acquire) {
            let Some(committed) = store.head().unwrap().and_then(|head| head.committed) else {
                continue;
            };
            let length = committed.length();
            assert!(length.get() >= newest, "history went back");
            newest = length.get();
            let records = store.records(RegistryIndex::FIRST, ALL).unwrap();
            assert!(records.len() as u64 >= newest && records.len().is_multiple_of(3));
            assert_eq!(store.commit_of_length(length).unwrap(), Some(committed));
            for record in waiting_for(store, &digest(0)) {
                assert_eq!(record.state, sourcing([0]));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(read);
        }
        let mut history = History::new();
        for serial in 0..COMMITS {
            let mut batch = history.batch_of((1..4).map(|log| (log, serial)));
            batch.admitted = vec![history.admitted(5, serial, sourcing([0]))];
            // Every second batch sets free what it admits and what the one before has admitted.
            batch.content = if serial % 2 == 0 { vec![content(1)] } else { vec![content(0)] };
            history.commit(store, &batch);
        }
        done.store(true, Ordering::Release);
    });
}

/// Batches have no size that surprises a store.
pub fn big_batches_are_kept(fixture: &mut dyn Fixture) {
    const RECORDS: u64 = 1500;
    let store: &dyn Store = &*fixture.store();
    let mut history = History::new();
    let mut batch = history.batch_of((0..RECORDS).map(|serial| (serial % 700, serial)));
    let admit = |serial| history.admitted(1 + serial % 90, RECORDS + serial, sourcing(0..5));
    batch.admitted = (0..1000).map(admit).collect();
    batch.content = (3..300).map(content).collect();
    history.commit(store, &batch);
    let records = store.records(RegistryIndex::FIRST, ALL).unwrap();
    let leaves: Vec<_> = records.iter().map(|record| record.leaf).collect();
    let wanted: Vec<_> = history.samples.iter().map(|sample| sample.leaf).collect();
    assert_eq!(leaves, wanted);
    assert_eq!(waiting_for(store, &digest(2)).len(), 1000);
    assert!(waiting_for(store, &digest(2)).iter().all(|it| it.state == sourcing(0..3)));
    assert_eq!(store.contents(None, ALL).unwrap().len(), 297);
    assert_eq!(store.logs(None, ALL).unwrap().len(), 700);
    answers(store, &history, SMALL);
    let free = Batch { content: (0..3).map(content).collect(), ..history.batch() };
    history.commit(store, &free);
    assert_eq!(store.counts().unwrap().ready, 1000);
    assert_eq!(store.ready(ALL).unwrap().len(), 1000);
}
