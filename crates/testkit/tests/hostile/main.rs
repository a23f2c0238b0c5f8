//! The hostile registry, met by a small client that does nothing but verify: the truth passes, and
//! every lie that can be met by asking is found, whichever way it is told.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod driver;

use std::collections::HashSet;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use wargate_api::publish::PackageRecord;
use wargate_crypto::Digest;
use wargate_protocol::verify::{Culprit as Named, Evidence};
use wargate_protocol::{Entry, LogLength, Package, PackageRecord as Record, SignedEnvelope};
use wargate_testkit::hostile::{
    Culprit, ELSEWHERE, FaultKind, HELLO, History, Hostile, Lie, Mode, OTHER, Operation, PRESENT,
    Part, Phase, Stage, THIRD, Verdict, alice, content, lies, log, truth,
};

use self::driver::{Client, Refusal, verdict};

const URL: &str = "http://registry.example/";

const MODES: [Mode; 2] = [Mode::Transcript, Mode::Separate];

async fn hostile(lie: Lie, mode: Mode) -> Hostile {
    Hostile::new(lie, mode, URL, PRESENT).await
}

/// The truth, told to a client of this kind.
fn told(phase: Phase) -> Lie {
    let mut truth = truth();
    truth.phase = phase;
    truth
}

#[test]
fn there_are_many_lies_and_each_has_a_name_and_an_end() {
    let lies = lies();
    assert!(lies.len() >= 70, "only {} lies", lies.len());
    let names: HashSet<_> = lies.iter().map(|lie| lie.name).collect();
    assert_eq!(names.len(), lies.len(), "two lies have one name");
    for lie in &lies {
        assert!(
            lie.name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'\'' || b.is_ascii_digit()),
            "{}",
            lie.name
        );
        assert!(lie.about.ends_with('.') && !lie.expect.is_empty(), "{}", lie.name);
        let fork = Verdict::Misbehaviour(FaultKind::Fork);
        assert_eq!(lie.culprit == Culprit::Registry, lie.expect.contains(&fork), "{}", lie.name);
    }
    // Whatever the verifier can find, some lie makes it find.
    let found: HashSet<_> = lies.iter().flat_map(|lie| lie.expect).collect();
    for kind in [
        FaultKind::Rollback,
        FaultKind::Fork,
        FaultKind::Inconsistent,
        FaultKind::Stale,
        FaultKind::Early,
        FaultKind::EmptyLog,
        FaultKind::UntrustedOperator,
        FaultKind::CheckpointKeyUnknown,
        FaultKind::CheckpointKeyWithoutCommit,
        FaultKind::CheckpointSignature,
        FaultKind::Undecodable,
        FaultKind::InvalidRecord,
        FaultKind::Misplaced,
        FaultKind::Unrequested,
        FaultKind::MissingLog,
        FaultKind::NotInLog,
        FaultKind::NotInMap,
    ] {
        assert!(found.contains(&Verdict::Misbehaviour(kind)), "no lie makes {kind:?}");
    }
}

#[tokio::test]
async fn the_truth_passes() {
    for mode in MODES {
        for phase in [Phase::Cold, Phase::Warm] {
            let hostile = hostile(told(phase), mode).await;
            let mut client = Client::new(&hostile);
            if phase == Phase::Warm {
                client.update(&[HELLO, OTHER]).await.unwrap();
                assert_eq!(client.length(), LogLength::new(11));
                hostile.tell(true);
            }
            client.update(&[HELLO, OTHER]).await.unwrap();
            client.update(&[HELLO, THIRD]).await.unwrap();
            assert_eq!(client.length(), LogLength::new(16));
            let bytes = client.get(HELLO, "0.2.0").await.unwrap();
            assert_eq!(bytes, content(HELLO, "0.2.0", false));
            // It is signed by a key that is known, also to who comes from elsewhere.
            client.believe(hostile.story().true_checkpoint());
            client.update(&[HELLO]).await.unwrap();
            let asked = hostile.seen();
            let transcripts = asked.iter().filter(|it| it.asked.part() == Part::Transcript);
            assert!(transcripts.count() > 0);
            let separate = asked.iter().any(|it| it.asked.part() == Part::Logs);
            assert_eq!(separate, mode == Mode::Separate);
        }
    }
}

