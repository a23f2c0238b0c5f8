//! Downloads from places that lie.

use super::*;

const LENGTH: usize = 100_000;

fn answer(status: u16, fields: &[(&str, &str)], body: &[u8]) -> Fault {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Fault::Answer(status, fields.collect(), body.to_vec())
}

#[tokio::test]
async fn what_is_not_the_content_is_refused() {
    let right = pattern(LENGTH);
    let mut wrong = right.clone();
    wrong[LENGTH / 2] ^= 1;
    let longer = [&right[..], b"!"].concat();
    let part = ("content-range", "bytes 0-99999/100000");
    let cases = [
        (answer(200, &[], &wrong), "digest"),
        (answer(200, &[], &right[..LENGTH - 1]), "digest"),
        (answer(200, &[], b""), "digest"),
        (answer(200, &[], &longer), "is not that"),
        (answer(206, &[part], &right), "another part"),
        (answer(206, &[], &right), "another part"),
        (Fault::Compressed, "compressed"),
        (Fault::WrongLength(-1), "digest"),
        (answer(302, &[("location", "?again")], b""), "redirects more than"),
        (answer(302, &[], b""), "to nowhere"),
        (answer(301, &[("location", "http://10.1.2.3/")], b""), "insecure"),
        (answer(301, &[("location", "file:///etc/passwd")], b""), "insecure"),
        (answer(404, &[], b""), "404"),
        (answer(204, &[], b""), "204"),
        (answer(418, &[], b"teapot"), "418"),
        (answer(401, &[], b""), "does not let you"),
    ];
    for (fault, expected) in cases {
        for direct in [false, true] {
            let again = fault.clone();
            let scene = Scene::deciding(LENGTH, move |seen| {
                if seen.path.starts_with(CONTENT) { again.clone() } else { Fault::None }
            })
            .await;
            let error = scene.download(direct).await.unwrap_err().to_string();
            let hidden = direct && expected == "404";
            assert!(error.contains(expected) || hidden, "{expected}, direct {direct}: {error}");
            assert!(scene.file().is_none());
            assert!(scene.waits().is_empty(), "no use to try again: {error}");
        }
    }
}

#[tokio::test]
async fn wrong_answers_to_a_resumption_begin_anew_once() {
    let right = pattern(LENGTH);
    let rest = ("content-range", "bytes 50000-99999/100000");
    let other = ("content-range", "bytes 40000-99999/100000");
    let cut = Fault::CutAnswer(50_000);
    let passing = [
        // Ignores the range: what is there already is skipped.
        (answer(200, &[], &right), 2),
        // These begin anew.
        (answer(206, &[rest], &vec![0; 50_000]), 3),
        (answer(206, &[other], &right[40_000..]), 3),
        (answer(206, &[], &right[50_000..]), 3),
        (answer(416, &[], b""), 3),
        (answer(200, &[], &right[..10]), 3),
    ];
    for (number, (fault, requests)) in passing.into_iter().enumerate() {
        let scene = Scene::new(LENGTH, CONTENT, &[cut.clone(), fault]).await;
        scene.download(true).await.unwrap_or_else(|error| panic!("case {number}: {error}"));
        assert!(scene.file().unwrap() == scene.bytes, "case {number}");
        assert_eq!(scene.ranges().len(), requests, "case {number}");
    }
    // Whoever goes on like this is left.
    let scene = Scene::deciding(LENGTH, move |seen| {
        match (seen.path.starts_with(CONTENT), seen.header("range")) {
            (false, _) => Fault::None,
            (true, None) => Fault::CutAnswer(50_000),
            (true, Some(_)) => answer(206, &[rest], &vec![0; 50_000]),
        }
    })
    .await;
    let error = scene.download(true).await.unwrap_err();
    assert!(matches!(error, Error::WrongContent { .. }), "{error}");
    assert_eq!(scene.ranges().len(), 4);
}

