//! Uploads: for nothing, of something else, of too much, with gaps, twice over, and broken off.

use axum::body::{Body, Bytes};
use futures_util::stream;
use serde_json::json;
use wargate_crypto::Digest;
use wargate_protocol::RecordId;

use super::{Page, Scene, Table, WANTED};
use crate::world::{EMPTY, Signed, World, request};

/// Headers of uploads that go on, and that say nothing.
const HEADERS: &[(&str, &[u8])] = &[
    ("warg-upload", b""),
    ("warg-upload", b"short"),
    ("warg-upload", b"+123456789abcdef0123456789abcdef"),
    ("warg-upload", b"\xff"),
    ("upload-offset", b""),
    ("upload-offset", b"-1"),
    ("upload-offset", b"1.5"),
    ("upload-offset", b"18446744073709551616"),
    ("upload-offset", b"\xff"),
];

const NAME: &str = "0123456789abcdef0123456789abcdef";

#[tokio::test]
async fn uploads_for_nothing_and_of_something_else() {
    let scene = Scene::new().await;
    let (wanted, unknown) = (Digest::of(WANTED), Digest::of(b"unknown"));
    let path = scene.sourcing.upload_path(&wanted);
    let other: RecordId = unknown.to_string().parse().unwrap();
    let log = scene.sourcing.log();
    let mut page = Page::default();
    for method in ["POST", "PUT"] {
        let mut table = Table::default();
        let send = async |path: &str, body: Body, headers: &[(&str, &[u8])]| {
            let builder = request(method, path);
            let builder =
                headers.iter().fold(builder, |it, (name, value)| it.header(*name, *value));
            scene.ask(builder.body(body).unwrap()).await
        };
        let plain = |bytes: &'static [u8]| Body::from(bytes);
        let strange = scene.sourcing.upload_path(&unknown);
        table.add("content that the record does not name", send(&strange, plain(b"x"), &[]).await);
        let missing = format!("/v1/package/{log}/record/{other}/content/{wanted}");
        table.add("an unknown record", send(&missing, plain(WANTED), &[]).await);
        let missing = format!("/v1/package/{other}/record/{other}/content/{wanted}");
        table.add("an unknown log", send(&missing, plain(WANTED), &[]).await);
        let short = format!("{}/content/sha256:abcd", scene.sourcing.state_path());
        table.add("a short digest", send(&short, plain(b"x"), &[]).await);
        table.add("nothing", send(&path, Body::empty(), &[]).await);
        table.add("other bytes", send(&path, plain(b"other bytes"), &[]).await);
        table.add("a byte less", send(&path, plain(&WANTED[1..]), &[]).await);
        table.add("more than that", send(&path, Body::from([WANTED, b"!"].concat()), &[]).await);
        let broken = stream::iter([
            Ok(Bytes::from_static(&WANTED[..4])),
            Err(std::io::Error::other("the line is dead")),
        ]);
        table.add("half of it", send(&path, Body::from_stream(broken), &[]).await);
        for (name, value) in HEADERS {
            let shown = format!("{name}: {}", value.escape_ascii());
            table.add(shown, send(&path, plain(b"other"), &[(name, value)]).await);
        }
        // Gaps: nothing came so far, or less than is said.
        for offset in ["1", "20", "33", "34", "18446744073709551615"] {
            let headers = [("warg-upload", NAME.as_bytes()), ("upload-offset", offset.as_bytes())];
            let answer = send(&path, plain(&WANTED[20..]), &headers).await;
            table.add(format!("upload-offset {offset} of nothing"), answer);
        }
        let headers = [("upload-offset", &b"20"[..])];
        table.add("offset without a name", send(&path, plain(&WANTED[20..]), &headers).await);
        let page_of = [("origin", &b"https://evil.example"[..])];
        table.add("by a web page", send(&path, plain(WANTED), &page_of).await);
        page.add(method, table);
    }
    let mut table = Table::default();
    for name in [Some(&b"short"[..]), Some(NAME.as_bytes()), None] {
        let builder = request("GET", &path);
        let builder = name.into_iter().fold(builder, |it, name| it.header("warg-upload", name));
        let answer = scene.ask(builder.body(Body::empty()).unwrap()).await;
        let name = name.map_or("no name".into(), |it| it.escape_ascii().to_string());
        table.add(name, answer);
    }
    page.add("GET", table);
    scene.unchanged();
    // Whoever has the content can still bring it.
    assert_eq!(scene.world.upload(&path, WANTED).await.status, 201);
    insta::assert_snapshot!("uploads", scene.named(&page.text()));
}

