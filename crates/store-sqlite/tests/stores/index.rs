//! The index: what it keeps, and that whatever is in its place becomes one.

use std::fs;

use wargate_protocol::LogLength;
use wargate_registry::index::{Index, IndexStep, Through};
use wargate_store_sqlite::SqliteIndex;
use wargate_testkit::conformance::index::keeps_what_is_applied;
use wargate_testkit::memory_index::MemoryIndex;

use crate::folder::Folder;

#[test]
fn indices_keep_what_is_applied() {
    keeps_what_is_applied(&MemoryIndex::default());
    let folder = Folder::new();
    keeps_what_is_applied(&SqliteIndex::open(&folder.path("index.db")).unwrap());
}

/// What becomes of a file.
type Harm = fn(&std::path::Path);

#[test]
fn an_index_is_there_when_it_is_opened_again_and_made_anew_if_it_cannot_be_used() {
    let folder = Folder::new();
    let path = folder.path("index.db");
    let length = LogLength::new(7);
    let fill = || {
        let index = SqliteIndex::open(&path).unwrap();
        let through = Through { length, last: None };
        index.apply(&IndexStep { through, contents: Vec::new(), releases: Vec::new() })
    };
    let reopened = || SqliteIndex::open(&path).unwrap().through().unwrap();
    fill().unwrap();
    assert_eq!(reopened().length, length);

    let harms: [Harm; 5] = [
        |path| fs::write(path, "something else").unwrap(),
        |path| fs::write(path, "").unwrap(),
        |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[100..].fill(0xff);
            fs::write(path, bytes).unwrap();
        },
        |path| {
            let on = rusqlite::Connection::open(path).unwrap();
            on.pragma_update(None, "user_version", 99).unwrap();
        },
        |path| {
            let on = rusqlite::Connection::open(path).unwrap();
            on.execute_batch("DROP TABLE through").unwrap();
        },
    ];
    for harm in harms {
        fill().unwrap();
        assert_eq!(reopened().length, length);
        harm(&path);
        assert_eq!(reopened(), Through::START);
        keeps_what_is_applied(&SqliteIndex::open(&path).unwrap());
    }
}
