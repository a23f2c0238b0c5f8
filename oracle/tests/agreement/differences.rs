//! Where we differ from the reference on purpose, each with the paragraph that allows it. What stands
//! here is all: the other tests find no other difference.

use serde_json::{Value, json};
use warg_crypto::Decode;
use warg_crypto::hash::AnyHash;
use warg_protocol::{ProtoEnvelopeBody, registry};
use warg_transparency::log::LogData;
use wargate_crypto::AnyDigest;
use wargate_oracle::keys::KeyPair;
use wargate_oracle::log::{OurLog, TheirBundle, TheirLog, push, random_leaf, theirs};
use wargate_oracle::map::{self, Entry};
use wargate_oracle::random::Random;
use wargate_oracle::records::{self, Twin};
use wargate_protocol::{
    Envelope, LogId, LogState, Namespace, Operator, Package, PackageEntry, PackageName,
    PackageRecord, Record, SignedEnvelope, Timestamp, Version,
};
use wargate_transparency::log::{
    LeafIndex, LogLength, LogProofBundle, ProofPlan, ProofRequestError,
};
use wargate_transparency::map::MapProofBundle;

/// Specification 2.1 knows no longest digest; no algorithm has more than 64 bytes.
#[test]
fn we_read_digests_of_at_most_64_bytes() {
    let text = |bytes: usize| format!("sha256:{}", "0f".repeat(bytes));
    assert!(text(64).parse::<AnyDigest>().is_ok() && text(64).parse::<AnyHash>().is_ok());
    assert!(text(65).parse::<AnyDigest>().is_err() && text(65).parse::<AnyHash>().is_ok());
}

/// Specification 2.1: ids that are used are digests of 32 bytes.
#[test]
fn our_ids_have_32_bytes() {
    let text = "\"sha256:0f\"";
    assert!(serde_json::from_str::<LogId>(text).is_err());
    assert!(serde_json::from_str::<registry::LogId>(text).is_ok());
}

/// Specification 2.3 speaks of padding and of none; the reference also takes one of two.
#[test]
fn we_read_base64_with_all_of_its_padding_or_none() {
    let pair = KeyPair::random(&Random::new(0));
    let envelope = SignedEnvelope::sign::<Package>(b"a".to_vec(), &pair.ours);
    let mut body = serde_json::to_value(&envelope).unwrap();
    for (text, ours) in [("YQ==", true), ("YQ", true), ("YQ=", false)] {
        body["contentBytes"] = json!(text);
        assert_eq!(serde_json::from_value::<SignedEnvelope>(body.clone()).is_ok(), ours, "{text}");
        assert!(serde_json::from_value::<ProtoEnvelopeBody>(body.clone()).is_ok(), "{text}");
        assert_eq!(half_padded(&body.to_string()), !ours);
    }
}

/// Whether the content of an envelope in JSON has one `=` where there should be two.
pub(crate) fn half_padded(envelope: &str) -> bool {
    let envelope: Value = serde_json::from_str(envelope).unwrap();
    let content = envelope["contentBytes"].as_str().unwrap();
    content.ends_with('=') && !content.len().is_multiple_of(4)
}

/// Specification 2.6 and 2.7: no limit in the reference. Ours are far above what is in use.
#[test]
fn our_names_and_versions_are_limited() {
    for (length, ours) in [(1 << 16, true), ((1 << 16) + 1, false)] {
        let name = format!("{}:b", "a".repeat(length - 2));
        assert_eq!(name.parse::<PackageName>().is_ok(), ours);
        assert!(registry::PackageName::new(name).is_ok());
        let namespace = "a".repeat(length);
        assert_eq!(namespace.parse::<Namespace>().is_ok(), ours);
        assert!(registry::PackageName::is_valid_namespace(&namespace));
        let version = format!("1.0.0-{}", "a".repeat(length - 6));
        assert_eq!(version.parse::<Version>().is_ok(), ours);
        assert!(version.parse::<warg_protocol::Version>().is_ok());
    }
}

/// Specification 20.3 N19 asks for limits; the reference's only one is that of request bodies.
#[test]
fn our_records_are_limited() {
    let key = KeyPair::random(&Random::new(0)).our_public();
    let record = |entries: Vec<PackageEntry>| {
        PackageRecord::new(None, Timestamp::from_seconds(1), entries).encode()
    };
    let yank = |_| PackageEntry::yank(Version::new(1, 0, 0));
    let entries = |count| record((0..count).map(yank).collect());
    let all = wargate_protocol::PackagePermission::Yank;
    let grant = |count| record(vec![PackageEntry::grant(key.clone(), vec![all; count])]);
    let padded = |bytes: usize| {
        // An unknown field (specification 3.7): its key, a length of four bytes and its content.
        let mut record = record(Vec::new());
        let content = bytes - record.len() - 5;
        let seven = |shift: u32| u8::try_from(content >> shift & 0x7f).unwrap();
        let length = [seven(0) | 0x80, seven(7) | 0x80, seven(14) | 0x80, seven(21)];
        record.push(0x4a);
        record.extend(length);
        record.resize(bytes, 0);
        record
    };
    for (bytes, ours) in [
        (entries(1 << 16), true),
        (entries((1 << 16) + 1), false),
        (grant(1 << 16), true),
        (grant((1 << 16) + 1), false),
        (padded(2 << 20), true),
        (padded((2 << 20) + 1), false),
    ] {
        assert_eq!(PackageRecord::decode(&bytes).is_ok(), ours);
        assert!(<Package as Twin>::Record::decode(&bytes).is_ok());
    }
}

