//! Who may ask, under which name, and from which page.

use axum::body::Body;
use axum::http::StatusCode;
use serde_json::json;
use wargate_crypto::Digest;
use wargate_http::{AllowedHosts, Options};

use crate::world::{Answer, EMPTY, JSON, Setup, Signed, World, options, request};

fn with(options: Options) -> World {
    World::with(Setup { options, ..Setup::default() })
}

#[tokio::test]
async fn only_named_hosts_are_served() {
    let hosts = AllowedHosts::Only(vec!["localhost".into(), "127.0.0.1:8090".into()]);
    let world = with(Options { hosts, ..options() });
    for (host, status) in [
        ("localhost", 200),
        ("LocalHost:1234", 200),
        ("127.0.0.1:8090", 200),
        ("127.0.0.1:1", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
    ] {
        let answer = world.get_with("/v1/fetch/checkpoint", "host", host).await;
        assert_eq!(answer.status, status, "{host}");
        answer.json();
    }
    world.get("/v1/fetch/checkpoint").await.error(StatusCode::MISDIRECTED_REQUEST);
    world.get("/nope").await.error(StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(world.get_with("/healthz", "host", "10.0.0.1").await.status, 200);
    assert_eq!(world.get_with("/readyz", "host", "10.0.0.1").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_may_read_and_not_publish() {
    const PAGE: &str = "https://page.example";
    let ask = |method: &str, path: &str| {
        let asks = request("OPTIONS", path).header("origin", PAGE);
        asks.header("access-control-request-method", method).body(Body::empty()).unwrap()
    };
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin") == Some("*");
    for open in [false, true] {
        let world = with(Options { cross_origin_writes: open, ..options() });
        assert!(allowed(&world.get_with("/v1/fetch/checkpoint", "origin", PAGE).await));
        let read = world.send(ask("POST", "/v1/fetch/logs")).await;
        assert!(read.status == 200 && allowed(&read), "{read:?}");
        assert_eq!(read.header("access-control-allow-methods"), Some("POST"));
        let headers = read.header("access-control-allow-headers").unwrap();
        assert!(headers.contains("authorization") && headers.contains("warg-registry"));

        let record = Signed::first("test:one", "alice", world.clock_now(), "0.1.0", EMPTY);
        let write = world.send(ask("POST", &record.path())).await;
        assert_eq!((write.status, allowed(&write)), (200, open));
        let publish = |origin: &str| {
            let builder = request("POST", &record.path()).header("content-type", JSON);
            let builder = builder.header("origin", origin).header("host", "inside:1");
            builder.body(Body::from(record.body().to_string())).unwrap()
        };
        for page in [PAGE, "null", "http://127.0.0.1"] {
            let answer = world.send(publish(page)).await;
            assert_eq!((answer.status, allowed(&answer)), (if open { 202 } else { 403 }, open));
        }
        // The registry's own pages, by its public name and by the one that was asked.
        for page in ["http://127.0.0.1:8090", "http://inside:1"] {
            assert_eq!(world.send(publish(page)).await.status, 202);
        }
        let path = record.upload_path(&Digest::of(EMPTY));
        let upload = request("POST", &path).header("origin", PAGE).body(Body::from(EMPTY));
        assert_eq!(world.send(upload.unwrap()).await.status, if open { 201 } else { 403 });
    }
}

#[tokio::test]
async fn a_registry_answers_to_its_own_name_only() {
    let world = World::new();
    for name in ["127.0.0.1-8090", "127.0.0.1:8090"] {
        let answer = world.get_with("/v1/fetch/checkpoint", "warg-registry", name).await;
        assert_eq!((answer.status, answer.header("warg-registry")), (200, Some(name)));
    }
    for name in ["other.example", "", "127.0.0.1"] {
        let answer = world.get_with("/v1/ledger", "warg-registry", name).await;
        answer.error(StatusCode::NOT_IMPLEMENTED);
    }
}

#[tokio::test]
async fn errors_are_json_everywhere() {
    let world = World::new();
    for path in ["/v1", "/v1/", "/nope", "/v1/ledger/", "/v2/", "/log/", "//", "/v1//ledger"] {
        world.get(path).await.error(StatusCode::NOT_FOUND);
    }
    for path in
        ["/v1/ledger/records/x", "/v1/ledger/records/-1", "/v1/content/x", "/v1/content/%ff"]
    {
        world.get(path).await.error(StatusCode::BAD_REQUEST);
    }
    for (method, path, allow) in [
        ("POST", "/v1/ledger", "GET,HEAD"),
        ("GET", "/v1/fetch/logs", "POST"),
        ("DELETE", "/", "GET,HEAD"),
        ("PATCH", "/v1/fetch/names", "POST"),
    ] {
        let answer = world.send(request(method, path).body(Body::empty()).unwrap()).await;
        answer.error(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn the_front_door_says_what_this_is() {
    let world = World::new();
    let text = world.get("/").await;
    assert_eq!(text.header("content-type"), Some("text/plain; charset=utf-8"));
    let landing = world.get_with("/", "accept", JSON).await.json();
    assert_eq!(landing["url"], "http://127.0.0.1:8090/");
    assert_eq!(world.get("/healthz").await.json(), json!({ "status": "ok" }));
    assert_eq!(world.get("/readyz").await.json(), json!({ "status": "ready", "logLength": 1 }));
    let document = world.get("/.well-known/wasm-pkg/registry.json").await;
    assert_eq!(document.header("cache-control"), Some("public, max-age=60"));
    let tag = document.header("etag").unwrap();
    let again = world.get_with("/.well-known/wasm-pkg/registry.json", "if-none-match", tag).await;
    assert_eq!((again.status, again.body.len()), (304, 0));
}

/// Every route, once as it should be asked and once as it should not.
#[tokio::test]
async fn every_answer_tells_browsers_and_caches_what_to_do() {
    let world = World::new();
    let record = world.publish_new("test:one").await;
    let content = Digest::of(EMPTY).to_string();
    let filled = |route: &str| {
        route
            .replace("{logId}", &record.log().to_string())
            .replace("{recordId}", &record.id().to_string())
            .replace("{digest}", &content)
            .replace("{start}", "0")
            .replace("{file}", &content.replace(':', "-"))
            .replace("{*tile}", "0/000.p/2")
    };
    let routes: Vec<_> = wargate_http::listed_routes().collect();
    for (method, route) in routes.iter().copied().chain([("GET", "/nope"), ("GET", "/v1/nope")]) {
        for method in [method, "OPTIONS", "DELETE", "HEAD"] {
            let asked = request(method, &filled(route)).body(Body::empty()).unwrap();
            let answer = world.send(asked).await;
            let header =
                |name: &str| answer.header(name).unwrap_or_else(|| panic!("{name}: {answer:?}"));
            assert_eq!(header("x-content-type-options"), "nosniff", "{method} {route}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{method} {route}");
            assert!(header("content-security-policy").contains("default-src 'none'"), "{route}");
            let writes = route.ends_with("/record") || route.ends_with("/content/{digest}");
            let whose = if writes && route != "/v1/content/{digest}" {
                "same-origin"
            } else {
                "cross-origin"
            };
            assert_eq!(header("cross-origin-resource-policy"), whose, "{method} {route}");
            assert_eq!(
                answer.header("access-control-allow-origin").is_some(),
                whose == "cross-origin"
            );
            let keep = header("cache-control");
            assert!(answer.status < 400 || keep == "no-store", "{method} {route}: {keep}");
            assert_eq!((answer.header("server"), answer.header("x-powered-by")), (None, None));
            assert!(answer.header("set-cookie").is_none());
        }
    }
}

#[tokio::test]
async fn a_registry_that_is_paused_reads_and_does_not_write() {
    let world = World::new();
    let before = world.publish_new("test:before").await;
    world.registry.pause("<the disk is being moved>");
    let length = world.length();
    let release = Signed::first("test:later", "alice", world.clock_now(), "0.1.0", EMPTY);
    for _ in 0..2 {
        let refused = world.publish(&release).await;
        let body = refused.error(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.header("retry-after"), Some("30"));
        let said = body["message"].as_str().unwrap();
        assert!(said.contains("paused") && said.contains("<the disk is being moved>"), "{said}");
    }
    let upload = world.upload(&before.upload_path(&Digest::of(EMPTY)), EMPTY).await;
    upload.error(StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(world.get("/v1/fetch/checkpoint").await.status, 200);
    assert_eq!(world.get("/healthz").await.status, 200);
    let ready = world.get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json()["paused"]["reason"], "<the disk is being moved>");
    assert_eq!(world.length(), length);
    world.registry.resume();
    assert!(world.get("/readyz").await.json()["paused"].is_null());
    assert_eq!(world.publish(&release).await.status, 202);
}
