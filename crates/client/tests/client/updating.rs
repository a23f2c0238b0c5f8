//! Bringing logs up to date.

use wargate_client::config::{Config, Role, SourceFile, Sources};
use wargate_client::seams::{Key, State};
use wargate_client::verify::Depth;
use wargate_client::{Change, Choice, Error, MemoryContents, Publication};
use wargate_protocol::{Entry, LogId, PackageEntry, PackagePermission};
use wargate_testkit::world::{BEGIN, World, init, key, name, publish, record, release};

use crate::lab::{HOME, Lab, Meddling};

const ONE: &[u8] = b"\0asm\x01\0\0\0";

#[tokio::test]
async fn a_package_comes_with_one_request_and_is_remembered() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let user = lab.user();
    let package = user.client.update(&[name("test:hello")]).await.unwrap().remove(0);
    assert_eq!(package.state().releases().count(), 1);
    // Discovery goes beside it.
    let asked = lab.net.drain();
    assert_eq!(asked, ["GET /.well-known/wasm-pkg/registry.json", "POST /v1/fetch/transcript"]);
    let told = user.notes.0.lock().unwrap().join("\n");
    assert!(told.contains("FirstUse") && told.contains("Verified"), "{told}");
    // The next process knows it without asking, and asks once to be sure.
    let user = user.again(|_| ());
    let known = user.client.known(&name("test:hello")).unwrap().unwrap();
    assert_eq!(known.state(), package.state());
    user.client.update(&[name("test:hello")]).await.unwrap();
    assert_eq!(lab.net.drain(), ["POST /v1/fetch/transcript"]);
    // Without the network the same is known.
    let offline = user.again(|settings| settings.offline = true);
    offline.client.update(&[name("test:hello")]).await.unwrap();
    let error = offline.client.update(&[name("test:other")]).await.unwrap_err();
    assert!(matches!(error, Error::Offline(_)), "{error}");
    assert!(lab.net.drain().is_empty());
}

#[tokio::test]
async fn a_registry_without_transcripts_is_asked_step_by_step() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    lab.net.meddle(|request| {
        if request.uri().path() == "/v1/fetch/transcript" {
            let body = br#"{"status":404,"message":"not found"}"#.to_vec();
            let answer = http::Response::builder().status(404);
            let answer = answer.header("content-type", "application/json").body(body);
            return Meddling::Answer(answer.unwrap());
        }
        Meddling::Pass
    });
    let user = lab.user();
    user.client.update(&[name("test:hello")]).await.unwrap();
    let asked = lab.net.drain();
    assert_eq!(asked.iter().filter(|it| it.contains("fetch/logs")).count(), 1);
    assert_eq!(asked.iter().filter(|it| it.contains("proof/inclusion")).count(), 1);
    assert_eq!(asked.len(), 5, "{asked:?}");
    // Later there is consistency to prove; which registry this is, is not asked again.
    let second = record(&key(7), Some(first.record_id()), [release("1.1.0", ONE)]);
    publish(&registry, "test:hello", &second, ONE).await;
    let package = user.client.update(&[name("test:hello")]).await.unwrap().remove(0);
    assert_eq!(package.state().releases().count(), 2);
    let asked = lab.net.drain();
    assert_eq!(asked.iter().filter(|it| it.contains("proof/")).count(), 2);
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test]
async fn long_logs_come_in_pages() {
    let lab = Lab::new();
    let world = World::new();
    let registry = lab.serve(HOME, &world, &[]);
    let mut last = record(&key(7), None, [init(&key(7))]);
    publish(&registry, "test:long", &last, ONE).await;
    for number in 0..2_100 {
        let entry: PackageEntry = release(&format!("0.0.{number}"), ONE);
        last = record(&key(7), Some(last.record_id()), [entry]);
        publish(&registry, "test:long", &last, ONE).await;
    }
    let user = lab.user();
    let package = user.client.update(&[name("test:long")]).await.unwrap().remove(0);
    assert_eq!(package.state().releases().count(), 2_100);
    let asked = lab.net.drain();
    assert_eq!(asked.iter().filter(|it| it.contains("fetch/logs")).count(), 2, "{asked:?}");
    let history = user.client.home().unwrap().history(&package).await.unwrap();
    assert_eq!(history.len(), 2_101);
}

