//! Snapshots of a registry and what is made of them, over a target in memory that a test can damage.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};

use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLength, Timestamp};
use wargate_registry::limits::{INLINE_CONTENT_BYTES_MAX, SNAPSHOT_SEGMENT_RECORDS};
use wargate_registry::seams::{Clock, LocalSigner};
use wargate_registry::snapshot::restore::Place;
use wargate_registry::snapshot::take::Source;
use wargate_registry::snapshot::{
    Manifest, SnapshotError, SnapshotId, Taken, Target, prune, restore, restore_with_new_operator,
    take, verify,
};
use wargate_registry::store::{PendingCounts, PendingState};
use wargate_registry::{RecordStatus, Registry};
use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, release, submit, upload,
};

/// Snapshots in memory.
#[derive(Default)]
struct Memory {
    held: Mutex<Held>,
    /// Done while the first part is being kept.
    meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

#[derive(Clone, Default)]
struct Held {
    parts: BTreeMap<Digest, Vec<u8>>,
    manifests: BTreeMap<SnapshotId, Vec<u8>>,
}

impl Memory {
    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap()
    }

    fn copy(&self) -> Self {
        Self { held: Mutex::new(self.held().clone()), meanwhile: Mutex::default() }
    }
}

impl Target for Memory {
    fn part(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + '_>>> {
        let part = self.held().parts.get(digest).cloned();
        Ok(part.map(|part| -> Box<dyn Read> { Box::new(io::Cursor::new(part)) }))
    }

    fn part_bytes(&self, digest: &Digest) -> io::Result<Option<u64>> {
        Ok(self.held().parts.get(digest).map(|part| part.len() as u64))
    }

    fn keep_part(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        let meanwhile = self.meanwhile.lock().unwrap().take();
        if let Some(meanwhile) = meanwhile {
            meanwhile();
        }
        let mut part = Vec::new();
        from.read_to_end(&mut part)?;
        assert_eq!((part.len() as u64, Digest::of(&part)), (bytes, *digest));
        self.held().parts.insert(*digest, part);
        Ok(())
    }

    fn parts(&self, each: &mut dyn FnMut(Digest, u64)) -> io::Result<()> {
        self.held().parts.iter().for_each(|(digest, part)| each(*digest, part.len() as u64));
        Ok(())
    }

    fn remove_part(&self, digest: &Digest) -> io::Result<()> {
        self.held().parts.remove(digest);
        Ok(())
    }

    fn settle(&self) -> io::Result<()> {
        Ok(())
    }

    fn manifests(&self) -> io::Result<Vec<SnapshotId>> {
        Ok(self.held().manifests.keys().cloned().collect())
    }

    fn manifest(&self, id: &SnapshotId, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let bytes = self.held().manifests.get(id).cloned();
        assert!(bytes.as_ref().is_none_or(|bytes| bytes.len() as u64 <= bytes_max));
        Ok(bytes)
    }

    fn keep_manifest(&self, id: &SnapshotId, bytes: &[u8]) -> io::Result<()> {
        self.held().manifests.insert(id.clone(), bytes.to_vec());
        Ok(())
    }

    fn remove_manifest(&self, id: &SnapshotId) -> io::Result<()> {
        self.held().manifests.remove(id);
        Ok(())
    }
}

/// A clock that stands.
struct At(i64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0)
    }
}

fn taken(world: &World, target: &dyn Target, now_seconds: i64) -> Taken {
    let source = Source {
        store: &*world.store,
        blobs: &*world.blobs,
        signer: Some(&*world.signer),
        keys: vec![("operator".into(), "secret".into())],
        clock: &At(now_seconds),
        program: "a test".into(),
    };
    take(&source, target, &mut |_| ()).unwrap()
}

/// A world of what was restored.
fn restored(target: &dyn Target, manifest: &Manifest, until: u64) -> World {
    let world = World::new();
    let place = Place { store: &*world.store, blobs: &*world.blobs, map_window_seconds: 50 };
    let until = LogLength::new(until);
    let done = restore(target, manifest, until, &place, &mut |_| ()).unwrap();
    assert_eq!(done.committed.length(), until);
    world.check();
    world
}

fn large(number: u8) -> Vec<u8> {
    vec![number; usize::try_from(INLINE_CONTENT_BYTES_MAX).unwrap() + 1]
}

