//! Paging, old lengths, tiles, the ledger, and everything verified from end to end.

use axum::http::StatusCode;
use serde_json::{Value, json};
use wargate_api::fetch::{FetchLogsResponse, PublishedRecord, SignedCheckpoint};
use wargate_api::proof::{ConsistencyResponse, InclusionResponse};
use wargate_crypto::{Digest, Ed25519PrivateKey};
use wargate_protocol::LogId;
use wargate_protocol::verify::{ConsistencyBytes, ProofBytes, Session, TrustAnchor, Verified};
use wargate_transparency::log::{EntryBundle, Tile, TileWidth};
use wargate_transparency::note::{Note, NoteKeys, NoteSigner};

use crate::world::{EMPTY, Setup, World, key, options};

#[tokio::test]
async fn logs_come_in_pages_until_there_is_no_more() {
    let world = World::new();
    let mut record = world.publish_new("test:one").await;
    let mut ids = vec![record.id().to_string()];
    for version in ["0.2.0", "0.3.0", "0.4.0", "0.5.0"] {
        record = record.next("alice", world.clock_now(), version, EMPTY);
        assert_eq!(world.publish(&record).await.json()["state"], "published");
        ids.push(record.id().to_string());
    }
    let (log, length) = (record.log().to_string(), world.length());
    let (mut token, mut got, mut operator) = (Value::Null, Vec::new(), Value::Null);
    loop {
        let mut body = json!({ "logLength": length, "limit": 2, "packages": { (&log): token } });
        if operator.is_string() {
            body["operator"] = operator.clone();
        }
        let page = world.post("/v1/fetch/logs", &body).await.json();
        for record in page["packages"][&log].as_array().unwrap() {
            got.push(record["fetchToken"].as_str().unwrap().to_owned());
            token = record["fetchToken"].clone();
        }
        if let Some(last) = page["operator"].as_array().and_then(|records| records.last()) {
            operator = last["fetchToken"].clone();
        }
        if page["more"] == false {
            break;
        }
    }
    assert_eq!(got, ids);
}

#[tokio::test]
async fn old_lengths_stay_valid() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let body = json!({ "logLength": 2, "packages": { (one.log().to_string()): null } });
    let then = world.post("/v1/fetch/logs", &body).await.json();
    let proof = json!({ "logLength": 2, "leafs": [0, 1] });
    let proven = world.post("/v1/proof/inclusion", &proof).await.json();
    for n in 0..20 {
        world.publish_new(&format!("test:p{n}")).await;
    }
    assert_eq!(world.post("/v1/fetch/logs", &body).await.json(), then);
    assert_eq!(world.post("/v1/proof/inclusion", &proof).await.json(), proven);
}

#[tokio::test]
async fn requests_for_too_much_are_refused() {
    let world = World::new();
    let ids: serde_json::Map<_, _> =
        (0..1001_u32).map(|n| (Digest::of(&n.to_be_bytes()).to_string(), Value::Null)).collect();
    let body = json!({ "logLength": 1, "packages": ids });
    world.post("/v1/fetch/logs", &body).await.error(StatusCode::BAD_REQUEST);
    let leafs = vec![0; 1001];
    let body = json!({ "logLength": 1, "leafs": leafs });
    world.post("/v1/proof/inclusion", &body).await.error(StatusCode::BAD_REQUEST);
    let body = json!({ "logLength": 1, "leafs": vec![0; 1000] });
    assert_eq!(world.post("/v1/proof/inclusion", &body).await.status, 200);
}

#[tokio::test]
async fn the_ledger_is_the_log() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let ledger = world.get("/v1/ledger").await.json();
    assert_eq!(ledger["sources"][0]["lastRegistryIndex"], 1);
    let page = world.get("/v1/ledger/records/1").await;
    assert_eq!(page.header("content-type"), Some("application/vnd.warg.ledger.packed"));
    let expected = [one.log().as_bytes().as_slice(), one.id().as_bytes()].concat();
    assert_eq!(page.body, expected);
    let end = world.get("/v1/ledger/records/18446744073709551615").await;
    assert_eq!((end.status, end.body.len()), (200, 0));
}