#[tokio::test]
async fn an_old_state_is_refused() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7))]);
    publish(&registry, "test:hello", &first, ONE).await;
    lab.clock.set(BEGIN + 2 * 24 * 60 * 60);
    let user = lab.user();
    let error = user.client.update(&[name("test:hello")]).await.unwrap_err();
    assert!(matches!(error, Error::Misbehaviour { evidence: Some(_), .. }), "{error}");
    assert_eq!(user.client.known(&name("test:hello")).unwrap().map(|_| ()), None);
    assert_eq!(user.client.evidence().unwrap().len(), 1);
    // The same lie again is kept once.
    user.client.update(&[name("test:hello")]).await.unwrap_err();
    assert_eq!(user.client.evidence().unwrap().len(), 1);
}

#[tokio::test]
async fn a_registry_of_another_operator_is_not_the_one_that_is_known() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    user.client.home().unwrap().refresh().await.unwrap();
    let mut other = World::new();
    other.signer = std::sync::Arc::new(wargate_registry::seams::LocalSigner::new(key(99)));
    lab.serve(HOME, &other, &[Entry::define_namespace("other")]);
    let error = user.client.home().unwrap().refresh().await.unwrap_err();
    assert!(matches!(error, Error::Misbehaviour { .. } | Error::BadAnswer { .. }), "{error}");
    // Only the user can say that this is right.
    let home = user.client.home().unwrap();
    home.confirm(key(99).public_key().id()).unwrap();
    home.refresh().await.unwrap();
    assert!(home.pin().unwrap().unwrap().confirmed);
}

#[tokio::test]
async fn an_unknown_package_is_told_from_an_unknown_namespace() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7))]);
    publish(&registry, "test:hello", &first, ONE).await;
    let user = lab.user();
    user.client.update(&[name("test:hello")]).await.unwrap();
    let error = user.client.update(&[name("test:helo")]).await.unwrap_err();
    let Error::UnknownPackage { similar, .. } = &error else { panic!("{error}") };
    assert_eq!(*similar, [name("test:hello")]);
    let error = user.client.update(&[name("nowhere:hello")]).await.unwrap_err();
    assert!(matches!(error, Error::UnknownNamespace { .. }), "{error}");
}

#[tokio::test]
async fn a_failure_that_several_requests_meet_is_told_once() {
    let lab = Lab::new();
    lab.registry(HOME);
    let mut met = std::collections::BTreeSet::new();
    lab.net.meddle(move |request| {
        if met.insert(request.uri().path().to_owned()) { Meddling::Lost } else { Meddling::Pass }
    });
    let user = lab.user();
    user.client.home().unwrap().refresh().await.unwrap();
    let asked = lab.net.drain();
    assert!(asked.len() >= 5, "discovery, transcript and checkpoint failed: {asked:?}");
    assert_eq!(user.notes.of("Retrying").len(), 1);
}

