//! Uploads over a bad line.

use std::io;

use bytes::Bytes;
use wargate_api::paths;
use wargate_api::publish::{UploadEndpoint, UploadHeader, UploadMethod};
use wargate_protocol::{LogId, PackageEnvelope};
use wargate_registry::RecordStatus;

use super::*;
use crate::content::{UploadOutcome, upload};
use crate::seams::ChunkSource;

const LENGTH: usize = 300_000;
const UPLOAD: &str = "/v1/package/";

/// Bytes in pieces; an error after them if they are to fail.
struct Pieces {
    left: Bytes,
    fails: bool,
}

impl ChunkSource for Pieces {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left.is_empty() {
            return if self.fails { Err(io::Error::other("the disk is gone")) } else { Ok(None) };
        }
        let length = self.left.len().min(64 << 10);
        Ok(Some(self.left.split_to(length)))
    }
}

/// A record that waits for its content.
async fn waiting(scene: &Scene) -> (PackageEnvelope, Vec<u8>) {
    let bytes: Vec<u8> = pattern(LENGTH).into_iter().rev().collect();
    let key = world::key(9);
    let entries = [world::init(&key), world::release("1.0.0", &bytes)];
    let record = world::record(&key, None, entries);
    let status = world::submit(&scene.registry, "test:two", &record).await.unwrap();
    assert!(matches!(status, RecordStatus::Sourcing(_)));
    (record, bytes)
}

fn endpoint(url: &str) -> UploadEndpoint {
    let headers = [(UploadHeader::Authorization, "ticket".to_owned())];
    UploadEndpoint::Http {
        method: UploadMethod::Post,
        url: url.to_owned(),
        headers: headers.into_iter().collect(),
    }
}

/// Uploads to these places, and to the right one at last.
async fn run(scene: &Scene, before: &[UploadEndpoint]) -> Result<UploadOutcome, Error> {
    let (record, bytes) = waiting(scene).await;
    let digest = Digest::of(&bytes).into();
    let log = LogId::package(&world::name("test:two"));
    let path = paths::upload(&log, &record.record_id(), &digest);
    let places = [before, &[endpoint(&path)]].concat();
    let open = || {
        let chunks: Box<dyn ChunkSource> =
            Box::new(Pieces { left: bytes.clone().into(), fails: false });
        Ok((LENGTH as u64, chunks))
    };
    upload(&scene.remote, &places, &digest, &open).await
}

