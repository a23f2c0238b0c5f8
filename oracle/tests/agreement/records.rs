//! Records and their envelopes (specification 3, 4): encodings, ids, signatures, decoding.

use warg_crypto::{Decode, Encode};
use warg_protocol::{ProtoEnvelope, ProtoEnvelopeBody};
use wargate_crypto::{AnyDigest, Digest, KeyId};
use wargate_oracle::keys::{self, KeyPair};
use wargate_oracle::random::Random;
use wargate_oracle::records::{self, Twin};
use wargate_protocol::{
    Entry, Envelope, Operator, Package, Permission, Record, SignedEnvelope, Timestamp,
};

use crate::{differences, each_seed, wire};

/// A kind of log with entries that only it has.
pub(crate) trait Actions: Twin {
    /// A random one, from few versions or names, so that they meet again.
    fn action(random: &Random) -> Entry<Self>;
}

impl Actions for Package {
    fn action(random: &Random) -> Entry<Self> {
        let versions = ["0.1.0", "1.0.0", "1.0.0+a", "1.0.0+b", "1.0.0-rc.1", "2.0.0", "0.0.0-0"];
        let version = random.pick(&versions).parse().unwrap();
        if random.one_in(3) {
            return Entry::yank(version);
        }
        let bytes = if random.one_in(8) { random.below(40) } else { 32 };
        Entry::release(version, any_digest(random, bytes))
    }
}

impl Actions for Operator {
    fn action(random: &Random) -> Entry<Self> {
        let names = ["a", "b", "c-d", "e0", "f", "wasi", "Upper", "a--b", "9", "", "a:b", "é"];
        let name = *random.pick(if random.one_in(4) { &names } else { &names[..6] });
        if random.one_in(2) {
            return Entry::define_namespace(name);
        }
        Entry::import_namespace(name, *random.pick(&["", "registry.example.com", "x y"]))
    }
}

/// A random entry.
pub(crate) fn entry<K: Actions>(random: &Random, keys: &[KeyPair]) -> Entry<K> {
    let permissions: Vec<_> =
        (0..random.below(4)).map(|_| *random.pick(K::Permission::ALL)).collect();
    let key = random.pick(keys);
    match random.below(6) {
        0 => Entry::init(key.our_public()),
        1 => Entry::grant(key.our_public(), permissions),
        2 if random.one_in(8) => Entry::revoke(KeyId::from("no key"), permissions),
        2 => Entry::revoke(key.id(), permissions),
        _ => K::action(random),
    }
}

fn record<K: Actions>(random: &Random, keys: &[KeyPair]) -> Record<K> {
    let bytes = if random.one_in(3) { random.below(40) } else { 32 };
    let seconds = random.bits().cast_signed() >> random.between(2, 60);
    let nanos = if random.one_in(2) { 0 } else { u32::try_from(random.below(1 << 29)).unwrap() };
    Record {
        prev: (!random.one_in(3)).then(|| any_digest(random, bytes)),
        version: if random.one_in(4) { u32::from(random.byte()) << 24 } else { 0 },
        timestamp: Timestamp::new(seconds, nanos).unwrap(),
        entries: (0..random.below(6)).map(|_| entry(random, keys)).collect(),
    }
}

fn any_digest(random: &Random, bytes: usize) -> AnyDigest {
    if bytes == 32 {
        return Digest::from_bytes(random.array()).into();
    }
    format!("sha256:{}", random.text("0123456789abcdef", 2 * bytes)).parse().unwrap()
}

#[test]
fn package_records_are_encoded_and_signed_the_same() {
    each_seed(300, same_encoding::<Package>);
}

#[test]
fn operator_records_are_encoded_and_signed_the_same() {
    each_seed(300, same_encoding::<Operator>);
}

