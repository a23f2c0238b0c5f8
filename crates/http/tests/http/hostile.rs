//! Bad requests, as tables. What each is answered stands in `snapshots/`, a line for each answer, so
//! that people can review it: whose fault it is, and what to do.
//!
//! Whatever comes, three things hold: no answer is a 5xx but 501 and 503, every error is JSON with its
//! status inside, and nothing of it is left in the registry.

mod bodies;
mod paths;
mod requests;
mod uploads;

use std::fmt::Write;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use wargate_crypto::Digest;
use wargate_registry::store::{Ledger, Pending};

use crate::world::{Answer, EMPTY, JSON, Signed, World, request};

/// A registry with one package, one record that waits for content, and the means to notice a change.
struct Scene {
    world: World,
    /// In the log.
    published: Signed,
    /// Waits for [`WANTED`].
    sourcing: Signed,
    before: String,
}

/// Content that nobody has uploaded.
const WANTED: &[u8] = b"content that was not uploaded yet";

impl Scene {
    async fn new() -> Self {
        let world = World::new();
        let published = world.publish_new("test:one").await;
        let sourcing = Signed::first("test:two", "bob", world.clock_now(), "1.0.0", WANTED);
        assert_eq!(world.publish(&sourcing).await.json()["state"], "sourcing");
        let before = state(&world);
        Self { world, published, sourcing, before }
    }

    /// Sends it, and says in a few words what is answered.
    async fn ask(&self, request: Request<Body>) -> String {
        let answer = self.world.send(request).await;
        verdict(&answer)
    }

    /// Sends a body as JSON.
    async fn post(&self, path: &str, body: impl Into<Body>) -> String {
        let builder = request("POST", path).header("content-type", JSON);
        self.ask(builder.body(body.into()).unwrap()).await
    }

    /// Nothing was changed by what was refused.
    fn unchanged(&self) {
        assert_eq!(state(&self.world), self.before);
    }

    fn length(&self) -> u64 {
        self.world.length()
    }

    /// Every route that takes JSON, with a body that is in order and changes nothing.
    fn bodies(&self) -> Vec<(String, Value)> {
        let (log, length) = (self.published.log(), self.length());
        let token = self.published.id();
        let checkpoint = &self.world.registry.newest().checkpoint;
        let publish = json!({
            "packageName": self.published.name.as_str(),
            "record": self.published.record,
            "contentSources": {},
        });
        let logs = json!({
            "logLength": length, "limit": 10, "operator": null, "packages": { log.to_string(): token },
        });
        let transcript = json!({
            "operator": null, "packages": { log.to_string(): null }, "consistentFrom": [1],
        });
        vec![
            ("/v1/fetch/logs".into(), logs),
            ("/v1/fetch/transcript".into(), transcript),
            ("/v1/fetch/names".into(), json!({ "packages": [log] })),
            (self.published.path(), publish),
            ("/v1/proof/inclusion".into(), json!({ "logLength": length, "leafs": [0] })),
            ("/v1/proof/consistency".into(), json!({ "from": 1, "to": length })),
            ("/v1/verify/checkpoint".into(), serde_json::to_value(checkpoint).unwrap()),
        ]
    }

    /// Ids that are the same in every run have names in the snapshots, or nobody could read them.
    fn named(&self, text: &str) -> String {
        let names = [
            (self.published.log().to_string(), "<log>"),
            (self.sourcing.log().to_string(), "<log 2>"),
            (self.published.id().to_string(), "<record>"),
            (self.sourcing.id().to_string(), "<record 2>"),
            (Digest::of(WANTED).to_string(), "<wanted>"),
            (Digest::of(EMPTY).to_string(), "<empty>"),
        ];
        names.iter().fold(text.to_owned(), |text, (id, name)| text.replace(id, name))
    }
}

/// All that a request could have changed.
fn state(world: &World) -> String {
    let head = world.store.head().unwrap().unwrap();
    let contents = world.store.contents(None, 1000).unwrap();
    let digests: Vec<_> = contents.iter().map(|row| row.digest.to_string()).collect();
    format!("{:?} {:?} {digests:?}", head.committed, world.store.counts().unwrap())
}

/// Status and what people are told, checked for what must hold of every answer.
fn verdict(answer: &Answer) -> String {
    let status = answer.status;
    assert!(status < 500 || matches!(status, 501 | 503), "{answer:?}");
    if status < 400 {
        return status.to_string();
    }
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{answer:?}");
    let mut body = answer.json();
    assert_eq!(body["status"], json!(status), "{body}");
    let body = body.as_object_mut().unwrap();
    body.remove("status");
    match (body.get("message").and_then(Value::as_str), body.len()) {
        (Some(message), 1) => format!("{status} {}", shortened(message)),
        _ => format!("{status} {}", Value::Object(body.clone())),
    }
}

/// What differs from case to case and is of no interest: where it is, and what was sent.
fn shortened(message: &str) -> String {
    let message = message.split(" at line ").next().unwrap();
    let message = match (message.find("invalid "), message.rfind(", expected ")) {
        (Some(from), Some(to)) => {
            let kind = message[from..].split(':').next().unwrap();
            format!("{}{kind}: …{}", &message[..from], &message[to..])
        }
        _ => message.to_owned(),
    };
    let cut = message.chars().count() > 300;
    let shown: String = message.chars().take(300).collect();
    format!("{shown}{}", if cut { " (and so on)" } else { "" })
}

/// Lines of cases, those with one answer together, in the order in which they first came.
#[derive(Default, PartialEq)]
struct Table(Vec<(String, Vec<String>)>);

impl Table {
    fn add(&mut self, case: impl Into<String>, answer: String) {
        match self.0.iter_mut().find(|(known, _)| *known == answer) {
            Some((_, cases)) => cases.push(case.into()),
            None => self.0.push((answer, vec![case.into()])),
        }
    }
}

/// Tables under their titles; titles whose tables are the same stand together.
#[derive(Default)]
struct Page(Vec<(Vec<String>, Table)>);

impl Page {
    fn add(&mut self, title: impl Into<String>, table: Table) {
        match self.0.iter_mut().find(|(_, known)| *known == table) {
            Some((titles, _)) => titles.push(title.into()),
            None => self.0.push((vec![title.into()], table)),
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for (titles, Table(rows)) in &self.0 {
            writeln!(text, "\n{}", titles.join("\n")).unwrap();
            for (answer, cases) in rows {
                writeln!(text, "  {}\n      -> {answer}", cases.join(", ")).unwrap();
            }
        }
        text
    }
}
