//! Properties of the codecs: what is written reads back, and no bytes make the readers panic.

use proptest::prelude::*;
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{
    Entry, LogKind, LogLeaf, Operator, OperatorPermission, Package, PackagePermission, Record,
    SignedCheckpoint, SignedEnvelope, Timestamp, Version, ledger,
};

use crate::keys::public_key;

/// A kind of log whose actions can be made up.
trait Arbitrary: LogKind {
    fn action() -> BoxedStrategy<Entry<Self>>;
    fn permission() -> BoxedStrategy<Self::Permission>;
}

impl Arbitrary for Package {
    fn action() -> BoxedStrategy<Entry<Self>> {
        let release = (version(), digest()).prop_map(|(v, content)| Entry::release(v, content));
        prop_oneof![release, version().prop_map(Entry::yank)].boxed()
    }

    fn permission() -> BoxedStrategy<PackagePermission> {
        prop_oneof![Just(PackagePermission::Release), Just(PackagePermission::Yank)].boxed()
    }
}

impl Arbitrary for Operator {
    fn action() -> BoxedStrategy<Entry<Self>> {
        let import = (".{0,9}", ".{0,9}").prop_map(|(ns, from)| Entry::import_namespace(ns, from));
        prop_oneof![".{0,9}".prop_map(Entry::<Operator>::define_namespace), import].boxed()
    }

    fn permission() -> BoxedStrategy<OperatorPermission> {
        prop_oneof![
            Just(OperatorPermission::Commit),
            Just(OperatorPermission::DefineNamespace),
            Just(OperatorPermission::ImportNamespace),
        ]
        .boxed()
    }
}

fn version() -> impl Strategy<Value = Version> {
    let text =
        "(0|[1-9][0-9]{0,9})\\.(0|[1-9][0-9]{0,9})\\.0(-[a-z]{1,5}(\\.[1-9])?)?(\\+[a-z0-9]{1,5})?";
    text.prop_filter_map("a generated version", |text| text.parse().ok())
}

fn digest() -> impl Strategy<Value = AnyDigest> {
    let of_any_length = "sha256:([0-9a-f][0-9a-f]){0,40}";
    of_any_length.prop_map(|text| text.parse().unwrap())
}

fn entry<K: Arbitrary>() -> impl Strategy<Value = Entry<K>> {
    let key = || prop_oneof![Just("operator"), Just("alice"), Just("bob")].prop_map(public_key);
    let permissions = || prop::collection::vec(K::permission(), 0..5);
    prop_oneof![
        key().prop_map(Entry::init),
        (key(), permissions()).prop_map(|(key, held)| Entry::grant(key, held)),
        (".{0,20}", permissions()).prop_map(|(id, held)| Entry::revoke(id.into(), held)),
        K::action(),
    ]
}

fn record<K: Arbitrary>() -> impl Strategy<Value = Record<K>> {
    let prev = prop::option::of(digest());
    let time = (any::<i64>(), 0..1_000_000_000_u32);
    let timestamp = time.prop_map(|(seconds, nanos)| Timestamp::new(seconds, nanos).unwrap());
    let entries = prop::collection::vec(entry::<K>(), 0..8);
    (prev, any::<u32>(), timestamp, entries).prop_map(|(prev, version, timestamp, entries)| {
        Record { prev, version, timestamp, entries }
    })
}

/// Bytes with changes: a byte set, a piece cut out, or a piece repeated.
fn mangled(bytes: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = bytes.len();
    let edits = prop::collection::vec((0..3_u8, 0..=length, 0..=length, any::<u8>()), 1..4);
    edits.prop_map(move |edits| {
        let mut bytes = bytes.clone();
        for (edit, a, b, byte) in edits {
            let (start, end) = (a.min(b).min(bytes.len()), a.max(b).min(bytes.len()));
            match edit {
                0 if start < bytes.len() => bytes[start] = byte,
                1 => drop(bytes.drain(start..end)),
                _ => bytes.extend_from_within(start..end),
            }
        }
        bytes
    })
}

/// What decodes from bytes is what its own encoding decodes to.
fn check_decoding<K: LogKind>(bytes: &[u8]) {
    let Ok(record) = Record::<K>::decode(bytes) else { return };
    assert_eq!(Record::decode(&record.encode()).unwrap(), record);
}

proptest! {
    #[test]
    fn package_records_read_back(record in record::<Package>()) {
        prop_assert_eq!(Record::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn operator_records_read_back(record in record::<Operator>()) {
        prop_assert_eq!(Record::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn random_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_decoding::<Package>(&bytes);
        check_decoding::<Operator>(&bytes);
        drop(SignedEnvelope::from_protobuf(&bytes));
        drop(serde_json::from_slice::<SignedEnvelope>(&bytes));
        drop(serde_json::from_slice::<SignedCheckpoint>(&bytes));
    }

    #[test]
    fn mangled_records_do_not_panic(
        bytes in record::<Package>().prop_flat_map(|record| mangled(record.encode())),
    ) {
        check_decoding::<Package>(&bytes);
        check_decoding::<Operator>(&bytes);
    }

    #[test]
    fn ledgers_read_back(ids in prop::collection::vec(any::<[[u8; 32]; 2]>(), 0..9)) {
        let leaves = ids.iter().map(|[log, record]| LogLeaf {
            log_id: wargate_protocol::LogId::from_digest(Digest::from_bytes(*log)),
            record_id: wargate_protocol::RecordId::from_digest(Digest::from_bytes(*record)),
        });
        let packed: Vec<u8> = leaves.clone().flat_map(|leaf| ledger::pack(&leaf)).collect();
        prop_assert!(ledger::unpack(&packed).unwrap().eq(leaves));
    }

    #[test]
    fn times_read_back(seconds in any::<i64>(), nanos in any::<i32>()) {
        let Ok(time) = Timestamp::normalised(seconds, nanos) else { return Ok(()) };
        prop_assert_eq!(Timestamp::from_state_text(&time.to_state_text()), Ok(time));
        let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
        let sum = i128::from(time.seconds()) * 1_000_000_000 + i128::from(time.nanos());
        prop_assert_eq!(sum, total);
    }
}