fn same_encoding<K: Actions>(random: &Random) {
    let keys = keys::some(random, 3);
    let ours = record::<K>(random, &keys);
    let theirs = K::record(&ours);
    assert_eq!(ours.encode(), theirs.encode());
    // Each decodes what the other wrote.
    assert_eq!(Record::<K>::decode(&theirs.encode()).unwrap(), ours);
    assert_eq!(K::Record::decode(&ours.encode()).unwrap(), theirs);

    let signer = random.pick(&keys);
    let ours = Envelope::sign(&ours, &signer.ours).unwrap();
    let theirs = ProtoEnvelope::signed_contents(&signer.theirs, theirs).unwrap();
    assert_eq!(ours.signed().content_bytes(), theirs.content_bytes());
    assert_eq!(ours.key_id().to_string(), theirs.key_id().to_string());
    assert_eq!(ours.signed().signature().to_string(), theirs.signature().to_string());
    assert_eq!(ours.record_id().to_string(), K::record_id(&theirs).to_string());

    // The two forms of an envelope.
    assert_eq!(ours.signed().to_protobuf(), theirs.to_protobuf());
    assert_eq!(SignedEnvelope::from_protobuf(&theirs.to_protobuf()).unwrap(), *ours.signed());
    assert_eq!(records::envelope::<K>(ours.signed()).unwrap(), theirs);
    let body = serde_json::to_value(ProtoEnvelopeBody::from(theirs.clone())).unwrap();
    assert_eq!(serde_json::to_value(ours.signed()).unwrap(), body);
    assert_eq!(serde_json::from_value::<SignedEnvelope>(body.clone()).unwrap(), *ours.signed());
    let body: ProtoEnvelopeBody = serde_json::from_value(body).unwrap();
    assert_eq!(ProtoEnvelope::<K::Record>::try_from(body).unwrap(), theirs);
}

#[test]
fn package_records_are_decoded_alike() {
    each_seed(400, same_decoding::<Package>);
}

#[test]
fn operator_records_are_decoded_alike() {
    each_seed(400, same_decoding::<Operator>);
}

fn same_decoding<K: Actions>(random: &Random) {
    let keys = keys::some(random, 3);
    let texts: Vec<_> = keys.iter().map(|key| key.our_public().to_string()).collect();
    let canonical = record::<K>(random, &keys).encode();
    for _ in 0..60 {
        let crafted = wire::record(random, &texts);
        let bytes = match random.below(4) {
            0 => crafted,
            1 => random.corrupt(&crafted),
            _ => random.corrupt(&canonical),
        };
        let (ours, theirs) = (Record::<K>::decode(&bytes), K::Record::decode(&bytes));
        assert_eq!(ours.is_ok(), theirs.is_ok(), "{bytes:02x?}: {ours:?}, {theirs:?}");
        let (Ok(ours), Ok(theirs)) = (ours, theirs) else { continue };
        assert_eq!(K::record(&ours), theirs, "{bytes:02x?}");
        assert_eq!(ours.encode(), theirs.encode(), "{bytes:02x?}");
    }
}

#[test]
fn envelopes_are_read_alike() {
    each_seed(100, |random| {
        let keys = keys::some(random, 2);
        let record = record::<Package>(random, &keys);
        let signed = Envelope::sign(&record, &keys[0].ours).unwrap().into_signed();
        let text = serde_json::to_string(&signed).unwrap();
        for _ in 0..40 {
            let text = random.corrupt_text(&text);
            let ours = serde_json::from_str::<SignedEnvelope>(&text);
            let theirs = serde_json::from_str::<ProtoEnvelopeBody>(&text);
            if theirs.is_ok() && differences::half_padded(&text) {
                continue;
            }
            assert_eq!(ours.is_ok(), theirs.is_ok(), "{text}: {ours:?}, {theirs:?}");
            if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
                let (ours, theirs) = (serde_json::to_value(ours), serde_json::to_value(theirs));
                assert_eq!(ours.unwrap(), theirs.unwrap());
            }
            // The storage form: theirs decodes the record as well.
            let bytes = random.corrupt(&signed.to_protobuf());
            let ours = SignedEnvelope::from_protobuf(&bytes).ok();
            let ours = ours.and_then(|signed| Envelope::<Package>::decode(signed).ok());
            let theirs = ProtoEnvelope::<<Package as Twin>::Record>::from_protobuf(&bytes).ok();
            let ours = ours.map(|envelope| envelope.signed().to_protobuf());
            assert_eq!(ours, theirs.map(|envelope| envelope.to_protobuf()), "{bytes:02x?}");
        }
    });
}
