//! The 130 recorded probes of the reference server, replayed in order.
//!
//! The log is the recorded one up to length 4. Two of the reference's next records are refused here;
//! honest ones of the same packages stand in for them, so that positions and lengths stay as recorded
//! while ids and roots at length 6 are our own: `REWRITTEN` names the members that are compared by
//! their type only from there on, and checkpoints in requests get our roots and a signature that is
//! valid or not as the recorded one was. Everything else is compared as it is.

use axum::body::Body;
use serde_json::{Value, json};
use wargate_protocol::{SignedCheckpoint, Timestamp, TimestampedCheckpoint};
use wargate_testkit::vectors::{Walk, hex, load};

use crate::compare::difference;
use crate::session::final_state;
use crate::world::{Answer, Signed, World, key, request};

/// Probes whose answer differs on purpose: which, the row of `docs/spec/deviations.md`, and our status
/// with what our body must have (`null`: it has no JSON).
const DIFFERENT: &[(&str, &str, u16, &str)] = &[
    ("checkpoint with Warg-Registry header", "json-errors", 501, r#"{"status":501}"#),
    ("wrong method", "json-errors", 405, r#"{"status":405}"#),
    ("unknown path", "json-errors", 404, r#"{"status":404}"#),
    ("root", "landing-page", 200, "null"),
    ("well-known path", "discovery-document", 200, r#"{"warg":{"url":"http://127.0.0.1:8090/"}}"#),
    ("operator token that is an unknown hash", "fetch-tokens", 404, r#"{"type":"fetchToken"}"#),
    ("GET record while content is missing", "sourcing-state", 200, r#"{"state":"sourcing"}"#),
    ("GET record with percent-encoded colons", "sourcing-state", 200, r#"{"state":"sourcing"}"#),
    ("GET unknown record", "log-of-pending-records", 404, r#"{"type":"log"}"#),
    ("upload for an unknown record", "log-of-pending-records", 404, r#"{"type":"log"}"#),
    ("upload again after the record left the pending state", "upload-again", 201, "null"),
    ("content sources", "content-source-details", 200, "{}"),
    ("content download", "wasm-content-type", 200, "null"),
    ("content download, range", "wasm-content-type", 206, "null"),
    ("content download, HEAD", "wasm-content-type", 200, "null"),
    ("content download, colon form", "json-errors", 404, r#"{"status":404}"#),
    ("content download, unknown", "json-errors", 404, r#"{"status":404}"#),
    ("content directory listing", "json-errors", 404, r#"{"status":404}"#),
    ("names, operator log", "operator-log-name", 200, "{}"),
    ("unknown key hiding behind an init entry", "own-key-in-an-existing-log", 401, "{}"),
    ("GET that record", "own-key-in-an-existing-log", 404, r#"{"type":"record"}"#),
    ("publish with short content digest", "content-digest-length", 400, "{}"),
    ("far-future timestamp", "record-times", 422, "{}"),
    ("pre-1970 timestamp", "record-times", 422, "{}"),
    ("fetch at an older checkpoint", "checkpoint-at-once", 404, r#"{"type":"log"}"#),
    (
        "fetch at a checkpoint before the log existed",
        "log-newer-than-length",
        404,
        r#"{"type":"log"}"#,
    ),
    ("package token of an unknown record", "fetch-tokens", 404, r#"{"type":"fetchToken"}"#),
    ("package token of a rejected record", "fetch-tokens", 404, r#"{"type":"fetchToken"}"#),
    (
        "verify, altered log root",
        "signature-over-the-contents",
        200,
        r#"{"checkpoint":"invalid","signature":"invalid"}"#,
    ),
    ("debug package list", "no-debug-routes", 404, r#"{"status":404}"#),
    ("debug package", "no-debug-routes", 404, r#"{"status":404}"#),
    ("debug unknown package", "no-debug-routes", 404, r#"{"status":404}"#),
    ("debug invalid name", "no-debug-routes", 404, r#"{"status":404}"#),
    (
        "publishing the identical record a second time",
        "publish-twice",
        202,
        r#"{"state":"published"}"#,
    ),
];

/// Would change what follows: `uploads_may_be_sent_with_put` sends it.
const NOT_SENT: (&str, &str) = ("upload with PUT", "upload-with-put");

/// Members that depend on the records that stand in.
const REWRITTEN: &[&str] = &["proof"];

/// Rows of the deviations page that this replay meets.
pub(crate) fn rows() -> Vec<&'static str> {
    let mut rows: Vec<_> = DIFFERENT.iter().map(|(_, row, ..)| *row).collect();
    rows.extend([NOT_SENT.1, "final-state-at-once"]);
    rows
}

#[tokio::test]
async fn the_recorded_probes_are_answered_as_recorded() {
    let vectors = load("http-probes");
    let probes = vectors.list("exchanges");
    let genesis = probes.iter().find(|probe| probe.text("name") == "fetch operator log only");
    let genesis: Value = serde_json::from_str(genesis.unwrap().text("response_body")).unwrap();
    let world = World::recorded(&genesis["operator"][0]);
    let first: Value = serde_json::from_str(probes[0].text("response_body")).unwrap();
    let time = first["contents"].number("timestamp").try_into().unwrap();
    world.clock.set(Timestamp::from_seconds(time));
    world.registry.tend().await.unwrap();

    let (mut equal, mut different) = (0, 0);
    for probe in probes.iter().filter(|probe| probe.text("name") != NOT_SENT.0) {
        let name = probe.text("name");
        let ours = world.send(replayed(probe, &world)).await;
        check_headers(probe, &ours);
        let theirs = probe["response_body"].as_str().unwrap_or_default();
        if let Some((.., status, body)) = DIFFERENT.iter().find(|(known, ..)| *known == name) {
            check_different(name, *status, body, &ours);
            different += 1;
        } else if final_state(theirs, &ours).is_none() {
            check_equal(probe, theirs, &ours, &world);
            equal += 1;
        }
        if let Some(package) = stand_in(name) {
            let now = Timestamp::from_seconds(time);
            let init = wargate_protocol::Entry::init(key("alice").public_key());
            let record = Signed::new(package, "alice", None, now, vec![init]);
            assert_eq!(world.publish(&record).await.json()["state"], "published");
        }
    }
    assert_eq!(different, DIFFERENT.len());
    assert!(equal > 75, "only {equal} probes were answered as recorded");
}

/// The package of a record that the reference takes and we refuse.
fn stand_in(probe: &str) -> Option<&'static str> {
    match probe {
        "far-future timestamp" => Some("test:future"),
        "pre-1970 timestamp" => Some("test:past"),
        _ => None,
    }
}

fn replayed(probe: &Value, world: &World) -> axum::http::Request<Body> {
    let mut builder = request(probe.text("method"), probe.text("path"));
    for (name, value) in probe["request_headers"].as_object().unwrap() {
        builder = builder.header(name, value.as_str().unwrap());
    }
    let text = probe["request_body"].as_str();
    let body = match (probe.text("name"), text, probe["request_body_hex"].as_str()) {
        ("body over 2 MiB", ..) => {
            json!({ "logLength": 1, "x": "x".repeat(2_200_000) }).to_string().into_bytes()
        }
        ("names, 1001 ids", ..) => {
            let one = "sha256:a9901d503e61a6860abbef7e816f9fc69095fa3b996a345a30c3a9b32465d552";
            let unknown = one.replace("a99", "b99");
            let ids: Vec<_> = std::iter::repeat_n(one, 1000).chain([&*unknown]).collect();
            json!({ "packages": ids }).to_string().into_bytes()
        }
        (_, Some(text), _) if probe.text("path") == "/v1/verify/checkpoint" => {
            rewritten(text, world).into_bytes()
        }
        (_, Some(text), _) => text.as_bytes().to_vec(),
        (_, None, Some(digits)) => hex(digits),
        (_, None, None) => Vec::new(),
    };
    builder.body(Body::from(body)).unwrap()
}

/// A recorded checkpoint of length 6 with our roots in place of the right ones of the reference.
fn rewritten(text: &str, world: &World) -> String {
    const LOG: &str = "sha256:f078f8a276b89a3bbf005b87973919741c6e573bfc4cf0353b629db4acf0df77";
    const MAP: &str = "sha256:6626cca4c4a3a01c07cac8e0e87bece807ac3f438b5afc070d5310c3ce013422";
    let Ok(theirs) = serde_json::from_str::<SignedCheckpoint>(text) else { return text.into() };
    let operator = key("operator");
    let valid = theirs.verify_signature(&operator.public_key()).is_ok();
    let newest = world.registry.newest();
    let ours = newest.committed.checkpoint;
    let rewritten =
        text.replace(LOG, &ours.log_root.to_string()).replace(MAP, &ours.map_root.to_string());
    let SignedCheckpoint { contents, key_id, signature } =
        serde_json::from_str(&rewritten).unwrap();
    let contents: TimestampedCheckpoint = contents;
    let signed = if valid {
        SignedCheckpoint::sign(contents, &operator)
    } else if key_id == operator.public_key().id() {
        SignedCheckpoint { contents, key_id, signature: newest.checkpoint.signature }
    } else {
        SignedCheckpoint { contents, key_id, signature }
    };
    serde_json::to_string(&signed).unwrap()
}

/// What both must say in the same way, whatever the answer is.
fn check_headers(probe: &Value, ours: &Answer) {
    let name = probe.text("name");
    let theirs = |header: &str| probe["response_headers"][header].as_str();
    let writes = probe.text("path").contains("/record") && probe.text("method") != "GET";
    let open = (!writes || probe.text("path").contains("ledger")).then_some("*");
    assert_eq!(ours.header("access-control-allow-origin"), open, "{name}");
    for header in ["accept-ranges", "content-range"] {
        assert_eq!(ours.header(header), theirs(header), "{name}: {header}");
    }
    if let Some(allow) = theirs("allow") {
        assert_eq!(ours.header("allow"), Some(allow), "{name}");
    }
}

fn check_different(name: &str, status: u16, body: &str, ours: &Answer) {
    assert_eq!(ours.status, status, "{name}: {ours:?}");
    let expected: Value = serde_json::from_str(body).unwrap();
    for (member, value) in expected.as_object().into_iter().flatten() {
        assert_eq!(ours.json()[member], *value, "{name}");
    }
    if status >= 400 {
        assert_eq!(ours.json()["status"], json!(status), "{name}");
    }
}

fn check_equal(probe: &Value, theirs: &str, ours: &Answer, world: &World) {
    let name = probe.text("name");
    assert_eq!(u64::from(ours.status), probe.number("status"), "{name}: {ours:?}");
    let kind = probe["response_headers"]["content-type"].as_str();
    assert_eq!(ours.header("content-type"), kind, "{name}");
    if let Some(digits) = probe["response_body_hex"].as_str() {
        let theirs = hex(digits);
        assert_eq!(theirs.len(), ours.body.len(), "{name}");
        // A packed ledger: the records that stand in have other ids.
        let skipped = if name.ends_with("from 2") { 2 } else { 0 };
        assert_eq!(theirs[..(4 - skipped) * 64], ours.body[..(4 - skipped) * 64], "{name}");
    } else if theirs.is_empty() {
        assert!(ours.body.is_empty(), "{name}");
    } else {
        let theirs: Value = serde_json::from_str(theirs).unwrap();
        let rewritten = if world.length() > 4 { REWRITTEN } else { &[] };
        assert_eq!(difference(&theirs, &ours.json(), rewritten), None, "{name}");
    }
}
