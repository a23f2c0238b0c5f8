//! The OpenAPI document and the router must have the same routes, and every answer that any of these
//! tests gets must be one that the document describes.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use serde_json::{Value, json};
use wargate_http::{OPENAPI, listed_routes};

use crate::world::{Answer, JSON};

#[test]
fn every_route_is_documented_and_every_documented_route_exists() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    // OpenAPI has no parameters that take the rest of a path.
    let routes: BTreeSet<_> = listed_routes()
        .map(|(method, path)| (method.to_owned(), path.replace("{*", "{")))
        .collect();
    assert_eq!(documented, routes);
}

#[test]
#[should_panic(expected = "not valid under any of the schemas")]
fn an_answer_of_another_form_is_found() {
    let headers = [(CONTENT_TYPE, HeaderValue::from_static(JSON))];
    let body = json!({ "status": 404, "type": "log", "id": 7 }).to_string();
    let answer = Answer { status: 404, headers: headers.into_iter().collect(), body: body.into() };
    check("POST", "/v1/fetch/logs", &answer);
}

/// The schema for an answer to a request, resolved against the document; `None` if the document has no
/// such answer.
fn schema<'a>(document: &'a Value, method: &str, path: &str, answer: &Answer) -> Option<&'a Value> {
    let status = answer.status.to_string();
    let operation = &document["paths"][path][method.to_lowercase()];
    let response = operation["responses"].get(&status)?;
    let response = match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#'))?,
        None => response,
    };
    if answer.body.is_empty() {
        return Some(&Value::Null);
    }
    Some(&response["content"].get(answer.header("content-type")?)?["schema"])
}

/// Whether an answer is one that the document describes.
pub(crate) fn check(method: &str, path: &str, answer: &Answer) {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(OPENAPI).unwrap());
    let path = path.split('?').next().unwrap();
    let routed = listed_routes().find(|(of, route)| is_at(route, path) && answers(of, method));
    // Unknown paths and methods are described in words.
    let Some((of, route)) = routed else { return };
    let route = route.replace("{*", "{");
    let found = schema(&DOCUMENT, of, &route, answer);
    let found = found.unwrap_or_else(|| panic!("not in the document: {method} {path}: {answer:?}"));
    if answer.header("content-type") != Some(JSON) || answer.body.is_empty() {
        return;
    }
    // References lead into the document, so it comes along.
    let whole = json!({ "allOf": [found], "components": DOCUMENT["components"] });
    let validator = jsonschema::validator_for(&whole).unwrap();
    let value = serde_json::from_slice(&answer.body).unwrap();
    if let Err(error) = validator.validate(&value) {
        panic!("{method} {path}: {error}: {value}");
    }
}

fn answers(route: &str, method: &str) -> bool {
    route == method || (route == "GET" && method == "HEAD")
}

/// Whether a path belongs to a route.
fn is_at(route: &str, path: &str) -> bool {
    let (mut routes, mut parts) = (route.split('/'), path.split('/'));
    loop {
        match (routes.next(), parts.next()) {
            (None, None) => return true,
            (Some(route), Some(_)) if route.starts_with("{*") => return true,
            (Some(route), Some(part)) if route == part => {}
            (Some(route), Some(part)) if route.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
}
