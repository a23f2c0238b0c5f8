//! Points in which a better server differs from the reference (specification 20.1 and 20.3).

use axum::http::StatusCode;
use serde_json::{Value, json};
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{Entry, Timestamp};

use crate::world::{EMPTY, Signed, World, key};

#[tokio::test]
async fn tokens_of_no_record_and_of_other_logs_are_unknown() {
    let world = World::new();
    let (one, two) = (world.publish_new("test:one").await, world.publish_new("test:two").await);
    // The first two are equal bytes, and so have one id.
    let two = two.next("alice", world.clock_now(), "0.2.0", EMPTY);
    assert_eq!(world.publish(&two).await.json()["state"], "published");
    let length = world.length();
    let unknown = Digest::of(b"unknown").to_string();
    for token in ["", "abc", &unknown, &two.id().to_string()] {
        let packages = json!({ (one.log().to_string()): token });
        let body = json!({ "logLength": length, "packages": packages });
        let answer = world.post("/v1/fetch/logs", &body).await.error(StatusCode::NOT_FOUND);
        assert_eq!(answer, json!({ "status": 404, "type": "fetchToken", "id": token }));
        let body = json!({ "logLength": length, "operator": token });
        let answer = world.post("/v1/fetch/logs", &body).await.error(StatusCode::NOT_FOUND);
        assert_eq!(answer["type"], "fetchToken");
    }
}

#[tokio::test]
async fn a_record_may_be_published_twice() {
    let world = World::new();
    let now = world.clock_now();
    let record = Signed::first("test:one", "alice", now, "0.1.0", EMPTY);
    for _ in 0..2 {
        let answer = world.publish(&record).await;
        assert_eq!((answer.status, &answer.json()["state"]), (202, &json!("sourcing")));
    }
    world.upload(&record.upload_path(&Digest::of(EMPTY)), EMPTY).await;
    for _ in 0..2 {
        let answer = world.publish(&record).await.json();
        assert_eq!((&answer["state"], &answer["registryIndex"]), (&json!("published"), &json!(1)));
        assert_eq!(world.get(&record.state_path()).await.json(), answer);
    }
    assert_eq!(world.length(), 2);
}

#[tokio::test]
async fn a_short_digest_is_refused() {
    let world = World::new();
    let short: AnyDigest = "sha256:ab".parse().unwrap();
    let entries = vec![
        Entry::init(key("alice").public_key()),
        Entry::release("0.1.0".parse().unwrap(), short),
    ];
    let record = Signed::new("test:one", "alice", None, world.clock_now(), entries);
    world.publish(&record).await.error(StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&record.state_path()).await.error(StatusCode::NOT_FOUND)["type"], "log");
}

#[tokio::test]
async fn records_from_other_times_are_refused() {
    let world = World::new();
    let now = world.clock_now().seconds();
    for (seconds, status) in [(now + 301, 422), (-1, 422), (now + 299, 202), (0, 202)] {
        let entries = vec![Entry::init(key("alice").public_key())];
        let time = Timestamp::from_seconds(seconds);
        let record = Signed::new(&format!("test:t{}", seconds.abs()), "alice", None, time, entries);
        assert_eq!(world.publish(&record).await.status, status, "{seconds}");
    }
}

#[tokio::test]
async fn nobody_brings_a_key_to_an_existing_log() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let entries = vec![Entry::init(key("bob").public_key())];
    let now = world.clock_now();
    let record = Signed::new("test:one", "bob", Some(one.id()), now, entries);
    world.publish(&record).await.error(StatusCode::UNAUTHORIZED);
    let answer = world.get(&record.state_path()).await.error(StatusCode::NOT_FOUND);
    assert_eq!(answer["type"], "record");
}

/// The state machine lets a known key sign records that do nothing, each of which would take the place
/// of somebody's next one (specification 5.2).
#[tokio::test]
async fn a_key_without_permissions_publishes_nothing() {
    let world = World::new();
    let now = world.clock_now();
    let one = world.publish_new("test:one").await;
    let grant = Entry::grant(key("bob").public_key(), []);
    let second = Signed::new("test:one", "alice", Some(one.id()), now, vec![grant]);
    assert_eq!(world.publish(&second).await.json()["state"], "published");
    let nothing = Signed::new("test:one", "bob", Some(second.id()), now, Vec::new());
    let answer = world.publish(&nothing).await.json();
    assert_eq!(answer["state"], "rejected");
    // The same bytes, signed by somebody who may: a record's id does not depend on its signature.
    let something = Signed::new("test:one", "alice", Some(second.id()), now, Vec::new());
    assert_eq!(something.id(), nothing.id());
    assert_eq!(world.publish(&something).await.json()["state"], "published");
}

