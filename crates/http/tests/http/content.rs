//! Downloads.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;
use wargate_crypto::Digest;

use crate::world::{EMPTY, Signed, World, request};

/// A registry with content of this many bytes, and the content's path.
async fn with_content(content: &[u8]) -> (World, String) {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", content);
    world.publish(&record).await;
    let digest = Digest::of(content);
    let uploaded = world.upload(&record.upload_path(&digest), content.to_vec()).await;
    assert_eq!(uploaded.status, 201);
    (world, format!("/content/{}", digest.to_string().replace(':', "-")))
}

fn bytes(size: usize) -> Vec<u8> {
    (0..size).map(|n| u8::try_from(n % 253).unwrap()).collect()
}

#[tokio::test]
async fn content_comes_whole_and_in_parts() {
    for size in [8, 16 << 10, 256 << 10, (256 << 10) + 1, 1_000_000] {
        let content = bytes(size);
        let (world, path) = with_content(&content).await;
        let whole = world.get(&path).await;
        assert_eq!(whole.body, content);
        assert_eq!(whole.header("content-length"), Some(&*size.to_string()));
        assert_eq!(whole.header("content-type"), Some("application/octet-stream"));
        for (range, part) in [
            ("bytes=0-0".to_owned(), 0..1),
            (format!("bytes={}-", size - 3), size - 3..size),
            ("bytes=-5".to_owned(), size - 5..size),
            (format!("bytes=2-{}", size * 2), 2..size),
        ] {
            let got = world.get_with(&path, "range", &range).await;
            assert_eq!(got.status, 206);
            assert_eq!(got.body, content[part.clone()], "{range}");
            let expected = format!("bytes {}-{}/{size}", part.start, part.end - 1);
            assert_eq!(got.header("content-range"), Some(&*expected));
        }
        let several = world.get_with(&path, "range", "bytes=0-1,3-4").await;
        assert_eq!((several.status, several.body.len()), (200, size));
        let behind = world.get_with(&path, "range", &format!("bytes={size}-")).await;
        behind.error(StatusCode::RANGE_NOT_SATISFIABLE);
        assert_eq!(behind.header("content-range"), Some(&*format!("bytes */{size}")));
    }
}

