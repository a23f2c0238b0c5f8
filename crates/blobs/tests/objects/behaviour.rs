//! What content in object storage does as content does anywhere, and what is its own.

use std::fs;
use std::sync::Arc;

use wargate_blobs::{Failure, ObjectBlobs, Target};
use wargate_crypto::Digest;
use wargate_registry::blobs::Blobs;
use wargate_testkit::conformance;
use wargate_testkit::faults::MemoryBlobs;
use wargate_testkit::s3::{BUCKET, S3Server, SECRET_KEY};

use crate::world::{PIECE, SERVER, World, some_bytes, try_keep, try_read};

#[test]
fn objects_behave() {
    let world = World::new();
    conformance::blobs::behave(&world.own_blobs());
    assert_eq!(world.spooled(), 0);
}

#[test]
fn a_folder_behaves_as_objects() {
    let (folder, spools) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let target = Target::open(folder.path().to_str().unwrap()).unwrap();
    let blobs = ObjectBlobs::open(target, spools.path()).unwrap();
    let digest = try_keep(&blobs, b"some").unwrap();
    assert_eq!(try_read(&blobs, &digest).unwrap().unwrap(), b"some");
}

#[test]
fn content_of_every_size_comes_back() {
    let world = World::new();
    let blobs = world.own_blobs();
    let part = 8 * PIECE;
    for size in [0, 1, PIECE - 1, PIECE, PIECE + 1, part - 1, part, part + 1, 3 * part + 5] {
        let bytes = some_bytes(size);
        let digest = try_keep(&blobs, &bytes).unwrap();
        assert!(fs::read(world.file(&digest)).unwrap() == bytes, "{size}");
        assert!(try_read(&blobs, &digest).unwrap().unwrap() == bytes, "{size}, hashes known");
        assert!(
            try_read(&world.own_blobs(), &digest).unwrap().unwrap() == bytes,
            "{size}, unknown"
        );
    }
    assert_eq!(world.spooled(), 0);
}

#[test]
fn any_part_can_be_read_first() {
    let world = World::new();
    let bytes = some_bytes(4 * PIECE + 99);
    let digest = try_keep(&world.own_blobs(), &bytes).unwrap();
    for at in [0, 5, PIECE - 1, PIECE, 3 * PIECE + 7, bytes.len() - 1] {
        let blob = world.own_blobs().open(&digest).unwrap().unwrap();
        let mut buffer = [0; 300];
        let count = blob.read_at(at as u64, &mut buffer).unwrap();
        assert!(count > 0 && buffer[..count] == bytes[at..at + count], "at {at}");
        let count = blob.read_at(1, &mut buffer).unwrap();
        assert!(buffer[..count] == bytes[1..=count], "back from {at}");
    }
}

#[test]
fn rotten_objects_are_never_read_to_their_end() {
    let world = World::new();
    for size in [900, PIECE, 3 * PIECE + 7] {
        let bytes = some_bytes(size);
        let digest = try_keep(&world.own_blobs(), &bytes).unwrap();
        for rotten in [0, size / 2, size - 1] {
            let knowing = world.own_blobs();
            try_read(&knowing, &digest).unwrap().unwrap();
            let mut other = bytes.clone();
            other[rotten] ^= 1;
            fs::write(world.file(&digest), &other).unwrap();
            try_read(&world.own_blobs(), &digest).unwrap_err();
            try_read(&knowing, &digest).unwrap_err();
            byte_at(&world.own_blobs(), &digest, size - 1).unwrap_err();
            // Where hashes are known, no wrong byte gets out even before the end.
            byte_at(&knowing, &digest, rotten).unwrap_err();
            fs::write(world.file(&digest), &bytes).unwrap();
            assert!(try_read(&knowing, &digest).unwrap().unwrap() == bytes);
        }
        for cut in [0, size / 2, size - 1] {
            fs::write(world.file(&digest), &bytes[..cut]).unwrap();
            try_read(&world.own_blobs(), &digest).unwrap_err();
        }
        // Keeping it again heals it.
        try_keep(&world.own_blobs(), &bytes).unwrap();
        assert!(try_read(&world.own_blobs(), &digest).unwrap().unwrap() == bytes);
    }
}

fn byte_at(blobs: &dyn Blobs, content: &Digest, at: usize) -> std::io::Result<usize> {
    blobs.open(content)?.unwrap().read_at(at as u64, &mut [0])
}

#[test]
fn names_of_others_are_not_listed() {
    let world = World::new();
    let blobs = world.own_blobs();
    let digest = try_keep(&blobs, b"some").unwrap();
    let folder = world.file(&digest);
    let folder = folder.parent().unwrap();
    fs::write(folder.join("README"), "").unwrap();
    fs::write(folder.join(&Digest::of(b"another").to_text()[7..]), "in a wrong folder").unwrap();
    assert_eq!(blobs.list(None, 10).unwrap(), [digest]);
}

#[test]
fn a_spool_of_others_is_refused() {
    let world = World::new();
    let spool = MemoryBlobs::new().spool().unwrap();
    assert!(world.own_blobs().keep(&Digest::of(b""), spool).is_err());
}

#[test]
fn content_outlives_the_server() {
    let mut world = World::new();
    let digest = try_keep(&world.own_blobs(), b"some").unwrap();
    world.server.kill().unwrap();
    assert!(try_read(&world.own_blobs(), &digest).is_err());
    world.server.start_again(SERVER).unwrap();
    assert_eq!(try_read(&world.own_blobs(), &digest).unwrap().unwrap(), b"some");
}

#[test]
fn wrong_credentials_are_named_and_not_shown() {
    let world = World::new();
    let mut variables = S3Server::variables(world.server.address());
    variables.retain(|(name, _)| name != "AWS_SECRET_ACCESS_KEY");
    variables.push(("AWS_SECRET_ACCESS_KEY".into(), format!("{SECRET_KEY}-not")));
    let target = Target::with(&format!("s3://{BUCKET}/a"), variables).unwrap();
    let blobs = ObjectBlobs::open(target, world.spools.path()).unwrap();
    let failure = blobs.reach().unwrap_err();
    assert_eq!(failure, Failure::Denied);
    let error = try_keep(&blobs, b"some").unwrap_err();
    let shown = format!("{failure} {failure:?} {error} {error:?} {:?}", blobs.target());
    assert!(!shown.contains("AKIA") && !shown.contains("hush"), "{shown}");
    world.own_blobs().reach().unwrap();
}

#[test]
fn many_threads_keep_and_read_one_content() {
    let world = World::new();
    let blobs = Arc::new(world.own_blobs());
    let bytes = &some_bytes(2 * PIECE);
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let digest = try_keep(&*blobs, bytes).unwrap();
                assert!(try_read(&*blobs, &digest).unwrap().unwrap() == *bytes);
            });
        }
    });
    assert_eq!(blobs.list(None, 9).unwrap().len(), 1);
}
