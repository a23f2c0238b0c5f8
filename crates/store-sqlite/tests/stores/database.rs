//! The database as a file: whose it is, and what happens to it.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use wargate_registry::store::{Batch, CommitError, Ledger, Nodes, Pending, Store, StoreError};
use wargate_store_sqlite::{OpenError, SqliteStore};
use wargate_testkit::conformance::history::{History, log_id};
use wargate_testkit::faults::{FaultyStore, Method, Moment, Plan};

use crate::folder::Folder;

fn sql(path: &Path, statements: &str) {
    Connection::open(path).unwrap().execute_batch(statements).unwrap();
}

/// A database with a few records, closed.
fn filled(folder: &Folder) -> (std::path::PathBuf, History) {
    let path = folder.path("registry.db");
    let mut history = History::new();
    let store = SqliteStore::open(&path).unwrap();
    history.extend(&store, (0..20).map(|serial| (serial % 3, serial)));
    (path, history)
}

/// The power was lost while the first pages were written: the file is long already, and empty.
#[test]
fn a_database_that_was_begun_and_never_written_is_begun_again() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    fs::write(&path, [0; 8192]).unwrap();
    // Magic; no pages to undo; a nonce; the file had 0 pages; sizes of a sector and of a page.
    let mut journal = vec![0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
    journal.extend([0, 7, 0, 512, 4096].into_iter().flat_map(u32::to_be_bytes));
    journal.resize(512, 0);
    fs::write(folder.path("registry.db-journal"), journal).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    History::new().extend(&store, [(0, 0)]);
}

