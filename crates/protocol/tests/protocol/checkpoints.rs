//! Checkpoints (specification 11).

use serde_json::{Value, json};
use wargate_protocol::{
    CheckpointError, Envelope, Operator, OperatorEntry, OperatorPermission, OperatorRecord,
    OperatorState, SignedCheckpoint, Timestamp,
};
use wargate_testkit::vectors::{Walk, load};

use crate::keys::{private_key, public_key};

fn signed(json: &Value) -> SignedCheckpoint {
    serde_json::from_value(json.clone()).unwrap()
}

/// An operator log that the operator has begun, with more entries by the operator.
fn operator_log(entries: Vec<OperatorEntry>) -> OperatorState {
    let mut state = OperatorState::new();
    let entries = [vec![OperatorEntry::init(public_key("operator"))], entries].concat();
    let record = OperatorRecord::new(None, Timestamp::EPOCH, entries);
    state.append(&Envelope::<Operator>::sign(&record, &private_key("operator")).unwrap()).unwrap();
    state
}

#[test]
fn checkpoints_are_encoded_and_signed() {
    let operator = private_key("operator");
    for case in load("checkpoints").list("checkpoints") {
        let signed = signed(&case["signed_envelope_json"]);
        let checkpoint = signed.contents.checkpoint;
        assert_eq!(serde_json::to_value(checkpoint).unwrap(), case["checkpoint_json"]);
        assert_eq!(checkpoint.encode(), case.hex("checkpoint_encoding_hex"));
        assert_eq!(checkpoint.id().to_string(), case.text("checkpoint_id"));
        assert_eq!(signed.contents.encode(), case.hex("timestamped_encoding_hex"));
        let message = [b"WARG-CHECKPOINT-SIGNATURE-V0:", &signed.contents.encode()[..]].concat();
        assert_eq!(message, case.hex("signed_message_hex"));
        assert_eq!(SignedCheckpoint::sign(signed.contents, &operator), signed);
        assert_eq!(serde_json::to_value(&signed).unwrap(), case["signed_envelope_json"]);

        let verified = signed.clone().verify(&operator_log(vec![])).unwrap();
        assert_eq!(*verified.checkpoint(), checkpoint);
        assert_eq!(verified.into_signed(), signed);
    }
}

#[test]
fn altered_checkpoints_are_refused() {
    let state = operator_log(vec![]);
    for case in load("checkpoints").list("invalid_signatures") {
        let error = signed(&case["envelope"]).verify(&state).unwrap_err();
        assert!(matches!(error, CheckpointError::Signature(_)), "{case}");
    }
}

#[test]
fn only_keys_that_hold_commit_sign_checkpoints() {
    let vectors = load("checkpoints");
    let contents = signed(&vectors.list("checkpoints")[0]["signed_envelope_json"]).contents;
    let by_alice = SignedCheckpoint::sign(contents, &private_key("alice"));
    let verify = |state: &OperatorState| by_alice.clone().verify(state).map(|_| ());

    assert_eq!(verify(&OperatorState::new()), Err(CheckpointError::UnknownKey));
    assert_eq!(verify(&operator_log(vec![])), Err(CheckpointError::UnknownKey));
    let grant = |permissions: &[OperatorPermission]| {
        operator_log(vec![OperatorEntry::grant(public_key("alice"), permissions.to_vec())])
    };
    assert_eq!(verify(&grant(&[])), Err(CheckpointError::NotPermitted));
    let others = [OperatorPermission::DefineNamespace, OperatorPermission::ImportNamespace];
    assert_eq!(verify(&grant(&others)), Err(CheckpointError::NotPermitted));
    assert_eq!(verify(&grant(&[OperatorPermission::Commit])), Ok(()));
}

#[test]
fn roots_are_exactly_32_bytes() {
    let vectors = load("checkpoints");
    let good = &vectors.list("checkpoints")[0]["signed_envelope_json"];
    for (member, value) in [
        ("logRoot", json!("sha256:ab")),
        ("mapRoot", json!("sha256:")),
        ("logLength", json!(-1)),
        ("timestamp", json!(1.5)),
        ("timestamp", Value::Null),
    ] {
        let mut bad = good.clone();
        bad["contents"][member] = value;
        assert!(serde_json::from_value::<SignedCheckpoint>(bad).is_err(), "{member}");
    }
    let mut more = good.clone();
    more["contents"]["unknown"] = json!(1);
    more["unknown"] = json!(1);
    assert_eq!(signed(&more), signed(good));
}
