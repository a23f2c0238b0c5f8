//! History.

use wargate_protocol::{LogLength, RegistryIndex, SignedEnvelope};
use wargate_registry::store::{LogRows, PendingCounts};

use super::Fixture;
use super::answers::ALL;
use super::history::{FIRST_SECOND, History, digest, log_id};

/// A store of which nobody has said anything.
pub fn an_empty_store_has_nothing(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let leaf = History::new().sample(1, 1).leaf;
    let (log, record) = (&leaf.log_id, &leaf.record_id);
    assert_eq!(store.head().unwrap(), None);
    assert_eq!(store.commits(LogLength::EMPTY, ALL).unwrap(), []);
    assert_eq!(store.commit_of_length(LogLength::EMPTY).unwrap(), None);
    assert_eq!(store.commit_at(u64::MAX).unwrap(), None);
    assert_eq!(store.log_records(log, None, LogLength::new(9), ALL).unwrap(), []);
    assert_eq!(store.record_index(log, record).unwrap(), None);
    assert_eq!(store.leaves(&[]).unwrap(), []);
    assert_eq!(store.leaves(&[RegistryIndex::FIRST]).unwrap(), [None]);
    assert_eq!(store.records(RegistryIndex::FIRST, ALL).unwrap(), []);
    assert_eq!(store.pending(log, record).unwrap(), None);
    assert_eq!(store.ready(ALL).unwrap(), []);
    assert_eq!(store.pending_until(u64::MAX, ALL).unwrap(), []);
    assert_eq!(store.counts().unwrap(), PendingCounts::default());
    assert_eq!(store.content(&digest(1)).unwrap(), None);
    assert_eq!(store.contents(None, ALL).unwrap(), []);
    assert_eq!(store.tiles(&[]).unwrap(), []);
    assert!(store.pages(&[]).unwrap().is_empty());
    assert_eq!(store.log_rows(&[]).unwrap(), []);
    assert_eq!(store.all_log_rows(log).unwrap(), LogRows::default());
    assert_eq!(store.logs(None, ALL).unwrap(), []);
}

/// Commits ascend, behind a length, and each is found by its length.
pub fn commits_are_listed_and_found(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let sizes = [1, 3, 1, 2];
    let mut serial = 0;
    for size in sizes {
        history.extend(store, (serial..serial + size).map(|serial| (0, serial)));
        serial += size;
    }
    // Lengths 1, 4, 5 and 7.
    let rows = [
        (0, ALL, 0..4),
        (0, 2, 0..2),
        (0, 0, 0..0),
        (1, ALL, 1..4),
        (2, ALL, 1..4),
        (4, 1, 2..3),
        (6, ALL, 3..4),
        (7, ALL, 4..4),
        (u64::MAX, ALL, 4..4),
    ];
    for (after, limit, wanted) in rows {
        let found = store.commits(LogLength::new(after), limit).unwrap();
        assert_eq!(found, history.committed[wanted], "after {after}, at most {limit}");
    }
    for length in (0..10).chain([u64::MAX]).map(LogLength::new) {
        let wanted = history.committed.iter().find(|it| it.length() == length).copied();
        assert_eq!(store.commit_of_length(length).unwrap(), wanted, "{length}");
    }
}

/// Of several commits in one second the last.
pub fn the_newest_commit_at_a_second(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    for (serial, seconds) in (0..).zip([10, 20, 20, 20, 21, 40]) {
        let mut batch = history.batch_of([(0, serial)]);
        batch.append.as_mut().unwrap().committed.seconds = FIRST_SECOND + seconds;
        history.commit(store, &batch);
    }
    let rows = [
        (9, None),
        (10, Some(1)),
        (19, Some(1)),
        (20, Some(4)),
        (21, Some(5)),
        (39, Some(5)),
        (40, Some(6)),
        (u64::MAX - FIRST_SECOND, Some(6)),
    ];
    for (second, length) in rows {
        let found = store.commit_at(FIRST_SECOND + second).unwrap();
        assert_eq!(found.map(|it| it.length().get()), length, "at {second}");
    }
    assert_eq!(store.commit_at(0).unwrap(), None);
}

