//! Following a registry that keeps to what it signed, and registries that do not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use wargate_client::Error;
use wargate_client::monitor::{Happening, Monitor, Options, Outcome, Tick, Webhook};
use wargate_client::seams::{Key, State};
use wargate_protocol::{Entry, OperatorPermission, RecordId, RegistryIndex};
use wargate_registry::Registry;
use wargate_testkit::world::{
    BEGIN, World, init, key, name, publish, published, record_at, release,
};

use crate::lab::{HOME, Lab, User};
use crate::liar::{Liar, forge_map, resign};

const TRANSCRIPT: &str = "/v1/fetch/transcript";

/// Publishes a version of `test:hello`; its first record begins the package.
async fn grow(
    registry: &Arc<Registry>,
    prev: Option<RecordId>,
    version: &str,
    content: &[u8],
) -> RecordId {
    let mut entries = vec![release(version, content)];
    if prev.is_none() {
        entries.insert(0, init(&key(7)));
    }
    let record = record_at(&key(7), prev, BEGIN, entries);
    published(&publish(registry, "test:hello", &record, content).await);
    record.record_id()
}

fn watch(user: &User) -> Monitor {
    watch_with(user, Options::default())
}

fn watch_with(user: &User, options: Options) -> Monitor {
    user.client.home().unwrap().monitor(options).unwrap()
}

fn length(monitor: &Monitor) -> u64 {
    monitor.checkpoint().unwrap().contents.checkpoint.log_length.get()
}

/// The code of the alarm, with its culprit; evidence was kept.
fn alarm(user: &User, tick: &Tick) -> (String, &'static str) {
    assert_eq!(tick.outcome, Outcome::Alarm, "{:#?}", tick.events);
    let Happening::Alarm { code, culprit, evidence, .. } = &tick.events.last().unwrap().what else {
        panic!("{:#?}", tick.events);
    };
    let evidence = evidence.as_ref().unwrap();
    let piece = user.client.evidence_piece(evidence).unwrap().unwrap();
    assert_eq!(piece.convicted.is_some(), *culprit == "registry");
    (code.clone(), culprit)
}

fn pieces(user: &User) -> usize {
    user.client.evidence().unwrap().len()
}

#[tokio::test]
async fn an_honest_registry_is_followed_through_restarts() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let mut head = Some(grow(&registry, None, "1.0.0", b"0").await);
    let mut user = lab.user();
    let mut monitor = watch(&user);
    let tick = monitor.tick().await.unwrap();
    assert_eq!(tick.outcome, Outcome::Advanced);
    assert!(matches!(&tick.events[0].what,
        Happening::Started { checkpoint_keys, known_length, .. }
            if checkpoint_keys.len() == 1 && known_length.get() == 0));
    for step in 1..12_u8 {
        let tick = monitor.tick().await.unwrap();
        assert_eq!(tick.outcome, Outcome::Unchanged, "{:?}", tick.events);
        let content = [step];
        head = Some(grow(&registry, head, &format!("1.0.{step}"), &content).await);
        if step == 6 {
            let grant = Entry::grant(key(9).public_key(), [OperatorPermission::Commit]);
            registry.operate(vec![grant]).await.unwrap();
        }
        let restarted = step % 4 == 0;
        if restarted {
            user = user.again(|_| ());
            monitor = watch(&user);
        }
        let tick = monitor.tick().await.unwrap();
        assert_eq!(tick.outcome, Outcome::Advanced);
        let happened: Vec<_> =
            tick.events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
        let of = |kind: &str| happened.iter().find(|event| event["event"] == kind);
        let verified = of("verified").unwrap();
        assert_eq!(verified["records"], if step == 6 { 2 } else { 1 }, "{verified:#}");
        assert_eq!(verified["releases"], 1);
        assert_eq!(of("started").is_some(), restarted);
        let operator = of("operator");
        assert_eq!(operator.is_some(), step == 6);
        if let Some(operator) = operator {
            assert_eq!(operator["change"]["kind"], "granted");
            assert_eq!(operator["change"]["permissions"], serde_json::json!(["commit"]));
        }
    }
    assert_eq!(length(&monitor), 14);
    assert_eq!(pieces(&user), 0);
}

