//! A registry with a clock that the test sets, and what publishers do with it. By default all of it is
//! in memory; any store and blobs can take their place.

#![expect(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "for tests only: what cannot be is a failed test"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{
    Entry, LogId, Namespace, OperatorEntry, PackageEntry, PackageEnvelope, PackageName,
    PackageRecord, RecordId, Timestamp,
};
use wargate_registry::blobs::Blobs;
use wargate_registry::fsck::{self, Depth};
use wargate_registry::index::Index;
use wargate_registry::limits::Limits;
use wargate_registry::policy::{ContentPolicy, RecordPolicy};
use wargate_registry::seams::{Clock, InPlace, LocalSigner, Signer};
use wargate_registry::store::Store;
use wargate_registry::usage::Quotas;
use wargate_registry::{
    Driver, OpenError, Parts, RecordStatus, Registry, Submission, Tools, WriteError,
};

use crate::faults::MemoryBlobs;
use crate::memory_index::MemoryIndex;
use crate::memory_store::MemoryStore;

/// A second in 2023, when the story begins.
pub const BEGIN: i64 = 1_700_000_000;

/// A clock that stands still until it is set.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// Sets the time, in seconds of the Unix epoch.
    pub fn set(&self, seconds: i64) {
        self.0.store(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::SeqCst))
    }
}

/// What a registry is made of, to be opened once or more often.
pub struct World {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// Where large content is kept.
    pub blobs: Arc<dyn Blobs>,
    /// What is found by more than a name.
    pub index: Arc<dyn Index>,
    /// The time.
    pub clock: Arc<TestClock>,
    /// The operator.
    pub signer: Arc<dyn Signer>,
    /// Asked for each record.
    pub record_policies: Vec<Arc<dyn RecordPolicy>>,
    /// Asked for each content.
    pub content_policies: Vec<Arc<dyn ContentPolicy>>,
    /// Whether publishing defines namespaces.
    pub define_namespaces: bool,
    /// Limits.
    pub limits: Limits,
    /// How much namespaces and keys may use.
    pub quotas: Quotas,
    /// Who makes the steps.
    pub driver: Driver,
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// All of it in memory.
    pub fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()))
    }

    /// Over another store.
    pub fn over(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            blobs: Arc::new(MemoryBlobs::new()),
            index: Arc::new(MemoryIndex::default()),
            clock: Arc::new(TestClock(AtomicI64::new(BEGIN))),
            signer: Arc::new(LocalSigner::new(key(1))),
            record_policies: Vec::new(),
            content_policies: Vec::new(),
            define_namespaces: false,
            limits: Limits::default(),
            quotas: Quotas::default(),
            driver: Driver::Caller,
        }
    }

    /// Opens the registry; its namespace is `test`.
    pub fn try_open(&self) -> Result<Arc<Registry>, OpenError> {
        self.try_open_with(&[Entry::define_namespace("test")])
    }

    fn try_open_with(&self, entries: &[OperatorEntry]) -> Result<Arc<Registry>, OpenError> {
        let tools = Tools {
            store: Arc::clone(&self.store),
            clock: Arc::<TestClock>::clone(&self.clock),
            signer: Arc::clone(&self.signer),
            record_policies: self.record_policies.clone(),
            content_policies: self.content_policies.clone(),
            define_namespaces: self.define_namespaces,
            limits: self.limits,
            quotas: Arc::new(self.quotas.clone()),
        };
        let parts = Parts {
            tools,
            blobs: Arc::clone(&self.blobs),
            offload: Arc::new(InPlace),
            readers: Arc::clone(&self.store),
            index: Arc::clone(&self.index),
            driver: self.driver,
        };
        Registry::open(parts, entries)
    }

    /// Opens the registry with more entries in its first record, if that has yet to be written.
    pub fn open_with(&self, entries: &[OperatorEntry]) -> Arc<Registry> {
        let mut all = vec![Entry::define_namespace("test")];
        all.extend_from_slice(entries);
        self.try_open_with(&all).unwrap()
    }

    /// Opens the registry.
    pub fn open(&self) -> Arc<Registry> {
        self.try_open().unwrap()
    }

    /// Everything that is kept agrees with the log.
    pub fn check(&self) {
        let report = fsck::check(&*self.store, &*self.blobs, Depth::Bytes).unwrap();
        assert!(report.is_clean(), "{:#?}", report.findings);
    }
}

/// One of many keys.
pub fn key(number: u8) -> PrivateKey {
    let scalar = wargate_protocol::base64::encode(&[number; 32]);
    PrivateKey::from_text(&format!("ecdsa-p256:{scalar}")).unwrap()
}

/// A package name.
pub fn name(text: &str) -> PackageName {
    text.parse().unwrap()
}

/// A namespace.
pub fn namespace(text: &str) -> Namespace {
    text.parse().unwrap()
}

/// A time.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

/// A record at the beginning of the story.
pub fn record(
    key: &PrivateKey,
    prev: Option<RecordId>,
    entries: impl IntoIterator<Item = PackageEntry>,
) -> PackageEnvelope {
    record_at(key, prev, BEGIN, entries)
}

/// A record of any time.
pub fn record_at(
    key: &PrivateKey,
    prev: Option<RecordId>,
    seconds: i64,
    entries: impl IntoIterator<Item = PackageEntry>,
) -> PackageEnvelope {
    let entries = entries.into_iter().collect();
    PackageEnvelope::sign(&PackageRecord::new(prev, at(seconds), entries), key).unwrap()
}

/// Begins a package.
pub fn init(key: &PrivateKey) -> PackageEntry {
    Entry::init(key.public_key())
}

/// Releases a version.
pub fn release(version: &str, content: &[u8]) -> PackageEntry {
    Entry::release(version.parse().unwrap(), Digest::of(content))
}

/// Sends a record.
pub async fn submit(
    registry: &Arc<Registry>,
    package: &str,
    record: &PackageEnvelope,
) -> Result<RecordStatus, WriteError> {
    let name = name(package);
    let log = LogId::package(&name);
    let submission = Submission { log, name, record: record.signed().clone() };
    let (id, status) = registry.publish(submission).await?;
    assert_eq!(id, record.record_id());
    Ok(status)
}

/// Sends content, in pieces.
pub async fn upload(
    registry: &Arc<Registry>,
    package: &str,
    record: &PackageEnvelope,
    digest: &Digest,
    bytes: &[u8],
) -> Result<RecordStatus, WriteError> {
    let log = LogId::package(&name(package));
    let mut upload = registry.begin_upload(&log, &record.record_id(), digest)?;
    for piece in bytes.chunks(1000) {
        upload.write(piece)?;
    }
    upload.finish().await
}

/// Publishes a record whose content is `content`, and returns it.
pub async fn publish(
    registry: &Arc<Registry>,
    package: &str,
    record: &PackageEnvelope,
    content: &[u8],
) -> RecordStatus {
    match submit(registry, package, record).await.unwrap() {
        RecordStatus::Sourcing(missing) => {
            assert_eq!(missing, [Digest::of(content)]);
            upload(registry, package, record, &missing[0], content).await.unwrap()
        }
        status => status,
    }
}

/// Asserts that a record was refused, and returns why.
pub fn refused(status: RecordStatus) -> String {
    match status {
        RecordStatus::Rejected { reason } => reason,
        status => panic!("the record is {status:?} instead of refused"),
    }
}

/// Asserts that a record is in the log, and returns where.
pub fn published(status: &RecordStatus) -> u64 {
    match status {
        RecordStatus::Published { index } => index.get(),
        status => panic!("the record is {status:?} instead of published"),
    }
}
