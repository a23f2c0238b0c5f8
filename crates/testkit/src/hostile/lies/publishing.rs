//! Answers to a publisher.

use serde_json::{Value, json};
use wargate_crypto::Digest;

use super::faults;
use crate::hostile::forge::records;
use crate::hostile::lie::{FaultKind, Lie, Operation, Verdict};
use crate::hostile::reply::{Part, Reply};
use crate::hostile::story::HELLO;

pub(super) fn lies() -> Vec<Lie> {
    [states(), places(), words()].into_iter().flatten().collect()
}

fn publish(name: &'static str, about: &'static str) -> Lie {
    Lie::new(name, about).when(Operation::Publish("0.5.0"))
}

/// What a publisher may say of a record that the registry has not published.
const NOT_THERE: &[Verdict] = &[
    Verdict::BadAnswer,
    Verdict::StillWaiting,
    Verdict::Misbehaviour(FaultKind::NotInMap),
    Verdict::Misbehaviour(FaultKind::NotInLog),
];

const BAD: &[Verdict] = &[Verdict::BadAnswer];

/// Answers as if the record were in the log.
fn say_published(it: &mut Reply, index: u64) {
    it.edit(|it| {
        let record = it["recordId"].clone();
        *it = json!({ "recordId": record, "state": "published", "registryIndex": index });
    });
}

fn states() -> Vec<Lie> {
    vec![
        publish("published-and-not-there", "The record is said to be published, and is not.")
            .reply(Part::Publish, |_, _, it| say_published(it, 16))
            .reply(Part::State, |_, _, it| say_published(it, 16))
            .expect(NOT_THERE),
        publish("published-beyond-the-log", "The record is said to stand behind the checkpoint.")
            .reply(Part::Publish, |_, _, it| say_published(it, 5000))
            .reply(Part::State, |_, _, it| say_published(it, 5000))
            .expect(NOT_THERE),
        publish("published-in-anothers-place", "The record is said to stand where another stands.")
            .reply(Part::Publish, |_, _, it| say_published(it, 3))
            .reply(Part::State, |_, _, it| say_published(it, 3))
            .expect(NOT_THERE),
        publish("published-and-hidden", "The record is published, and hidden from its publisher.")
            .logs(|_, _, it| {
                let published = |record: &Value| record["registryIndex"].as_u64() < Some(16);
                records(it, HELLO).retain(published);
            })
            .expect(&[
                Verdict::Misbehaviour(FaultKind::NotInMap),
                Verdict::BadAnswer,
                Verdict::StillWaiting,
            ]),
        publish("published-another", "The answer is about another record.")
            .reply(Part::Publish, |_, _, it| {
                it.edit(|it| it["recordId"] = json!(Digest::of(b"another").to_string()));
            })
            .expect(BAD),
        publish("state-of-another", "The record's state is another record's.")
            .reply(Part::Publish, |_, _, it| processing(it))
            .reply(Part::State, |_, _, it| {
                it.edit(|it| it["recordId"] = json!(Digest::of(b"another").to_string()));
            })
            .expect(BAD),
        publish("processing-for-ever", "The record is never finished.")
            .reply(Part::Publish, |_, _, it| processing(it))
            .reply(Part::State, |_, _, it| processing(it))
            .reply(Part::Upload, |_, _, it| *it = Reply::text(201, "text/plain", ""))
            .logs(|_, _, it| {
                let published = |record: &Value| record["registryIndex"].as_u64() < Some(16);
                records(it, HELLO).retain(published);
            })
            .expect(&[Verdict::StillWaiting, Verdict::Misbehaviour(FaultKind::NotInMap)]),
        publish("state-of-no-kind", "The record is in a state that there is not.")
            .reply(Part::Publish, |_, _, it| it.edit(|it| it["state"] = json!("haunted")))
            .expect(BAD),
        publish("signed-before-a-lie", "The log to publish into is forged: nothing may be signed.")
            .logs(|_, _, it| records(it, HELLO).clear())
            .expect(faults![NotInMap]),
    ]
}