/// What is asked when little has changed is little.
#[tokio::test]
async fn a_look_costs_one_request_while_nothing_changes() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    grow(&registry, None, "1.0.0", b"0").await;
    let user = lab.user();
    let mut monitor = watch(&user);
    monitor.tick().await.unwrap();
    lab.net.drain();
    monitor.tick().await.unwrap();
    assert_eq!(lab.net.drain(), ["POST /v1/fetch/transcript"]);
}

#[tokio::test]
async fn a_fork_convicts_the_registry_and_does_not_end_the_watch() {
    let lab = Lab::new();
    let one = lab.registry(HOME);
    let head = grow(&one, None, "1.0.0", b"one").await;
    let user = lab.user();
    let mut monitor = watch(&user);
    monitor.tick().await.unwrap();
    // The same operator shows another history of the same length.
    let other = lab.registry(HOME);
    let first = grow(&other, None, "1.0.0", b"other").await;
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("fork".into(), "registry"));
    let tick = monitor.tick().await.unwrap();
    assert!(matches!(&tick.events[..], [event]
        if matches!(&event.what, Happening::Persisting { code, .. } if code == "fork")));
    assert_eq!((tick.outcome, pieces(&user)), (Outcome::Alarm, 1));
    // It grows, and still does not extend what was seen.
    grow(&other, Some(first), "1.0.1", b"other").await;
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("inconsistent".into(), "server"));
    // Neither does a restart make it forget.
    let user = user.again(|_| ());
    let mut monitor = watch(&user);
    assert_eq!(length(&monitor), 2);
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("inconsistent".into(), "server"));
    let options = wargate_http::Options::new(HOME.parse().unwrap());
    lab.put(HOME, wargate_http::router(Arc::clone(&one), options));
    grow(&one, Some(head), "1.0.1", b"one").await;
    let tick = monitor.tick().await.unwrap();
    assert_eq!(tick.outcome, Outcome::Advanced);
    let last = &tick.events.last().unwrap().what;
    assert!(matches!(last, Happening::Recovered { code } if code == "inconsistent"), "{last:?}");
    assert_eq!(length(&monitor), 3);
}

#[tokio::test]
async fn going_back_and_standing_still_are_noticed() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let head = grow(&registry, None, "1.0.0", b"one").await;
    grow(&registry, Some(head), "1.0.1", b"one").await;
    let user = lab.user();
    let mut monitor = watch_with(&user, Options { still_max: Some(2), ..Options::default() });
    assert_eq!(monitor.tick().await.unwrap().outcome, Outcome::Advanced);
    assert_eq!(monitor.tick().await.unwrap().outcome, Outcome::Unchanged);
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("no-newer-checkpoint".into(), "server"));
    lab.clock.set(BEGIN + 25 * 60 * 60);
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("stale-checkpoint".into(), "server"));
    let year = Some(Duration::from_hours(365 * 24));
    let options = Options { checkpoint_age_max: year, ..Options::default() };
    let mut patient = watch_with(&user, options);
    assert_eq!(patient.tick().await.unwrap().outcome, Outcome::Advanced);
    lab.clock.set(BEGIN);
    let shorter = lab.registry(HOME);
    grow(&shorter, None, "1.0.0", b"one").await;
    let tick = monitor.tick().await.unwrap();
    assert_eq!(alarm(&user, &tick), ("rollback".into(), "server"));
    lab.net.meddle(|_| crate::lab::Meddling::Lost);
    let tick = monitor.tick().await.unwrap();
    assert_eq!(tick.outcome, Outcome::Unavailable, "{:?}", tick.events);
}

/// A registry of four records over which a liar sits, and a monitor that has seen the first three.
async fn scene() -> (Lab, Arc<Registry>, Liar, User, Monitor) {
    let (lab, liar) = (Lab::new(), Liar::default());
    let registry = World::new().open();
    lab.put(HOME, liar.over(&registry));
    let grant = Entry::grant(key(5).public_key(), [OperatorPermission::DefineNamespace]);
    registry.operate(vec![grant]).await.unwrap();
    let head = grow(&registry, None, "1.0.0", b"one").await;
    let user = lab.user();
    let mut monitor = watch(&user);
    monitor.tick().await.unwrap();
    grow(&registry, Some(head), "1.0.1", b"one").await;
    (lab, registry, liar, user, monitor)
}

