//! Publishing, uploading, and waiting for what becomes of it.

use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use http_body::Frame;
use serde_json::{Value, json};
use wargate_crypto::{Digest, KeyId};
use wargate_http::{Sources, Wanted};
use wargate_protocol::{LogId, RecordId};
use wargate_registry::limits::Limits;
use wargate_registry::store::{Batch, Ledger, PendingRecord, PendingState, Store};
use wargate_registry::{Driver, WriteError};

use crate::world::{EMPTY, JSON, Setup, Signed, World, options, request};

/// A body that comes in pieces.
pub(crate) struct Chunks(pub(crate) Vec<Option<Bytes>>);

impl http_body::Body for Chunks {
    type Data = Bytes;
    type Error = std::io::Error;

    /// `None` among the pieces: the client has gone.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
        let piece = self.0.pop();
        let gone = || std::io::ErrorKind::ConnectionReset.into();
        Poll::Ready(piece.map(|piece| piece.map(Frame::data).ok_or_else(gone)))
    }
}

pub(crate) fn chunks(content: &[u8], size: usize) -> Vec<Option<Bytes>> {
    content.chunks(size).rev().map(|chunk| Some(Bytes::copy_from_slice(chunk))).collect()
}

pub(crate) fn content(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[tokio::test]
async fn content_comes_in_pieces_of_any_size() {
    let world = World::new();
    for (n, (size, piece)) in [
        (0, 1),
        (1, 1),
        (16 << 10, 999),
        ((16 << 10) + 1, 16 << 10),
        (1_000_000, 7777),
        (1_000_000, 700_000),
    ]
    .into_iter()
    .enumerate()
    {
        let content = [content(size), n.to_string().into_bytes()].concat();
        let record =
            Signed::first(&format!("test:p{n}"), "alice", world.clock_now(), "0.1.0", &content);
        assert_eq!(world.publish(&record).await.json()["state"], "sourcing");
        let digest = Digest::of(&content);
        let body = Body::new(Chunks(chunks(&content, piece)));
        assert_eq!(world.upload(&record.upload_path(&digest), body).await.status, 201);
        assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
        let path = format!("/content/{}", digest.to_string().replace(':', "-"));
        assert_eq!(world.get(&path).await.body, content);
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let world = World::new();
    let content = content(600_000);
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", &content);
    world.publish(&record).await;
    let path = record.upload_path(&Digest::of(&content));
    let mut broken = chunks(&content, 100_000);
    broken[0] = None;
    world.upload(&path, Body::new(Chunks(broken))).await.error(StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "sourcing");
    assert_eq!(world.upload(&path, content).await.status, 201);
}

#[tokio::test]
async fn uploads_may_be_sent_with_put() {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    world.publish(&record).await;
    let put = request("PUT", &record.upload_path(&Digest::of(EMPTY))).body(Body::from(EMPTY));
    assert_eq!(world.send(put.unwrap()).await.status, 201);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
}

#[tokio::test]
async fn content_above_the_limit_is_refused() {
    let limits = Limits { content_bytes_max: 1000, ..Limits::default() };
    let world = World::with(Setup { limits, ..Setup::default() });
    let large = content(1001);
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", &large);
    world.publish(&record).await;
    let answer = world.upload(&record.upload_path(&Digest::of(&large)), large).await;
    answer.error(StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn too_many_waiting_records_are_told_to_come_back() {
    let limits = Limits { sourcing_records_max: 1, ..Limits::default() };
    let world = World::with(Setup { limits, ..Setup::default() });
    let record = |name| Signed::first(name, "alice", world.clock_now(), "0.1.0", EMPTY);
    assert_eq!(world.publish(&record("test:one")).await.status, 202);
    let busy = world.publish(&record("test:two")).await;
    busy.error(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(busy.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn what_is_missing_says_where_it_goes() {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    let answer = world.publish(&record).await.json();
    let digest = Digest::of(EMPTY).to_string();
    let url = record.upload_path(&Digest::of(EMPTY));
    let upload = json!([{ "type": "http", "method": "POST", "url": url.trim_start_matches('/') }]);
    let expected = json!({
        "recordId": record.id(),
        "state": "sourcing",
        "missingContent": { digest: { "upload": upload } },
    });
    assert_eq!(answer, expected);
    assert_eq!(world.get(&record.state_path()).await.json(), expected);
}

#[tokio::test]
async fn imported_namespaces_are_hinted_at() {
    const HINT: Option<&str> = Some("elsewhere=other.example");
    let world = World::new();
    let record = Signed::first("elsewhere:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    let fetch = json!({ "logLength": 1, "packages": { (record.log().to_string()): null } });
    let before = world.post("/v1/fetch/logs", &fetch).await;
    before.error(StatusCode::NOT_FOUND);
    assert_eq!(before.header("warg-registry-hint"), None);
    let refused = world.publish(&record).await;
    let body = json!({ "status": 409, "type": "namespaceImport", "id": "elsewhere" });
    assert_eq!(refused.error(StatusCode::CONFLICT), body);
    assert_eq!(refused.header("warg-registry-hint"), HINT);
    let after = world.post("/v1/fetch/logs", &fetch).await;
    assert_eq!(after.error(StatusCode::NOT_FOUND)["type"], "log");
    assert_eq!(after.header("warg-registry-hint"), HINT);
}

#[tokio::test]
async fn content_sources_come_after_what_is_wrong_with_the_record() {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    let source = json!([{ "type": "httpGet", "url": "https://a.example/x" }]);
    let mut body = record.body();
    body["contentSources"] = json!({ (Digest::of(EMPTY).to_string()): source });
    let post = async |path: &str, body: &Value| world.post(path, body).await;
    post(&record.path(), &body).await.error(StatusCode::NOT_IMPLEMENTED);
    let other = record.path().replace(&record.log().to_string(), &Digest::of(b"").to_string());
    post(&other, &body).await.error(StatusCode::BAD_REQUEST);
    body["record"]["contentBytes"] = json!("//8=");
    post(&record.path(), &body).await.error(StatusCode::BAD_REQUEST);
}

/// Notes what is to be fetched, and fetches nothing.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<(RecordId, Wanted)>>);

impl Sources for Notes {
    fn check(&self, url: &str) -> Result<(), String> {
        if url.starts_with("https:") { Ok(()) } else { Err("is not the internet's".into()) }
    }

    fn take(&self, _: LogId, record: RecordId, _: KeyId, wanted: Wanted) -> Result<(), WriteError> {
        self.0.lock().unwrap().push((record, wanted));
        Ok(())
    }

    fn is_fetching(&self, _: &LogId, record: &RecordId) -> bool {
        self.0.lock().unwrap().iter().any(|(noted, _)| noted == record)
    }
}

#[tokio::test]
async fn sources_are_noted_where_content_is_fetched() {
    let notes = Arc::<Notes>::default();
    let options = wargate_http::Options { sources: Some(notes.clone()), ..options() };
    let world = World::with(Setup { options, ..Setup::default() });
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    let digest = Digest::of(EMPTY);
    let post = async |sources: Value| {
        let mut body = record.body();
        body["contentSources"] = sources;
        world.post(&record.path(), &body).await
    };
    let source = |url: &str| json!({ "type": "httpGet", "url": url });
    let (a, b) = ("https://a.example/x", "https://b.example/x");
    let wrong = [
        json!({ (digest.to_string()): [source(a), source("http://10.0.0.1/")] }),
        json!({ (digest.to_string()): vec![source(a); 9] }),
        json!({ "sha256:00": [source(a)] }),
    ];
    for sources in wrong {
        post(sources).await.error(StatusCode::BAD_REQUEST);
    }
    assert!(notes.0.lock().unwrap().is_empty());
    // What the record does not need, or has no source, is not fetched.
    let other = Digest::of(b"other").to_string();
    let unneeded = post(json!({ (other.clone()): [source(a)], (digest.to_string()): [] })).await;
    assert_eq!(unneeded.json()["state"], "sourcing");
    let sources = json!({ (other): [source(a)], (digest.to_string()): [source(a), source(b)] });
    for _ in 0..2 {
        assert_eq!(post(sources.clone()).await.json()["state"], "processing");
    }
    let state = world.get(&record.state_path()).await;
    assert_eq!(state.json()["state"], "processing");
    let expected = (record.id(), vec![(digest, vec![a.to_owned(), b.to_owned()])]);
    assert_eq!(*notes.0.lock().unwrap(), [expected]);
    // It may come another way.
    let uploaded = world.upload(&record.upload_path(&digest), EMPTY.to_vec()).await;
    assert_eq!(uploaded.status, 201);
    let state = world.get(&record.state_path()).await;
    assert_eq!(state.json()["state"], "published");
}

/// A record that the store has as ready, and that nobody sequences yet.
fn processing(hold: Duration) -> (Arc<World>, Signed) {
    let options = wargate_http::Options { hold, ..options() };
    let world = World::with(Setup { options, driver: Driver::Thread, ..Setup::default() });
    let init = wargate_protocol::Entry::init(crate::world::key("alice").public_key());
    let record = Signed::new("test:one", "alice", None, world.clock_now(), vec![init]);
    let pending = PendingRecord {
        log: record.log(),
        record: record.id(),
        name: record.name.clone(),
        envelope: record.record.clone(),
        admitted_seconds: 0,
        state: PendingState::Ready,
    };
    let head = world.store.head().unwrap().unwrap();
    let checkpoint_seconds = head.checkpoint_seconds;
    let batch = Batch { checkpoint_seconds, admitted: vec![pending], ..Batch::default() };
    world.store.commit(Some(head.revision), &batch).unwrap();
    (Arc::new(world), record)
}

#[tokio::test]
async fn a_question_is_held_until_the_record_is_final() {
    let (world, record) = processing(Duration::from_mins(10));
    let driver = Arc::clone(&world.registry);
    let asked = async { world.get(&record.state_path()).await };
    let sequenced = async {
        // The step that this makes finds the record that is ready.
        let thread = std::thread::spawn(move || driver.drive());
        world.registry.tend().await.unwrap();
        world.registry.close();
        thread.join().unwrap();
    };
    let (answer, ()) = tokio::join!(asked, sequenced);
    assert_eq!(answer.json()["state"], "published");
}

#[tokio::test]
async fn a_question_is_not_held_for_ever() {
    let (world, record) = processing(Duration::ZERO);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "processing");
}

#[tokio::test]
async fn bodies_are_checked_in_the_order_of_the_specification() {
    let world = World::new();
    let send = async |path: &str, kind: Option<&str>, other: bool, body: &'static str| {
        let mut builder = request("POST", path);
        if let Some(kind) = kind {
            builder = builder.header("content-type", kind);
        }
        if other {
            builder = builder.header("warg-registry", "other.example");
        }
        world.send(builder.body(Body::from(body)).unwrap()).await
    };
    let log = Digest::of(b"");
    let path = format!("/v1/package/{log}/record");
    send("/v1/package/x/record", None, true, "{").await.error(StatusCode::BAD_REQUEST);
    send(&path, None, true, "{").await.error(StatusCode::NOT_IMPLEMENTED);
    send(&path, None, false, "{").await.error(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    send(&path, Some("text/json"), false, "{").await.error(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    send(&path, Some(JSON), false, "{").await.error(StatusCode::BAD_REQUEST);
    send(&path, Some(JSON), false, "{} x").await.error(StatusCode::UNPROCESSABLE_ENTITY);
    send(&path, Some(JSON), false, "[]").await.error(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(world.length(), 1);
}
