//! The medium fails at every call, before or after it took effect. Whatever happens: nothing that
//! was acknowledged is lost, reading goes on, and writing does once the fault is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wargate_crypto::{Digest, PublicKey};
use wargate_protocol::{
    Entry, LogId, PackageEnvelope, PackagePermission, RegistryIndex, SignedCheckpoint,
    SignedEnvelope, TimestampedCheckpoint,
};
use wargate_registry::read::TranscriptRequest;
use wargate_registry::seams::{LocalSigner, Signer, SignerError};
use wargate_registry::{ReadError, RecordStatus, Registry, WriteError};
use wargate_testkit::faults::{FaultyBlobs, FaultyStore, MemoryBlobs, Method, Moment, Plan};
use wargate_testkit::memory_store::MemoryStore;

use wargate_testkit::world::{
    World, init, key, name, publish, published, record, release, submit, upload,
};

/// A world whose medium fails as planned. The judge looks at what is behind the faults.
struct Faulty {
    world: World,
    plan: Plan,
    judge: World,
}

impl Faulty {
    fn new() -> Self {
        let plan = Plan::new();
        let (store, blobs) = (Arc::new(MemoryStore::new()), Arc::new(MemoryBlobs::new()));
        let mut world = World::over(Arc::new(FaultyStore::new(Arc::clone(&store), &plan)));
        let blobs_behind = Arc::<MemoryBlobs>::clone(&blobs);
        world.blobs = Arc::new(FaultyBlobs::new(blobs_behind, &plan));
        let mut judge = World::over(store);
        judge.blobs = blobs;
        Self { world, plan, judge }
    }
}

/// Goes on until a record is final, as a client does that is told to try again.
async fn stubborn(
    registry: &Arc<Registry>,
    package: &str,
    record: &PackageEnvelope,
    content: &[u8],
) -> RecordStatus {
    for _ in 0..4 {
        let status = match submit(registry, package, record).await {
            Ok(RecordStatus::Sourcing(missing)) => {
                assert_eq!(missing, [Digest::of(content)]);
                upload(registry, package, record, &missing[0], content).await
            }
            other => other,
        };
        match status {
            Ok(status) if status.is_final() => return status,
            Ok(_) | Err(WriteError::Unavailable(_)) => {}
            Err(error) => panic!("{package}: {error:?}"),
        }
    }
    panic!("{package}: no end to it");
}

/// Two packages with two releases each, of small and large content. Returns what was acknowledged.
async fn story(registry: &Arc<Registry>) -> Vec<(LogId, PackageEnvelope)> {
    let mut acknowledged = Vec::new();
    let large = vec![7; 50_000];
    for package in ["test:a", "test:b"] {
        let (author, log) = (key(2), LogId::package(&name(package)));
        let mut prev = None;
        for (version, content) in [("1.0.0", package.as_bytes()), ("2.0.0", &large)] {
            let first = prev.is_none().then(|| init(&author));
            let record =
                record(&author, prev, first.into_iter().chain([release(version, content)]));
            published(&stubborn(registry, package, &record, content).await);
            prev = Some(record.record_id());
            acknowledged.push((log, record));
        }
    }
    acknowledged
}

/// Every call of every method fails once, before and after.
#[tokio::test]
async fn every_call_may_fail_once() {
    const METHODS: [Method; 6] = [
        Method::Commit,
        Method::Ledger,
        Method::Pending,
        Method::Nodes,
        Method::Spool,
        Method::Keep,
    ];
    let trial = Faulty::new();
    let registry = trial.world.open();
    let before = METHODS.map(|method| trial.plan.calls(method));
    story(&registry).await;
    let mut tried = 0;
    for (method, before) in METHODS.into_iter().zip(before) {
        let calls = trial.plan.calls(method) - before;
        for (number, moment) in
            (1..=calls).flat_map(|number| [(number, Moment::Before), (number, Moment::After)])
        {
            let faulty = Faulty::new();
            let registry = faulty.world.open();
            faulty.plan.fail(method, number, moment);
            let acknowledged = story(&registry).await;
            assert_eq!(faulty.plan.failures(), 1, "{method:?} {number} {moment:?}");
            for (log, record) in acknowledged {
                let status = registry.status(&log, &record.record_id()).unwrap();
                published(&status.unwrap());
            }
            assert_eq!(registry.newest().committed.length().get(), 5);
            faulty.judge.check();
            tried += 1;
        }
    }
    assert!(tried > 50, "only {tried} faults were tried");
}

/// A full disk: it says so, keeps reading, and recovers when there is room.
#[tokio::test]
async fn a_full_disk_stops_writing_and_nothing_else() {
    let faulty = Faulty::new();
    let registry = faulty.world.open();
    story(&registry).await;
    for moment in [Moment::Before, Moment::After] {
        let (author, large) = (key(5), vec![moment as u8; 40_000]);
        let package = format!("test:{}", if moment == Moment::Before { "c" } else { "d" });
        let record = record(&author, None, [init(&author), release("1.0.0", &large)]);
        submit(&registry, &package, &record).await.unwrap();
        let digest = Digest::of(&large);
        faulty.plan.fill_after(20_000);
        let error = upload(&registry, &package, &record, &digest, &large).await.unwrap_err();
        assert!(matches!(error, WriteError::Unavailable(_)), "{error:?}");
        faulty.plan.clear();
        faulty.plan.break_down(Method::Commit, moment);
        for _ in 0..3 {
            let error = upload(&registry, &package, &record, &digest, &large).await;
            // A commit that was made after all may have published it: that is no error to hide.
            assert!(error.is_err() || moment == Moment::After, "{error:?}");
        }
        let log = LogId::package(&name("test:a"));
        assert!(registry.knows_log(&log).unwrap());
        registry.prove_inclusion(registry.newest().committed.length(), &[]).unwrap_err();
        faulty.plan.clear();
        published(&stubborn(&registry, &package, &record, &large).await);
        faulty.judge.check();
    }
}