/// The lie is noticed, and when it ends all goes on.
async fn caught(scene: (Lab, Arc<Registry>, Liar, User, Monitor)) -> (String, &'static str) {
    let (_lab, _registry, liar, user, mut monitor) = scene;
    let tick = monitor.tick().await.unwrap();
    let caught = alarm(&user, &tick);
    assert_eq!(length(&monitor), 3);
    liar.be_honest();
    assert_eq!(monitor.tick().await.unwrap().outcome, Outcome::Advanced);
    assert_eq!(length(&monitor), 4);
    caught
}

#[tokio::test]
async fn keys_that_may_not_sign_checkpoints_are_noticed() {
    for signer in [5, 9] {
        let scene = scene().await;
        scene.2.tell_json(TRANSCRIPT, move |it| resign(&mut it["checkpoint"], signer, |_| ()));
        assert_eq!(caught(scene).await, ("bad-checkpoint".into(), "server"));
    }
}

#[tokio::test]
async fn a_map_that_is_not_that_of_the_log_convicts_the_registry() {
    let scene = scene().await;
    let leaves = scene.1.leaves(RegistryIndex::FIRST, 100).unwrap();
    scene.2.tell_json(TRANSCRIPT, move |transcript| forge_map(transcript, &leaves));
    assert_eq!(caught(scene).await, ("wrong-map-root".into(), "registry"));
}

#[tokio::test]
async fn a_ledger_that_is_not_that_of_the_log_is_noticed() {
    let scene = self::scene().await;
    scene.2.tell(|path, body| {
        if path.starts_with("/v1/ledger/records/") {
            *body.last_mut().unwrap() ^= 1;
        }
    });
    assert_eq!(caught(scene).await, ("wrong-log-root".into(), "server"));
    for lie in [0, 1, 2] {
        let scene = self::scene().await;
        scene.2.tell(move |path, body| match (lie, path) {
            (0, "/v1/ledger") => {
                *body = br#"{"hashAlgorithm":"sha256","sources":[]}"#.to_vec();
            }
            (1, path) if path.starts_with("/v1/ledger/records/") => body.truncate(3 * 64),
            (2, "/v1/ledger") => {
                let text = String::from_utf8(body.clone()).unwrap();
                *body =
                    text.replace("Index\":0", "Index\":4").replace("Index\":3", "Index\":7").into();
            }
            _ => {}
        });
        assert_eq!(caught(scene).await, ("bad-ledger".into(), "server"), "lie {lie}");
    }
}

#[tokio::test]
async fn records_behind_the_last_of_a_ledgers_part_do_not_count() {
    let (_lab, _registry, liar, _user, mut monitor) = scene().await;
    liar.tell(|path, body| {
        if path.starts_with("/v1/ledger/records/") {
            body.extend([7; 70]);
        }
    });
    assert_eq!(monitor.tick().await.unwrap().outcome, Outcome::Advanced);
}

#[tokio::test]
async fn logs_that_are_not_those_of_the_ledger_are_noticed() {
    type Change = fn(&mut Vec<serde_json::Value>);
    let rows: [(&str, Change); 5] = [
        ("missing-record", |records| drop(records.pop())),
        ("missing-record", Vec::clear),
        ("rewritten-log", |records| drop(records.remove(0))),
        ("spare-record", |records| records.push(records[1].clone())),
        // Signed by a key that holds nothing.
        ("invalid-record", |records| {
            let bytes = records[1]["contentBytes"].as_str().unwrap();
            let bytes = wargate_protocol::base64::decode(bytes).unwrap();
            let signed =
                wargate_protocol::SignedEnvelope::sign::<wargate_protocol::Package>(bytes, &key(8));
            records[1]["keyId"] = serde_json::json!(signed.key_id());
            records[1]["signature"] = serde_json::json!(signed.signature());
        }),
    ];
    for (code, change) in rows {
        let scene = scene().await;
        scene.2.tell_json("/v1/fetch/logs", move |page| {
            for records in page["packages"].as_object_mut().unwrap().values_mut() {
                change(records.as_array_mut().unwrap());
            }
        });
        assert_eq!(caught(scene).await, (code.into(), "server"));
    }
    let scene = scene().await;
    scene.2.tell_json("/v1/fetch/logs", |page| {
        let log = page["packages"].as_object().unwrap().keys().next().unwrap().clone();
        *page = serde_json::json!({ "status": 404, "type": "log", "id": log });
    });
    assert_eq!(caught(scene).await.0, "missing-record");
}

