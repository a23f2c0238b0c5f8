//! The state machines against the vectors (specification 5).

use serde_json::{Value, json};
use wargate_protocol::state::StaleDelta;
use wargate_protocol::{
    Envelope, InvalidRecord, LogState, NamespaceState, Operator, OperatorState, Package,
    PackageEntry, PackageRecord, PackageState, Release, SignedEnvelope, VersionReq,
};
use wargate_testkit::vectors::{Walk, load};

use crate::describe::{Describe, describe};
use crate::keys::private_key;

#[test]
fn package_logs_grow_as_in_the_reference() {
    check_valid_log::<Package>("package-logs");
    check_valid_cases::<Package>("package-logs");
}

#[test]
fn operator_logs_grow_as_in_the_reference() {
    check_valid_log::<Operator>("operator-logs");
    check_valid_cases::<Operator>("operator-logs");
}

#[test]
fn invalid_package_records_are_refused_for_the_same_reason() {
    check_invalid_cases::<Package>("package-logs");
}

#[test]
fn invalid_operator_records_are_refused_for_the_same_reason() {
    check_invalid_cases::<Operator>("operator-logs");
}

fn envelope<K: Describe>(record: &Value) -> Envelope<K> {
    let signed: SignedEnvelope = serde_json::from_value(record["json_body"].clone()).unwrap();
    let envelope = Envelope::decode(signed).unwrap();
    assert_eq!(envelope.record_id().to_string(), record.text("record_id"));
    assert_eq!(describe(envelope.record()), record["decoded"]);
    envelope
}

/// The state after the first records of a file's valid log.
fn state_after<K: Describe>(vectors: &Value, records: usize) -> LogState<K> {
    let mut state = LogState::new();
    for record in &vectors["valid_log"].list("records")[..records] {
        state.append(&envelope(record)).unwrap();
    }
    state
}

fn assert_state<K: Describe>(state: &LogState<K>, expected: &Value) {
    assert_eq!(sorted(serde_json::to_value(state).unwrap()), sorted(expected.clone()));
    let reread: LogState<K> = serde_json::from_value(expected.clone()).unwrap();
    assert_eq!(reread, *state);
}

/// The state with its lists of permissions in order: their order carries no meaning (5.5).
fn sorted(mut state: Value) -> Value {
    let permissions = state.get_mut("permissions").and_then(Value::as_object_mut);
    for held in permissions.into_iter().flat_map(serde_json::Map::values_mut) {
        held.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    }
    state
}

fn check_valid_log<K: Describe>(file: &str) {
    let vectors = load(file);
    let log = &vectors["valid_log"];
    let mut state = LogState::<K>::new();
    for (record, expected) in log.list("records").iter().zip(log.list("state_after_each_record")) {
        state.append(&envelope(record)).unwrap();
        assert_state(&state, expected);
    }
    assert_eq!(log.list("records").len(), log.list("state_after_each_record").len());
}

fn prefix_length(case: &Value) -> usize {
    case.get("valid_log_prefix_length")
        .map_or(0, |length| usize::try_from(length.as_u64().unwrap()).unwrap())
}

fn check_valid_cases<K: Describe>(file: &str) {
    let vectors = load(file);
    for case in vectors.list("valid_cases") {
        let mut state = state_after::<K>(&vectors, prefix_length(case));
        for record in case.list("records") {
            state.append(&envelope(record)).unwrap_or_else(|error| panic!("{case}: {error}"));
        }
        assert_state(&state, &case["outcome"]["final_state"]);
    }
}

fn check_invalid_cases<K: Describe>(file: &str) {
    let vectors = load(file);
    for case in vectors.list("invalid_cases") {
        let name = case.text("name");
        let prefix = prefix_length(case);
        let mut state = state_after::<K>(&vectors, prefix);
        let failing = usize::try_from(case["outcome"].number("failing_record_index")).unwrap();
        let (last, before) = case.list("records").split_last().unwrap();
        assert_eq!(prefix + before.len(), failing, "{name}");
        for record in before {
            state.append(&envelope(record)).unwrap();
        }
        let untouched = state.clone();
        let error = state.append(&envelope(last)).unwrap_err();
        assert_eq!(error.kind(), case["outcome"].text("error_kind"), "{name}");
        assert_eq!(state, untouched, "{name}");
    }
}

