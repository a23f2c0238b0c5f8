//! Content in a folder.

use std::fs;
use std::sync::Arc;
use std::thread;

use wargate_crypto::Digest;
use wargate_registry::blobs::Blobs;
use wargate_store_sqlite::FileBlobs;
use wargate_testkit::conformance;
use wargate_testkit::conformance::blobs::{keep, read};
use wargate_testkit::faults::{FaultyBlobs, MemoryBlobs, Method, Moment, Plan};

use crate::folder::Folder;

/// Names of files below `tmp`.
fn spools(folder: &Folder) -> Vec<String> {
    let entries = fs::read_dir(folder.path("tmp")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "lock").collect()
}

#[test]
fn files_behave() {
    let folder = Folder::new();
    let blobs = FileBlobs::open(&folder.path("")).unwrap();
    conformance::blobs::behave(&blobs);
    assert_eq!(spools(&folder), [""; 0], "spools vanish, kept or not");
}

#[test]
fn memory_behaves() {
    conformance::blobs::behave(&MemoryBlobs::new());
    conformance::blobs::behave(&FaultyBlobs::new(Arc::new(MemoryBlobs::new()), &Plan::new()));
}

#[test]
fn content_is_there_when_the_folder_is_opened_again_and_leftovers_are_not() {
    let folder = Folder::new();
    let blobs = FileBlobs::open(&folder.path("")).unwrap();
    let kept = keep(&blobs, b"kept");
    let hex = &kept.to_text()[7..];
    let path = folder.path("sha256").join(&hex[..2]).join(hex);
    assert_eq!(fs::read(path).unwrap(), b"kept");
    drop(blobs);
    // As a crash leaves them, and as people put them.
    fs::write(folder.path("tmp/4711-0"), "half of something").unwrap();
    fs::write(folder.path("sha256/ab/README"), "").unwrap();
    fs::write(folder.path("sha256/ab").join(hex), "in the wrong folder").unwrap();
    let blobs = FileBlobs::open(&folder.path("")).unwrap();
    assert_eq!(spools(&folder), [""; 0]);
    assert_eq!(read(&blobs, &kept).unwrap(), b"kept");
    assert_eq!(blobs.list(None, 9).unwrap(), [kept]);
}

#[test]
fn a_second_user_of_the_folder_leaves_the_spools_of_the_first_alone() {
    let folder = Folder::new();
    let first = FileBlobs::open(&folder.path("")).unwrap();
    let mut spool = first.spool().unwrap();
    spool.write(b"slow").unwrap();
    let second = FileBlobs::open(&folder.path("")).unwrap();
    let other = second.spool().unwrap();
    assert_eq!(spools(&folder).len(), 2);
    let digest = Digest::of(b"slow");
    first.keep(&digest, spool).unwrap();
    drop(other);
    assert_eq!(spools(&folder), [""; 0]);
    assert_eq!(read(&second, &digest).unwrap(), b"slow");
}

#[test]
fn many_threads_keep_and_read_one_content() {
    let folder = Folder::new();
    let blobs = &FileBlobs::open(&folder.path("")).unwrap();
    let text = &*vec![7; 100_000];
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(move || {
                let digest = keep(blobs, text);
                assert_eq!(read(blobs, &digest).as_deref(), Some(text));
            });
        }
    });
    assert_eq!(spools(&folder), [""; 0]);
    assert_eq!(blobs.list(None, 9).unwrap().len(), 1);
}

#[test]
fn a_spool_of_other_blobs_is_refused() {
    let folder = Folder::new();
    let blobs = FileBlobs::open(&folder.path("")).unwrap();
    let spool = MemoryBlobs::new().spool().unwrap();
    assert!(blobs.keep(&Digest::of(b""), spool).is_err());
    assert_eq!(blobs.list(None, 9).unwrap(), []);
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let blobs = FileBlobs::open(&folder.path("new")).unwrap();
    let hex = keep(&blobs, b"kept").to_text()[7..].to_owned();
    let mode = |name: &str| {
        fs::metadata(folder.path("new").join(name)).unwrap().permissions().mode() & 0o777
    };
    assert_eq!(mode(&format!("sha256/{}/{hex}", &hex[..2])), 0o600);
    assert_eq!((mode(""), mode("tmp")), (0o700, 0o700));
}

#[test]
fn faults_come_as_planned() {
    let folder = Folder::new();
    let plan = Plan::new();
    let files = Arc::new(FileBlobs::open(&folder.path("")).unwrap());
    let blobs = FaultyBlobs::new(files, &plan);
    let digest = Digest::of(b"text");
    let keep_once = || {
        let mut spool = blobs.spool()?;
        spool.write(b"te")?;
        spool.write(b"xt")?;
        blobs.keep(&digest, spool)
    };
    plan.fill_after(3);
    assert_eq!(keep_once().unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    plan.clear();
    plan.fail(Method::Keep, 1, Moment::Before);
    keep_once().unwrap_err();
    assert!(blobs.open(&digest).unwrap().is_none());
    plan.fail(Method::Keep, 2, Moment::After);
    plan.switch(false);
    keep_once().unwrap();
    blobs.remove(&digest).unwrap();
    plan.switch(true);
    keep_once().unwrap_err();
    assert!(blobs.open(&digest).unwrap().is_some());
    keep_once().unwrap();
    assert_eq!((plan.calls(Method::Keep), plan.failures()), (4, 3));
    assert_eq!(spools(&folder), [""; 0]);
}