/// A registry that names these places for the content of a scene.
async fn naming(sources: &str) -> Scene {
    let digest = Digest::of(&pattern(LENGTH));
    let body = format!(r#"{{"contentSources":{{"{digest}":[{sources}]}}}}"#).into_bytes();
    let json = ("content-type", "application/json");
    Scene::deciding(LENGTH, move |seen| {
        if seen.path.starts_with(SOURCES) { answer(200, &[json], &body) } else { Fault::None }
    })
    .await
}

fn source(url: &str, more: &str) -> String {
    format!(r#"{{"type":"httpGet","url":"{url}"{more}}}"#)
}

#[tokio::test]
async fn the_next_place_is_tried_after_any_failure() {
    let gone = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    };
    let wrong = says(b"HTTP/1.1 200 Yes\r\ncontent-length: 5\r\n\r\nwrong".to_vec(), false).await;
    let noise = says(b"\0\0\0\0\0\0\0\0".to_vec(), false).await;
    let bytes = pattern(LENGTH);
    let head = format!("HTTP/1.1 200 Yes\r\ncontent-length: {LENGTH}\r\n\r\n");
    let right = says([head.as_bytes(), &bytes].concat(), false).await;
    let places = [
        source("http://10.1.2.3/insecure", ""),
        source("nonsense", ""),
        source(&format!("http://{gone}/"), ""),
        source(&format!("http://{wrong}/"), ""),
        source(&format!("http://{noise}/"), r#","acceptRanges":true,"size":100000"#),
        // The reference server says where it listens.
        source(&format!("http://0.0.0.0:{}/", right.port()), r#","acceptRanges":true"#),
    ];
    let scene = naming(&places.join(",")).await;
    scene.download(false).await.unwrap();
    assert!(scene.file().unwrap() == bytes);

    let scene = naming(&places[..5].join(",")).await;
    let error = scene.download(false).await.unwrap_err();
    assert!(matches!(error, Error::WrongContent { .. }), "{error}");
    let scene = naming(&places[..1].join(",")).await;
    let error = scene.download(false).await.unwrap_err().to_string();
    assert!(error.contains("10.1.2.3") && error.contains("not secure"), "{error}");
    let scene = naming("").await;
    assert!(matches!(scene.download(false).await, Err(Error::NoContent { .. })));
}

#[tokio::test]
async fn a_place_that_only_says_it_serves_parts_will_do() {
    let length = 17 << 20;
    let (bytes, digest) = (pattern(length), Digest::of(&pattern(length)));
    let head = format!("HTTP/1.1 200 Yes\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
    let whole = says([head.as_bytes(), &bytes].concat(), false).await;
    let named =
        source(&format!("http://{whole}/"), &format!(r#","acceptRanges":true,"size":{length}"#));
    let body = format!(r#"{{"contentSources":{{"{digest}":[{named}]}}}}"#).into_bytes();
    let json = ("content-type", "application/json");
    let scene = Scene::deciding(length, move |_| answer(200, &[json], &body)).await;
    scene.download(false).await.unwrap();
    assert!(scene.file().unwrap() == bytes);
}

#[tokio::test]
async fn a_body_without_end_is_left() {
    let head = b"HTTP/1.1 200 Yes\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let endless = says(head, true).await;
    let scene = naming(&source(&format!("http://{endless}/"), r#","size":100000"#)).await;
    let error = scene.download(false).await.unwrap_err();
    assert!(error.to_string().contains("at most 100000"), "{error}");
    // The registry's own answers, too.
    let base = format!("http://{endless}");
    let remote = remote(&surroundings(), &base);
    let checkpoint = remote.checkpoint().await;
    assert!(format!("{checkpoint:?}").contains("more than 1048576 bytes"), "{checkpoint:?}");
}

#[tokio::test]
async fn an_answer_that_says_it_is_too_large_is_not_read() {
    let head =
        "HTTP/1.1 200 Yes\r\ncontent-type: application/json\r\ncontent-length: 9999999\r\n\r\n";
    let large = says(head.into(), false).await;
    let remote = remote(&surroundings(), &format!("http://{large}"));
    let checkpoint = remote.checkpoint().await;
    assert!(format!("{checkpoint:?}").contains("more than 1048576 bytes"), "{checkpoint:?}");
}