#[tokio::test]
async fn downloads_are_cached_by_their_digest() {
    let (world, path) = with_content(EMPTY).await;
    let whole = world.get(&path).await;
    let tag = format!("\"{}\"", Digest::of(EMPTY));
    assert_eq!(whole.header("etag"), Some(&*tag));
    assert_eq!(whole.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    assert_eq!(whole.header("content-type"), Some("application/wasm"));
    assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(whole.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    for had in [&*tag, "*", &format!("\"x\", W/{tag}")] {
        let got = world.get_with(&path, "if-none-match", had).await;
        assert_eq!((got.status, got.body.len()), (304, 0), "{had}");
        assert_eq!(got.header("etag"), Some(&*tag));
    }
    assert_eq!(world.get_with(&path, "if-none-match", "\"x\"").await.status, 200);
    for (had, status) in [(&*tag, 206), ("\"x\"", 200), ("Sat, 21 Nov 2026 00:00:00 GMT", 200)] {
        let request = request("GET", &path).header("range", "bytes=0-1").header("if-range", had);
        let got = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(got.status, status, "{had}");
    }
}

#[tokio::test]
async fn head_says_what_get_would() {
    let (world, path) = with_content(&bytes(300_000)).await;
    for path in [&*path, "/v1/fetch/checkpoint", "/nope", "/", "/openapi.json"] {
        let get = world.get(path).await;
        let head = world.send(request("HEAD", path).body(Body::empty()).unwrap()).await;
        assert_eq!((head.status, head.body.len()), (get.status, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
        assert_eq!(head.header("content-length"), Some(&*get.body.len().to_string()), "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let (world, path) = with_content(EMPTY).await;
    let unknown = Digest::of(b"unknown");
    let answer = world.get(&format!("/v1/content/{unknown}")).await;
    let body = json!({ "status": 404, "type": "contentDigest", "id": unknown });
    assert_eq!(answer.error(StatusCode::NOT_FOUND), body);
    let names = ["sha256-00", "sha256-zz", "..", "%2e%2e%2fetc", "%ff", &unknown.to_string()];
    for name in names {
        let status = if name == "%ff" { StatusCode::BAD_REQUEST } else { StatusCode::NOT_FOUND };
        world.get(&format!("/content/{name}")).await.error(status);
    }
    world.get(&path.replace("/content/", "/content/x/")).await.error(StatusCode::NOT_FOUND);
    world.get(&path.to_uppercase()).await.error(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn sources_are_absolute_urls() {
    let (world, path) = with_content(EMPTY).await;
    let digest = Digest::of(EMPTY).to_string();
    let sources = world.get(&format!("/v1/content/{digest}")).await.json();
    let url = format!("http://127.0.0.1:8090{path}");
    let source = json!([{ "type": "httpGet", "url": url, "acceptRanges": true, "size": 8 }]);
    assert_eq!(sources, json!({ "contentSources": { digest: source } }));
}

/// A registry that refers to a URL for its content.
async fn with_referred(url: &str) -> World {
    let world = World::new();
    let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
    world.publish(&record).await;
    let digest = Digest::of(EMPTY);
    let mut upload = world.registry.begin_upload(&record.log(), &record.id(), &digest).unwrap();
    upload.write(EMPTY).unwrap();
    upload.finish_by_referring(url.into()).await.unwrap();
    assert_eq!(world.get(&record.state_path()).await.json()["state"], "published");
    world
}

#[tokio::test]
async fn content_that_is_only_referred_to_is_elsewhere() {
    let url = "https://files.example/a.wasm?b=c";
    let world = with_referred(url).await;
    let digest = Digest::of(EMPTY);
    let sources = world.get(&format!("/v1/content/{digest}")).await.json();
    let source = json!([{ "type": "httpGet", "url": url, "size": 8 }]);
    assert_eq!(sources, json!({ "contentSources": { digest.to_string(): source } }));

    let path = format!("/content/{}", digest.to_string().replace(':', "-"));
    let got = world.get_with(&path, "range", "bytes=1-2").await;
    assert_eq!((got.status, got.header("location")), (307, Some(url)));
    assert_eq!(got.header("cache-control"), Some("no-cache"));
    assert!(got.body.is_empty());
    // What can be said here is said here.
    let head = request("HEAD", &path).body(Body::empty()).unwrap();
    let head = world.send(head).await;
    assert_eq!((head.status, head.header("content-length")), (200, Some("8")));
    assert_eq!(head.header("content-type"), Some("application/wasm"));
    let tag = format!("\"{digest}\"");
    assert_eq!(head.header("etag"), Some(&*tag));
    let again = world.get_with(&path, "if-none-match", &tag).await;
    assert_eq!((again.status, again.header("location")), (304, None));

    // Somebody else who has the same content brings it, and it is here from then on.
    let other = Signed::first("test:two", "bob", world.clock_now(), "0.1.0", EMPTY);
    assert_eq!(world.publish(&other).await.json()["state"], "sourcing");
    let uploaded = world.upload(&other.upload_path(&digest), EMPTY.to_vec()).await;
    assert_eq!(uploaded.status, 201);
    let got = world.get(&path).await;
    assert!(got.status == 200 && got.body == EMPTY);
}

#[tokio::test]
async fn a_browser_is_not_led_to_what_is_only_referred_to() {
    let url = "https://files.example/a.html";
    let world = with_referred(url).await;
    let digest = Digest::of(EMPTY);
    let path = format!("/content/{}", digest.to_string().replace(':', "-"));
    let mode = "sec-fetch-mode";
    let refused = world.get_with(&path, mode, "navigate").await;
    assert_eq!(refused.header("location"), None);
    assert!(!String::from_utf8_lossy(&refused.body).contains("files.example"));
    refused.error(StatusCode::FORBIDDEN);
    // Scripts that would check it, and clients, which say nothing, are.
    for other in ["cors", "no-cors", "same-origin", "websocket"] {
        let led = world.get_with(&path, mode, other).await;
        assert_eq!((led.status, led.header("location")), (307, Some(url)), "{other}");
    }
    assert_eq!(world.get(&path).await.status, 307);
    // What is said here is said to browsers, too.
    let request = |method| request(method, &path).header(mode, "navigate");
    let answer = world.send(request("HEAD").body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("8")));
    let had = request("GET").header("if-none-match", format!("\"{digest}\""));
    assert_eq!(world.send(had.body(Body::empty()).unwrap()).await.status, 304);
    // And content that is here is shown, in a sandbox.
    let (world, path) = with_content(EMPTY).await;
    let shown = world.get_with(&path, mode, "navigate").await;
    assert_eq!((shown.status, &*shown.body), (200, EMPTY));
    assert_eq!(shown.header("content-security-policy"), Some("sandbox; default-src 'none'"));
}
