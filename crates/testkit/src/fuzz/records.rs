//! Envelopes, records, checkpoints, states and the ledger.

use std::sync::LazyLock;

use wargate_crypto::Signature;
use wargate_protocol::limits::RECORD_BYTES_MAX;
use wargate_protocol::state::validate;
use wargate_protocol::verify::PlacedEnvelope;
use wargate_protocol::{
    Checkpoint, CheckpointError, Entry, Envelope, LogKind, LogLeaf, LogState, Operator,
    OperatorState, Package, Record, SignedCheckpoint, SignedEnvelope, Timestamp,
    TimestampedCheckpoint, ledger as packed,
};

use super::{Bytes, KEYS, json};

/// Signed envelopes, in JSON and in the storage form.
pub fn envelope(data: &[u8]) {
    json::<PlacedEnvelope>(data);
    if let Some(envelope) = json::<SignedEnvelope>(data) {
        let stored = envelope.to_protobuf();
        assert_eq!(SignedEnvelope::from_protobuf(&stored).as_ref(), Ok(&envelope));
        use_envelope(&envelope);
    }
    if let Ok(envelope) = SignedEnvelope::from_protobuf(data) {
        let again = SignedEnvelope::from_protobuf(&envelope.to_protobuf());
        assert_eq!(again.as_ref(), Ok(&envelope));
        let written = serde_json::to_vec(&envelope).unwrap();
        assert_eq!(json::<SignedEnvelope>(&written).as_ref(), Some(&envelope));
        use_envelope(&envelope);
    }
}

fn use_envelope(signed: &SignedEnvelope) {
    use_record::<Operator>(signed);
    use_record::<Package>(signed);
}

/// Whatever can be done with a stranger's record returns.
fn use_record<K: LogKind>(signed: &SignedEnvelope) {
    let Ok(mut envelope) = Envelope::<K>::decode(signed.clone()) else { return };
    assert_eq!(envelope.signed(), signed, "the bytes are kept");
    assert_eq!(envelope.record_id(), signed.record_id::<K>());
    let mut state = LogState::<K>::new();
    let unverified = validate(&envelope, &state);
    let verified = envelope.verify_signature(&KEYS[0].public_key()).is_ok();
    assert_eq!(verified, signed.verify_signature::<K>(&KEYS[0].public_key()).is_ok());
    assert_eq!(validate(&envelope, &state), unverified, "a remembered signature changes nothing");
    assert_eq!(state.append(&envelope).is_ok(), unverified.is_ok());
}

/// Operator records.
pub fn operator_record(data: &[u8]) {
    record::<Operator>(data);
}

/// Package records.
pub fn package_record(data: &[u8]) {
    record::<Package>(data);
}

fn record<K: LogKind>(data: &[u8]) {
    static SIGNATURE: LazyLock<Signature> = LazyLock::new(|| KEYS[0].sign(&[b"something else"]));
    let Ok(record) = Record::<K>::decode(data) else { return };
    let canonical = record.encode();
    assert!(canonical.len() <= RECORD_BYTES_MAX, "what can be read can be written");
    let again = Record::<K>::decode(&canonical);
    assert_eq!(again.as_ref(), Ok(&record));
    assert_eq!(record.encode(), canonical);
    use_record::<K>(&SignedEnvelope::new(data.to_vec(), KEYS[0].public_key().id(), *SIGNATURE));
}

/// Signed checkpoints, verified against an operator log that knows one key.
pub fn checkpoint(data: &[u8]) {
    static OPERATOR: LazyLock<OperatorState> = LazyLock::new(|| {
        let entries = vec![Entry::init(KEYS[0].public_key())];
        let record = Record::<Operator>::new(None, Timestamp::EPOCH, entries);
        let mut state = OperatorState::new();
        state.append(&Envelope::sign(&record, &KEYS[0]).unwrap()).unwrap();
        state
    });
    let operator = &*OPERATOR;
    json::<Checkpoint>(data);
    if let Some(contents) = json::<TimestampedCheckpoint>(data) {
        let signed = SignedCheckpoint::sign(contents, &KEYS[0]);
        assert_eq!(json(&serde_json::to_vec(&signed).unwrap()), Some(signed.clone()));
        assert!(signed.clone().verify(operator).is_ok());
        // Every member is signed.
        let mut changed = signed;
        changed.contents.timestamp_seconds ^= 1;
        assert!(matches!(changed.verify(operator), Err(CheckpointError::Signature(_))));
    }
    if let Some(signed) = json::<SignedCheckpoint>(data) {
        let by_operator = signed.verify_signature(&KEYS[0].public_key()).is_ok();
        let verified = signed.clone().verify(operator).is_ok();
        assert_eq!(verified, by_operator && signed.key_id == KEYS[0].public_key().id());
        // The two encodings begin with different texts and share everything else.
        let (plain, timed) = (signed.contents.checkpoint.encode(), signed.contents.encode());
        assert!(timed.windows(plain.len() - 18).any(|part| part == &plain[18..]));
    }
}

/// States of logs in JSON, which are then views for validation.
pub fn state_json(data: &[u8]) {
    if let Some(state) = json::<LogState<Operator>>(data) {
        use_state(&state);
    }
    if let Some(state) = json::<LogState<Package>>(data) {
        use_state(&state);
    }
}

fn use_state<K: LogKind>(state: &LogState<K>) {
    let prev = state.head().map(|head| head.record_id);
    let time = state.head().map_or(Timestamp::EPOCH, |head| head.timestamp);
    let entries = vec![Entry::grant(KEYS[1].public_key(), []), Entry::init(KEYS[0].public_key())];
    let record = Record::new(prev, time, entries);
    let envelope = Envelope::<K>::sign(&record, &KEYS[0]).unwrap();
    let mut next = state.clone();
    assert!(next.append(&envelope).is_err(), "no log begins in the midst of a record");
    assert_eq!(next, *state);
}

/// The packed ledger.
pub fn ledger(data: &[u8]) {
    if let Ok(leaves) = packed::unpack(data) {
        assert_eq!(leaves.len() * packed::LEDGER_RECORD_BYTES, data.len());
        let repacked: Vec<u8> = leaves.flat_map(|leaf| packed::pack(&leaf)).collect();
        assert_eq!(repacked, data);
    } else {
        assert!(!data.len().is_multiple_of(packed::LEDGER_RECORD_BYTES));
    }
    json::<LogLeaf>(data);
    let mut bytes = Bytes(data);
    let leaf = packed::unpack(&bytes.array::<64>()).unwrap().next().unwrap();
    assert_eq!(json(&serde_json::to_vec(&leaf).unwrap()), Some(leaf));
    assert_eq!(leaf.encode().len(), LogLeaf::ENCODING_BYTES);
}