/// Some packages, each with content of its own, some large; and records that wait, are ready in part
/// and were refused.
async fn fill(registry: &Arc<Registry>, from: u16, to: u16) {
    for number in from..to {
        let author = key(2);
        let small = number.to_be_bytes();
        let content = if number % 10 == 0 {
            large(u8::try_from(number % 251).unwrap())
        } else {
            small.to_vec()
        };
        let record = record(&author, None, [init(&author), release("1.0.0", &content)]);
        published(&publish(registry, &format!("test:p{number}"), &record, &content).await);
    }
}

async fn leave_pending(registry: &Arc<Registry>) {
    let author = key(3);
    let half = record(
        &author,
        None,
        [
            init(&author),
            release("1.0.0", b"came"),
            release("2.0.0", &large(255)),
            release("3.0.0", b"x"),
        ],
    );
    submit(registry, "test:half", &half).await.unwrap();
    for content in [b"came".as_slice(), &large(255)] {
        upload(registry, "test:half", &half, &Digest::of(content), content).await.unwrap();
    }
    let refused = record(&author, None, [release("1.0.0", b"before init")]);
    let _ = submit(registry, "test:refused", &refused).await;
}

#[tokio::test]
async fn a_snapshot_has_all_and_the_next_one_writes_what_is_new() {
    let world = World::new();
    let registry = world.open();
    fill(&registry, 0, 30).await;
    leave_pending(&registry).await;
    let target = Memory::default();
    let first = taken(&world, &target, 1_700_000_000);
    assert!(first.manifest.signed.is_some());
    let report = verify(&target, &first.manifest, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert_eq!((report.records, report.packages, report.pending), (31, 30, 1));

    let again = taken(&world, &target, 1_700_000_001);
    assert_eq!((again.new_parts, again.new_bytes), (0, 0));
    fill(&registry, 30, 33).await;
    let third = taken(&world, &target, 1_700_000_002);
    assert!(third.new_parts <= 3, "{third:?}");

    // The record that waited can be finished where it was restored.
    let world = restored(&target, &third.manifest, third.manifest.length.get());
    assert_eq!(world.store.counts().unwrap(), PendingCounts { sourcing: 1, ready: 0, rejected: 0 });
    let copy = world.open();
    let half = name("test:half");
    let pending = world.store.pending_until(u64::MAX, 10).unwrap().pop().unwrap();
    let mut upload =
        copy.begin_upload(&LogId::package(&half), &pending.record, &Digest::of(b"x")).unwrap();
    upload.write(b"x").unwrap();
    published(&upload.finish().await.unwrap());
    assert_eq!(copy.newest().committed.length().get(), third.manifest.length.get() + 1);
    world.check();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_becomes_of_pending_records_until_they_are_written_down_counts() {
    let mut world = World::new();
    world.limits.pending_seconds_max = 1000;
    let registry = world.open();
    fill(&registry, 1, 4).await;
    // The first one has content, at which the target takes its time. All of these will expire.
    leave_pending(&registry).await;
    let sent = async |package: &str, number: u8, contents: &[&[u8]]| {
        let author = key(number);
        let releases = contents.iter().zip(["1.0.0", "2.0.0"]);
        let releases = releases.map(|(content, version)| release(version, content));
        let record = record(&author, None, [init(&author)].into_iter().chain(releases));
        submit(&registry, package, &record).await.unwrap();
        record
    };
    sent("test:expires", 4, &[b"never"]).await;
    world.clock.set(BEGIN + 500);
    let published_later = sent("test:finished", 5, &[b"one", b"two"]).await;
    let refused_later = sent("test:clash", 6, &[b"late"]).await;
    let first = sent("test:clash", 7, &[b"soon"]).await;
    let waits = sent("test:waits", 8, &[b"here", b"not here"]).await;
    let target = Memory::default();
    let (length, clock) = (registry.newest().committed.length(), Arc::clone(&world.clock));
    let (here, runtime) = (Arc::clone(&registry), tokio::runtime::Handle::current());
    *target.meanwhile.lock().unwrap() = Some(Box::new(move || {
        runtime.block_on(async {
            for (package, record, content) in [
                ("test:finished", &published_later, b"one".as_slice()),
                ("test:finished", &published_later, b"two"),
                ("test:clash", &first, b"soon"),
                ("test:waits", &waits, b"here"),
            ] {
                upload(&here, package, record, &Digest::of(content), content).await.unwrap();
            }
            let late = Digest::of(b"late");
            let _ = upload(&here, "test:clash", &refused_later, &late, b"late").await;
            clock.set(BEGIN + 1200);
            here.tend().await.unwrap();
        });
    }));
    let taken = tokio::task::block_in_place(|| taken(&world, &target, BEGIN + 1200));
    assert_eq!(taken.manifest.length, length, "that of the moment");
    assert_eq!(registry.newest().committed.length().get(), length.get() + 2);
    let now = world.store.counts().unwrap();
    assert_eq!(now, PendingCounts { sourcing: 1, ready: 0, rejected: 1 });
    let report = verify(&target, &taken.manifest, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    // `half` was written down before it expired.
    let copy = restored(&target, &taken.manifest, length.get());
    let counts = copy.store.counts().unwrap();
    assert_eq!(counts, PendingCounts { sourcing: 2, ready: 2, rejected: 1 });
    let again = copy.open();
    assert_eq!(again.newest().committed.length().get(), length.get() + 2, "as it came before");
    copy.check();
}

#[tokio::test]
async fn what_is_only_referred_to_is_not_copied_until_somebody_brings_it() {
    let world = World::new();
    let registry = world.open();
    let (author, url, bytes) = (key(2), "https://files.example/a", large(255));
    let digest = Digest::of(&bytes);
    let mine = record(&author, None, [init(&author), release("1.0.0", &bytes)]);
    let half = [init(&author), release("1.0.0", &bytes), release("2.0.0", b"more")];
    let half = record(&author, None, half);
    for (package, record) in [("test:mine", &mine), ("test:half", &half)] {
        submit(&registry, package, record).await.unwrap();
        let log = LogId::package(&name(package));
        let mut upload = registry.begin_upload(&log, &record.record_id(), &digest).unwrap();
        upload.write(&bytes).unwrap();
        upload.finish_by_referring(url.into()).await.unwrap();
    }
    // This one waits for the bytes themselves.
    let other = record(&key(3), None, [init(&key(3)), release("1.0.0", &bytes)]);
    submit(&registry, "test:other", &other).await.unwrap();
    let segment = u16::try_from(SNAPSHOT_SEGMENT_RECORDS).unwrap();
    fill(&registry, 1000, 1000 + segment).await;
    let target = Memory::default();
    let before = taken(&world, &target, 1_700_000_000).manifest;
    assert!(!target.held().parts.contains_key(&digest));
    let report = verify(&target, &before, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    assert!(report.notes.iter().any(|note| note.contains("1 digests is not in it")));
    upload(&registry, "test:other", &other, &digest, &bytes).await.unwrap();
    let after = taken(&world, &target, 1_700_000_001);
    assert!(after.shared_records > 0, "the first segment is that of before");
    assert!(verify(&target, &after.manifest, &mut |_| ()).unwrap().is_clean());

    let copy = restored(&target, &before, before.length.get());
    let row = copy.store.content(&digest).unwrap().unwrap();
    assert_eq!(row.place.url().map(String::as_str), Some(url));
    assert_eq!(copy.store.counts().unwrap().sourcing, 2);
    let pending = copy.store.pending_until(u64::MAX, 9).unwrap();
    let misses = |state: &PendingState| matches!(state, PendingState::Sourcing(missing) if missing.contains(&digest));
    assert_eq!(pending.iter().filter(|record| misses(&record.state)).count(), 1);
    let registry = copy.open();
    published(&upload(&registry, "test:half", &half, &Digest::of(b"more"), b"more").await.unwrap());
    copy.check();
    let copy = restored(&target, &after.manifest, after.manifest.length.get());
    assert!(copy.store.content(&digest).unwrap().unwrap().is_kept());
    assert!(copy.open().open_content(&digest).unwrap().is_some());
}

#[tokio::test]
async fn every_length_that_was_committed_can_be_restored_and_no_other() {
    let world = World::new();
    let registry = world.open();
    for number in 0..12_u16 {
        world.clock.set(1_700_000_000 + i64::from(number) * 10);
        fill(&registry, number, number + 1).await;
    }
    let target = Memory::default();
    let manifest = taken(&world, &target, 1_700_000_500).manifest;
    for length in 1..=13 {
        let copy = restored(&target, &manifest, length);
        let committed = copy.store.head().unwrap().unwrap().committed.unwrap();
        let original = world.store.commit_of_length(LogLength::new(length)).unwrap().unwrap();
        assert_eq!(committed, original);
        // Proofs of every checkpoint in the window are there as before.
        let registry = copy.open();
        let leaves = registry.leaves(wargate_protocol::RegistryIndex::FIRST, 1).unwrap();
        assert_eq!(leaves.len(), 1);
    }
    let place = World::new();
    let place = Place { store: &*place.store, blobs: &*place.blobs, map_window_seconds: 0 };
    let none = restore(&target, &manifest, LogLength::new(14), &place, &mut |_| ()).unwrap_err();
    assert!(matches!(none, SnapshotError::Damaged(_) | SnapshotError::Refused(_)), "{none}");
}

#[tokio::test]
async fn whatever_is_damaged_is_found_and_never_restored() {
    let world = World::new();
    let registry = world.open();
    fill(&registry, 0, 12).await;
    leave_pending(&registry).await;
    let target = Memory::default();
    let Taken { id, manifest, .. } = taken(&world, &target, 1_700_000_000);
    let digests: Vec<Digest> = target.held().parts.keys().copied().collect();
    assert!(digests.len() >= 6, "segment, lists, pending, keys, content");
    for digest in digests {
        for damage in ["gone", "short", "long", "other"] {
            let copy = target.copy();
            {
                let mut held = copy.held();
                let part = held.parts.get_mut(&digest).unwrap();
                let middle = part.len() / 2;
                match damage {
                    "short" => part.truncate(part.len() - 1),
                    "long" => part.push(0),
                    "other" => part[middle] ^= 1,
                    _ => drop(held.parts.remove(&digest)),
                }
            }
            let report = verify(&copy, &manifest, &mut |_| ()).unwrap();
            let found = report.findings.iter().any(|it| it.contains(&digest.to_string()));
            assert!(found, "{damage} {digest}: {:?}", report.findings);
            let place = World::new();
            let place = Place { store: &*place.store, blobs: &*place.blobs, map_window_seconds: 0 };
            let is_used = manifest.keys.is_none_or(|keys| keys.digest != digest)
                && manifest.blob_lists().all(|list| list.digest != digest);
            let done = restore(&copy, &manifest, manifest.length, &place, &mut |_| ());
            assert!(done.is_err() || !is_used, "{damage} {digest}");
        }
    }
    let bytes = target.held().manifests[&id].clone();
    for at in 0..bytes.len() {
        let mut short = bytes.clone();
        short.truncate(at);
        target.held().manifests.insert(id.clone(), short);
        assert!(Manifest::read(&target, &id).is_err(), "cut at {at}");
        let mut other = bytes.clone();
        other[at] ^= 0x10;
        target.held().manifests.insert(id.clone(), other);
        assert!(Manifest::read(&target, &id).is_err(), "changed at {at}");
    }
    // A manifest that is torn is no obstacle to the next snapshot.
    let next = taken(&world, &target, 1_700_000_009);
    assert!(verify(&target, &next.manifest, &mut |_| ()).unwrap().is_clean());
}

#[tokio::test]
async fn full_segments_are_shared_and_pruning_removes_what_nobody_needs() {
    let world = World::new();
    let registry = world.open();
    let per = u16::try_from(SNAPSHOT_SEGMENT_RECORDS).unwrap();
    fill(&registry, 0, per + 20).await;
    let target = Memory::default();
    let first = taken(&world, &target, 1_700_000_000).manifest;
    assert_eq!(first.segments.len(), 2);
    fill(&registry, per + 20, per + 30).await;
    let second = taken(&world, &target, 1_700_000_001);
    assert_eq!(second.shared_records, SNAPSHOT_SEGMENT_RECORDS);
    assert_eq!(second.manifest.segments[0], first.segments[0]);
    let before = target.held().parts.len();
    let pruned = prune(&target, 1).unwrap();
    assert_eq!((pruned.removed.len(), pruned.kept), (1, vec![second.id.clone()]));
    assert!(pruned.parts >= 1 && target.held().parts.len() < before);
    let report = verify(&target, &second.manifest, &mut |_| ()).unwrap();
    assert!(report.is_clean(), "{:?}", report.findings);
    restored(&target, &second.manifest, second.manifest.length.get());
    // Of a snapshot that cannot be read, nobody knows what it needs.
    let parts = target.held().parts.clone();
    taken(&world, &target, 1_700_000_002);
    target.held().manifests.get_mut(&second.id).unwrap().truncate(10);
    assert!(prune(&target, 2).is_err());
    assert!(parts.keys().all(|part| target.held().parts.contains_key(part)));
    // A part that is lost is written again, though an earlier snapshot had it.
    let lost = first.segments[0].part.digest;
    target.held().manifests.remove(&second.id);
    target.held().parts.remove(&lost);
    let healed = taken(&world, &target, 1_700_000_003);
    assert!(verify(&target, &healed.manifest, &mut |_| ()).unwrap().is_clean());
}

#[tokio::test]
async fn another_registry_is_refused_and_a_history_that_went_another_way_is_not_mixed_in() {
    let world = World::new();
    let registry = world.open();
    fill(&registry, 0, 5).await;
    let target = Memory::default();
    let first = taken(&world, &target, 1_700_000_000).manifest;
    // Back to an earlier state, and on from there another way.
    let other = restored(&target, &first, 3);
    fill(&other.open(), 50, 59).await;
    let forked = taken(&other, &target, 1_700_000_001);
    assert_eq!(forked.shared_records, 0);
    for manifest in [&first, &forked.manifest] {
        assert!(verify(&target, manifest, &mut |_| ()).unwrap().is_clean());
    }
    let mut stranger = World::new();
    stranger.signer = Arc::new(LocalSigner::new(key(9)));
    stranger.open();
    let source = Source {
        store: &*stranger.store,
        blobs: &*stranger.blobs,
        signer: None,
        keys: Vec::new(),
        clock: &At(1_700_000_002),
        program: String::new(),
    };
    let refused = take(&source, &target, &mut |_| ()).unwrap_err();
    assert!(refused.to_string().contains("another registry"), "{refused}");
}

#[tokio::test]
async fn a_new_operator_takes_over_the_packages_as_they_are() {
    let world = World::new();
    let registry = world.open_with(&[
        wargate_protocol::Entry::import_namespace("theirs", "other.example"),
        wargate_protocol::Entry::define_namespace("second"),
    ]);
    fill(&registry, 0, 15).await;
    leave_pending(&registry).await;
    let target = Memory::default();
    let manifest = taken(&world, &target, 1_700_000_000).manifest;

    let mut copy = World::new();
    copy.signer = Arc::new(LocalSigner::new(key(77)));
    let tools = wargate_registry::Tools {
        store: Arc::clone(&copy.store),
        clock: Arc::<wargate_testkit::world::TestClock>::clone(&copy.clock),
        signer: Arc::clone(&copy.signer),
        record_policies: Vec::new(),
        content_policies: Vec::new(),
        define_namespaces: false,
        quotas: Arc::default(),
        limits: copy.limits,
    };
    let place = Place { store: &*copy.store, blobs: &*copy.blobs, map_window_seconds: 0 };
    let until = manifest.length;
    restore_with_new_operator(&target, &manifest, until, &place, &tools, &mut |_| ()).unwrap();
    copy.check();
    assert_eq!(copy.store.counts().unwrap().sourcing, 1);
    let again = copy.open();
    let operator = again.operator_state().unwrap();
    assert_eq!(operator.items().len(), 3);
    assert!(operator.permissions().keys().all(|held| *held == key(77).public_key().id()));
    // The records of packages are the same, and go on.
    let log = LogId::package(&name("test:p7"));
    let of = |world: &World| {
        let records = world.store.log_records(&log, None, LogLength::new(1000), 10).unwrap();
        records.into_iter().map(|record| (record.leaf, record.envelope)).collect::<Vec<_>>()
    };
    assert_eq!(of(&world), of(&copy));
    let author = key(2);
    let next = record(&author, Some(of(&copy)[0].0.record_id), [release("2.0.0", b"on")]);
    assert!(matches!(
        publish(&again, "test:p7", &next, b"on").await,
        RecordStatus::Published { .. }
    ));
    copy.check();
}