/// More than is kept in memory, so that it is worth going on with.
fn large() -> Vec<u8> {
    (0..100_000_u32).map(|at| (at % 251) as u8).collect()
}

/// A body that brings some bytes and breaks off.
fn broken(bytes: &[u8]) -> Body {
    let (bytes, error) = (Bytes::copy_from_slice(bytes), std::io::Error::other("dead"));
    Body::from_stream(stream::iter([Ok(bytes), Err(error)]))
}

#[tokio::test]
async fn gaps_and_overlaps_of_uploads_that_go_on() {
    let world = World::new();
    let bytes = large();
    let record = Signed::first("test:large", "alice", world.clock_now(), "1.0.0", &bytes);
    assert_eq!(world.publish(&record).await.json()["state"], "sourcing");
    let path = record.upload_path(&Digest::of(&bytes));
    let send = async |offset: usize, body: Body| {
        let builder = request("POST", &path).header("warg-upload", NAME);
        let builder = builder.header("upload-offset", offset.to_string());
        world.send(builder.body(body).unwrap()).await
    };
    let kept = async || world.get_with(&path, "warg-upload", NAME).await;
    assert_eq!(send(0, broken(&bytes[..60_000])).await.status, 400);
    assert_eq!(kept().await.header("upload-offset"), Some("60000"));
    // A gap and an overlap: neither is taken, and what is there stays.
    for offset in [60_001, 59_999, 100_000, 1] {
        let answer = send(offset, Body::from(bytes[60_000..].to_vec())).await;
        let said = super::verdict(&answer);
        assert!(said.starts_with("400 no upload of sha256:"), "{said}");
        assert!(said.ends_with("send all of it"), "{said}");
        assert_eq!(kept().await.header("upload-offset"), Some("60000"), "{offset}");
    }
    // Somebody else's name for it leads nowhere.
    let other = NAME.replace('0', "f");
    assert_eq!(world.get_with(&path, "warg-upload", &other).await.status, 404);
    assert_eq!(send(60_000, Body::from(bytes[60_000..].to_vec())).await.status, 201);
    let state = world.get(&record.state_path()).await.json();
    assert_eq!(state["state"], json!("published"));
}

#[tokio::test]
async fn a_digest_that_lies_is_found_wherever_it_is_named() {
    let world = World::new();
    let now = world.clock_now();
    // In the record: the content that comes is another.
    let record = Signed::first("test:liar", "alice", now, "1.0.0", b"promised");
    assert_eq!(world.publish(&record).await.json()["state"], "sourcing");
    let path = record.upload_path(&Digest::of(b"promised"));
    assert_eq!(world.upload(&path, EMPTY).await.status, 400);
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "sourcing");
    // In the path: the content is another record's.
    let path = record.upload_path(&Digest::of(EMPTY));
    assert_eq!(world.upload(&path, EMPTY).await.status, 400);
    // In the log id, the package name, the previous record and the key.
    let wrong = Signed::first("test:other", "alice", now, "1.0.0", EMPTY);
    let answer = world.post(&record.path(), &wrong.body()).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let stale = Signed::new("test:stale", "alice", Some(record.id()), now, Vec::new());
    assert_eq!(world.publish(&stale).await.status, 401);
    let mut body = wrong.body();
    body["record"]["keyId"] = json!(Digest::of(b"another key").to_string());
    assert_eq!(world.post(&wrong.path(), &body).await.status, 401);
    assert_eq!(world.length(), 1);
}
