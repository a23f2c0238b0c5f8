//! Methods, queries, headers and targets that no client has a reason for.

use axum::body::Body;
use axum::http::{Method, Version};
use wargate_http::listed_routes;

use super::{Page, Scene, Table};
use crate::world::request;

/// A path of a route that has no parameters left.
fn filled(scene: &Scene, route: &str) -> String {
    let digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    route
        .replace("{logId}", &scene.published.log().to_string())
        .replace("{recordId}", &scene.published.id().to_string())
        .replace("{digest}", digest)
        .replace("{start}", "0")
        .replace("{file}", &digest.replace(':', "-"))
        .replace("{*tile}", "0/000")
}

#[tokio::test]
async fn methods() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    let mut paths: Vec<_> = listed_routes().map(|(_, route)| route).collect();
    paths.dedup();
    let all = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"];
    for route in paths {
        let mut table = Table::default();
        for method in all.into_iter().chain(["PROPFIND", "get", "X"]) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let path = filled(&scene, route);
            let request = request(method.as_str(), &path).body(Body::empty()).unwrap();
            let answer = scene.world.send(request).await;
            let head = method == Method::HEAD;
            let said = if head { answer.status.to_string() } else { super::verdict(&answer) };
            let allow = answer.header("allow").map_or(String::new(), |it| format!(" [{it}]"));
            table.add(method.as_str(), format!("{said}{allow}"));
        }
        page.add(route, table);
    }
    scene.unchanged();
    insta::assert_snapshot!("methods", scene.named(&page.text()));
}

#[tokio::test]
async fn headers_and_queries() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    let long = "x".repeat(60_000);
    let registries: &[(&str, &[u8])] = &[
        ("warg-registry", b""),
        ("warg-registry", b"other.example"),
        ("warg-registry", b"127.0.0.1-8090"),
        ("warg-registry", b"127.0.0.1-8090, other.example"),
        ("warg-registry", b"../../etc"),
        ("warg-registry", b"\xff\xfe"),
        ("warg-registry", long.as_bytes()),
        ("host", b""),
        ("host", b"evil.example"),
        ("host", b"\xff"),
        ("host", b"a b"),
        ("range", b"bytes=0-18446744073709551616"),
        ("range", b"bytes=9-1"),
        ("range", b"bytes=-0"),
        ("range", b"bytes=99999-"),
        ("range", b"bytes=0-0,2-3,4-5"),
        ("range", b"lines=1-2"),
        ("range", b"\xff"),
        ("if-none-match", b"\xff\", \"*"),
        ("if-none-match", long.as_bytes()),
        ("if-range", b"\xff"),
        ("accept", b"application/json\xff"),
        ("accept", long.as_bytes()),
        ("accept-encoding", b"gzip;q=999999, *"),
        ("authorization", b"Bearer \xff"),
        ("authorization", long.as_bytes()),
        ("origin", b"null"),
        ("x-forwarded-for", b"127.0.0.1, \xff"),
        ("forwarded", b"for=\"[::1\";;;=,"),
        ("x-http-method-override", b"DELETE"),
        ("x-original-url", b"/metrics"),
        ("content-length", b"5"),
        ("transfer-encoding", b"chunked, chunked"),
        ("expect", b"200-maybe"),
        ("te", b"trailers, deflate;q=9"),
    ];
    let digest = wargate_crypto::Digest::of(crate::world::EMPTY).to_string().replace(':', "-");
    for path in ["/v1/fetch/checkpoint", "/", &format!("/content/{digest}")] {
        let mut table = Table::default();
        for (name, value) in registries {
            let shown = value.escape_ascii().to_string();
            let shown = if shown.len() > 100 { "60 kB" } else { &shown };
            let request = request("GET", path).header(*name, *value).body(Body::empty()).unwrap();
            table.add(format!("{name}: {shown}"), scene.ask(request).await);
        }
        for query in ["?", "?a=b", "?%00", "?%ff", "?a[]=1&a=2", &format!("?{long}")] {
            let shown = if query.len() > 100 { "60 kB of query" } else { query };
            let request = request("GET", &format!("{path}{query}")).body(Body::empty()).unwrap();
            table.add(shown, scene.ask(request).await);
        }
        for version in [Version::HTTP_09, Version::HTTP_10, Version::HTTP_3] {
            let request = request("GET", path).version(version).body(Body::empty()).unwrap();
            table.add(format!("{version:?}"), scene.ask(request).await);
        }
        let target = format!("http://evil.example{path}");
        let request = request("GET", &target).body(Body::empty()).unwrap();
        table.add("absolute target", scene.ask(request).await);
        page.add(format!("GET {path}"), table);
    }
    scene.unchanged();
    insta::assert_snapshot!("headers", scene.named(&page.text()));
}
