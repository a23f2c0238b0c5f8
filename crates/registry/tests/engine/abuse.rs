//! What one publisher may take of what is there for all: quotas, waiting records, content that nobody
//! names, and how often a key publishes.

use std::sync::Arc;
use std::time::Duration;

use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{Entry, LogId, PackageEnvelope};
use wargate_registry::limits::{Limits, STRAY_SECONDS_MIN};
use wargate_registry::store::{Accounts, Batch};
use wargate_registry::throttle::Rate;
use wargate_registry::usage::{Quota, Quotas, Subject, Usage};
use wargate_registry::{RecordStatus, Registry, WriteError};
use wargate_testkit::faults::MemoryBlobs;
use wargate_testkit::memory_store::MemoryStore;
use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record, refused, release, submit, upload,
};

const DAY: i64 = 86_400;

fn test_namespace() -> Subject {
    Subject::Namespace("test".into())
}

fn of_key(author: &PrivateKey) -> Subject {
    Subject::Key(author.public_key().id().to_string())
}

fn first(author: &PrivateKey, content: &[u8]) -> PackageEnvelope {
    record(author, None, [init(author), release("1.0.0", content)])
}

fn used(world: &World, subject: Subject) -> Usage {
    world.store.usages(&[subject]).unwrap()[0]
}

const fn usage(packages: u64, releases: u64, bytes: u64) -> Usage {
    Usage { packages, releases, bytes }
}

#[tokio::test]
async fn packages_releases_and_bytes_are_counted_with_the_commit() {
    let world = World::new();
    let registry = world.open();
    let (alice, bob) = (key(2), key(3));
    let large = vec![7; 50_000];
    let one = first(&alice, b"small");
    published(&publish(&registry, "test:a", &one, b"small").await);
    let two = record(
        &alice,
        Some(one.record_id()),
        [
            release("1.0.1", b"small"),
            Entry::grant(bob.public_key(), [wargate_protocol::PackagePermission::Release]),
        ],
    );
    published(&submit(&registry, "test:a", &two).await.unwrap());
    let three = record(&bob, Some(two.record_id()), [release("2.0.0", &large)]);
    published(&publish(&registry, "test:a", &three, &large).await);
    // What is yanked stays, and so it counts.
    let four = record(&alice, Some(three.record_id()), [Entry::yank("1.0.0".parse().unwrap())]);
    published(&submit(&registry, "test:a", &four).await.unwrap());
    // What is refused does not.
    let stale = record(&alice, Some(one.record_id()), [release("9.0.0", b"small")]);
    refused(submit(&registry, "test:a", &stale).await.unwrap());
    assert_eq!(used(&world, test_namespace()), usage(1, 3, 50_010));
    assert_eq!(used(&world, of_key(&alice)), usage(1, 2, 10));
    assert_eq!(used(&world, of_key(&bob)), usage(0, 1, 50_000));
    assert_eq!(world.store.counted().unwrap(), registry.newest().committed.length());
    world.check();
}

#[tokio::test]
async fn a_quota_is_kept_at_every_way_in() {
    let mut world = World::new();
    world.quotas.namespace = Quota { packages: Some(2), releases: Some(3), bytes: Some(1000) };
    let registry = world.open();
    let alice = key(2);
    let a = first(&alice, b"1234");
    published(&publish(&registry, "test:a", &a, b"1234").await);
    published(&submit(&registry, "test:b", &first(&alice, b"1234")).await.unwrap());
    let over = |error: WriteError, what: &str| match error {
        WriteError::QuotaExceeded(why) => assert!(why.contains(what), "{why}"),
        error => panic!("{error:?}"),
    };
    let error = submit(&registry, "test:c", &first(&alice, b"1234")).await.unwrap_err();
    over(error, "the namespace test has a quota of 2 packages, of which 2 are used");
    // Bytes that are known only when they come: the record is refused, and says why.
    let large = vec![1; 1000];
    let next = record(&alice, Some(a.record_id()), [release("1.0.1", &large)]);
    assert!(matches!(submit(&registry, "test:a", &next).await, Ok(RecordStatus::Sourcing(_))));
    let digest = Digest::of(&large);
    let error = upload(&registry, "test:a", &next, &digest, &large).await.unwrap_err();
    over(error, "1000 bytes of content, of which 8 are used");
    let log = LogId::package(&name("test:a"));
    let status = registry.status(&log, &next.record_id()).unwrap().unwrap();
    assert!(refused(status).contains("quota"));
    let next = record(&alice, Some(a.record_id()), [release("1.0.2", b"1234")]);
    published(&submit(&registry, "test:a", &next).await.unwrap());
    let last = record(&alice, Some(next.record_id()), [release("1.0.3", b"1234")]);
    over(submit(&registry, "test:a", &last).await.unwrap_err(), "3 releases");
    // What takes nothing is always allowed.
    let yank = record(&alice, Some(next.record_id()), [Entry::yank("1.0.0".parse().unwrap())]);
    published(&submit(&registry, "test:a", &yank).await.unwrap());
    world.check();
}

