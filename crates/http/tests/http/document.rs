//! The OpenAPI document and the router must have the same routes.

use std::collections::BTreeSet;

use serde_json::Value;
use wargate_http::{OPENAPI, listed_routes};

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