#[tokio::test]
async fn uploads_come_through_any_fault_that_passes() {
    let passing: &[&[Fault]] = &[
        &[],
        &[Fault::CutRequest(0), Fault::CutRequest(100_000)],
        &[Fault::busy(503, "3"), Fault::busy(429, "4")],
    ];
    for faults in passing {
        let scene = Scene::new(10, UPLOAD, faults).await;
        let outcome = run(&scene, &[]).await;
        assert_eq!(outcome.unwrap(), UploadOutcome::Done, "{faults:?}");
        for seen in scene.proxy.seen() {
            assert_eq!(seen.header("authorization"), Some("ticket"), "not the user's token");
        }
        let told = scene.surroundings.observer.told();
        assert!(told.last().unwrap().contains("complete: true"), "{told:?}");
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_goes_on_where_it_did() {
    let scene = Scene::new(10, UPLOAD, &[Fault::CutRequest(200_000)]).await;
    assert_eq!(run(&scene, &[]).await.unwrap(), UploadOutcome::Done);
    let seen = scene.proxy.seen();
    let lengths: Vec<_> = seen.iter().map(|seen| seen.header("content-length")).collect();
    assert_eq!(lengths, [Some("300000"), None, Some("100000")]);
    assert_eq!(seen[2].header("upload-offset"), Some("200000"));
    let names: Vec<_> = seen.iter().map(|seen| seen.header("warg-upload")).collect();
    assert!(names[0].is_some() && names.iter().all(|name| *name == names[0]), "{names:?}");
}

#[tokio::test]
async fn an_upload_that_nobody_has_kept_begins_again() {
    let refused = |status| Fault::Answer(status, Vec::new(), Vec::new());
    let offset =
        |at: &str| Fault::Answer(204, vec![("upload-offset".into(), at.to_owned())], Vec::new());
    for (answer, lengths) in [
        // It has nothing, or does not know the question.
        (refused(404), &["300000", "300000"][..]),
        (refused(405), &["300000", "300000"]),
        // It says what cannot be.
        (offset("300000"), &["300000", "300000"]),
        (offset("-1"), &["300000", "300000"]),
        // It says what is not so. Whether its refusal or the end of the connection is seen first
        // decides what comes then.
        (offset("7"), &["300000", "299993"]),
    ] {
        let scene = Scene::new(10, UPLOAD, &[Fault::CutRequest(200_000), answer.clone()]).await;
        assert_eq!(run(&scene, &[]).await.unwrap(), UploadOutcome::Done, "{answer:?}");
        let seen = scene.proxy.seen();
        let sent = seen.iter().filter_map(|seen| seen.header("content-length"));
        let sent: Vec<_> = sent.take(2).collect();
        assert_eq!(sent, lengths, "{answer:?}");
    }
}

#[tokio::test]
async fn an_upload_whose_answer_was_lost_is_there_already() {
    // Our registry takes it again; others say that they do not wait for it.
    for fault in [Fault::LoseAnswer, Fault::Silence, Fault::CutAnswer(0)] {
        let scene = Scene::new(10, UPLOAD, &[fault]).await;
        assert_eq!(run(&scene, &[]).await.unwrap(), UploadOutcome::Done);
    }
    for status in [400, 404, 405, 409] {
        let refused = Fault::Answer(status, Vec::new(), Vec::new());
        let nothing_kept = Fault::Answer(404, Vec::new(), Vec::new());
        let faults = [Fault::LoseAnswer, nothing_kept, refused.clone()];
        let scene = Scene::new(10, UPLOAD, &faults).await;
        assert_eq!(run(&scene, &[]).await.unwrap(), UploadOutcome::AlreadyThere, "{status}");
        // Without an earlier attempt, only 405 says so.
        let scene = Scene::new(10, UPLOAD, &[refused]).await;
        let outcome = run(&scene, &[]).await;
        assert_eq!(outcome.is_ok(), status == 405, "{status}: {outcome:?}");
    }
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let say = |status, body: &str| Fault::Answer(status, Vec::new(), body.into());
    let scene =
        Scene::new(10, UPLOAD, &[say(422, r#"{"status":422,"message":"bad\u001b"}"#)]).await;
    assert_eq!(run(&scene, &[]).await.unwrap(), UploadOutcome::Rejected("bad\u{fffd}".into()));
    let scene = Scene::new(10, UPLOAD, &[say(401, r#"{"status":401,"message":"who?"}"#)]).await;
    let error = run(&scene, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    let scene = Scene::new(10, UPLOAD, &[say(413, "")]).await;
    let error = run(&scene, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 413, .. }), "{error}");
    let elsewhere = Fault::Answer(307, vec![("location".into(), "/x".into())], Vec::new());
    let scene = Scene::new(10, UPLOAD, &[elsewhere]).await;
    let error = run(&scene, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { status: 307, .. }), "{error}");
}

#[tokio::test]
async fn the_next_place_is_tried_after_any_failure() {
    let scene = Scene::new(10, UPLOAD, &[]).await;
    let bad =
        [endpoint("http://10.1.2.3/x"), endpoint("http://127.0.0.1:1/x"), endpoint("http://[")];
    assert_eq!(run(&scene, &bad).await.unwrap(), UploadOutcome::Done);

    let digest = Digest::of(b"x").into();
    let open = || Err(io::Error::other("the disk is gone"));
    let error = upload(&scene.remote, &[endpoint("x")], &digest, &open).await.unwrap_err();
    assert_eq!(error.to_string(), "the disk is gone");
    let error = upload(&scene.remote, &[], &digest, &open).await.unwrap_err();
    assert!(error.to_string().contains("names no place"), "{error}");
}

#[tokio::test]
async fn content_that_changes_while_it_is_sent_is_named() {
    let scene = Scene::new(10, UPLOAD, &[]).await;
    let digest = Digest::of(b"x").into();
    for (length, fails, expected) in
        [(10, true, "the disk is gone"), (10, false, "10 bytes long"), (3, false, "3 bytes long")]
    {
        let open = || {
            let left = Bytes::from_static(b"12345");
            Ok((length, Box::new(Pieces { left, fails }) as Box<dyn ChunkSource>))
        };
        let error = upload(&scene.remote, &[endpoint("x")], &digest, &open).await.unwrap_err();
        assert!(matches!(error, Error::Content(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}