/// What is put together for a lie is what the real server answers, if the lie changes nothing.
#[tokio::test]
async fn without_a_lie_the_answers_are_those_of_the_real_server() {
    let hostile = hostile(told(Phase::Cold), Mode::Transcript).await;
    let client = Client::new(&hostile);
    let (hello, other) = (log(HELLO).to_string(), log(OTHER).to_string());
    let cold = json!({ "packages": { (&hello): null, (&other): null } });
    let warm = json!({ "packages": { (&other): null }, "consistentFrom": [8, 11, 16] });
    let logs = json!({ "logLength": 11, "limit": 2, "packages": { (&hello): null } });
    for (path, body) in [
        ("v1/fetch/checkpoint", Value::Null),
        ("v1/fetch/logs", logs),
        ("v1/fetch/transcript", cold),
        ("v1/fetch/transcript", warm),
        ("v1/fetch/transcript", json!({ "packages": { (log(ELSEWHERE).to_string()): null } })),
        ("v1/proof/inclusion", json!({ "logLength": 16, "leafs": [12, 15, 14] })),
        ("v1/proof/consistency", json!({ "from": 11, "to": 16 })),
    ] {
        hostile.set(Stage::Lie);
        let told = client.ask(path, &body).await.unwrap();
        hostile.set(Stage::After);
        let real = client.ask(path, &body).await.unwrap();
        assert_eq!(told.status, real.status, "{path}");
        let value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
        assert_eq!(value(&told.body), value(&real.body), "{path}");
    }
}

/// Whether a lie is met by who only asks for packages and content.
fn is_met_by_asking(lie: &Lie) -> bool {
    matches!(lie.operation, Operation::Update(_) | Operation::Get(..))
}

async fn meet(client: &mut Client, operation: Operation) -> Result<(), Refusal> {
    match operation {
        Operation::Update(packages) => client.update(packages).await,
        Operation::Get(package, version) => client.get(package, version).await.map(drop),
        other => panic!("this client does not {other:?}"),
    }
}

async fn tell(lie: Lie, mode: Mode) {
    let what = format!("{} ({mode:?})", lie.name);
    let hostile = hostile(lie.clone(), mode).await;
    let mut client = Client::new(&hostile);
    if lie.gossip {
        client.believe(hostile.story().true_checkpoint());
    }
    if lie.phase == Phase::Warm {
        // What it has from another client is newer than what it is shown here.
        let gossip = client.forget_gossip();
        meet(&mut client, lie.operation).await.unwrap();
        if let Some(seen) = gossip {
            client.believe(seen);
        }
    }
    hostile.set(Stage::Lie);
    let known = client.known().clone();
    let outcome = meet(&mut client, lie.operation).await;
    let said = verdict(&outcome);
    assert!(lie.expect.contains(&said), "{what}: {said:?}, {outcome:?}");
    // An update that comes before the content is as good as any.
    if outcome.is_err() && matches!(lie.operation, Operation::Update(_)) {
        assert_eq!(*client.known(), known, "{what}: something of it is believed");
    }
    if let Err(Refusal::Misbehaviour(found)) = &outcome {
        assert_eq!(Culprit::of(&found.culprit), lie.culprit, "{what}");
        let evidence = serde_json::to_vec(&found.evidence).unwrap();
        let evidence: Evidence = serde_json::from_slice(&evidence).unwrap();
        assert_eq!(evidence, found.evidence, "{what}");
        if let Named::Registry { key_id } = &found.culprit {
            let chapter = hostile.story().chapter(History::Now);
            let operator = chapter.registry.operator_state().unwrap();
            assert_eq!(evidence.fork(&operator, &operator), Some(key_id), "{what}");
        }
    }
    // No lie keeps a client from the truth.
    hostile.set(Stage::After);
    meet(&mut client, lie.operation).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
}

#[tokio::test]
async fn every_lie_is_found_in_a_transcript() {
    for lie in lies().into_iter().filter(is_met_by_asking) {
        tell(lie, Mode::Transcript).await;
    }
}

#[tokio::test]
async fn every_lie_is_found_in_separate_answers() {
    for lie in lies().into_iter().filter(is_met_by_asking) {
        tell(lie, Mode::Separate).await;
    }
}