/// Many records that pass the first look together do not pass the last one together.
#[tokio::test]
async fn records_of_one_commit_count_for_each_other() {
    let mut world = World::new();
    let only = Quota { releases: Some(2), ..Quota::default() };
    world.quotas = Quotas { key: only, ..Quotas::default() };
    let registry = world.open();
    let alice = key(2);
    // All of them wait for the same content, so that it sets them free in one step.
    for package in ["test:a", "test:b", "test:c", "test:d"] {
        submit(&registry, package, &first(&alice, b"shared")).await.unwrap();
    }
    let digest = Digest::of(b"shared");
    upload(&registry, "test:a", &first(&alice, b"shared"), &digest, b"shared").await.unwrap();
    assert_eq!(used(&world, of_key(&alice)), usage(2, 2, 12));
    let mut over = 0;
    for package in ["test:a", "test:b", "test:c", "test:d"] {
        let log = LogId::package(&name(package));
        let record = first(&alice, b"shared").record_id();
        if let RecordStatus::Rejected { reason } = registry.status(&log, &record).unwrap().unwrap()
        {
            assert!(reason.contains("a quota of 2 releases"), "{reason}");
            over += 1;
        }
    }
    assert_eq!(over, 2);
    world.check();
}

/// A store of before there were accounts.
#[tokio::test]
async fn a_registry_that_never_counted_counts_its_log_when_it_is_opened() {
    let store = Arc::new(MemoryStore::new());
    let world = World::over(Arc::<MemoryStore>::clone(&store));
    let registry = world.open();
    let alice = key(2);
    let mut prev = None;
    for version in 0..20 {
        let begin = prev.is_none().then(|| init(&alice));
        let release = release(&format!("1.0.{version}"), b"content");
        let next = record(&alice, prev, begin.into_iter().chain([release]));
        published(&publish(&registry, "test:a", &next, b"content").await);
        prev = Some(next.record_id());
    }
    drop(registry);
    let before = (used(&world, test_namespace()), used(&world, of_key(&alice)));
    store.forget_accounts();
    assert_eq!(used(&world, test_namespace()), Usage::default());
    assert_eq!(store.unnamed_until(u64::MAX, 10).unwrap().len(), 1);
    drop(world.open());
    assert_eq!((used(&world, test_namespace()), used(&world, of_key(&alice))), before);
    assert_eq!(store.unnamed_until(u64::MAX, 10).unwrap(), []);
    world.check();
}

#[tokio::test]
async fn accounts_that_are_wrong_are_found() {
    let world = World::new();
    let registry = world.open();
    published(&publish(&registry, "test:a", &first(&key(2), b"content"), b"content").await);
    let head = world.store.head().unwrap().unwrap();
    let more = vec![(Subject::Namespace("test".into()), usage(0, 1, 0))];
    let until = registry.newest().committed.length();
    let counted = Some(wargate_registry::store::Counted { until, added: more, named: Vec::new() });
    let seconds = head.checkpoint_seconds;
    let batch = Batch { checkpoint_seconds: seconds, counted, ..Batch::default() };
    world.store.commit(Some(head.revision), &batch).unwrap();
    let depth = wargate_registry::fsck::Depth::Bytes;
    let report = wargate_registry::fsck::check(&*world.store, &*world.blobs, depth).unwrap();
    assert!(!report.is_clean());
    assert!(report.findings[0].contains("the namespace test uses"), "{:?}", report.findings);
}