#[test]
fn what_is_not_ours_is_refused_and_stays_as_it_is() {
    let folder = Folder::new();
    let other = folder.path("other.db");
    sql(&other, "CREATE TABLE logs (number); PRAGMA user_version = 1;");
    let marked = folder.path("marked.db");
    sql(&marked, "CREATE TABLE t (a); PRAGMA application_id = 7; PRAGMA journal_mode = WAL;");
    let text = folder.path("text");
    fs::write(&text, "SQLite format 3").unwrap();
    let zeros = folder.path("zeros");
    fs::write(&zeros, [0; 8192]).unwrap();
    for path in [other, marked, text, zeros] {
        let before = fs::read(&path).unwrap();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(matches!(error, OpenError::NotOurs { .. }), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
    let error = SqliteStore::open(&folder.path("no/such/folder.db")).unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
    let error = SqliteStore::open(&folder.path("")).unwrap_err();
    assert!(matches!(error, OpenError::File { .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let folder = Folder::new();
    let (path, _) = filled(&folder);
    sql(&path, "PRAGMA user_version = 9; UPDATE meta SET value = 9 WHERE key = 'format'");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error}");
    assert!(error.to_string().contains("use a newer program"), "{error}");
    sql(&path, "PRAGMA user_version = 1");
    let error = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(error, OpenError::Database { .. }), "two formats: {error}");
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = Folder::new();
    let path = folder.path("registry.db");
    fs::write(&path, "").unwrap();
    let store = SqliteStore::open(&path).unwrap();
    History::new().extend(&store, [(0, 0)]);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let path = folder.path("registry.db");
    let store = SqliteStore::open(&path).unwrap();
    History::new().extend(&store, [(0, 0)]);
    for name in ["registry.db", "registry.db-wal", "registry.db-shm"] {
        let mode = fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn two_stores_on_one_file_see_each_other() {
    let folder = Folder::new();
    let (path, mut history) = filled(&folder);
    let (first, second) = (SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap());
    for serial in 100..110 {
        let stale = history.revision();
        history.extend(&first, [(1, serial)]);
        let conflict = second.commit(stale, &Batch::default());
        assert!(matches!(conflict, Err(CommitError::Conflict)));
        assert_eq!(first.head().unwrap(), second.head().unwrap());
        history.extend(&second, [(2, serial)]);
    }
}

/// A lock that another program holds is waited for, but not for long.
#[test]
fn a_lock_that_is_not_given_back_is_unavailable() {
    let folder = Folder::new();
    let (path, mut history) = filled(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(history.revision(), &Batch::default()).unwrap_err();
    assert!(matches!(error, CommitError::Store(StoreError::Unavailable(_))), "{error}");
    assert!(store.head().unwrap().is_some(), "readers go on");
    other.execute_batch("ROLLBACK").unwrap();
    history.extend(&store, [(1, 100)]);
}

#[test]
fn rows_that_do_not_decode_are_damage() {
    let rows = [
        "UPDATE records SET envelope = x'ff'",
        "UPDATE records SET record = x'00'",
        "UPDATE logs SET name = 'No Name'",
        "UPDATE logs SET head_nanos = 1000000000",
        "UPDATE log_keys SET point = x'04'",
        "UPDATE tiles SET hashes = x'00'",
        "UPDATE tiles SET hashes = x''",
        "UPDATE pages SET page = x'ffff'",
        "UPDATE commits SET length = -1",
        "DELETE FROM pages",
        "DELETE FROM pending_counts WHERE state = 1",
        "DROP TABLE records",
    ];
    for row in rows {
        let folder = Folder::new();
        let (path, history) = filled(&folder);
        sql(&path, row);
        let store = SqliteStore::open(&path).unwrap();
        let tile = wargate_transparency::log::TileId::new(0, 0).unwrap();
        let length = wargate_transparency::log::LogLength::new(20).unwrap();
        let pages: Vec<_> = history.pages.iter().copied().collect();
        let reads = [
            store.head().map(drop),
            store.records(wargate_protocol::RegistryIndex::FIRST, 99).map(drop),
            store.all_log_rows(&log_id(1)).map(drop),
            store.tiles(&[tile.at_length(length).unwrap()]).map(drop),
            store.pages(&pages).map(drop),
            store.counts().map(drop),
        ];
        let failed: Vec<_> = reads.into_iter().filter_map(Result::err).collect();
        assert!(!failed.is_empty(), "{row}");
        for error in failed {
            assert!(matches!(error, StoreError::Damaged(_)), "{row}: {error}");
        }
    }
}

#[test]
fn a_damaged_file_is_damage_and_the_store_recovers_with_it() {
    let folder = Folder::new();
    let (path, history) = filled(&folder);
    let store = SqliteStore::open(&path).unwrap();
    let whole = fs::read(&path).unwrap();
    let mut broken = whole.clone();
    broken[4096..].fill(0x5a);
    fs::write(&path, &broken).unwrap();
    let error = store.records(wargate_protocol::RegistryIndex::FIRST, 99).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
    // The connection that saw it is not used again, with what it had cached.
    fs::write(&path, &whole).unwrap();
    let records = store.records(wargate_protocol::RegistryIndex::FIRST, 99).unwrap();
    assert_eq!(records.len(), history.samples.len());
}

#[test]
fn a_file_that_has_vanished_is_not_made_anew() {
    let folder = Folder::new();
    let (path, _) = filled(&folder);
    let store = SqliteStore::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let error = store.head().unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(!path.exists());
}

#[test]
fn faults_come_as_planned() {
    let folder = Folder::new();
    let (path, history) = filled(&folder);
    let plan = Plan::new();
    let inner = Arc::new(SqliteStore::open(&path).unwrap());
    let store = FaultyStore::new(Arc::clone(&inner), &plan);
    plan.fail(Method::Commit, 1, Moment::Before);
    plan.fail(Method::Commit, 2, Moment::After);
    let mut next = history.clone();
    let batch = next.batch_of([(1, 100)]);
    let before = inner.head().unwrap();
    assert!(matches!(store.commit(history.revision(), &batch), Err(CommitError::Store(_))));
    assert_eq!(inner.head().unwrap(), before);
    assert!(matches!(store.commit(history.revision(), &batch), Err(CommitError::Store(_))));
    assert_ne!(inner.head().unwrap(), before, "made after all");
    let conflict = store.commit(history.revision(), &batch);
    assert!(matches!(conflict, Err(CommitError::Conflict)));
    plan.break_down(Method::Ledger, Moment::Before);
    assert!(store.head().is_err() && store.head().is_err());
    plan.clear();
    assert_eq!(store.head().unwrap(), inner.head().unwrap());
    assert_eq!((plan.calls(Method::Commit), plan.failures()), (3, 4));
}