fn processing(it: &mut Reply) {
    it.edit(|it| *it = json!({ "recordId": it["recordId"], "state": "processing" }));
}

/// Another place for the upload, with these headers.
fn upload_to(it: &mut Reply, url: &str, headers: &Value) {
    it.edit(|it| {
        let Some(missing) = it["missingContent"].as_object_mut() else { return };
        for content in missing.values_mut() {
            let endpoint =
                json!({ "type": "http", "method": "POST", "url": url, "headers": headers });
            content["upload"] = json!([endpoint]);
        }
    });
}

fn places() -> Vec<Lie> {
    const REFUSED: &[Verdict] = &[Verdict::BadAnswer, Verdict::StillWaiting];
    vec![
        publish("upload-without-tls", "The content is to be sent to another host, without TLS.")
            .reply(Part::Publish, |_, _, it| {
                upload_to(it, "http://registry.invalid/upload", &json!({}));
            })
            .expect(REFUSED),
        publish("upload-to-a-file", "The content is to be written to a file.")
            .reply(Part::Publish, |_, _, it| upload_to(it, "file:///tmp/owned", &json!({})))
            .expect(REFUSED),
        publish(
            "upload-to-metadata",
            "The content is to be sent to where a cloud has its secrets.",
        )
        .reply(Part::Publish, |_, _, it| {
            upload_to(it, "http://169.254.169.254/latest/api/token", &json!({}));
        })
        .expect(REFUSED),
        publish("upload-with-a-cookie", "A header is to be sent that no upload may have.")
            .reply(Part::Publish, |scene, asked, it| {
                let url = format!("{}{}", scene.story.url, asked.path);
                upload_to(it, &url, &json!({ "cookie": "session=1" }));
            })
            .expect(REFUSED),
        publish("upload-for-another-host", "The upload is to name another host.")
            .reply(Part::Publish, |scene, asked, it| {
                let url = format!("{}{}", scene.story.url, asked.path);
                upload_to(it, &url, &json!({ "host": "intranet" }));
            })
            .expect(REFUSED),
        publish("upload-with-a-header-inside", "A header's value has a line break.")
            .reply(Part::Publish, |scene, asked, it| {
                let url = format!("{}{}", scene.story.url, asked.path);
                upload_to(it, &url, &json!({ "authorization": "x\r\nHost: intranet" }));
            })
            .expect(REFUSED),
        publish("upload-of-other-content", "Content is missing that nobody has offered.")
            .reply(Part::Publish, |_, _, it| {
                it.edit(|it| {
                    let Some(missing) = it["missingContent"].as_object_mut() else { return };
                    let endpoints = missing.values().next().cloned().unwrap_or_default();
                    let other = Digest::of(b"a file that the publisher has beside it").to_string();
                    *missing = [(other, endpoints)].into_iter().collect();
                });
            })
            .expect(REFUSED),
    ]
}

fn words() -> Vec<Lie> {
    vec![
        publish("rejected-with-escapes", "The record is refused with terminal escapes.")
            .reply(Part::Publish, |_, _, it| {
                let body = json!({
                    "status": 422,
                    "type": "rejection",
                    "message": "\u{1b}[2J\u{1b}]0;owned\u{7}no\r\n\u{202e}",
                });
                *it = Reply::text(422, "application/json", body.to_string());
            })
            .expect(&[Verdict::Rejected, Verdict::Unavailable, Verdict::BadAnswer]),
        publish("state-rejected-with-escapes", "The record's state has terminal escapes.")
            .reply(Part::Publish, |_, _, it| {
                it.edit(|it| {
                    let reason = "\u{1b}[2J\u{1b}]0;owned\u{7}no";
                    let record = it["recordId"].clone();
                    *it = json!({ "recordId": record, "state": "rejected", "reason": reason });
                });
            })
            .expect(&[Verdict::Rejected]),
    ]
}
