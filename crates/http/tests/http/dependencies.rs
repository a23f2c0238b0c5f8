//! What releases depend on, over HTTP.

use axum::http::StatusCode;
use serde_json::json;
use wargate_crypto::Digest;
use wargate_registry::follow;

use crate::world::{EMPTY, Signed, World};

const IMPORT: &str = "unlocked-dep=<test:add@{>=0.1.0}>";

/// A registry with `test:add` and `test:inc`, which depends on it; and the digest of the latter.
async fn with_two() -> (World, Digest) {
    let world = World::new();
    world.publish_new("test:add").await;
    let content = wat::parse_str(format!("(component (import {IMPORT:?} (instance)))")).unwrap();
    let inc = Signed::first("test:inc", "alice", world.clock_now(), "1.0.0-rc.1+b", &content);
    world.publish(&inc).await;
    let digest = Digest::of(&content);
    assert_eq!(world.upload(&inc.upload_path(&digest), content).await.status, 201);
    (world, digest)
}

#[tokio::test]
async fn dependencies_are_told_by_digest_by_release_and_by_package() {
    let (world, digest) = with_two().await;
    let by_digest = world.get(&format!("/v1/dependencies/{digest}")).await;
    assert_eq!(by_digest.json(), json!({ "imports": [IMPORT] }));
    assert_eq!(by_digest.header("cache-control"), Some("public, max-age=31536000, immutable"));
    let empty = world.get(&format!("/v1/dependencies/{}", Digest::of(EMPTY))).await;
    assert_eq!(empty.json(), json!({ "imports": [] }));

    let release = json!({ "version": "1.0.0-rc.1+b", "digest": digest, "imports": [IMPORT] });
    for version in ["1.0.0-rc.1+b", "1.0.0-rc.1%2Bb"] {
        let by_release = world.get(&format!("/v1/dependencies/test/inc/{version}")).await;
        assert_eq!(by_release.json(), release);
        let tag = by_release.header("etag").unwrap();
        let path = format!("/v1/dependencies/test/inc/{version}");
        let again = world.get_with(&path, "if-none-match", tag).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    }
    let listed = json!({ "version": "1.0.0-rc.1+b", "digest": digest });
    let packages = json!({ "packages": ["test:inc", "test:nobody"] });
    let by_package = world.post("/v1/dependencies", &packages).await;
    let expected = json!({
        "logLength": world.length(),
        "packages": { "test:inc": [listed], "test:nobody": [] },
        "contents": { digest.to_string(): [IMPORT] },
    });
    assert_eq!(by_package.json(), expected);
}

#[tokio::test]
async fn dependents_are_told() {
    let (world, digest) = with_two().await;
    let none = world.get("/v1/dependents/test/add").await;
    assert_eq!(none.json(), json!({ "logLength": 0, "dependents": [] }));
    assert!(!follow::step(&world.registry).unwrap());
    let page = world.get("/v1/dependents/test/add?x=1&after=0.0").await;
    let row = json!({
        "package": "test:inc", "version": "1.0.0-rc.1+b", "digest": digest, "import": IMPORT,
    });
    assert_eq!(page.json(), json!({ "logLength": world.length(), "dependents": [row] }));
}

#[tokio::test]
async fn imports_are_solved() {
    let (world, digest) = with_two().await;
    let imports = json!({ "imports": ["unlocked-dep=<test:inc@{>=1.0.0-rc.1}>"] });
    let solved = world.post("/v1/solve", &imports).await.json();
    assert_eq!(solved["packages"], json!(["test:add", "test:inc"]));
    assert_eq!(solved["checkpoint"], world.get("/v1/fetch/checkpoint").await.json());
    let expected = json!({
        "roots": [{ "import": "unlocked-dep=<test:inc@{>=1.0.0-rc.1}>", "to": 1 }],
        "releases": [
            { "package": "test:add", "version": "0.1.0", "digest": Digest::of(EMPTY) },
            {
                "package": "test:inc", "version": "1.0.0-rc.1+b", "digest": digest,
                "imports": [{ "import": IMPORT, "to": 0 }],
            },
        ],
    });
    assert_eq!(solved["solution"], expected);

    let conflict =
        world.post("/v1/solve", &json!({ "imports": ["unlocked-dep=<test:inc>"] })).await;
    let why = conflict.json()["conflict"].as_str().unwrap().to_owned();
    assert!(why.contains("only pre-releases of test:inc match"), "{why}");
}

#[tokio::test]
async fn bad_questions_are_refused_with_the_reason() {
    let (world, _) = with_two().await;
    let nothing = Digest::of(b"nothing");
    for (path, status) in [
        (format!("/v1/dependencies/{nothing}"), StatusCode::NOT_FOUND),
        ("/v1/dependencies/sha256:xyz".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependencies/test/nobody/1.0.0".into(), StatusCode::NOT_FOUND),
        ("/v1/dependencies/test/inc/1.0.0".into(), StatusCode::NOT_FOUND),
        ("/v1/dependencies/test/inc/1.0".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependencies/Test/inc/1.0.0".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependencies/test/in%20c/1.0.0".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependents/test/-".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependents/test/add?after=1".into(), StatusCode::BAD_REQUEST),
        ("/v1/dependents/test/add?after=1.-1".into(), StatusCode::BAD_REQUEST),
    ] {
        world.get(&path).await.error(status);
    }
    let many: Vec<_> = (0..1001).map(|n| format!("test:p{n}")).collect();
    let many_imports = vec!["unlocked-dep=<test:add>"; 5000];
    for (path, body, status) in [
        ("/v1/dependencies", json!({ "packages": many }), StatusCode::BAD_REQUEST),
        ("/v1/dependencies", json!({ "packages": ["no"] }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/dependencies", json!({}), StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/solve", json!({ "imports": ["plain"] }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/solve", json!({ "imports": ["unlocked-dep=<x>"] }), StatusCode::UNPROCESSABLE_ENTITY),
        ("/v1/solve", json!({ "imports": many_imports }), StatusCode::BAD_REQUEST),
        ("/v1/solve", json!({ "imports": [], "more": 1 }), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        world.post(path, &body).await.error(status);
    }
    let asked_precisely = json!({
        "imports": ["unlocked-dep=<test:add>"], "precise": { "test:inc": "1.0.0" },
    });
    let unused = world.post("/v1/solve", &asked_precisely).await;
    unused.error(StatusCode::UNPROCESSABLE_ENTITY);
}
