//! A registry in memory, its router, and requests to it.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;
use wargate_crypto::{Digest, PrivateKey};
use wargate_http::{Options, router};
use wargate_protocol::{
    Entry, LogId, OperatorEnvelope, Package, PackageEnvelope, PackageName, PackageRecord, RecordId,
    SignedEnvelope, Timestamp,
};
use wargate_registry::limits::Limits;
use wargate_registry::seams::{Clock, InPlace, LocalSigner};
use wargate_registry::usage::Quotas;
use wargate_registry::{Driver, Parts, Registry, Tools};
use wargate_testkit::faults::MemoryBlobs;
use wargate_testkit::memory_index::MemoryIndex;
use wargate_testkit::memory_store::MemoryStore;
use wargate_testkit::vectors::{Walk, load};

use crate::document;

/// The empty component.
pub(crate) const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

pub(crate) const JSON: &str = "application/json";

/// A clock that stands until it is set.
#[derive(Debug)]
pub(crate) struct ManualClock(Mutex<Timestamp>);

impl ManualClock {
    pub(crate) fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap() = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

pub(crate) struct World {
    pub(crate) registry: Arc<Registry>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// One of the keys of the vectors: `operator`, `alice`, `bob`, `carol`.
pub(crate) fn key(label: &str) -> PrivateKey {
    let keys = load("keys");
    let key = keys.list("keys").iter().find(|key| key.text("label") == label).unwrap();
    PrivateKey::from_text(key.text("private_key_text")).unwrap()
}

pub(crate) fn options() -> Options {
    Options::new("http://127.0.0.1:8090".parse().unwrap())
}

/// How a world differs from the usual one.
pub(crate) struct Setup {
    pub(crate) now: Timestamp,
    pub(crate) options: Options,
    pub(crate) limits: Limits,
    pub(crate) quotas: Quotas,
    pub(crate) driver: Driver,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            now: Timestamp::from_seconds(1_700_000_000),
            options: options(),
            limits: Limits::default(),
            quotas: Quotas::default(),
            driver: Driver::Caller,
        }
    }
}

impl World {
    /// The namespace `test` is defined, `elsewhere` imported.
    pub(crate) fn new() -> Self {
        Self::with(Setup::default())
    }

    pub(crate) fn with(setup: Setup) -> Self {
        let imported = Entry::import_namespace("elsewhere", "other.example");
        Self::open(setup, &[Entry::define_namespace("test"), imported])
    }

    /// One whose first record is a recorded one, byte for byte.
    pub(crate) fn recorded(genesis: &Value) -> Self {
        let envelope: SignedEnvelope = serde_json::from_value(genesis.clone()).unwrap();
        let now = OperatorEnvelope::decode(envelope).unwrap().record().timestamp;
        Self::open(Setup { now, ..Setup::default() }, &[Entry::define_namespace("test")])
    }

    fn open(setup: Setup, entries: &[wargate_protocol::OperatorEntry]) -> Self {
        let Setup { now, options, limits, quotas, driver } = setup;
        let clock = Arc::new(ManualClock(Mutex::new(now)));
        let store = Arc::new(MemoryStore::new());
        let tools = Tools {
            store: store.clone(),
            clock: clock.clone(),
            signer: Arc::new(LocalSigner::new(key("operator"))),
            record_policies: Vec::new(),
            content_policies: Vec::new(),
            define_namespaces: false,
            limits,
            quotas: Arc::new(quotas),
        };
        let parts = Parts {
            readers: store.clone(),
            tools,
            blobs: Arc::new(MemoryBlobs::new()),
            offload: Arc::new(InPlace),
            index: Arc::new(MemoryIndex::default()),
            driver,
        };
        let registry = Registry::open(parts, entries).unwrap();
        let router = router(Arc::clone(&registry), options);
        Self { registry, store, clock, router }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, body };
        document::check(&method, &path, &answer);
        answer
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Body::empty()).unwrap()).await
    }

    /// `GET` with one more header.
    pub(crate) async fn get_with(&self, path: &str, name: &str, value: &str) -> Answer {
        self.send(request("GET", path).header(name, value).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        self.send(request("POST", path).header(CONTENT_TYPE, JSON).body(body).unwrap()).await
    }

    pub(crate) async fn upload(&self, path: &str, bytes: impl Into<Body>) -> Answer {
        self.send(request("POST", path).body(bytes.into()).unwrap()).await
    }

    pub(crate) async fn publish(&self, release: &Signed) -> Answer {
        self.post(&release.path(), &release.body()).await
    }

    /// Publishes a new package with the empty component.
    pub(crate) async fn publish_new(&self, name: &str) -> Signed {
        let record = Signed::first(name, "alice", self.clock.now(), "0.1.0", EMPTY);
        let answer = self.publish(&record).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        if answer.json()["state"] == "sourcing" {
            let uploaded = self.upload(&record.upload_path(&Digest::of(EMPTY)), EMPTY).await;
            assert_eq!(uploaded.status, 201, "{uploaded:?}");
        }
        record
    }

    pub(crate) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn length(&self) -> u64 {
        self.registry.newest().committed.length().get()
    }
}

pub(crate) fn request(method: &str, path: &str) -> axum::http::request::Builder {
    Request::builder().method(method).uri(path)
}

impl Answer {
    /// The body, which must be JSON by name and nature.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some(JSON), "{self:?}");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let name: HeaderName = name.parse().unwrap();
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// An error must say its status in its body, too.
    #[track_caller]
    pub(crate) fn error(&self, status: StatusCode) -> Value {
        assert_eq!(self.status, status.as_u16(), "{self:?}");
        let body = self.json();
        assert_eq!(body["status"], json!(self.status), "{body}");
        body
    }
}

/// A signed record of a package.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) name: PackageName,
    pub(crate) record: SignedEnvelope,
}

impl Signed {
    pub(crate) fn new(
        name: &str,
        signer: &str,
        prev: Option<RecordId>,
        time: Timestamp,
        entries: Vec<Entry<Package>>,
    ) -> Self {
        let bytes = PackageRecord::new(prev, time, entries).encode();
        let record = SignedEnvelope::sign::<Package>(bytes, &key(signer));
        Self { name: name.parse().unwrap(), record }
    }

    /// Init and a release.
    pub(crate) fn first(
        name: &str,
        signer: &str,
        time: Timestamp,
        version: &str,
        content: &[u8],
    ) -> Self {
        let init = Entry::init(key(signer).public_key());
        let release = Entry::release(version.parse().unwrap(), Digest::of(content));
        Self::new(name, signer, None, time, vec![init, release])
    }

    /// A release behind this record.
    pub(crate) fn next(
        &self,
        signer: &str,
        time: Timestamp,
        version: &str,
        content: &[u8],
    ) -> Self {
        let release = Entry::release(version.parse().unwrap(), Digest::of(content));
        Self::new(self.name.as_str(), signer, Some(self.id()), time, vec![release])
    }

    pub(crate) fn log(&self) -> LogId {
        LogId::package(&self.name)
    }

    pub(crate) fn id(&self) -> RecordId {
        PackageEnvelope::decode(self.record.clone()).unwrap().record_id()
    }

    pub(crate) fn path(&self) -> String {
        format!("/v1/package/{}/record", self.log())
    }

    pub(crate) fn state_path(&self) -> String {
        format!("{}/{}", self.path(), self.id())
    }

    pub(crate) fn upload_path(&self, content: &Digest) -> String {
        format!("{}/content/{content}", self.state_path())
    }

    pub(crate) fn body(&self) -> Value {
        json!({ "packageName": self.name.as_str(), "record": self.record })
    }
}
