//! Paths: parameters that are none, and ways out of where a path should lead.

use axum::body::Body;
use wargate_crypto::Digest;
use wargate_http::listed_routes;

use super::{Page, Scene, Table};
use crate::world::{EMPTY, request};

/// What takes the place of a path's parameter.
const PARAMETERS: &[&str] = &[
    "x",
    "%00",
    "%ff",
    "%",
    "%zz",
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%c0%ae%c0%ae",
    "a%2fb",
    "sha256:",
    "sha256:ab",
    "SHA256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
    "sha256-e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256%3ae3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8550",
    "sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "-1",
    "+1",
    "01",
    "1e3",
    "18446744073709551615",
    "18446744073709551616",
    "0x10",
    " 1",
    "%201",
];

#[tokio::test]
async fn parameters_of_paths() {
    let scene = Scene::new().await;
    let mut page = Page::default();
    let ids = [
        ("{logId}", scene.published.log().to_string()),
        ("{recordId}", scene.published.id().to_string()),
        ("{digest}", Digest::of(EMPTY).to_string()),
        ("{start}", "0".into()),
        ("{file}", Digest::of(EMPTY).to_string().replace(':', "-")),
        ("{*tile}", "0/000".into()),
        ("{namespace}", "test".into()),
        ("{name}", "one".into()),
        ("{version}", "0.1.0".into()),
    ];
    for (method, route) in listed_routes().filter(|(_, route)| route.contains('{')) {
        for (name, _) in ids.iter().filter(|(name, _)| route.contains(name)) {
            let mut table = Table::default();
            let long = "a".repeat(60_000);
            let values = PARAMETERS.iter().copied().chain([&*long]);
            for value in values {
                let others = ids.iter().filter(|(other, _)| other != name);
                let path = route.replace(name, value);
                let path = others.fold(path, |path, (name, id)| path.replace(name, id));
                let shown = if value.len() > 100 { "60000 letters" } else { value };
                let Ok(request) = request(method, &path).body(Body::empty()) else {
                    table.add(shown, "no URI at all".into());
                    continue;
                };
                table.add(shown, scene.ask(request).await);
            }
            page.add(format!("{method} {route} {name}"), table);
        }
    }
    scene.unchanged();
    insta::assert_snapshot!("parameters", scene.named(&page.text()));
}

#[tokio::test]
async fn paths_that_lead_elsewhere() {
    let scene = Scene::new().await;
    let mut table = Table::default();
    let digest = Digest::of(EMPTY).to_string().replace(':', "-");
    for path in [
        "/..".to_owned(),
        "/../../etc/passwd".into(),
        "/content/../../../etc/passwd".into(),
        "/content/..%2f..%2fregistry.db".into(),
        "/content/%2e%2e/%2e%2e/keys/operator.key".into(),
        "/content/....//....//registry.db".into(),
        format!("/content/{digest}/.."),
        format!("/content//{digest}"),
        format!("/content/{digest}%00.wasm"),
        format!("/content/{digest}.wasm"),
        format!("/content/./{digest}"),
        format!("/content%2f{digest}"),
        "/content/".into(),
        "/content".into(),
        "/%2e%2e/v1/ledger".into(),
        "/v1%2fledger".into(),
        "/v1/ledger%00".into(),
        "/v1/ledger/".into(),
        "/v1//ledger".into(),
        "//v1/ledger".into(),
        "/V1/LEDGER".into(),
        "/v1/ledger;x=1".into(),
        "/v1/./ledger".into(),
        "/v1/x/../ledger".into(),
        "/v1/%6cedger".into(),
        "/log/tile/../checkpoint".into(),
        "/log/tile/0/../../checkpoint".into(),
        "/log/tile/0/x001/x234/067".into(),
        "/log/tile/99/000".into(),
        "/log/tile/0/000.p/0".into(),
        "/log/tile/0/000.p/257".into(),
        "/log/tile/entries/000.p/".into(),
        format!("/log/tile/0{}", "/x999".repeat(1000)),
        "/.well-known/../keys".into(),
        "/.git/config".into(),
        "/registry.db".into(),
        "/metrics".into(),
        "/debug/packages".into(),
        "/admin.sock".into(),
        format!("/{}", "a/".repeat(30_000)),
        "/\u{ff0e}\u{ff0e}/".replace('\u{ff0e}', "%ef%bc%8e"),
    ] {
        let shown = if path.len() > 120 { format!("{}…", &path[..20]) } else { path.clone() };
        match request("GET", &path).body(Body::empty()) {
            Ok(request) => table.add(shown, scene.ask(request).await),
            Err(_) => table.add(shown, "no URI at all".into()),
        }
    }
    let mut page = Page::default();
    page.add("GET", table);
    scene.unchanged();
    insta::assert_snapshot!("paths", scene.named(&page.text()));
}
