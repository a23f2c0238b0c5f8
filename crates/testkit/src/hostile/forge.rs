//! What liars do to signatures, digests, proofs and records.

use serde_json::{Value, json};
use wargate_api::fetch::{FetchToken, PublishedRecord};
use wargate_crypto::PrivateKey;
use wargate_protocol::verify::PlacedEnvelope;
use wargate_protocol::{
    Package, PackageEntry, PackageRecord, RecordId, RegistryIndex, SignedCheckpoint,
    SignedEnvelope, Timestamp, TimestampedCheckpoint, base64,
};

use super::story::log;

/// Another character at the end of a digest.
pub(super) fn flip_digest(digest: &mut Value) {
    let mut text = digest.as_str().unwrap().to_owned();
    let last = text.pop().unwrap();
    text.push(if last == '0' { '1' } else { '0' });
    *digest = json!(text);
}

/// Another signature of the same form.
pub(super) fn flip_signature(signature: &mut Value) {
    let text = signature.as_str().unwrap();
    let (algorithm, encoded) = text.split_once(':').unwrap();
    let mut bytes = base64::decode(encoded).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    *signature = json!(format!("{algorithm}:{}", base64::encode(&bytes)));
}

/// Changes bytes that stand as text.
pub(super) fn edit_bytes(encoded: &mut Value, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = base64::decode(encoded.as_str().unwrap()).unwrap();
    change(&mut bytes);
    *encoded = json!(base64::encode(&bytes));
}

/// A bit of the last hash is another.
#[expect(clippy::ptr_arg, reason = "one of the changes that `edit_bytes` takes")]
pub(super) fn flip_last(bytes: &mut Vec<u8>) {
    *bytes.last_mut().unwrap() ^= 1;
}

/// Half of it.
pub(super) fn truncate(bytes: &mut Vec<u8>) {
    bytes.truncate(bytes.len() / 2);
}

/// Signs changed contents of a checkpoint.
pub(super) fn sign(
    checkpoint: &mut Value,
    key: &PrivateKey,
    change: impl FnOnce(&mut TimestampedCheckpoint),
) {
    let signed: SignedCheckpoint = serde_json::from_value(checkpoint.clone()).unwrap();
    let mut contents = signed.contents;
    change(&mut contents);
    *checkpoint = json!(SignedCheckpoint::sign(contents, key));
}

/// The records of a package in an answer.
pub(super) fn records<'a>(logs: &'a mut Value, package: &str) -> &'a mut Vec<Value> {
    let records = &mut logs["packages"][log(package).to_string()];
    if records.is_null() {
        *records = json!([]);
    }
    records.as_array_mut().unwrap()
}

/// The records of the operator log in an answer.
pub(super) fn operator_records(logs: &mut Value) -> &mut Vec<Value> {
    let records = &mut logs["operator"];
    if records.is_null() {
        *records = json!([]);
    }
    records.as_array_mut().unwrap()
}

/// A record instead of the last one, in its place and behind the same.
pub(super) fn replace_last(
    records: &mut [Value],
    by: &PrivateKey,
    entries: Vec<PackageEntry>,
    change: impl FnOnce(&mut PackageRecord),
) {
    let [.., before, last] = records else { return };
    let prev: RecordId = before["fetchToken"].as_str().unwrap().parse().unwrap();
    let time = decode(last).timestamp;
    let mut record = PackageRecord::new(Some(prev), time, entries);
    change(&mut record);
    replace(last, by, record.encode());
}

/// Other bytes for a record, signed.
pub(super) fn replace(record: &mut Value, by: &PrivateKey, bytes: Vec<u8>) {
    let index = RegistryIndex::new(record["registryIndex"].as_u64().unwrap());
    let envelope = SignedEnvelope::sign::<Package>(bytes, by);
    let fetch_token = FetchToken(envelope.record_id::<Package>().to_string());
    let record_of = PlacedEnvelope { envelope, registry_index: index };
    *record = json!(PublishedRecord { record: record_of, fetch_token });
}

/// What a record of a package in an answer says.
pub(super) fn decode(record: &Value) -> PackageRecord {
    let bytes = base64::decode(record["contentBytes"].as_str().unwrap()).unwrap();
    PackageRecord::decode(&bytes).unwrap()
}

/// A second earlier than another record.
pub(super) fn before(time: Timestamp) -> Timestamp {
    Timestamp::from_seconds(time.seconds() - 100_000)
}

/// The other signature that is as good: the scalar `s` is taken from the order of the group. Whoever
/// sees a signature can make it.
pub(super) fn malleate(signature: &mut Value) {
    /// The order of P-256.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let text = signature.as_str().unwrap();
    let (algorithm, encoded) = text.split_once(':').unwrap();
    let der = base64::decode(encoded).unwrap();
    // A sequence of two integers, each with its length in one byte.
    let r = &der[4..4 + usize::from(der[3])];
    let s = &der[6 + r.len()..];
    let mut padded = [0; 32];
    let digits = if s.len() > 32 { &s[1..] } else { s };
    padded[32 - digits.len()..].copy_from_slice(digits);
    let (mut other, mut borrow) = ([0; 32], 0);
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(padded[at]) - borrow;
        borrow = i16::from(difference < 0);
        other[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let first = other.iter().position(|byte| *byte != 0).unwrap();
    let mut other = other[first..].to_vec();
    if other[0] >= 0x80 {
        other.insert(0, 0);
    }
    let integer = |bytes: &[u8]| [&[2, u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let both = [integer(r), integer(&other)].concat();
    let der = [&[0x30, u8::try_from(both.len()).unwrap()], both.as_slice()].concat();
    *signature = json!(format!("{algorithm}:{}", base64::encode(&der)));
}
