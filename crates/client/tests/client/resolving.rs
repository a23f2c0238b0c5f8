//! Which releases answer imports, by the word of registries that know it and of those that do not.

use std::collections::BTreeMap;
use std::sync::Arc;

use wargate_client::resolve::Question;
use wargate_client::{Error, Kind};
use wargate_component::ImportName;
use wargate_component::lock::Lock;
use wargate_crypto::Digest;
use wargate_protocol::{Entry, LogLength, RecordId};
use wargate_registry::Registry;
use wargate_testkit::world::{World, init, key, publish, record, release};
use wasm_encoder::{ComponentBuilder, ComponentTypeRef, InstanceType};

use crate::lab::{HOME, Lab, Meddling};
use crate::liar::Liar;

const OTHER: &str = "http://127.0.0.1:9090";
const ADD: &str = "unlocked-dep=<test:add@{>=1.0.0 <2.0.0}>";
const INC: &str = "unlocked-dep=<test:inc>";

fn component(imports: &[&str]) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let ty = component.type_instance(None, &InstanceType::new());
    for import in imports {
        component.import(*import, ComponentTypeRef::Instance(ty));
    }
    component.finish()
}

/// Publishes a package whose releases have these imports.
async fn put(
    registry: &Arc<Registry>,
    package: &str,
    releases: &[(&str, &[&str])],
) -> Option<RecordId> {
    let mut head = None;
    for (version, imports) in releases {
        let mut content = component(imports);
        // Each has a digest of its own.
        wasm_section(&mut content, version);
        let mut entries = vec![release(version, &content)];
        if head.is_none() {
            entries.insert(0, init(&key(7)));
        }
        let next = record(&key(7), head, entries);
        publish(registry, package, &next, &content).await;
        head = Some(next.record_id());
    }
    head
}

fn wasm_section(content: &mut Vec<u8>, text: &str) {
    let name = wasm_encoder::CustomSection { name: "version".into(), data: text.as_bytes().into() };
    wasm_encoder::ComponentSection::append_to_component(&name, content);
}

/// The tower, and the newest record of `test:add`.
async fn tower(registry: &Arc<Registry>) -> Option<RecordId> {
    let head = put(registry, "test:add", &[("1.0.0", &[]), ("1.1.0", &[]), ("2.0.0", &[])]).await;
    put(registry, "test:inc", &[("1.0.0", &[]), ("1.1.0", &[ADD])]).await;
    put(registry, "test:meet", &[("1.0.0", &[INC, ADD])]).await;
    head
}

fn question(imports: &[&str]) -> Question {
    let imports = imports.iter().map(|text| text.parse::<ImportName>().unwrap());
    Question { imports: imports.collect(), ..Question::default() }
}

/// The lock of an answer.
async fn lock(client: &wargate_client::Client, imports: &[&str]) -> Result<Lock, Error> {
    let question = question(imports);
    let resolved = client.resolve(&question).await?;
    Ok(resolved.to_lock(&[(None, question.imports)], &BTreeMap::new()))
}

fn names(lock: &Lock) -> Vec<String> {
    lock.packages.keys().map(ToString::to_string).collect()
}

const TOWER: [&str; 3] = ["test:add@1.1.0", "test:inc@1.1.0", "test:meet@1.0.0"];
const MEET: &str = "unlocked-dep=<test:meet>";

#[tokio::test]
async fn a_registry_that_knows_is_asked_in_few_round_trips() {
    let lab = Lab::new();
    tower(&lab.registry(HOME)).await;
    let user = lab.user();
    lab.net.drain();
    assert_eq!(names(&lock(&user.client, &[MEET]).await.unwrap()), TOWER);
    let asked = lab.net.drain();
    assert!(asked.len() <= 4 && asked.iter().all(|it| !it.contains("content")), "{asked:?}");
}

#[tokio::test]
async fn of_a_registry_that_does_not_the_content_is_looked_into() {
    let lab = Lab::new();
    tower(&lab.registry(HOME)).await;
    let known = lock(&lab.user().client, &[MEET]).await.unwrap();
    // As one that has never heard of it, and as one that fails.
    for status in [404, 405, 500] {
        lab.net.meddle(move |request| {
            let path = request.uri().path();
            if path == "/v1/solve" || path.starts_with("/v1/dependenc") {
                let answer = http::Response::builder().status(status);
                return Meddling::Answer(answer.body(Vec::new()).unwrap());
            }
            Meddling::Pass
        });
        let found = lock(&lab.user().client, &[MEET]).await.unwrap();
        assert_eq!(found.packages, known.packages, "{status}");
    }
}

#[tokio::test]
async fn packages_of_other_registries_are_asked_for_there() {
    let lab = Lab::new();
    let far = Entry::import_namespace("far", "127.0.0.1-9090");
    let home = lab.serve(HOME, &World::new(), &[far]);
    let other = lab.serve(OTHER, &World::new(), &[Entry::define_namespace("far")]);
    put(&other, "far:away", &[("0.3.0", &[]), ("0.3.1", &[])]).await;
    put(&home, "test:near", &[("1.0.0", &["unlocked-dep=<far:away@{>=0.3.0 <0.4.0}>"])]).await;
    let lock = lock(&lab.user().client, &["unlocked-dep=<test:near>"]).await.unwrap();
    assert_eq!(names(&lock), ["far:away@0.3.1", "test:near@1.0.0"]);
    assert_eq!(lock.registries.len(), 2);
    // Whoever has the lock and nothing else finds both, and both prove where they stood.
    let stranger = lab.user_with(|settings| settings.home = None);
    let fetched = stranger.client.get_locked(&lock).await.unwrap();
    assert_eq!(fetched.len(), 2);
    stranger.client.check_registries(&lock).await.unwrap();
}