/// The requests of operations that this client does not do.
async fn others(client: &Client, operation: Operation) -> Vec<Value> {
    let mut said = Vec::new();
    let mut ask = async |path: &str, body: &Value| {
        let answer = client.ask(path, body).await;
        let answer = answer.map(|it| (it.status, format!("{:?}", it.headers), it.body.to_vec()));
        said.push(json!(format!("{answer:?}")));
    };
    match operation {
        Operation::Discover => ask(".well-known/wasm-pkg/registry.json", &Value::Null).await,
        Operation::Follow(package) => {
            let packages = json!({ (log(package).to_string()): null });
            ask("v1/fetch/logs", &json!({ "logLength": 16, "packages": packages })).await;
        }
        Operation::Names => {
            let logs = [log(HELLO), log(OTHER)];
            ask("v1/fetch/names", &json!({ "packages": logs })).await;
        }
        Operation::Publish(version) => {
            let (log, body) = publishing(client, version).await;
            ask(&format!("v1/package/{log}/record"), &body).await;
            let record: SignedEnvelope = serde_json::from_value(body["record"].clone()).unwrap();
            let id = record.record_id::<Package>();
            let state = format!("v1/package/{log}/record/{id}");
            // Some of the answers only come when the record is in the log.
            let content = Digest::of(b"new content");
            client.send(&format!("{state}/content/{content}"), b"new content").await.unwrap();
            ask(&state, &Value::Null).await;
            let packages = json!({ (log): null });
            ask("v1/fetch/logs", &json!({ "logLength": 17, "packages": packages })).await;
        }
        Operation::Update(_) | Operation::Get(..) => {}
    }
    said
}

async fn publishing(client: &Client, version: &str) -> (String, Value) {
    let log = log(HELLO).to_string();
    let body = json!({ "logLength": 16, "limit": 1000, "packages": { (&log): null } });
    let logs = client.ask_truth("v1/fetch/logs", &body).await;
    let last = logs["packages"][&log].as_array().unwrap().last().unwrap()["fetchToken"].clone();
    let release = Entry::release(version.parse().unwrap(), Digest::of(b"new content"));
    let time = wargate_protocol::Timestamp::from_seconds(PRESENT);
    let prev = Some(last.as_str().unwrap().parse().unwrap());
    let record = Record::new(prev, time, vec![release]).encode();
    let record = SignedEnvelope::sign::<Package>(record, &alice());
    (log, json!({ "packageName": HELLO, "record": record }))
}

/// For those that need a whole client: at least something of the answers is another.
#[tokio::test]
async fn every_other_lie_changes_an_answer() {
    for lie in lies().into_iter().filter(|lie| !is_met_by_asking(lie)) {
        let (name, operation) = (lie.name, lie.operation);
        let honest = hostile(told(Phase::Cold), Mode::Transcript).await;
        let honest = others(&Client::new(&honest), operation).await;
        let hostile = hostile(lie, Mode::Transcript).await;
        let client = Client::new(&hostile);
        hostile.set(Stage::Lie);
        assert_ne!(others(&client, operation).await, honest, "{name}");
    }
}

#[tokio::test]
async fn a_publish_that_is_not_lied_about_is_the_real_servers() {
    let hostile = hostile(told(Phase::Cold), Mode::Transcript).await;
    let client = Client::new(&hostile);
    let (log, body) = publishing(&client, "0.5.0").await;
    let answer = client.ask(&format!("v1/package/{log}/record"), &body).await.unwrap();
    assert_eq!(answer.status, 202);
    let record: PackageRecord = serde_json::from_slice(&answer.body).unwrap();
    let content = Digest::of(b"new content");
    let path = format!("v1/package/{log}/record/{}/content/{content}", record.record_id);
    let answer = client.send(&path, b"new content").await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    let mut client = Client::new(&hostile);
    client.update(&[HELLO]).await.unwrap();
    assert_eq!(client.length(), LogLength::new(17));
}

#[tokio::test]
async fn an_endless_body_ends_when_nobody_reads_it() {
    let lie = lies().into_iter().find(|lie| lie.name == "json-endless").unwrap();
    let served = Hostile::serve(lie, Mode::Separate, PRESENT).await;
    served.hostile.tell(true);
    let host = served.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
    let request = format!("GET /v1/fetch/checkpoint HTTP/1.1\r\nhost: {host}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut piece = vec![0; 1 << 20];
    stream.read_exact(&mut piece).await.unwrap();
    assert!(piece.starts_with(b"HTTP/1.1 200 OK"));
    drop(stream);
    assert!(served.hostile.sent_bytes() < 64 << 20);
    assert_eq!(served.hostile.requests(), 1);
}