#[tokio::test]
async fn a_client_that_saw_something_else_tells_its_monitor() {
    let lab = Lab::new();
    let one = lab.registry(HOME);
    grow(&one, None, "1.0.0", b"one").await;
    let user = lab.user();
    user.client.update(&[name("test:hello")]).await.unwrap();
    let trusted = user.client.home().unwrap().checkpoint().unwrap();
    let other = lab.registry(HOME);
    let head = grow(&other, None, "1.0.0", b"other").await;
    let tick = watch(&user).tick().await.unwrap();
    assert_eq!(alarm(&user, &tick).0, "fork");
    // A stranger takes the other history for true, unless somebody tells.
    let stranger = lab.user();
    assert_eq!(watch(&stranger).tick().await.unwrap().outcome, Outcome::Advanced);
    grow(&other, Some(head), "1.0.1", b"other").await;
    let mut told = watch_with(&stranger, Options { trusted, ..Options::default() });
    let tick = told.tick().await.unwrap();
    assert_eq!(alarm(&stranger, &tick).0, "wrong-log-root");
}

#[tokio::test]
async fn what_was_kept_of_the_ledger_may_be_lost() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    grow(&registry, None, "1.0.0", b"one").await;
    let user = lab.user();
    watch(&user).tick().await.unwrap();
    let domain = user.client.home().unwrap().domain().to_string();
    let part = Key::new(["monitors", &domain, "ledger", "00000000"]).unwrap();
    for damage in [vec![7; 64 * 2], Vec::new()] {
        user.state.write(&part, &damage).unwrap();
        let mut monitor = watch(&user);
        assert_eq!(length(&monitor), 2);
        let tick = monitor.tick().await.unwrap();
        assert_eq!(tick.outcome, Outcome::Advanced);
        assert!(matches!(tick.events[0].what, Happening::Warning { .. }), "{:?}", tick.events);
        assert_eq!(watch(&user).tick().await.unwrap().events.len(), 2);
    }
    user.state.write(&Key::new(["monitors", &domain, "head"]).unwrap(), b"{").unwrap();
    let error = user.client.home().unwrap().monitor(Options::default()).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn two_monitors_share_what_they_know() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let head = grow(&registry, None, "1.0.0", b"one").await;
    let user = lab.user();
    let (mut one, mut other) = (watch(&user), watch(&user));
    one.tick().await.unwrap();
    let head = grow(&registry, Some(head), "1.0.1", b"one").await;
    other.tick().await.unwrap();
    assert_eq!(length(&other), 2, "the first was faster");
    other.tick().await.unwrap();
    grow(&registry, Some(head), "1.0.2", b"one").await;
    for _ in 0..2 {
        one.tick().await.unwrap();
        other.tick().await.unwrap();
    }
    assert_eq!((length(&one), length(&other)), (4, 4));
    assert_eq!(length(&watch(&user)), 4);
}

#[tokio::test]
async fn a_log_of_many_pages_is_followed() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let mut head = grow(&registry, None, "1.0.0", b"one").await;
    for patch in 1..1_030 {
        head = grow(&registry, Some(head), &format!("1.0.{patch}"), b"one").await;
    }
    let user = lab.user();
    let mut monitor = watch(&user);
    monitor.tick().await.unwrap();
    grow(&registry, Some(head), "2.0.0", b"one").await;
    let mut monitor = watch(&user);
    assert_eq!(length(&monitor), 1_031);
    assert_eq!(monitor.tick().await.unwrap().outcome, Outcome::Advanced);
    assert_eq!(length(&watch(&user)), 1_032);
}