/// Both bounds are exclusive, and other logs do not show.
pub fn records_of_a_log_lie_between_bounds(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    // Log 1 stands at 1, 3, 4 and 7.
    history.extend(store, [(0, 0), (1, 0), (2, 0), (1, 1)]);
    history.extend(store, [(1, 2), (0, 1), (2, 1), (1, 3), (2, 2)]);
    let rows: [(Option<u64>, u64, usize, &[u64]); 13] = [
        (None, u64::MAX, ALL, &[1, 3, 4, 7]),
        (None, 9, ALL, &[1, 3, 4, 7]),
        (None, 9, 3, &[1, 3, 4]),
        (None, 9, 0, &[]),
        (None, 7, ALL, &[1, 3, 4]),
        (None, 8, ALL, &[1, 3, 4, 7]),
        (None, 0, ALL, &[]),
        (Some(0), 9, 1, &[1]),
        (Some(1), 9, ALL, &[3, 4, 7]),
        (Some(2), 4, ALL, &[3]),
        (Some(3), 4, ALL, &[]),
        (Some(7), 9, ALL, &[]),
        (Some(u64::MAX), u64::MAX, ALL, &[]),
    ];
    for (after, below, limit, wanted) in rows {
        let after = after.map(RegistryIndex::new);
        let found = store.log_records(&log_id(1), after, LogLength::new(below), limit).unwrap();
        let places: Vec<_> = found.iter().map(|record| record.index.get()).collect();
        assert_eq!(places, wanted, "{after:?} to {below}, at most {limit}");
        for (record, place) in found.iter().zip(wanted) {
            let sample = &history.samples[usize::try_from(*place).unwrap()];
            assert_eq!((&record.leaf, &record.envelope), (&sample.leaf, &sample.envelope));
        }
    }
    assert_eq!(store.log_records(&log_id(9), None, LogLength::new(9), ALL).unwrap(), []);
}

/// From a position on, whatever the log.
pub fn records_of_all_logs_are_in_order(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, [(0, 0), (3, 0), (1, 0)]);
    history.extend(store, [(2, 0), (1, 1)]);
    for (from, limit, wanted) in
        [(0, ALL, 0..5), (0, 2, 0..2), (1, 3, 1..4), (4, ALL, 4..5), (5, ALL, 5..5), (2, 0, 2..2)]
    {
        let found = store.records(RegistryIndex::new(from), limit).unwrap();
        let found: Vec<_> = found.iter().map(|it| (it.index.get(), it.leaf)).collect();
        let wanted: Vec<_> = wanted.map(|at| (at as u64, history.samples[at].leaf)).collect();
        assert_eq!(found, wanted, "from {from}, at most {limit}");
    }
    assert_eq!(store.records(RegistryIndex::new(u64::MAX), ALL).unwrap(), []);
}

/// A record belongs to a log: the same id in another one is another record.
pub fn records_are_found_by_their_id(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    // The same bytes in two logs.
    let (first, mut second) = (history.sample(1, 0), history.sample(2, 0));
    second.envelope = first.envelope.clone();
    second.leaf.record_id = first.leaf.record_id;
    let other = history.sample(1, 1);
    let append = Some(history.append(vec![first.clone(), second.clone(), other.clone()]));
    let batch = wargate_registry::store::Batch { append, ..history.batch() };
    history.commit(store, &batch);
    let rows = [
        (1, first.leaf.record_id, Some(0)),
        (2, first.leaf.record_id, Some(1)),
        (1, other.leaf.record_id, Some(2)),
        (2, other.leaf.record_id, None),
        (3, first.leaf.record_id, None),
        (1, history.sample(1, 2).leaf.record_id, None),
    ];
    for (log, record, wanted) in rows {
        let found = store.record_index(&log_id(log), &record).unwrap();
        assert_eq!(found.map(RegistryIndex::get), wanted, "{record} of log {log}");
    }
}

/// Any order, any of them twice, and those that are not there in between.
pub fn leaves_come_in_the_order_asked(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    history.extend(store, (0..300).map(|serial| (serial % 7, serial)));
    let places = [299, 0, 300, 7, 7, u64::MAX, 255, 256];
    let found = store.leaves(&places.map(RegistryIndex::new)).unwrap();
    let wanted = places.map(|at| history.samples.get(usize::try_from(at).unwrap()).map(|s| s.leaf));
    assert_eq!(found, wanted);
}

/// Envelopes are what was signed; a store may not tidy them.
pub fn what_was_signed_comes_back_byte_for_byte(fixture: &mut dyn Fixture) {
    let store = &*fixture.store();
    let mut history = History::new();
    let bodies = [vec![], vec![0], vec![0xff; 70_000], b"\0'\";--\xc3\x28".to_vec()];
    let keys = ["", "sha256:no", "'\"\u{10ffff}\n", "key"];
    let samples = bodies.into_iter().zip(keys).zip(0..).map(|((body, key), serial)| {
        let mut sample = history.sample(1, serial);
        sample.envelope = SignedEnvelope::new(body, key.into(), *sample.envelope.signature());
        sample
    });
    let samples: Vec<_> = samples.collect();
    let append = Some(history.append(samples.clone()));
    let batch = wargate_registry::store::Batch { append, ..history.batch() };
    history.commit(store, &batch);
    let found = store.records(RegistryIndex::FIRST, ALL).unwrap();
    let found: Vec<_> = found.into_iter().map(|record| record.envelope).collect();
    let wanted: Vec<_> = samples.into_iter().map(|sample| sample.envelope).collect();
    assert_eq!(found, wanted);
}
