//! Package names, namespaces, log ids and leaves (specification 2.6, 4.4, 6 and 8.1).

use wargate_protocol::limits::{NAMESPACE_BYTES_MAX, PACKAGE_NAME_BYTES_MAX};
use wargate_protocol::{LogId, LogLeaf, MapLeaf, NameError, Namespace, PackageName, RecordId};
use wargate_testkit::vectors::{Walk, load};

#[test]
fn package_names_follow_the_grammar() {
    for case in load("names-and-log-ids").list("package_names") {
        let text = case.text("name");
        let parsed = text.parse::<PackageName>();
        assert_eq!(parsed.is_ok(), case.flag("valid"), "{text:?}");
        let Ok(name) = parsed else { continue };
        assert_eq!(name.as_str(), text);
        assert_eq!(name.namespace().as_str(), case.text("namespace"));
        assert_eq!(name.name(), case.text("package"));
        assert_eq!(LogId::package(&name).to_string(), case.text("log_id"));
    }
}

#[test]
fn namespaces_follow_the_grammar() {
    for case in load("names-and-log-ids").list("namespaces") {
        let text = case.text("namespace");
        assert_eq!(text.parse::<Namespace>().is_ok(), case.flag("valid"), "{text:?}");
    }
}

#[test]
fn names_beyond_the_limit_are_refused() {
    let too_long = |bytes_max| NameError::TooLong { bytes_max };
    let name = |length: usize| format!("n:{}", "x".repeat(length - 2));
    assert!(name(PACKAGE_NAME_BYTES_MAX).parse::<PackageName>().is_ok());
    let refused = name(PACKAGE_NAME_BYTES_MAX + 1).parse::<PackageName>();
    assert_eq!(refused, Err(too_long(PACKAGE_NAME_BYTES_MAX)));
    let refused = "x".repeat(NAMESPACE_BYTES_MAX + 1).parse::<Namespace>();
    assert_eq!(refused, Err(too_long(NAMESPACE_BYTES_MAX)));
}

#[test]
fn every_registry_has_the_same_operator_log() {
    let vectors = load("names-and-log-ids");
    assert_eq!(LogId::operator().to_string(), vectors["operator_log"].text("log_id"));
}

#[test]
fn ids_are_exactly_32_bytes() {
    let short = format!("sha256:{}", "00".repeat(31));
    let long = format!("sha256:{}", "00".repeat(33));
    for text in ["", "sha256:", "sha256:ab", &short, &long] {
        assert!(text.parse::<LogId>().is_err(), "{text:?}");
        assert!(text.parse::<RecordId>().is_err(), "{text:?}");
    }
}

#[test]
fn leaves_are_encoded_and_hashed() {
    for case in load("leaves").list("leaves") {
        let leaf: LogLeaf = serde_json::from_value(case["json"].clone()).unwrap();
        assert_eq!(serde_json::to_value(leaf).unwrap(), case["json"]);
        assert_eq!(leaf.log_id.to_string(), case.text("log_id"));
        assert_eq!(leaf.record_id.to_string(), case.text("record_id"));
        assert_eq!(leaf.encode()[..], case.hex("log_leaf_encoding_hex"));
        assert_eq!(leaf.hash().digest().as_bytes()[..], case.hex("log_leaf_hash_hex"));

        let map_leaf = MapLeaf { record_id: leaf.record_id };
        assert_eq!(leaf.log_id.as_bytes()[..], case.hex("map_key_encoding_hex"));
        assert_eq!(leaf.log_id.map_path().as_bytes()[..], case.hex("map_path_hex"));
        assert_eq!(map_leaf.encode()[..], case.hex("map_leaf_encoding_hex"));
        assert_eq!(map_leaf.hash().as_bytes()[..], case.hex("map_leaf_hash_hex"));
    }
}