#[tokio::test]
async fn all_that_is_known_is_updated_where_it_is_from() {
    const OTHER: &str = "http://127.0.0.1:8091";
    let lab = Lab::new();
    let (home, other) = (lab.registry(HOME), lab.registry(OTHER));
    let user = lab.user();
    let at_other = user.again(|settings| settings.home = Some(OTHER.parse().unwrap()));
    let mut heads = Vec::new();
    for (registry, name, user) in [(&home, "test:one", &user), (&other, "test:two", &at_other)] {
        let first = record(&key(7), None, [init(&key(7))]);
        publish(registry, name, &first, ONE).await;
        user.client.update(&[wargate_testkit::world::name(name)]).await.unwrap();
        let second = record(&key(7), Some(first.record_id()), [release("1.0.0", ONE)]);
        publish(registry, name, &second, ONE).await;
        heads.push(second.record_id());
    }
    for user in [&user, &at_other] {
        let updated = user.client.update_known().await.unwrap();
        let packages: Vec<_> = updated.into_iter().flat_map(|it| it.packages.unwrap()).collect();
        let names: Vec<_> = packages.iter().map(|package| package.name().as_str()).collect();
        assert_eq!(names, ["test:one", "test:two"]);
        for (package, head) in packages.iter().zip(&heads) {
            assert_eq!(package.state().head().unwrap().record_id, *head);
        }
    }
    // A registry that fails does not keep the others from it.
    lab.put(OTHER, axum::Router::new());
    let updated = user.client.update_known().await.unwrap();
    let worked: Vec<_> = updated.iter().map(|it| it.packages.is_ok()).collect();
    assert_eq!(worked, [true, false]);
    assert_eq!(updated[1].registry.domain().as_str(), "127.0.0.1-8091");
    let offline = user.again(|settings| settings.offline = true);
    lab.net.drain();
    let updated = offline.client.update_known().await.unwrap();
    assert_eq!(updated.into_iter().flat_map(|it| it.packages.unwrap()).count(), 2);
    assert!(lab.net.drain().is_empty());
}

#[tokio::test]
async fn a_registry_that_was_replaced_is_noticed_whatever_is_asked() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    for package in ["test:hello", "test:other"] {
        publish(&registry, package, &record(&key(7), None, [init(&key(7))]), ONE).await;
    }
    let user = lab.user();
    user.client.update(&[name("test:hello")]).await.unwrap();
    let elsewhere = user.again(|settings| {
        let home = settings.home.replace("http://127.0.0.1:9999".parse().unwrap()).unwrap();
        settings.namespaces.insert("test".parse().unwrap(), home);
    });
    // It begins anew, with the same key and nothing in it.
    lab.registry(HOME);
    for user in [&user, &elsewhere] {
        let known = user.client.update_known().await.unwrap().remove(0).packages.map(|_| ());
        let named = user.client.update(&[name("test:hello")]).await.map(|_| ());
        for error in [known.unwrap_err(), named.unwrap_err()] {
            assert_eq!(error.code(), "rollback");
            assert!(error.evidence().is_some(), "{error}");
            assert_eq!(error.may_be_anew().map(ToString::to_string).unwrap(), "127.0.0.1-8090");
        }
    }
    // Only the user can say that this is right.
    user.client.reset().unwrap();
    assert!(user.client.update_known().await.unwrap().is_empty());
    let error = user.client.update(&[name("test:hello")]).await.unwrap_err();
    assert_eq!(error.code(), "unknown-package");
}

/// Denies a log to whoever asks for it, and hints at another registry.
fn deny(lab: &Lab, package: &str) {
    let log = LogId::package(&name(package)).to_string();
    lab.net.meddle(move |request| {
        let asks = String::from_utf8_lossy(request.body()).contains(&log);
        if !asks || request.uri().path().contains("publish") {
            return Meddling::Pass;
        }
        let body = serde_json::json!({ "status": 404, "type": "log", "id": log }).to_string();
        let answer = http::Response::builder()
            .status(404)
            .header("content-type", "application/json")
            .header("warg-registry-hint", "test=127.0.0.1-9090");
        Meddling::Answer(answer.body(body.into_bytes()).unwrap())
    });
}

#[tokio::test]
async fn a_log_that_was_there_is_not_gone() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&registry, "test:hello", &first, ONE).await;
    let user = lab.user_with(|settings| settings.hints = Choice::Yes);
    user.client.update(&[name("test:hello")]).await.unwrap();
    deny(&lab, "test:hello");
    lab.net.drain();
    let home = user.client.home().unwrap();
    let entries = vec![Change::Grant {
        key: key(8).public_key(),
        permissions: vec![PackagePermission::Release],
    }];
    let publication = Publication { name: name("test:hello"), head: None, entries };
    let known = user.client.update_known().await.unwrap().remove(0).packages.map(|_| ());
    let named = user.client.update(&[name("test:hello")]).await.map(|_| ());
    let verified = user.client.verify_package(&name("test:hello"), Depth::default()).await;
    let contents = MemoryContents::of([ONE]);
    let published = home.publish(&publication, &key(7), &contents, true).await.map(|_| ());
    for told in [known, named, verified.map(|_| ()), published] {
        let error = told.unwrap_err();
        assert_eq!((error.code(), error.culprit()), ("missing-log", Some("server")), "{error}");
        assert!(error.evidence().is_some());
    }
    let asked = lab.net.drain();
    assert!(!asked.iter().any(|it| it.contains("record")), "{asked:?}");
    assert!(user.notes.of("Redirected").is_empty());
    // One that was never there may be missing.
    let error = user.client.update(&[name("test:helo")]).await.unwrap_err();
    assert_eq!(error.code(), "unknown-package");
}