#[tokio::test]
async fn a_webhook_is_told_all_in_order_also_later() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    grow(&registry, None, "1.0.0", b"one").await;
    let user = lab.user();
    let mut hook = Webhook::new(&user.client, "http://127.0.0.1:1/hook").unwrap();
    let mut monitor = watch(&user);
    let tick = monitor.tick().await.unwrap();
    hook.tell(&tick.events).await.unwrap_err();
    assert_eq!(hook.waiting(), 2);
    let heard: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let ears = Arc::clone(&heard);
    let route = post(move |body: axum::body::Bytes| {
        ears.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        std::future::ready(StatusCode::NO_CONTENT)
    });
    lab.put("http://127.0.0.1:1", Router::new().route("/hook", route));
    let tick = monitor.tick().await.unwrap();
    hook.tell(&tick.events).await.unwrap();
    assert_eq!(hook.waiting(), 0);
    let heard: Vec<_> = heard.lock().unwrap().iter().map(|it| it["event"].clone()).collect();
    assert_eq!(heard, ["started", "verified"], "that nothing changed is not told");
    for bad in ["", "ftp://a.example/", "/hook"] {
        assert!(matches!(Webhook::new(&user.client, bad), Err(Error::Usage(_))));
    }
}

/// The tokens of package logs in requests for records, as they are made.
fn tokens(lab: &Lab) -> Arc<Mutex<Vec<serde_json::Value>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let tokens = Arc::clone(&seen);
    lab.net.meddle(move |request| {
        if request.uri().path() == "/v1/fetch/logs" {
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            seen.lock().unwrap().extend(body["packages"].as_object().unwrap().values().cloned());
        }
        crate::lab::Meddling::Pass
    });
    tokens
}

#[tokio::test]
async fn of_a_long_log_only_what_is_new_is_fetched() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let mut head = None;
    for number in 0..40 {
        head = Some(grow(&registry, head, &format!("0.0.{number}"), b"0").await);
    }
    let user = lab.user();
    watch(&user).tick().await.unwrap();
    let logs = Key::new(["monitors", user.client.home().unwrap().domain().as_str(), "logs"]);
    let kept = user.state.list(&logs.unwrap()).unwrap();
    assert_eq!(kept.len(), 1);
    let asked = tokens(&lab);
    let asked = || std::mem::take(&mut *asked.lock().unwrap());
    // Each step is another process.
    for number in 0..3 {
        let before = user.state.read(&kept[0]).unwrap().unwrap();
        head = Some(grow(&registry, head, &format!("0.1.{number}"), b"1").await);
        let tick = watch(&user).tick().await.unwrap();
        assert_eq!(tick.outcome, Outcome::Advanced);
        let asked = asked();
        assert!(asked.len() == 1 && asked[0].is_string(), "{asked:?}");
        assert_ne!(user.state.read(&kept[0]).unwrap().unwrap(), before);
    }
    // What is kept may be of another time, or nothing: then all of the log is fetched.
    let old = user.state.read(&kept[0]).unwrap().unwrap();
    for (version, left) in [("0.2.0", b"{".to_vec()), ("0.2.1", old)] {
        head = Some(grow(&registry, head, version, b"2").await);
        user.state.write(&kept[0], &left).unwrap();
        assert_eq!(watch(&user).tick().await.unwrap().outcome, Outcome::Advanced);
        assert_eq!(asked(), [serde_json::Value::Null]);
    }
    // The registry need not know the token any more.
    let mut stored: serde_json::Value =
        serde_json::from_slice(&user.state.read(&kept[0]).unwrap().unwrap()).unwrap();
    stored["token"] =
        "sha256:0000000000000000000000000000000000000000000000000000000000000000".into();
    user.state.write(&kept[0], &serde_json::to_vec(&stored).unwrap()).unwrap();
    grow(&registry, head, "1.0.0", b"3").await;
    assert_eq!(watch(&user).tick().await.unwrap().outcome, Outcome::Advanced);
    let asked = asked();
    assert!(asked.len() == 2 && asked[0].is_string() && asked[1].is_null(), "{asked:?}");
}

#[tokio::test]
async fn a_registry_that_was_started_anew_can_be_forgotten() {
    let lab = Lab::new();
    for forget_all in [true, false] {
        let registry = lab.registry(HOME);
        grow(&registry, None, "1.0.0", b"\0asm\x01\0\0\0").await;
        let user = lab.user();
        assert_eq!(watch(&user).tick().await.unwrap().outcome, Outcome::Advanced);
        lab.registry(HOME);
        alarm(&user, &watch(&user).tick().await.unwrap());
        if forget_all {
            user.client.reset().unwrap();
        } else {
            user.client.home().unwrap().forget().unwrap();
        }
        assert_eq!(watch(&user).tick().await.unwrap().outcome, Outcome::Advanced);
        assert_eq!(user.client.evidence().unwrap().len(), 1);
    }
}
