//! What the record decoder accepts (specification 3.7), and its limits.

use wargate_protocol::limits::{ENTRY_PERMISSIONS_MAX, RECORD_BYTES_MAX, RECORD_ENTRIES_MAX};
use wargate_protocol::{
    EntryError, Envelope, Package, PackageEntry, PackagePermission, PackageRecord, PackageState,
    RecordError, SignedEnvelope, Timestamp,
};
use wargate_testkit::vectors::{Walk, hex, load};

use crate::describe::describe;
use crate::keys::{private_key, public_key};

#[test]
fn the_decoder_accepts_what_the_reference_accepts() {
    for case in load("record-decoding").list("cases") {
        let what = case.text("what");
        let content = case.hex("content_hex");
        let decoded = PackageRecord::decode(&content);
        assert_eq!(decoded.is_ok(), case.flag("accepted"), "{what}: {decoded:?}");
        let Ok(record) = decoded else { continue };
        assert_eq!(describe(&record), case["decoded"], "{what}");
        assert_eq!(record.encode(), case.hex("canonical_reencoding_hex"), "{what}");
        assert_eq!(record.encode() == content, case.flag("input_is_canonical"), "{what}");
    }
}

#[test]
fn errors_say_which_rule_is_broken() {
    let error = |what: &str| {
        let vectors = load("record-decoding");
        let mut cases = vectors.list("cases").iter();
        let case = cases.find(|case| case.text("what").starts_with(what)).expect(what);
        PackageRecord::decode(&case.hex("content_hex")).unwrap_err()
    };
    let entry = |what: &str| match error(what) {
        RecordError::Entry { index: 0, source } => source,
        other => panic!("{what}: {other:?}"),
    };
    assert!(matches!(error("missing time"), RecordError::MissingTime));
    assert!(matches!(error("empty input"), RecordError::MissingTime));
    assert!(matches!(error("prev is not a hash"), RecordError::BadPrev(_)));
    assert!(matches!(error("prev is empty string"), RecordError::BadPrev(_)));
    assert!(matches!(error("truncated"), RecordError::Protobuf(_)));
    assert!(matches!(error("wrong wire type"), RecordError::Protobuf(_)));
    assert!(matches!(error("invalid UTF-8"), RecordError::Protobuf(_)));
    assert!(matches!(entry("empty entry"), EntryError::EmptyEntry));
    assert!(matches!(entry("permission 0"), EntryError::UnknownPermission { number: 0 }));
    assert!(matches!(entry("permission 3"), EntryError::UnknownPermission { number: 3 }));
    assert!(matches!(entry("init with bad key"), EntryError::BadKey(_)));
    assert!(matches!(entry("release with bad version"), EntryError::BadVersion(_)));
    assert!(matches!(entry("release with upper-case"), EntryError::BadContentDigest(_)));
    let EntryError::UnknownHashAlgorithm { name } = entry("init with unknown hash") else {
        panic!("another error");
    };
    assert_eq!(name, "sha512");
    let underflow = hex("1a0b0880808080808080808001");
    assert!(matches!(PackageRecord::decode(&underflow), Err(RecordError::InvalidTime(_))));
}

#[test]
fn bytes_are_kept_as_they_came() {
    let vectors = load("record-decoding");
    let case = &vectors["non_canonical_bytes_are_preserved"];
    let signed: SignedEnvelope = serde_json::from_value(case["json_body"].clone()).unwrap();
    assert_eq!(signed.content_bytes(), case.hex("content_hex"));
    let envelope = Envelope::<Package>::decode(signed).unwrap();
    assert_ne!(envelope.record().encode(), envelope.signed().content_bytes());
    assert_eq!(envelope.record_id().to_string(), case.text("record_id"));
    PackageState::new().append(&envelope).unwrap();
    assert_eq!(serde_json::to_value(envelope.signed()).unwrap(), case["json_body"]);
}

#[test]
fn a_record_has_a_largest_size() {
    // An unknown field of any length is ignored, up to the limit.
    let record_of = |bytes: usize| {
        let mut record = vec![0x1a, 0, 0x7a, 0xff, 0xff, 0xff, 0];
        record[3..7].copy_from_slice(&padded_varint(bytes - 7));
        record.resize(bytes, 0);
        record
    };
    assert!(PackageRecord::decode(&record_of(RECORD_BYTES_MAX)).is_ok());
    let too_large = PackageRecord::decode(&record_of(RECORD_BYTES_MAX + 1));
    assert!(matches!(too_large, Err(RecordError::TooLarge { .. })));
}

/// A varint of four bytes.
fn padded_varint(number: usize) -> [u8; 4] {
    let group = |shift: usize| u8::try_from(number >> shift & 0x7f).unwrap();
    [group(0) | 0x80, group(7) | 0x80, group(14) | 0x80, group(21)]
}

#[test]
fn a_record_has_a_largest_number_of_entries() {
    let yank = PackageEntry::yank("1.0.0".parse().unwrap());
    let record = |entries| PackageRecord::new(None, Timestamp::EPOCH, vec![yank.clone(); entries]);
    let largest = record(RECORD_ENTRIES_MAX);
    assert_eq!(PackageRecord::decode(&largest.encode()).unwrap(), largest);
    let too_many = record(RECORD_ENTRIES_MAX + 1);
    let refused = PackageRecord::decode(&too_many.encode());
    assert!(matches!(refused, Err(RecordError::TooManyEntries)));
    let unsigned = Envelope::sign(&too_many, &private_key("alice"));
    assert!(matches!(unsigned, Err(RecordError::TooManyEntries)));
}

#[test]
fn an_entry_has_a_longest_list_of_permissions() {
    let record = |permissions| {
        let permissions = vec![PackagePermission::Yank; permissions];
        let grant = PackageEntry::grant(public_key("bob"), permissions);
        PackageRecord::new(None, Timestamp::EPOCH, vec![grant])
    };
    assert!(PackageRecord::decode(&record(ENTRY_PERMISSIONS_MAX).encode()).is_ok());
    let refused = PackageRecord::decode(&record(ENTRY_PERMISSIONS_MAX + 1).encode());
    let Err(RecordError::Entry { index: 0, source: EntryError::TooManyPermissions }) = refused
    else {
        panic!("{refused:?}");
    };
}