/// A crash at any commit: a new process takes up what was committed, whichever way it went.
#[tokio::test]
async fn a_process_that_ends_at_any_commit_is_taken_up_by_the_next() {
    for number in 1..=8 {
        for moment in [Moment::Before, Moment::After] {
            let faulty = Faulty::new();
            let author = key(2);
            let make = |package: &str| {
                record(&author, None, [init(&author), release("1.0.0", package.as_bytes())])
            };
            let mut acknowledged = Vec::new();
            {
                let registry = faulty.world.open();
                faulty.plan.fail(Method::Commit, number, moment);
                for package in ["test:a", "test:b", "test:c", "test:d"] {
                    let record = make(package);
                    let outcome = match submit(&registry, package, &record).await {
                        Ok(_) => {
                            let (content, digest) =
                                (package.as_bytes(), Digest::of(package.as_bytes()));
                            upload(&registry, package, &record, &digest, content).await
                        }
                        Err(error) => Err(error),
                    };
                    match outcome {
                        Ok(status) => {
                            published(&status);
                            acknowledged.push((package, record.record_id()));
                        }
                        Err(_) => break,
                    }
                }
            }
            let registry = faulty.judge.open();
            for (package, record) in acknowledged {
                let status = registry.status(&LogId::package(&name(package)), &record);
                published(&status.unwrap().unwrap());
            }
            for package in ["test:a", "test:b", "test:c", "test:d"] {
                let record = make(package);
                published(&publish(&registry, package, &record, package.as_bytes()).await);
            }
            assert_eq!(registry.newest().committed.length().get(), 5);
            faulty.judge.check();
        }
    }
}

/// A signer that is away for some calls.
struct AwaySigner {
    inner: LocalSigner,
    calls: AtomicUsize,
    away: std::ops::Range<usize>,
}

impl Signer for AwaySigner {
    fn operator_key(&self) -> PublicKey {
        self.inner.operator_key()
    }

    fn checkpoint_key(&self) -> PublicKey {
        self.inner.checkpoint_key()
    }

    fn sign_operator_record(&self, record: Vec<u8>) -> Result<SignedEnvelope, SignerError> {
        self.inner.sign_operator_record(record)
    }

    fn sign_checkpoint(
        &self,
        contents: TimestampedCheckpoint,
    ) -> Result<SignedCheckpoint, SignerError> {
        if self.away.contains(&self.calls.fetch_add(1, Ordering::SeqCst)) {
            return Err(SignerError("it is away".into()));
        }
        self.inner.sign_checkpoint(contents)
    }
}

/// The newest record that is shown is proven to who knows a newer one.
#[tokio::test]
async fn a_record_without_a_signed_checkpoint_is_proven_to_nobody() {
    let mut world = World::new();
    let inner = LocalSigner::new(key(1));
    world.signer = Arc::new(AwaySigner { inner, calls: AtomicUsize::new(0), away: 2..3 });
    let registry = world.open();
    let author = key(2);
    let first = record(&author, None, [init(&author)]);
    submit(&registry, "test:a", &first).await.unwrap();
    let grant = Entry::grant(key(3).public_key(), [PackagePermission::Release]);
    let second = record(&author, Some(first.record_id()), [grant]);
    let unsigned = submit(&registry, "test:a", &second).await;
    assert!(matches!(unsigned, Err(WriteError::Unavailable(_))), "{unsigned:?}");
    let log = LogId::package(&name("test:a"));
    let page = registry.fetch_transcript(&TranscriptRequest {
        limit: 100,
        packages: vec![(log, Some(second.record_id().to_string()))],
        ..TranscriptRequest::default()
    });
    let page = page.unwrap();
    let length = page.checkpoint.contents.checkpoint.log_length;
    assert_eq!((length.get(), &page.logs.packages), (2, &vec![(log, Vec::new())]));
    let heads = [0, 1].map(RegistryIndex::new);
    let (proofs, expected) = (page.proofs.unwrap(), registry.prove_inclusion(length, &heads));
    assert_eq!(proofs.map, expected.unwrap().map);
}

/// What is committed and not signed is not shown, and is once the signer is back.
#[tokio::test]
async fn nothing_is_shown_without_a_signed_checkpoint() {
    let mut world = World::new();
    let inner = LocalSigner::new(key(1));
    world.signer = Arc::new(AwaySigner { inner, calls: AtomicUsize::new(0), away: 1..3 });
    let registry = world.open();
    let author = key(2);
    let first = record(&author, None, [init(&author)]);
    let error = submit(&registry, "test:a", &first).await.unwrap_err();
    assert!(matches!(error, WriteError::Unavailable(_)));
    assert_eq!(registry.newest().committed.length().get(), 1);
    let log = LogId::package(&name("test:a"));
    let status = registry.status(&log, &first.record_id()).unwrap();
    assert_eq!(status, Some(RecordStatus::Processing));
    // Not even to who knows its name, as its publisher does.
    let known = TranscriptRequest {
        limit: 100,
        packages: vec![(log, Some(first.record_id().to_string()))],
        ..TranscriptRequest::default()
    };
    let hidden = registry.fetch_transcript(&known);
    assert!(matches!(hidden, Err(ReadError::LogNotFound(hidden)) if hidden == log));
    registry.tend().await.unwrap_err();
    registry.tend().await.unwrap();
    assert!(registry.fetch_transcript(&known).unwrap().proofs.is_some());
    assert_eq!(registry.newest().committed.length().get(), 2);
    published(&registry.status(&log, &first.record_id()).unwrap().unwrap());
    world.check();
}