#[test]
fn lookups_answer_from_the_state() {
    let vectors = load("package-logs");
    let length = vectors["valid_log"].list("records").len();
    let state = state_after::<Package>(&vectors, length);
    let latest = |text: &str| {
        let requirement: VersionReq = text.parse().unwrap();
        state.latest(&requirement).map(|release| release.version.to_string())
    };
    let standing: Vec<&Release> = state.releases().filter(|release| !release.is_yanked()).collect();
    let highest = standing.iter().rfind(|release| !release.version.is_prerelease());
    assert_eq!(latest("*"), highest.map(|release| release.version.to_string()));
    let yanked = state.releases().find(|release| release.is_yanked()).unwrap();
    assert_eq!(latest(&format!("={}", yanked.version)), None);
    assert_eq!(yanked.content(), None);
    assert_eq!(state.release(&yanked.version), Some(yanked));

    let vectors = load("operator-logs");
    let state = state_after::<Operator>(&vectors, 1);
    assert_eq!(state.namespace(&"test".parse().unwrap()), Some(&NamespaceState::Defined));
    let registry = "registry.example.com".to_owned();
    let imported = NamespaceState::Imported { registry };
    assert_eq!(state.namespace(&"other".parse().unwrap()), Some(&imported));
    assert_eq!(state.namespace(&"third".parse().unwrap()), None);
}

#[test]
fn a_signature_that_was_checked_early_counts_for_its_key_only() {
    let vectors = load("package-logs");
    let log = vectors["valid_log"].list("records");
    let mut first = envelope::<Package>(&log[0]);
    first.verify_signature(&private_key("alice").public_key()).unwrap();
    PackageState::new().append(&first).unwrap();

    // Signed by bob in alice's name; that bob signed it is known, and does not help.
    let state = state_after::<Package>(&vectors, 1);
    let head = state.head().unwrap();
    let record = PackageRecord::new(Some(head.record_id), head.timestamp, vec![]);
    let bob = Envelope::sign(&record, &private_key("bob")).unwrap().into_signed();
    let alice = private_key("alice").public_key().id();
    let forged = SignedEnvelope::new(bob.content_bytes().to_vec(), alice, *bob.signature());
    let mut forged = Envelope::<Package>::decode(forged).unwrap();
    forged.verify_signature(&private_key("bob").public_key()).unwrap();
    let error = state.clone().append(&forged).unwrap_err();
    assert!(matches!(error, InvalidRecord::SignatureError(_)), "{error:?}");
}

#[test]
fn a_delta_is_for_one_state() {
    let vectors = load("package-logs");
    let log = vectors["valid_log"].list("records");
    let before = state_after::<Package>(&vectors, 1);
    let mut after = before.clone();
    let (_, delta) = envelope::<Package>(&log[1]).validate(&before).unwrap().into_parts();
    assert_eq!(delta.prev(), before.head().map(|head| head.record_id));
    after.apply(delta.clone()).unwrap();
    assert_eq!(after, state_after(&vectors, 2));
    assert_eq!(after.apply(delta), Err(StaleDelta));
}

#[test]
fn states_that_cannot_be_are_refused() {
    let vectors = load("package-logs");
    let good = &vectors["valid_log"].list("state_after_each_record")[1];
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut state = good.clone();
        change(&mut state);
        serde_json::from_value::<PackageState>(state).is_err()
    };
    assert!(!refused(&|_| {}));
    assert!(refused(&|state| state["head"] = Value::Null));
    assert!(refused(&|state| state["algorithm"] = json!("sha512")));
    let key = good["keys"].as_object().unwrap().values().next().unwrap();
    assert!(refused(&|state| state["keys"] = json!({ "sha256:ab": key })));
    assert!(refused(&|state| state["releases"]["9.9.9"] = good["releases"]["1.0.0"].clone()));
    assert!(refused(&|state| state["permissions"] = json!({ "k": ["commit"] })));
    assert_eq!(serde_json::from_value::<PackageState>(json!({})).unwrap(), PackageState::new());
    assert_eq!(serde_json::to_value(OperatorState::new()).unwrap(), json!({}));
}

#[test]
fn revoking_nothing_leaves_no_trace() {
    let vectors = load("package-logs");
    let mut state = state_after::<Package>(&vectors, 1);
    let before = state.permissions().clone();
    let head = state.head().unwrap();
    let revoke = PackageEntry::revoke("nobody".into(), []);
    let record = PackageRecord::new(Some(head.record_id), head.timestamp, vec![revoke]);
    state.append(&Envelope::sign(&record, &private_key("alice")).unwrap()).unwrap();
    assert_eq!(*state.permissions(), before);
}
