//! Single records and envelopes, byte for byte (specification 3 and 4).

use serde_json::{Value, json};
use wargate_crypto::PrivateKey;
use wargate_protocol::{Envelope, Operator, Package, Record, SignedEnvelope};
use wargate_testkit::vectors::{Walk, load};

use crate::describe::{Describe, describe};
use crate::keys::{private_key, public_key};

#[test]
fn package_records_are_those_of_the_reference() {
    check_records::<Package>("package-records");
}

#[test]
fn operator_records_are_those_of_the_reference() {
    check_records::<Operator>("operator-records");
}

fn check_records<K: Describe>(file: &str) {
    let vectors = load(file);
    assert!(!vectors.list("records").is_empty());
    for case in vectors.list("records") {
        check_record::<K>(case, &private_key(case.text("signer")));
    }
}

fn check_record<K: Describe>(case: &Value, key: &PrivateKey) {
    let content = case.hex("content_hex");
    let record = Record::<K>::decode(&content).unwrap();
    assert_eq!(describe(&record), case["record"]);
    assert_eq!(record.encode(), content);

    let envelope = Envelope::sign(&record, key).unwrap();
    assert_eq!(envelope.record_id().to_string(), case.text("record_id"));
    assert_eq!(envelope.key_id().as_str(), case.text("key_id"));
    let signed = envelope.into_signed();
    assert_eq!(signed.signature().to_string(), case.text("signature_text"));
    assert_eq!(serde_json::to_value(&signed).unwrap(), case["json_body"]);
    assert_eq!(signed.to_protobuf(), case.hex("envelope_protobuf_hex"));

    let received: SignedEnvelope = serde_json::from_value(case["json_body"].clone()).unwrap();
    let stored = SignedEnvelope::from_protobuf(&case.hex("envelope_protobuf_hex")).unwrap();
    assert_eq!(received, signed);
    assert_eq!(stored, signed);

    let mut received = Envelope::<K>::decode(received).unwrap();
    assert_eq!(*received.record(), record);
    received.verify_signature(&key.public_key()).unwrap();
    received.verify_signature(&public_key("carol")).unwrap_err();
    // The message is bound to the kind of record.
    let message = [K::SIGNATURE_PREFIX, b":", &content].concat();
    assert_eq!(message, case.hex("signed_message_hex"));
}

#[test]
fn an_envelope_of_one_kind_is_none_of_the_other() {
    let signed = SignedEnvelope::sign::<Package>(vec![0x1a, 0], &private_key("alice"));
    let key = public_key("alice");
    signed.verify_signature::<Package>(&key).unwrap();
    signed.verify_signature::<Operator>(&key).unwrap_err();
    assert_ne!(signed.record_id::<Package>(), signed.record_id::<Operator>());
}

#[test]
fn envelopes_come_with_or_without_padding_and_with_other_members() {
    let signature = "ecdsa-p256:MAYCAQECAQE=";
    let parse = |content: &str, key_id: &str, signature: &str| {
        let body = json!({
            "contentBytes": content,
            "keyId": key_id,
            "signature": signature,
            "registryIndex": 1,
            "fetchToken": "t",
        });
        serde_json::from_value::<SignedEnvelope>(body)
    };
    for content in ["YQ", "YQ=="] {
        let envelope = parse(content, "any text at all", signature).unwrap();
        assert_eq!(envelope.content_bytes(), b"a");
        assert_eq!(envelope.key_id().as_str(), "any text at all");
    }
    assert!(parse("_-8=", "k", signature).is_err());
    assert!(parse("YQ=", "k", signature).is_err());
    assert!(parse("YQ==", "k", "nothing").is_err());
    assert!(serde_json::from_value::<SignedEnvelope>(json!({ "contentBytes": "" })).is_err());
}
