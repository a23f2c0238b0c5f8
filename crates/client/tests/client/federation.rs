//! Packages of other registries.

use wargate_client::{Choice, Error};
use wargate_protocol::Entry;
use wargate_testkit::world::{World, init, key, name, publish, record, release};

use crate::lab::{HOME, Lab, Meddling};

const ONE: &[u8] = b"\0asm\x01\0\0\0";
const OTHER: &str = "http://127.0.0.1:9090";

async fn two_registries(lab: &Lab, entries: &[wargate_protocol::OperatorEntry]) {
    lab.serve(HOME, &World::new(), entries);
    let other = lab.serve(OTHER, &World::new(), &[Entry::define_namespace("far")]);
    let first = record(&key(7), None, [init(&key(7)), release("1.0.0", ONE)]);
    publish(&other, "far:away", &first, ONE).await;
}

#[tokio::test]
async fn an_imported_namespace_leads_to_its_registry() {
    let lab = Lab::new();
    two_registries(&lab, &[Entry::import_namespace("far", "127.0.0.1-9090")]).await;
    let user = lab.user();
    let package = user.client.update(&[name("far:away")]).await.unwrap().remove(0);
    assert_eq!(package.registry().as_str(), "127.0.0.1-9090");
    // From now on the home registry is not asked for the log.
    lab.net.drain();
    user.client.update(&[name("far:away")]).await.unwrap();
    let asked = lab.net.drain();
    assert!(asked.iter().filter(|it| it.contains("transcript")).count() <= 2, "{asked:?}");
}

#[tokio::test]
async fn a_hint_is_followed_if_it_may_be() {
    let lab = Lab::new();
    two_registries(&lab, &[]).await;
    lab.net.meddle(|request| {
        let home = request.uri().authority().is_some_and(|it| it.as_str() == "127.0.0.1:8090");
        let asks = request.uri().path() == "/v1/fetch/transcript";
        if home && asks && !request.headers().contains_key("warg-registry") {
            let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
            if let Some(log) = body["packages"].as_object().and_then(|logs| logs.keys().next()) {
                let answer = serde_json::json!({"status": 404, "type": "log", "id": log});
                return Meddling::Answer(
                    http::Response::builder()
                        .status(404)
                        .header("content-type", "application/json")
                        .header("warg-registry-hint", "far=127.0.0.1-9090")
                        .body(answer.to_string().into_bytes())
                        .unwrap(),
                );
            }
        }
        Meddling::Pass
    });
    let careful = lab.user_with(|settings| settings.hints = Choice::No);
    careful.client.update(&[name("far:away")]).await.unwrap_err();
    let asking = lab.user_with(|settings| settings.hints = Choice::Ask);
    let error = asking.client.update(&[name("far:away")]).await.unwrap_err();
    let Error::Undecided(question) = error else { panic!("{error}") };
    let answered = asking.again(|settings| settings.answers.note(question, true));
    let package = answered.client.update(&[name("far:away")]).await.unwrap().remove(0);
    assert_eq!(package.registry().as_str(), "127.0.0.1-9090");
    // It is remembered.
    let next = asking.again(|_| ());
    assert!(next.client.known(&name("far:away")).unwrap().is_some());
}

#[tokio::test]
async fn what_the_user_says_comes_first() {
    let lab = Lab::new();
    two_registries(&lab, &[]).await;
    let user = lab.user_with(|settings| {
        settings.namespaces.insert("far".parse().unwrap(), OTHER.parse().unwrap());
    });
    let package = user.client.update(&[name("far:away")]).await.unwrap().remove(0);
    assert_eq!(package.registry().as_str(), "127.0.0.1-9090");
    let asked = lab.net.drain();
    assert_eq!(asked.len(), 2, "{asked:?}");
}