#[tokio::test]
async fn what_did_not_survive_a_power_failure_is_told() {
    let lab = Lab::new();
    let registry = lab.registry(HOME);
    let user = lab.user();
    for package in ["test:one", "test:two", "test:three"] {
        publish(&registry, package, &record(&key(7), None, [init(&key(7))]), ONE).await;
        user.client.update(&[name(package)]).await.unwrap();
    }
    let below = Key::new(["registries", "127.0.0.1-8090", "packages"]).unwrap();
    for key in &user.state.list(&below).unwrap()[..2] {
        user.state.write(key, b"").unwrap();
    }
    assert_eq!(user.client.packages().unwrap().len(), 1);
    let told = user.notes.of("Warning").join("\n");
    assert!(told.contains("packages was damaged (2)"), "{told}");
    // Once.
    assert_eq!(user.client.packages().unwrap().len(), 1);
    assert_eq!(user.notes.of("Warning").len(), 1);
    // What is said of the others is enough to bring them back.
    let operator = Key::new(["registries", "127.0.0.1-8090", "operator"]).unwrap();
    user.state.write(&operator, b"").unwrap();
    assert!(user.client.packages().unwrap().is_empty());
    assert_eq!(user.notes.of("Warning").len(), 2);
    let updated = user.client.update_known().await.unwrap().remove(0);
    assert_eq!(updated.packages.unwrap().len(), 1);
    assert_eq!(user.client.packages().unwrap().len(), 1);
}

#[tokio::test]
async fn one_name_over_http_and_https_is_found_twice() {
    let lab = Lab::new();
    lab.registry(HOME);
    let user = lab.user();
    let secure = user.client.registry(HOME.replace("http", "https").parse().unwrap());
    let plain = user.client.home().unwrap();
    assert_eq!(plain.domain(), secure.domain());
    let discoveries = || lab.net.drain().iter().filter(|it| it.contains("well-known")).count();
    for registry in [&plain, &secure] {
        registry.refresh().await.unwrap();
        assert_eq!(discoveries(), 1);
    }
    for user in [user.again(|_| ()), user] {
        for url in [plain.url(), secure.url()] {
            user.client.registry(url.clone()).refresh().await.unwrap();
            assert_eq!(discoveries(), 0);
        }
    }
}

#[tokio::test]
async fn only_the_user_confirms_an_operator() {
    let lab = Lab::new();
    lab.registry(HOME);
    let known = lab.user();
    let home = known.client.home().unwrap();
    home.refresh().await.unwrap();
    let operator = home.pin().unwrap().unwrap().operator_key;
    let domain = home.domain();
    let text = format!("[registries.\"{domain}\"]\noperator-keys = [\"{operator}\"]\n");
    for (role, confirmed) in [(Role::User, true), (Role::Project, false)] {
        let path = "warg.toml".into();
        let files = vec![SourceFile { path, text: text.clone(), role }];
        let config = Config::resolve(&Sources { files, ..Sources::default() }).unwrap();
        let user = lab.user_with(|settings| {
            let home = settings.home.clone();
            *settings = config.settings.clone();
            settings.home = home;
        });
        let home = user.client.home().unwrap();
        home.refresh().await.unwrap();
        assert_eq!(home.pin().unwrap().unwrap().confirmed, confirmed, "{role:?}");
        assert_eq!(user.notes.of("FirstUse").is_empty(), confirmed);
    }
}
