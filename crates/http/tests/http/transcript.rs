//! Checkpoint, records and proofs in one answer, beside the answers to separate requests.

use std::fmt::Write;

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::{Value, json};
use wargate_api::fetch::{FetchTranscriptRequest, FetchTranscriptResponse, PublishedRecord};
use wargate_protocol::verify::{Session, TrustAnchor, Verified};
use wargate_protocol::{LogId, LogLength};

use crate::world::{Answer, EMPTY, JSON, Signed, World, key, request};

const PATH: &str = "/v1/fetch/transcript";

fn text(answer: &Answer) -> &str {
    assert_eq!(answer.status, 200, "{answer:?}");
    std::str::from_utf8(&answer.body).unwrap()
}

/// Sends text, whose members keep their order.
async fn post(world: &World, path: &str, body: String) -> Answer {
    let request = request("POST", path).header("content-type", JSON);
    world.send(request.body(Body::from(body)).unwrap()).await
}

/// The bytes of a transcript are those of the separate answers. `leafs` are the positions of the
/// newest records, operator log first.
async fn assert_equals_separate(world: &World, packages: &str, from: &[u64], leafs: &[u64]) {
    let length = world.length();
    let checkpoint = world.get("/v1/fetch/checkpoint").await;
    let body = format!(r#"{{"logLength":{length},"limit":1000,"packages":{packages}}}"#);
    let logs = post(world, "/v1/fetch/logs", body).await;
    let body = json!({ "logLength": length, "leafs": leafs });
    let inclusion = world.post("/v1/proof/inclusion", &body).await;
    let mut proofs = text(&inclusion).strip_suffix('}').unwrap().to_owned();
    let mut consistency = Vec::new();
    for from in from.iter().filter(|from| (1..length).contains(*from)) {
        let body = json!({ "from": from, "to": length });
        let answer = world.post("/v1/proof/consistency", &body).await;
        consistency.push(format!(r#"{{"from":{from},{}"#, &text(&answer)[1..]));
    }
    if !consistency.is_empty() {
        write!(proofs, r#","consistency":[{}]"#, consistency.join(",")).unwrap();
    }
    let body = format!(r#"{{"packages":{packages},"consistentFrom":{}}}"#, json!(from));
    let transcript = post(world, PATH, body).await;
    assert_eq!(transcript.header("cache-control"), Some("no-store"));
    let (checkpoint, logs) = (text(&checkpoint), text(&logs));
    let expected = format!(r#"{{"checkpoint":{checkpoint},"logs":{logs},"proofs":{proofs}}}}}"#);
    assert_eq!(text(&transcript), expected);
}

#[tokio::test]
async fn a_transcript_is_what_separate_requests_answer() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let two = world.publish_new("test:two").await;
    let next = one.next("alice", world.clock_now(), "0.2.0", EMPTY);
    assert_eq!(world.publish(&next).await.json()["state"], "published");
    let (log, other) = (one.log().to_string(), two.log().to_string());
    let (first, last) = (one.id(), next.id());
    let cold = format!(r#"{{"{log}":null,"{other}":null}}"#);
    assert_equals_separate(&world, &cold, &[], &[0, 3, 2]).await;
    let reversed = format!(r#"{{"{other}":null,"{log}":null}}"#);
    assert_equals_separate(&world, &reversed, &[1], &[0, 2, 3]).await;
    let known = format!(r#"{{"{log}":"{first}"}}"#);
    assert_equals_separate(&world, &known, &[0, 2, 4], &[0, 3]).await;
    // There is nothing new: the newest record is proven all the same.
    let current = format!(r#"{{"{log}":"{last}"}}"#);
    assert_equals_separate(&world, &current, &[9, 3], &[0, 3]).await;
    assert_equals_separate(&world, "{}", &[], &[0]).await;
}

#[tokio::test]
async fn a_list_that_is_full_comes_without_proofs() {
    let world = World::new();
    let mut record = world.publish_new("test:one").await;
    for minor in 2..=1001 {
        let version = format!("0.{minor}.0");
        record = record.next("alice", world.clock_now(), &version, EMPTY);
        assert_eq!(world.publish(&record).await.json()["state"], "published");
    }
    let log = record.log().to_string();
    let answer = world.post(PATH, &json!({ "packages": { (&log): null } })).await.json();
    assert_eq!((&answer["logs"]["more"], &answer["proofs"]), (&json!(true), &Value::Null));
    let records = answer["logs"]["packages"][&log].as_array().unwrap();
    assert_eq!(records.len(), 1000);
    let packages = json!({ (&log): records[999]["fetchToken"] }).to_string();
    assert_equals_separate(&world, &packages, &[], &[0, 1001]).await;
}

#[tokio::test]
async fn a_transcript_fails_as_records_do() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let post = async |body: Value| post(&world, PATH, body.to_string()).await;
    let unknown = Signed::first("elsewhere:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    let missing = json!({ "packages": { (unknown.log().to_string()): null } });
    let answer = post(missing.clone()).await;
    let id = unknown.log().to_string();
    let body = answer.error(StatusCode::NOT_FOUND);
    assert_eq!(body, json!({ "status": 404, "type": "log", "id": id }));
    assert_eq!(answer.header("warg-registry-hint"), None);
    // The namespace is imported, and now somebody has named the package.
    world.publish(&unknown).await.error(StatusCode::CONFLICT);
    let hint = post(missing).await;
    assert_eq!(hint.header("warg-registry-hint"), Some("elsewhere=other.example"));
    let log = one.log().to_string();
    let token = json!({ "status": 404, "type": "fetchToken", "id": "x" });
    let answer = post(json!({ "packages": { (&log): "x" } })).await;
    assert_eq!(answer.error(StatusCode::NOT_FOUND), token);
    assert_eq!(post(json!({ "operator": "x" })).await.error(StatusCode::NOT_FOUND), token);
    for (body, status) in [
        (json!({ "logLength": 1 }), 422),
        (json!({ "limit": 1 }), 422),
        (json!({ "packages": { "x": null } }), 422),
        (json!({ "consistentFrom": [-1] }), 422),
        (json!({ "consistentFrom": [1, 1, 1, 1, 1] }), 400),
        (json!({ "consistentFrom": [1, 1, 1, 1] }), 200),
    ] {
        assert_eq!(post(body.clone()).await.status, status, "{body}");
    }
    let many: serde_json::Map<_, _> = (0..1000_u32)
        .map(|n| (wargate_crypto::Digest::of(&n.to_be_bytes()).to_string(), Value::Null))
        .collect();
    post(json!({ "packages": many })).await.error(StatusCode::BAD_REQUEST);
}

/// Brings a client up to date with one request.
async fn follow(world: &World, known: Verified, packages: &[LogId]) -> Verified {
    let token = |log: &LogId| {
        let head = known.package(log)?.state().head()?;
        Some(wargate_api::fetch::FetchToken(head.record_id.to_string()))
    };
    let seen = known.checkpoint().map(|seen| seen.contents.checkpoint.log_length);
    let request = FetchTranscriptRequest {
        operator: None,
        packages: packages.iter().map(|log| (*log, token(log))).collect(),
        consistent_from: seen.into_iter().collect(),
    };
    let answer = post(world, PATH, serde_json::to_string(&request).unwrap()).await;
    let answer: FetchTranscriptResponse = serde_json::from_slice(&answer.body).unwrap();
    let operator_keys = vec![key("operator").public_key().id()];
    let anchor = TrustAnchor { operator_keys, ..TrustAnchor::default() };
    let mut session = Session::new(anchor, known, answer.checkpoint, packages.iter().copied());
    let placed = |records: Vec<PublishedRecord>| records.into_iter().map(|record| record.record);
    session.receive(LogId::operator(), placed(answer.logs.operator)).unwrap();
    for (log, records) in answer.logs.packages {
        session.receive(log, placed(records)).unwrap();
    }
    session.close().unwrap().prove(answer.proofs.unwrap()).unwrap()
}

#[tokio::test]
async fn a_transcript_is_all_that_a_client_needs_to_verify() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let known = follow(&world, Verified::nothing(), &[one.log()]).await;
    let two = world.publish_new("test:two").await;
    // One log is new, the other has not changed.
    let known = follow(&world, known, &[two.log(), one.log()]).await;
    let next = one.next("alice", world.clock_now(), "0.2.0", EMPTY);
    world.publish(&next).await;
    let known = follow(&world, known, &[one.log(), two.log()]).await;
    // Nothing has.
    let known = follow(&world, known, &[one.log(), two.log()]).await;
    let state = known.package(&one.log()).unwrap().state();
    assert_eq!(state.head().unwrap().record_id, next.id());
    assert_eq!(known.package(&two.log()).unwrap().as_of(), LogLength::new(world.length()));
}