#[tokio::test]
async fn the_log_is_served_as_tiles() {
    let private = Ed25519PrivateKey::from_seed(&[7; 32]);
    let options = options();
    let name = options.origin.parse().unwrap();
    let signer = NoteSigner::new(name, private);
    let vkey = signer.key().clone();
    let options = wargate_http::Options { note: Some(signer), ..options };
    let world = World::with(Setup { options, ..Setup::default() });
    for n in 0..256 {
        world.publish_new(&format!("test:p{n}")).await;
    }
    let checkpoint = world.get("/log/checkpoint").await;
    assert_eq!(checkpoint.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(checkpoint.header("cache-control"), Some("no-cache"));
    let text = std::str::from_utf8(&checkpoint.body).unwrap();
    let note: Note = text.parse().unwrap();
    let keys = NoteKeys::new(vec![vkey]).unwrap();
    let read: wargate_transparency::note::Checkpoint =
        note.verify(&keys).unwrap().text.parse().unwrap();
    assert_eq!((read.origin(), read.length().get()), ("127.0.0.1:8090", 257));
    assert_eq!(*read.root(), world.registry.newest().committed.checkpoint.log_root);
    assert_eq!(world.get("/log/checkpoint").await.body, checkpoint.body);

    let full = world.get("/log/tile/0/000").await;
    assert_eq!(full.header("content-type"), Some("application/octet-stream"));
    assert_eq!(full.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(Tile::decode(&full.body).unwrap().hashes().len(), 256);
    let part = world.get("/log/tile/0/001.p/1").await;
    assert_eq!((part.status, part.body.len()), (200, 32));
    assert_eq!(part.header("cache-control"), Some("public, max-age=3600"));
    let top = world.get("/log/tile/1/000.p/1").await;
    assert_eq!(top.body.len(), 32);
    let entries = world.get("/log/tile/entries/000").await;
    assert!(EntryBundle::decode(&entries.body, TileWidth::FULL).is_ok());
    assert_eq!(world.get("/log/tile/entries/001.p/1").await.status, 200);
    for nothing in ["0/001", "0/001.p/2", "entries/001", "1/000", "9/000", "0/1", "x", "0/000/"] {
        world.get(&format!("/log/tile/{nothing}")).await.error(StatusCode::NOT_FOUND);
    }
    // Without a signer there is no note, but there are tiles.
    let plain = World::new();
    plain.get("/log/checkpoint").await.error(StatusCode::NOT_FOUND);
    assert_eq!(plain.get("/log/tile/0/000.p/1").await.status, 200);
}

/// What a client does to bring itself up to date (specification 15.4).
async fn follow(world: &World, known: Verified, packages: &[&str]) -> Verified {
    let offered = world.get("/v1/fetch/checkpoint").await;
    let offered: SignedCheckpoint = serde_json::from_slice(&offered.body).unwrap();
    let operator_keys = vec![key("operator").public_key().id()];
    let anchor = TrustAnchor { operator_keys, ..TrustAnchor::default() };
    let logs: Vec<_> = packages.iter().map(|name| LogId::package(&name.parse().unwrap())).collect();
    let length = offered.contents.checkpoint.log_length;
    let mut session = Session::new(anchor, known, offered, logs.iter().copied());
    let wanted: serde_json::Map<_, _> =
        logs.iter().map(|log| (log.to_string(), Value::Null)).collect();
    let body = json!({ "logLength": length, "packages": wanted });
    let answer = world.post("/v1/fetch/logs", &body).await;
    let page: FetchLogsResponse = serde_json::from_slice(&answer.body).unwrap();
    let placed = |records: Vec<PublishedRecord>| records.into_iter().map(|record| record.record);
    session.receive(LogId::operator(), placed(page.operator)).unwrap();
    for (log, records) in page.packages {
        session.receive(log, placed(records)).unwrap();
    }
    let unproven = session.close().unwrap();
    let leafs: Vec<_> = unproven.leaves().collect();
    let body = json!({ "logLength": length, "leafs": leafs });
    let inclusion = world.post("/v1/proof/inclusion", &body).await;
    let InclusionResponse { log, map } = serde_json::from_slice(&inclusion.body).unwrap();
    let mut consistency = Vec::new();
    for from in unproven.consistent_from() {
        let body = json!({ "from": from, "to": length });
        let answer = world.post("/v1/proof/consistency", &body).await;
        let ConsistencyResponse { proof } = serde_json::from_slice(&answer.body).unwrap();
        consistency.push(ConsistencyBytes { from, proof });
    }
    unproven.prove(ProofBytes { log, map, consistency }).unwrap()
}

#[tokio::test]
async fn a_client_can_verify_everything() {
    let world = World::new();
    let one = world.publish_new("test:one").await;
    let known = follow(&world, Verified::nothing(), &["test:one"]).await;
    let next = one.next("alice", world.clock_now(), "0.2.0", EMPTY);
    world.publish(&next).await;
    world.publish_new("test:two").await;
    let known = follow(&world, known, &["test:two", "test:one"]).await;
    let log = known.package(&one.log()).unwrap();
    assert_eq!(log.state().head().unwrap().record_id, next.id());
    assert_eq!(known.checkpoint().unwrap().contents.checkpoint.log_length.get(), world.length());
}
