//! Damage of every kind is done to a real database and to real files, and found.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use wargate_registry::fsck::{self, Depth, Report};
use wargate_store_sqlite::{FileBlobs, SqliteStore};
use wargate_testkit::world::{World, init, key, publish, published, record, release, submit};

/// A folder that goes with its value.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("wargate-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A registry with three packages, small and large content, and 300 records, so that there are full
/// tiles.
async fn make(at: &Path) {
    let mut world = World::over(Arc::new(SqliteStore::open(&at.join("db")).unwrap()));
    world.blobs = Arc::new(FileBlobs::open(&at.join("content")).unwrap());
    let registry = world.open();
    let large = vec![3; 60_000];
    for (package, versions) in [("test:a", 200_u32), ("test:b", 99), ("test:c", 1)] {
        let author = key(7);
        let mut prev = None;
        for version in 0..versions {
            let content = if version == 0 { &large[..] } else { b"small" };
            let first = prev.is_none().then(|| init(&author));
            let release = release(&format!("1.0.{version}"), content);
            let record = record(&author, prev, first.into_iter().chain([release]));
            published(&publish(&registry, package, &record, content).await);
            prev = Some(record.record_id());
        }
    }
    let author = key(8);
    let waits = record(&author, None, [init(&author), release("1.0.0", b"never comes")]);
    submit(&registry, "test:d", &waits).await.unwrap();
}

fn check(at: &Path) -> Report {
    let store = SqliteStore::open(&at.join("db")).unwrap();
    let blobs = FileBlobs::open(&at.join("content")).unwrap();
    fsck::check(&store, &blobs, Depth::Bytes).unwrap()
}

/// What is done to the database, and a word of what is found.
const DAMAGE: &[(&str, &str)] = &[
    ("UPDATE commits SET log_root = randomblob(32) WHERE length = 40", "log has another root"),
    ("UPDATE commits SET map_root = randomblob(32) WHERE length = 41", "map has another root"),
    ("UPDATE commits SET seconds = seconds - 5 WHERE length = 42", "time goes back"),
    ("DELETE FROM commits WHERE length = 301", "head"),
    ("UPDATE logs SET name = 'test:zzz' WHERE name = 'test:a'", "name of another log"),
    ("UPDATE logs SET head_seconds = head_seconds + 1 WHERE name = 'test:b'", "another head"),
    ("UPDATE log_permissions SET held = 'release' WHERE log > 1", "other permissions"),
    ("DELETE FROM log_items WHERE item = '1.0.50'", "other releases"),
    (
        "UPDATE log_items SET state = replace(state, 'sha256:', 'sha256:00') WHERE item = '1.0.7'",
        "other releases",
    ),
    ("DELETE FROM log_keys WHERE log = 2", "other keys"),
    ("UPDATE records SET record = randomblob(32) WHERE place = 33", "another root"),
    ("UPDATE records SET log = 3 WHERE place = 200", "root"),
    ("DELETE FROM records WHERE place = 77", "stands at"),
    ("DELETE FROM records WHERE place = 300", "is missing"),
    (
        "UPDATE records SET envelope = (SELECT envelope FROM records WHERE place = 10) WHERE place = 11",
        "another record",
    ),
    (
        "INSERT INTO records SELECT 301, log, zeroblob(32), envelope FROM records WHERE place = 5",
        "behind it",
    ),
    ("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE width = 256", "other hashes"),
    ("UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE width < 256", "other hashes"),
    ("DELETE FROM tiles", "tile"),
    ("DELETE FROM pages WHERE number = (SELECT max(number) FROM pages)", "pages"),
    ("UPDATE pages SET page = zeroblob(length(page))", "pages"),
    ("UPDATE contents SET bytes = zeroblob(5) WHERE size = 5", "other bytes"),
    ("UPDATE contents SET size = 6 WHERE size = 5", "instead of 6"),
    ("DELETE FROM contents WHERE size = 60000", "has no content"),
];

#[tokio::test]
async fn every_damage_is_found_and_named() {
    let folder = Folder::new("fsck");
    let sound = folder.0.join("sound");
    std::fs::create_dir(&sound).unwrap();
    make(&sound).await;
    let report = check(&sound);
    assert!(report.is_clean(), "{:#?}", report.findings);
    for (damage, word) in DAMAGE {
        let copy = folder.0.join("copy");
        copy_all(&sound, &copy);
        let changed = Connection::open(copy.join("db")).unwrap().execute(damage, []).unwrap();
        assert!(changed > 0, "{damage} does nothing");
        let report = check(&copy);
        assert!(!report.is_clean(), "{damage} is not found");
        let named = report.findings.iter().any(|finding| finding.contains(word));
        assert!(named, "{damage}: no finding speaks of {word:?}: {:#?}", report.findings);
        std::fs::remove_dir_all(&copy).unwrap();
    }
}

#[tokio::test]
async fn damaged_and_missing_files_are_found() {
    let folder = Folder::new("fsck-files");
    make(&folder.0).await;
    let file = files(&folder.0.join("content/sha256")).pop().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let mut damaged = bytes.clone();
    damaged[30_000] ^= 1;
    std::fs::write(&file, &damaged).unwrap();
    assert!(check(&folder.0).findings[0].contains("other bytes"));
    std::fs::write(&file, &bytes[..50_000]).unwrap();
    assert!(check(&folder.0).findings[0].contains("50000 bytes instead of 60000"));
    std::fs::remove_file(&file).unwrap();
    assert!(check(&folder.0).findings[0].contains("missing"));
    std::fs::write(&file, &bytes).unwrap();
    assert!(check(&folder.0).is_clean());
}

fn copy_all(from: &Path, to: &Path) {
    for file in files(from) {
        let at = to.join(file.strip_prefix(from).unwrap());
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::copy(file, at).unwrap();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}
