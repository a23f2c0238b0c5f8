//! What only shows from inside: a full medium, broken connections, formats to come.

use std::path::PathBuf;

use rusqlite::Connection;
use wargate_registry::store::{CommitError, Ledger, Nodes, StoreError};
use wargate_testkit::conformance::history::History;

use super::*;
use crate::open::migrate;
use crate::schema::FORMATS;

/// A folder that is removed with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wargate-{name}-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&path));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_full_medium_fails_a_commit_whole_until_there_is_room() {
    let folder = Folder::new("full");
    let store = SqliteStore::open(&folder.0.join("registry.db")).unwrap();
    let mut history = History::new();
    history.extend(&store, [(0, 0)]);
    let pages = |count: u32| {
        store.writer.run(|on| Ok(on.pragma_update(None, "max_page_count", count)?)).unwrap();
    };
    pages(1);
    let before = store.head().unwrap();
    let mut next = history.clone();
    let batch = next.batch_of((0..3000).map(|serial| (serial, serial)));
    for _ in 0..3 {
        let error = store.commit(history.revision(), &batch).unwrap_err();
        assert!(matches!(error, CommitError::Store(StoreError::Unavailable(_))), "{error}");
        assert_eq!(store.head().unwrap(), before);
        assert_eq!(store.logs(None, 9).unwrap().len(), 1);
    }
    pages(1 << 20);
    next.commit(&store, &batch);
    assert_eq!(store.head().unwrap().unwrap().committed, next.committed.last().copied());
}

#[test]
fn work_that_is_left_open_is_rolled_back() {
    let folder = Folder::new("open");
    let store = SqliteStore::open(&folder.0.join("registry.db")).unwrap();
    let mut history = History::new();
    history.extend(&store, [(0, 0)]);
    let left: Result<(), Fault> = store.writer.run(|on| {
        on.execute_batch("BEGIN IMMEDIATE; DELETE FROM records")?;
        Ok(())
    });
    left.unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _: Result<(), Fault> = store.writer.run(|on| {
            on.execute_batch("BEGIN IMMEDIATE; DELETE FROM records")?;
            panic!("in the middle");
        });
    }));
    assert!(panicked.is_err());
    history.extend(&store, [(0, 1)]);
    assert_eq!(store.leaves(&[wargate_protocol::RegistryIndex::FIRST]).unwrap().len(), 1);
    assert!(store.leaves(&[wargate_protocol::RegistryIndex::FIRST]).unwrap()[0].is_some());
}

#[test]
fn readers_cannot_write() {
    let folder = Folder::new("readers");
    let store = SqliteStore::open(&folder.0.join("registry.db")).unwrap();
    store.read(|on| Ok(on.execute("DELETE FROM records", [])?)).unwrap_err();
}

/// The first format and one behind it.
const FIRST: &[&str] = &[FORMATS[0]];
const NEXT: &[&str] = &[FORMATS[0], "CREATE TABLE more (a INTEGER) STRICT"];

#[test]
fn each_format_is_made_of_the_one_before() {
    let mut on = Connection::open_in_memory().unwrap();
    assert_eq!(migrate(&mut on, FIRST).unwrap(), 1);
    assert_eq!(migrate(&mut on, FIRST).unwrap(), 1);
    assert_eq!(migrate(&mut on, NEXT).unwrap(), 2);
    on.execute("INSERT INTO more VALUES (1)", []).unwrap();
    assert_eq!(migrate(&mut on, NEXT).unwrap(), 2);
    assert_eq!(migrate(&mut on, FIRST).unwrap(), 2, "a newer one is left alone");
    let mut new = Connection::open_in_memory().unwrap();
    assert_eq!(migrate(&mut new, NEXT).unwrap(), 2);
}

#[test]
fn a_step_that_fails_leaves_the_format_of_before() {
    let wrong = &[FORMATS[0], "CREATE TABLE more (a INTEGER) STRICT; CREATE TABLE logs (a)"];
    let mut on = Connection::open_in_memory().unwrap();
    migrate(&mut on, FIRST).unwrap();
    migrate(&mut on, wrong).unwrap_err();
    assert_eq!(migrate(&mut on, FIRST).unwrap(), 1);
    assert_eq!(migrate(&mut on, NEXT).unwrap(), 2);
}

#[test]
fn a_process_that_ends_while_it_makes_the_next_format_leaves_the_one_before() {
    let folder = Folder::new("halfway");
    let [path, copy] = ["registry.db", "copy.db"].map(|name| folder.0.join(name));
    let mut history = History::new();
    history.extend(&SqliteStore::open(&path).unwrap(), (0..200).map(|serial| (serial, serial)));
    let mut on = pool::connect(&path, Role::Writer).unwrap();
    // So that what is not committed is on the medium, too.
    on.pragma_update(None, "cache_size", 1).unwrap();
    let half = on.transaction().unwrap();
    half.execute_batch("CREATE TABLE more AS SELECT * FROM records, commits").unwrap();
    half.pragma_update(None, "user_version", 99).unwrap();
    for suffix in ["", "-wal"] {
        let [from, to] = [&path, &copy].map(|path| format!("{}{suffix}", path.display()));
        std::fs::copy(from, to).unwrap();
    }
    let store = SqliteStore::open(&copy).unwrap();
    assert_eq!(store.head().unwrap().unwrap().committed, history.committed.last().copied());
    half.rollback().unwrap();
}

#[test]
fn a_database_that_others_use_is_not_changed() {
    let folder = Folder::new("as-it-is");
    let path = folder.0.join("registry.db");
    let missing = SqliteStore::open_as_it_is(&path).unwrap_err();
    assert!(matches!(missing, OpenError::File { .. }), "{missing}");
    drop(SqliteStore::open(&path).unwrap());
    SqliteStore::open_as_it_is(&path).unwrap().head().unwrap();
    for (format, told) in [(99, "use a newer program"), (0, "damaged")] {
        let on = Connection::open(&path).unwrap();
        on.pragma_update(None, "user_version", format).unwrap();
        on.execute("UPDATE meta SET value = ?1 WHERE key = 'format'", [format]).unwrap();
        let refused = SqliteStore::open_as_it_is(&path).unwrap_err();
        assert!(refused.to_string().contains(told), "{refused}");
    }
}

#[cfg(debug_assertions)]
#[test]
#[should_panic(expected = "walks 19 rows")]
fn statements_that_walk_through_a_table_are_found() {
    let folder = Folder::new("walks");
    let store = SqliteStore::open(&folder.0.join("registry.db")).unwrap();
    History::new().extend(&store, (0..20).map(|serial| (1, serial)));
    let sql = "SELECT place FROM records WHERE envelope <> x''";
    drop(store.read(|on| columns::all(on, sql, [], |row| columns::number(row, 0))));
}