#[tokio::test]
async fn lengths_beyond_the_log_prove_nothing() {
    let world = World::new();
    for name in ["test:one", "test:two", "test:three"] {
        world.publish_new(name).await;
    }
    let length = world.length();
    assert_eq!(length, 4);
    for (from, to) in [(1, length + 1), (length, length + 1), (1, u64::MAX), (0, 1), (3, 2)] {
        let body = json!({ "from": from, "to": to });
        let answer = world.post("/v1/proof/consistency", &body).await;
        assert_eq!(
            answer.error(StatusCode::UNPROCESSABLE_ENTITY)["reason"],
            "failure",
            "{from} {to}"
        );
    }
    let ask = async |length: u64, leafs: Value| {
        world.post("/v1/proof/inclusion", &json!({ "logLength": length, "leafs": leafs })).await
    };
    let failed = ask(length + 1, json!([0])).await.error(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(failed["reason"], "failure");
    let leaf = ask(length, json!([length])).await.error(StatusCode::NOT_FOUND);
    assert_eq!(leaf, json!({ "status": 404, "type": "leaf", "id": length }));
}

#[tokio::test]
async fn garbage_harms_nobody() {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    assert_eq!(world.publish(&record).await.json()["state"], "sourcing");
    let path = record.upload_path(&Digest::of(EMPTY));
    world.upload(&path, "garbage").await.error(StatusCode::BAD_REQUEST);
    world.upload(&path, vec![7; 100_000]).await.error(StatusCode::BAD_REQUEST);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "sourcing");
    let uploaded = world.upload(&path, EMPTY).await;
    assert_eq!((uploaded.status, uploaded.body.len()), (201, 0));
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
}

#[tokio::test]
async fn a_log_newer_than_the_length_is_not_there_yet() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let fetch = async |length: u64, token: Value| {
        let packages = json!({ (one.log().to_string()): token });
        world.post("/v1/fetch/logs", &json!({ "logLength": length, "packages": packages })).await
    };
    let answer = fetch(1, Value::Null).await.error(StatusCode::NOT_FOUND);
    assert_eq!(answer, json!({ "status": 404, "type": "log", "id": one.log() }));
    assert_eq!(fetch(2, Value::Null).await.status, 200);
    // With a token the log is known, and there is nothing new.
    let answer = fetch(2, json!(one.id())).await.json();
    assert_eq!(answer["packages"][one.log().to_string()], json!([]));
}

#[tokio::test]
async fn content_of_another_record_satisfies_those_that_wait() {
    let world = World::new();
    let now = world.clock_now();
    let one = Signed::first("test:one", "alice", now, "0.1.0", EMPTY);
    let two = Signed::first("test:two", "bob", now, "0.1.0", EMPTY);
    for record in [&one, &two] {
        assert_eq!(world.publish(record).await.json()["state"], "sourcing");
    }
    world.upload(&one.upload_path(&Digest::of(EMPTY)), EMPTY).await;
    assert_eq!(world.get(&two.state_path()).await.json()["state"], "published");
}

#[tokio::test]
async fn content_that_comes_for_a_record_that_the_log_refuses_is_kept() {
    let world = World::new();
    let now = world.clock_now();
    let first = world.publish_new("test:one").await;
    let other = b"other".as_slice();
    // The same version again: the log refuses it, but only once its content is there.
    let record = first.next("alice", now, "0.1.0", other);
    assert_eq!(world.publish(&record).await.json()["state"], "sourcing");
    assert_eq!(world.upload(&record.upload_path(&Digest::of(other)), other).await.status, 201);
    let state = world.get(&record.state_path()).await.json();
    assert_eq!(state["state"], "rejected");
    assert!(state["reason"].as_str().unwrap().starts_with("the package record was invalid: "));
    // Refused for good.
    let again = world.upload(&record.upload_path(&Digest::of(other)), other).await;
    assert_eq!(again.error(StatusCode::METHOD_NOT_ALLOWED), json!({ "status": 405 }));
}