#[tokio::test]
async fn one_key_cannot_fill_the_room_in_which_records_wait() {
    let mut world = World::new();
    world.limits = Limits { sourcing_records_of_key_max: 2, ..Limits::default() };
    let registry = world.open();
    let waiting = |author: u8, package: &str| first(&key(author), package.as_bytes());
    for package in ["test:a", "test:b"] {
        submit(&registry, package, &waiting(2, package)).await.unwrap();
    }
    let error = submit(&registry, "test:c", &waiting(2, "test:c")).await.unwrap_err();
    assert!(matches!(error, WriteError::TooMany { .. }), "{error:?}");
    // Nobody else minds, and the same record again is the same record.
    submit(&registry, "test:c", &waiting(3, "test:c")).await.unwrap();
    submit(&registry, "test:a", &waiting(2, "test:a")).await.unwrap();
    let digest = Digest::of(b"test:a");
    published(
        &upload(&registry, "test:a", &waiting(2, "test:a"), &digest, b"test:a").await.unwrap(),
    );
    submit(&registry, "test:d", &waiting(2, "test:d")).await.unwrap();
    world.check();
}

/// In a new log the signer is whom the record says, or somebody else would pay for it.
#[tokio::test]
async fn a_record_that_names_another_key_than_its_own_is_refused() {
    let world = World::new();
    let registry = world.open();
    let signed = first(&key(2), b"content").into_signed();
    let victim = key(3).public_key().id();
    let forged = wargate_protocol::SignedEnvelope::from_protobuf(&replaced(
        &signed.to_protobuf(),
        signed.key_id().as_str(),
        victim.as_str(),
    ));
    let forged = PackageEnvelope::decode(forged.unwrap()).unwrap();
    assert_eq!(*forged.key_id(), victim);
    let error = submit(&registry, "test:a", &forged).await.unwrap_err();
    assert!(matches!(error, WriteError::Unauthorized(_)), "{error:?}");
}

/// The same bytes with a text in the place of another one of the same length.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|it| it == from.as_bytes()).unwrap();
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

#[tokio::test]
async fn a_key_publishes_as_often_as_it_may_and_nobody_else_can_use_that_up() {
    let mut world = World::new();
    let rate = Rate::new(1, Duration::from_mins(1), 2);
    world.limits = Limits { publishes_of_key: Some(rate), ..Limits::default() };
    let registry = world.open();
    let alice = key(2);
    let a = first(&alice, b"content");
    published(&publish(&registry, "test:a", &a, b"content").await);
    // Sent again, by anybody, to its own log and to others.
    for _ in 0..10 {
        published(&submit(&registry, "test:a", &a).await.unwrap());
    }
    let next = record(&alice, Some(a.record_id()), [release("1.0.1", b"content")]);
    let stale = record(&alice, Some(a.record_id()), [release("1.0.2", b"content")]);
    published(&submit(&registry, "test:a", &next).await.unwrap());
    let error = submit(&registry, "test:a", &stale).await.unwrap_err();
    assert!(matches!(error, WriteError::TooMany { seconds: 60, .. }), "{error:?}");
    published(&submit(&registry, "test:b", &first(&key(3), b"content")).await.unwrap());
    // What the log refuses is not counted.
    for second in [60, 61, 62] {
        world.clock.set(BEGIN + second);
        let version = format!("3.0.{second}");
        let stale = record(&alice, Some(a.record_id()), [release(&version, b"content")]);
        refused(submit(&registry, "test:a", &stale).await.unwrap());
    }
    world.check();
}

struct Orphans {
    world: World,
    blobs: MemoryBlobs,
    registry: Arc<Registry>,
}

impl Orphans {
    fn new() -> Self {
        let mut world = World::new();
        let blobs = MemoryBlobs::new();
        world.blobs = Arc::new(blobs.clone());
        let (pending_seconds_max, unnamed_seconds_max) = (86_400, 2 * 86_400);
        world.limits = Limits { pending_seconds_max, unnamed_seconds_max, ..Limits::default() };
        let registry = world.open();
        Self { world, blobs, registry }
    }

    async fn tend_at(&self, seconds: i64) {
        self.world.clock.set(BEGIN + seconds);
        self.registry.tend().await.unwrap();
    }

    fn has(&self, content: &[u8]) -> bool {
        self.world.store.content(&Digest::of(content)).unwrap().is_some()
    }
}