/// Specification 5.5: the reference cannot write times before 1970. We can, the same way.
#[test]
fn we_write_states_from_before_1970() {
    let pair = KeyPair::random(&Random::new(0));
    let entries = vec![PackageEntry::init(pair.our_public())];
    let record = Record::<Package>::new(None, Timestamp::from_seconds(-7), entries);
    let envelope = Envelope::sign(&record, &pair.ours).unwrap();
    let their_envelope = records::envelope::<Package>(envelope.signed()).unwrap();
    let mut ours = LogState::<Package>::new();
    ours.append(&envelope).unwrap();
    let theirs = Package::validate(<Package as Twin>::State::default(), &their_envelope).unwrap();
    assert_eq!(serde_json::to_value(ours).unwrap()["head"]["timestamp"], "-7.0");
    assert!(serde_json::to_value(theirs).is_err());
}

/// Specification 12.7 and 20.3 N6: the reference proves things about lengths that the log has not
/// reached, with hashes of unfinished nodes.
#[test]
fn we_prove_nothing_beyond_the_log() {
    let random = Random::new(0);
    let leaves: Vec<_> = (0..3).map(|_| random_leaf(&random)).collect();
    let (mut ours, mut log) = (OurLog::default(), TheirLog::default());
    ours.append(&leaves);
    push(&mut log, &theirs(&leaves));
    let (stored, length) = (LogLength::from(3), LogLength::from(4));
    let refused = ProofPlan::consistency(stored, length, length).unwrap_err();
    assert_eq!(refused, ProofRequestError::BeyondLog { length, stored });
    // The place of node 3 is there, but not what it is the parent of.
    let beyond = log.prove_consistency(4, 4);
    assert!(TheirBundle::bundle(vec![beyond], Vec::new(), &log).is_ok());
}

/// Specification 7.4: from length 0 there is no proof. The reference has none either, but lists it
/// beside others.
#[test]
fn we_list_no_consistency_from_nothing() {
    let random = Random::new(0);
    let leaves: Vec<_> = (0..3).map(|_| random_leaf(&random)).collect();
    let (mut ours, mut log) = (OurLog::default(), TheirLog::default());
    ours.append(&leaves);
    let nodes = push(&mut log, &theirs(&leaves));
    let length = LogLength::from(3);
    let plan =
        ProofPlan::new(length, length, &[LogLength::EMPTY], &[LeafIndex::from(0)]).unwrap_err();
    assert_eq!(plan, ProofRequestError::FromEmpty);
    let (consistent, included) = (log.prove_consistency(0, 3), log.prove_inclusion(nodes[0], 3));
    let bytes = TheirBundle::bundle(vec![consistent], vec![included], &log).unwrap().encode();
    assert!(LogProofBundle::decode(&bytes).is_err() && TheirBundle::decode(&bytes).is_ok());
}

/// Specification 7.5: what the reference writes is the only encoding that we read, and a hash that no
/// proof needs is refused, so that nothing rides along.
#[test]
fn we_read_one_encoding_of_a_log_bundle() {
    let random = Random::new(0);
    let leaves: Vec<_> = (0..3).map(|_| random_leaf(&random)).collect();
    let mut log = TheirLog::default();
    let nodes = push(&mut log, &theirs(&leaves));
    let included = log.prove_inclusion(nodes[0], 3);
    let bytes = TheirBundle::bundle(Vec::new(), vec![included], &log).unwrap().encode();
    assert!(LogProofBundle::decode(&bytes).is_ok());
    let with_more = [&bytes[..], &[0x48, 1]].concat();
    assert!(LogProofBundle::decode(&with_more).is_err() && TheirBundle::decode(&with_more).is_ok());
    let empty = [0x08, 3];
    assert!(LogProofBundle::decode(&empty).is_err() && TheirBundle::decode(&empty).is_ok());
}

/// Specification 8.2: a verifier must refuse more than 256 hashes; the reference's aborts.
#[test]
fn we_read_at_most_256_hashes_of_a_map_proof() {
    // One proof of absent hashes, two bytes each, behind a length of two bytes.
    let proof = |hashes: usize| {
        let seven = |shift: u32| u8::try_from((2 * hashes) >> shift & 0x7f).unwrap();
        [vec![0x0a, seven(0) | 0x80, seven(7)], [0x0a, 0].repeat(hashes)].concat()
    };
    for (hashes, ours) in [(256, true), (257, false)] {
        assert_eq!(MapProofBundle::decode(&proof(hashes)).is_ok(), ours);
        assert!(map::TheirBundle::decode(&proof(hashes)).is_ok());
    }
    let absent = MapProofBundle::decode(&proof(256)).unwrap();
    let (path, leaf) = Entry::random(&Random::new(0)).ours();
    let root = absent.proofs()[0].root(&path, leaf);
    absent.verify(&[(path, leaf)], root).unwrap();
}

/// The same limit for what an operator may call a namespace (specification 5.3), where it decides
/// about the state and not only about a text.
#[test]
fn our_operator_log_refuses_namespaces_beyond_the_limit() {
    let pair = KeyPair::random(&Random::new(0));
    for (length, ours) in [(1 << 16, true), ((1 << 16) + 1, false)] {
        let entries = vec![
            wargate_protocol::OperatorEntry::init(pair.our_public()),
            wargate_protocol::OperatorEntry::define_namespace("a".repeat(length)),
        ];
        let record = Record::<Operator>::new(None, Timestamp::from_seconds(1), entries);
        let envelope = Envelope::sign(&record, &pair.ours).unwrap();
        let their_envelope = records::envelope::<Operator>(envelope.signed()).unwrap();
        assert_eq!(LogState::<Operator>::new().append(&envelope).is_ok(), ours);
        assert!(Operator::validate(<Operator as Twin>::State::default(), &their_envelope).is_ok());
    }
}
