//! State and cache that many processes share, some of which are killed.
//!
//! The test starts itself as those processes: [`worker`] does nothing unless it is told where to work.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use wargate_client::native::{FileCache, FileState};
use wargate_client::origin::Domain;
use wargate_client::seams::{Cache, Content, Key, State};
use wargate_crypto::Digest;

/// Tells a process of this test where to work, and as which of them.
const DIRECTORY: &str = "WARGATE_TEST_DIRECTORY";
const NUMBER: &str = "WARGATE_TEST_NUMBER";

const PROCESSES: usize = 8;
const ROUNDS: usize = 6;
const CONTENTS: u64 = 12;
const CONTENT_BYTES: usize = 200_000;
const VALUE_BYTES: usize = 50_000;

fn registry() -> Domain {
    "warg.io".parse().unwrap()
}

fn content(number: u64) -> Vec<u8> {
    let words = (0..CONTENT_BYTES as u64 / 8).map(|at| at * 1000 + number);
    words.flat_map(u64::to_le_bytes).collect()
}

fn key(text: &str) -> Key {
    Key::new(text.split('/')).unwrap()
}

/// A process: fetches all contents, as far as nobody is at them, and counts a value up under its lock.
#[test]
fn worker() {
    let (Some(directory), Ok(number)) = (std::env::var_os(DIRECTORY), std::env::var(NUMBER)) else {
        return;
    };
    let (cache, state) = open(Path::new(&directory));
    let number: u64 = number.parse().unwrap();
    for round in 0.. {
        let number = (number + round) % CONTENTS;
        let (bytes, digest) = (content(number), Digest::of(&content(number)));
        if let Some(mut content) = cache.open(&registry(), &digest).unwrap() {
            assert!(whole(&mut *content) == bytes, "a file under its own name is whole");
        } else if let Some(mut partial) = cache.begin(&registry(), &digest).unwrap() {
            let there = usize::try_from(partial.length()).unwrap();
            assert!(there <= bytes.len(), "nobody else writes to it");
            for piece in bytes[there..].chunks(1000) {
                partial.append(piece).unwrap();
            }
            partial.commit().unwrap();
        }
        if round % 7 == 6 {
            cache.remove(&registry(), &digest).unwrap();
        }
        count(&state);
    }
}

/// Counts a value up that has its count at both ends and in all of it.
fn count(state: &FileState) {
    let _guard = state.lock(&key("lock/counter")).unwrap();
    let next = counted(state) + 1;
    let value: Vec<u8> =
        std::iter::repeat_n(next.to_le_bytes(), VALUE_BYTES / 8).flatten().collect();
    state.write(&key("shared/counter"), &value).unwrap();
    let told = state.read(&key("shared/last")).unwrap().unwrap_or(vec![0; 8]);
    let told = u64::from_le_bytes(told.try_into().unwrap());
    assert!(told < next, "a process that held the lock was before us, and no other is");
    state.write(&key("shared/last"), &next.to_le_bytes()).unwrap();
}

/// The count, which must be one value from the beginning to the end.
fn counted(state: &FileState) -> u64 {
    let Some(value) = state.read(&key("shared/counter")).unwrap() else { return 0 };
    assert_eq!(value.len(), VALUE_BYTES, "the value is not torn");
    assert!(value.chunks(8).all(|word| word == &value[..8]), "the value is not torn");
    u64::from_le_bytes(value[..8].try_into().unwrap())
}

fn open(directory: &Path) -> (FileCache, FileState) {
    (FileCache::new(directory.join("cache")), FileState::new(directory.join("state")))
}

fn whole(content: &mut dyn Content) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(content.length()).unwrap()];
    let mut read = 0;
    while read < bytes.len() {
        let more = content.read_at(read as u64, &mut bytes[read..]).unwrap();
        assert!(more > 0, "the file is as long as it said");
        read += more;
    }
    bytes
}

fn start(directory: &Path, number: usize) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::worker", "--nocapture", "--test-threads=1"])
        .env(DIRECTORY, directory)
        .env(NUMBER, number.to_string())
        .stdout(Stdio::null())
        .stderr(std::fs::File::create(directory.join(format!("errors-{number}"))).unwrap())
        .spawn()
        .unwrap()
}

#[test]
fn killed_processes_leave_nothing_half_done() {
    let directory = tempfile::tempdir().unwrap();
    let (_, state) = open(directory.path());
    let mut processes: Vec<Child> =
        (0..PROCESSES).map(|number| start(directory.path(), number)).collect();
    let mut before = 0;
    for round in 0..ROUNDS {
        // While the others go on, some are killed wherever they are, and new ones come.
        before = wait_for(&state, before + 10, directory.path());
        for number in (0..PROCESSES).filter(|number| (number + round) % 3 == 0) {
            let process = &mut processes[number];
            assert!(process.try_wait().unwrap().is_none(), "{}", errors(directory.path()));
            process.kill().unwrap();
            process.wait().unwrap();
            check(directory.path());
            *process = start(directory.path(), number);
        }
    }
    wait_for(&state, before + 10, directory.path());
    for process in &mut processes {
        assert!(process.try_wait().unwrap().is_none(), "{}", errors(directory.path()));
        process.kill().unwrap();
        process.wait().unwrap();
    }
    check(directory.path());
    // No lock is left: everything can be taken up and finished.
    count(&state);
    let (cache, _) = open(directory.path());
    for number in 0..CONTENTS {
        let (bytes, digest) = (content(number), Digest::of(&content(number)));
        let mut partial = cache.begin(&registry(), &digest).unwrap().unwrap();
        let there = usize::try_from(partial.length()).unwrap();
        partial.append(&bytes[there..]).unwrap();
        assert!(whole(&mut *partial.commit().unwrap()) == bytes);
    }
    assert_eq!(cache.clear().unwrap(), CONTENTS * CONTENT_BYTES as u64);
}

/// Waits until the processes have counted so far; how far they have.
fn wait_for(state: &FileState, count: u64, directory: &Path) -> u64 {
    let begun = Instant::now();
    loop {
        let counted = counted(state);
        if counted >= count {
            return counted;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{}", errors(directory));
        // Whoever has the lock next has counted.
        drop(state.lock(&key("lock/counter")).unwrap());
        std::thread::yield_now();
    }
}

fn errors(directory: &Path) -> String {
    let read = |number| std::fs::read_to_string(directory.join(format!("errors-{number}")));
    (0..PROCESSES).flat_map(read).collect()
}

/// Whatever is there under its final name is whole.
fn check(directory: &Path) {
    let files: PathBuf = directory.join("cache/warg.io/sha256");
    for entry in std::fs::read_dir(files).into_iter().flatten().flatten() {
        // Another process may have removed it since.
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        let name = format!("sha256:{}", entry.file_name().to_str().unwrap());
        assert_eq!(Digest::of(&bytes).to_string(), name);
    }
    counted(&open(directory).1);
}