#[tokio::test]
async fn what_a_registry_says_is_compared_with_the_content() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    tower(&registry).await;
    let liar = Liar::default();
    lab.put(HOME, liar.over(&registry));
    // It hides an import of each release.
    liar.tell_json("/v1/dependencies", |answer| {
        for imports in answer["contents"].as_object_mut().unwrap().values_mut() {
            *imports = serde_json::json!([]);
        }
    });
    let user = lab.user();
    let hidden = lock(&user.client, &[MEET]).await.unwrap();
    assert_eq!(names(&hidden), ["test:meet@1.0.0"]);
    let mut fetched = user.client.get_locked(&hidden).await.unwrap();
    let (id, content) = fetched.first_mut().unwrap();
    let error = user.client.whole_locked(id, &hidden.packages[id], content).unwrap_err();
    assert_eq!(error.code(), "other-imports");
}

#[tokio::test]
async fn a_lock_of_another_log_is_noticed() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    tower(&registry).await;
    let user = lab.user();
    let lock = lock(&user.client, &[MEET]).await.unwrap();
    user.client.check_registries(&lock).await.unwrap();
    put(&registry, "test:later", &[("1.0.0", &[])]).await;
    user.client.home().unwrap().refresh().await.unwrap();
    user.client.check_registries(&lock).await.unwrap();

    let changed = |change: &dyn Fn(&mut wargate_component::lock::LockedRegistry)| {
        let mut lock = lock.clone();
        lock.registries.values_mut().for_each(change);
        lock
    };
    let other_root = changed(&|it| it.log_root = Digest::of(b"other"));
    let longer = changed(&|it| it.log_length = LogLength::new(1_000_000));
    for lock in [other_root, longer] {
        let error = user.client.check_registries(&lock).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("other-log", Kind::Untrusted), "{error}");
    }
    // Content that the log does not have under this name.
    let mut wrong = lock.clone();
    let id = "test:add@1.1.0".parse().unwrap();
    wrong.packages.get_mut(&id).unwrap().digest = Digest::of(b"other");
    let error = user.client.get_locked(&wrong).await.err().unwrap();
    assert_eq!(error.code(), "not-as-locked");
}

#[tokio::test]
async fn a_yanked_release_stays_locked_whatever_its_registry_knows() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let head = tower(&registry).await;
    let known = lock(&lab.user().client, &[MEET]).await.unwrap();
    let yank = Entry::yank("1.1.0".parse().unwrap());
    let next = record(&key(7), head, [yank]);
    publish(&registry, "test:add", &next, b"").await;
    for status in [200, 404, 503] {
        lab.net.meddle(move |request| {
            let path = request.uri().path();
            if status != 200 && (path == "/v1/solve" || path.starts_with("/v1/dependenc")) {
                let answer = http::Response::builder().status(status);
                return Meddling::Answer(answer.body(Vec::new()).unwrap());
            }
            Meddling::Pass
        });
        let mut asked = question(&[MEET]);
        asked.options.pins = known.pins();
        asked.locked = known.clone();
        let resolved = lab.user().client.resolve(&asked).await.unwrap();
        let again = resolved.to_lock(&[(None, asked.imports)], &BTreeMap::new());
        assert_eq!(again.packages, known.packages, "{status}");
        // Without the lock it is passed over.
        let fresh = lock(&lab.user().client, &[MEET]).await.unwrap();
        assert!(names(&fresh).contains(&"test:add@1.0.0".to_owned()), "{status}: {fresh}");
    }
}

#[tokio::test]
async fn what_is_not_there_or_elsewhere_is_asked_for_in_bounds() {
    let lab = Lab::new();
    let far = Entry::import_namespace("far", "127.0.0.1-9090");
    lab.serve(HOME, &World::new(), &[far]);
    let other = lab.serve(OTHER, &World::new(), &[Entry::define_namespace("far")]);
    put(&other, "far:secret", &[("1.0.0", &[])]).await;
    let user = lab.user();
    let unknown: Vec<String> = (0..60).map(|at| format!("unlocked-dep=<test:none{at}>")).collect();
    let unknown: Vec<&str> = unknown.iter().map(String::as_str).collect();
    lab.net.drain();
    let error = lock(&user.client, &unknown).await.unwrap_err();
    assert_eq!(error.code(), "conflict", "{error}");
    let asked = lab.net.drain().len();
    assert!(asked < 4 * unknown.len(), "{asked} requests");
    let many: Vec<String> = (0..200).map(|at| format!("unlocked-dep=<test:none{at}>")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(lock(&user.client, &many).await.unwrap_err().code(), "unsolvable");

    // The home registry learns nothing of packages of others.
    user.client.home().unwrap().refresh().await.unwrap();
    let told = Arc::new(std::sync::Mutex::new(String::new()));
    let sink = Arc::clone(&told);
    lab.net.meddle(move |request| {
        if request.uri().authority().is_some_and(|it| it.as_str() == "127.0.0.1:8090") {
            sink.lock().unwrap().push_str(&String::from_utf8_lossy(request.body()));
        }
        Meddling::Pass
    });
    lock(&user.client, &["unlocked-dep=<far:secret>"]).await.unwrap();
    assert!(!told.lock().unwrap().contains("secret"), "{}", told.lock().unwrap());
}
