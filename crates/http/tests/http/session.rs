//! A recorded session of 35 commands of the reference client, replayed against our router.
//!
//! Before each checkpoint that the client fetched, the clock is set to the checkpoint's recorded time.
//! With that, every value of every answer is the recorded one, signatures of the operator included,
//! apart from the rows of `docs/spec/deviations.md` that are named here.

use axum::body::Body;
use serde_json::{Value, json};
use wargate_protocol::Timestamp;
use wargate_testkit::vectors::{Walk, load};

use crate::compare::difference;
use crate::world::{Answer, World, request};

/// Rows of the deviations page that this replay meets.
pub(crate) const ROWS: &[&str] =
    &["checkpoint-at-once", "discovery-document", "final-state-at-once"];

#[tokio::test]
async fn the_recorded_session_goes_as_recorded() {
    let vectors = load("http-cli-session");
    let exchanges: Vec<&Value> =
        vectors.list("commands").iter().flat_map(|command| command.list("exchanges")).collect();
    let genesis = exchanges.iter().find_map(|exchange| {
        let answer: Value =
            serde_json::from_str(exchange["response_body"]["text"].as_str()?).ok()?;
        Some(answer["operator"][0].clone()).filter(Value::is_object)
    });
    let world = World::recorded(&genesis.unwrap());
    let (mut met, mut equal) = (Vec::new(), 0);
    for exchange in exchanges {
        let theirs = exchange["response_body"]["text"].as_str().unwrap_or_default();
        if exchange.text("path") == "/v1/fetch/checkpoint" {
            go_to(&world, theirs).await;
        }
        let ours = world.send(replayed(exchange)).await;
        if let Some(row) = deviation(exchange, theirs, &ours) {
            met.push(row);
        } else {
            let what = format!("{} {}", exchange.text("method"), exchange.text("path"));
            assert_eq!(u64::from(ours.status), exchange.number("status"), "{what}: {ours:?}");
            let recorded = exchange["response_headers"]["content-type"].as_str();
            assert_eq!(ours.header("content-type"), recorded, "{what}");
            assert_same_body(&what, theirs, &ours);
            equal += 1;
        }
    }
    met.sort_unstable();
    met.dedup();
    assert_eq!(met, ROWS);
    assert!(equal > 90, "only {equal} exchanges were equal");
}

/// The time of the recorded checkpoint, signed anew.
async fn go_to(world: &World, checkpoint: &str) {
    let checkpoint: Value = serde_json::from_str(checkpoint).unwrap();
    let seconds = checkpoint["contents"].number("timestamp");
    world.clock.set(Timestamp::from_seconds(seconds.try_into().unwrap()));
    world.registry.tend().await.unwrap();
}

fn replayed(exchange: &Value) -> axum::http::Request<Body> {
    let mut builder = request(exchange.text("method"), exchange.text("path"));
    for (name, value) in exchange["request_headers"].as_object().unwrap() {
        builder = builder.header(name, value.as_str().unwrap());
    }
    let body = &exchange["request_body"];
    let bytes = match (body["text"].as_str(), body["hex"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(hex)) => wargate_testkit::vectors::hex(hex),
        (None, None) => Vec::new(),
    };
    builder.body(Body::from(bytes)).unwrap()
}

fn assert_same_body(what: &str, theirs: &str, ours: &Answer) {
    if theirs.is_empty() {
        assert!(ours.body.is_empty(), "{what}: {ours:?}");
        return;
    }
    let theirs: Value = serde_json::from_str(theirs).unwrap();
    assert_eq!(difference(&theirs, &ours.json(), &[]), None, "{what}");
}

/// The row of the deviations page by which an answer differs; the difference itself is checked here.
fn deviation(exchange: &Value, theirs: &str, ours: &Answer) -> Option<&'static str> {
    if exchange.text("path").starts_with("/.well-known/") {
        assert_eq!(exchange.number("status"), 404);
        assert_eq!(ours.status, 200);
        // The reference client reads `wargUrl` only, and must not find one (specification 12.11).
        assert_eq!(ours.json(), json!({ "warg": { "url": "http://127.0.0.1:8090/" } }));
        return Some("discovery-document");
    }
    newer_checkpoint(theirs, ours).or_else(|| final_state(theirs, ours))
}

/// A record that was published without waiting is in our next checkpoint already.
fn newer_checkpoint(theirs: &str, ours: &Answer) -> Option<&'static str> {
    let theirs: Value = serde_json::from_str(theirs).ok()?;
    let theirs = theirs["contents"]["logLength"].as_u64()?;
    let ours = ours.json()["contents"].number("logLength");
    (ours == theirs + 1).then_some("checkpoint-at-once")
}

/// Where the reference says `processing`, we may know more.
pub(crate) fn final_state(theirs: &str, ours: &Answer) -> Option<&'static str> {
    let theirs: Value = serde_json::from_str(theirs).ok()?;
    if theirs["state"] != "processing" {
        return None;
    }
    let ours = ours.json();
    assert_eq!(theirs["recordId"], ours["recordId"]);
    let known = ["published", "rejected"].contains(&ours["state"].as_str()?);
    known.then_some("final-state-at-once")
}
