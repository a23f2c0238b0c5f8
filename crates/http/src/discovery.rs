//! How to find the API, and whether it is there.

use axum::http::header::ACCEPT;
use axum::http::{HeaderValue, StatusCode};
use serde_json::json;
use wargate_api::headers::JSON;
use wargate_api::paths;
use wargate_api::well_known::{WargBlock, WellKnown};
use wargate_protocol::RegistryIndex;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::problem::Problem;
use crate::routes::OPENAPI;

/// `GET .well-known/wasm-pkg/registry.json`
///
/// Names only what is served: Warg, as `{"warg":{"url":…}}`. Why in this form:
/// - The `warg` clients look for a text `wargUrl` and pass over the rest. Without it they keep the URL
///   that they were given, which is right.
/// - `wkg` up to 0.15 takes the one block that is there and its `url`, and so needs no configuration.
///   Without a document it would guess OCI.
/// - `wkg` from 0.16 on has lost Warg. It stops at `unknown backend type "warg"`, which says what is
///   the matter; a block `oci`, or no document, would send it to an OCI API that does not exist. A
///   text such as `wargUrl` or `preferredProtocol: "warg"` would gain nothing.
pub(crate) async fn well_known(call: Call) -> Answer {
    let url = call.front.options().public_url.to_string();
    let document = WellKnown { warg: Some(WargBlock { url: Some(url) }), ..WellKnown::default() };
    let mut response = answer::tagged_json(&document, call.headers())?;
    answer::cache(&mut response, "public, max-age=60");
    Ok(response)
}

/// `GET healthz`: the process is alive.
pub(crate) async fn healthz(_: Call) -> Answer {
    let mut response = answer::json(&json!({ "status": "ok" }))?;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// `GET readyz`: there is a checkpoint, and the store can be read.
pub(crate) async fn readyz(call: Call) -> Answer {
    let length = call.front.registry().newest().committed.length();
    let first = call.front.ask(|registry| registry.leaves(RegistryIndex::FIRST, 1)).await;
    let found = first.inspect_err(|error| tracing::warn!(%error, "the store cannot be read"));
    let (status, body) = match found {
        Ok(_) => match call.front.registry().paused() {
            None => (StatusCode::OK, json!({ "status": "ready", "logLength": length })),
            Some(reason) => {
                let paused = json!({ "reason": &*reason });
                (
                    StatusCode::OK,
                    json!({ "status": "ready", "logLength": length, "paused": paused }),
                )
            }
        },
        Err(_) => return Err(Problem::unavailable("the store cannot be read now")),
    };
    let mut response = answer::json(&body)?;
    *response.status_mut() = status;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// `GET openapi.json`
pub(crate) async fn openapi(_: Call) -> Answer {
    let mut response = answer::of_bytes(OPENAPI, JSON);
    answer::cache(&mut response, "public, max-age=3600");
    Ok(response)
}

/// `GET /`: for people who look what is here.
pub(crate) async fn landing(call: Call) -> Answer {
    let front = &call.front;
    let url = &front.options().public_url;
    let accepts = call.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let links = [
        ("checkpoint", url.join(paths::FETCH_CHECKPOINT)),
        ("openapi", url.join("openapi.json")),
        ("discovery", url.join(paths::WELL_KNOWN)),
        ("log", url.join("log/checkpoint")),
    ];
    let mut response = if accepts.is_some_and(|accept| accept.contains(JSON)) {
        let links: serde_json::Map<_, _> =
            links.into_iter().map(|(name, url)| (name.to_owned(), url.into())).collect();
        answer::json(&json!({ "registry": front.label(), "url": url.as_str(), "links": links }))?
    } else {
        let [checkpoint, openapi, discovery, log] = links.map(|(_, url)| url);
        let text = format!(
            "{}: a registry of WebAssembly components. It speaks Warg v1.\n\n  \
             warg config --registry {url}\n\n  \
             newest checkpoint  {checkpoint}\n  \
             all routes         {openapi}\n  \
             discovery          {discovery}\n  \
             log as tiles       {log}\n",
            front.label()
        );
        answer::of_bytes(text, "text/plain; charset=utf-8")
    };
    answer::set(&mut response, axum::http::header::VARY, HeaderValue::from_static("accept"));
    Ok(response)
}