/// A record that waits for two contents, one of which came: both are forgotten in the end.
#[tokio::test]
async fn content_that_nobody_names_is_forgotten_after_a_while() {
    let orphans = Orphans::new();
    let (half, other) = (vec![1; 40_000], b"never comes".to_vec());
    let author = key(2);
    let both = [init(&author), release("1.0.0", &half), release("1.0.1", &other)];
    let both = record(&author, None, both);
    let registry = &orphans.registry;
    submit(registry, "test:a", &both).await.unwrap();
    upload(registry, "test:a", &both, &Digest::of(&half), &half).await.unwrap();
    let named = vec![2; 40_000];
    published(&publish(registry, "test:b", &first(&author, &named), &named).await);
    orphans.tend_at(DAY + 60).await;
    assert_eq!(orphans.world.store.counts().unwrap().sourcing, 0);
    assert!(orphans.has(&half), "it may be wanted by the next record");
    orphans.tend_at(2 * DAY + 3500).await;
    assert!(orphans.has(&half));
    orphans.tend_at(2 * DAY + 3700).await;
    assert!(!orphans.has(&half) && orphans.has(&named));
    // The row has gone at once, the file follows when it was seen without one for long enough.
    assert_eq!(orphans.blobs.len(), 2);
    let later = i64::try_from(STRAY_SECONDS_MIN).unwrap();
    orphans.tend_at(2 * DAY + 3700 + later).await;
    assert_eq!(orphans.blobs.len(), 1);
    orphans.world.check();
}

/// A publish that names the content at the very moment: either it keeps it, or it is told that it is
/// missing. It is never in the log without it.
#[tokio::test]
async fn a_publish_at_the_last_moment_keeps_its_content() {
    for early in [true, false] {
        let orphans = Orphans::new();
        let (registry, author) = (&orphans.registry, key(2));
        let (half, other) = (vec![1; 40_000], b"never comes".to_vec());
        let both = [init(&author), release("1.0.0", &half), release("1.0.1", &other)];
        let both = record(&author, None, both);
        submit(registry, "test:a", &both).await.unwrap();
        upload(registry, "test:a", &both, &Digest::of(&half), &half).await.unwrap();
        let over = 2 * DAY + 3700;
        if early {
            // Wanted again by a record that waits for more: its time begins anew.
            orphans.world.clock.set(BEGIN + over);
            submit(registry, "test:b", &both).await.unwrap();
        }
        orphans.tend_at(over).await;
        assert_eq!(orphans.has(&half), early);
        let only = first(&author, &half);
        match submit(registry, "test:c", &only).await.unwrap() {
            RecordStatus::Published { .. } => assert!(early),
            RecordStatus::Sourcing(missing) => {
                assert!(!early && missing == [Digest::of(&half)]);
                // While its file is about to be swept away.
                let digest = Digest::of(&half);
                published(&upload(registry, "test:c", &only, &digest, &half).await.unwrap());
            }
            status => panic!("{status:?}"),
        }
        for hour in 0..5 {
            orphans.tend_at(over + 3600 * hour).await;
        }
        assert_eq!(orphans.blobs.len(), 1);
        orphans.world.check();
    }
}

/// Bytes that come again while the file of before waits to be removed.
#[tokio::test]
async fn a_file_that_an_upload_has_found_in_its_place_stays() {
    let orphans = Orphans::new();
    let (registry, author, bytes) = (&orphans.registry, key(2), vec![9; 40_000]);
    let digest = Digest::of(&bytes);
    // An upload that was interrupted between its file and its commit.
    let mut spool = wargate_registry::blobs::Blobs::spool(&orphans.blobs).unwrap();
    spool.write(&bytes).unwrap();
    wargate_registry::blobs::Blobs::keep(&orphans.blobs, &digest, spool).unwrap();
    orphans.tend_at(0).await;
    let only = first(&author, &bytes);
    submit(registry, "test:a", &only).await.unwrap();
    published(&upload(registry, "test:a", &only, &digest, &bytes).await.unwrap());
    for hour in 0..3 {
        orphans.tend_at(3600 * hour).await;
    }
    assert_eq!(orphans.blobs.len(), 1);
    orphans.world.check();
    // And one that nobody brings again goes.
    let stray = vec![8; 20];
    let mut spool = wargate_registry::blobs::Blobs::spool(&orphans.blobs).unwrap();
    spool.write(&stray).unwrap();
    wargate_registry::blobs::Blobs::keep(&orphans.blobs, &Digest::of(&stray), spool).unwrap();
    orphans.tend_at(20_000).await;
    assert_eq!(orphans.blobs.len(), 2);
    orphans.tend_at(24_000).await;
    assert_eq!(orphans.blobs.len(), 1);
}
