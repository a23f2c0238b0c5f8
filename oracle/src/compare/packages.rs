//! Package records: decoding one, and adding one to its log.

use std::rc::Rc;

use warg_crypto::Decode;
use warg_protocol::ProtoEnvelope;
use wargate_crypto::Digest;
use wargate_oracle::keys::KeyPair;
use wargate_oracle::random::Random;
use wargate_oracle::records::{self, Twin};
use wargate_protocol::{
    Envelope, Package, PackageEntry, PackageEnvelope, PackageRecord, PackageState, RecordId,
    SignedEnvelope, Timestamp, Version, state,
};

use crate::measure::{Row, Side};
use crate::sizes::RELEASES;

type TheirRecord = <Package as Twin>::Record;
type TheirState = <Package as Twin>::State;

pub(crate) fn rows() -> Vec<Row> {
    let random = Random::new(0);
    let pair = KeyPair::random(&random);
    let mut rows = vec![decode_init(&pair), decode_release(&random), begin(&pair)];
    for releases in RELEASES {
        let log = Rc::new(Log::new(&random, &pair, releases));
        rows.push(one_more(&log));
        rows.push(one_more_unsigned(&log));
    }
    rows
}

fn decode_init(pair: &KeyPair) -> Row {
    let entries = vec![PackageEntry::init(pair.our_public())];
    decode(
        "decode a record with a key",
        "the first record of a log, whose one entry brings a key: a point on the curve",
        &PackageRecord::new(None, Timestamp::from_seconds(1_700_000_000), entries),
    )
}

fn decode_release(random: &Random) -> Row {
    decode(
        "decode a release",
        "a record with one release, without its envelope and id",
        &release(random, Some(RecordId::from_digest(Digest::of(b"previous"))), 7),
    )
}

fn decode(name: &str, measures: &'static str, record: &PackageRecord) -> Row {
    let ours = record.encode();
    let theirs = ours.clone();
    Row {
        name: name.to_owned(),
        measures,
        ours: Side::repeated(move |_| PackageRecord::decode(&ours).unwrap()),
        theirs: Side::repeated(move |_| TheirRecord::decode(&theirs).unwrap()),
    }
}

fn begin(pair: &KeyPair) -> Row {
    let entries = vec![PackageEntry::init(pair.our_public())];
    let record = PackageRecord::new(None, Timestamp::from_seconds(1_700_000_000), entries);
    let ours = Envelope::sign(&record, &pair.ours).unwrap().into_signed().to_protobuf();
    let theirs = ours.clone();
    Row {
        name: "begin a log".to_owned(),
        measures: "the first record of a log, from the bytes of its envelope: decoding, all checks, \
                   signature",
        ours: Side::repeated(move |_| {
            let mut state = PackageState::new();
            state.append(&read_ours(&ours)).unwrap();
            state
        }),
        theirs: Side::repeated(move |_| TheirState::new().validate(&read_theirs(&theirs)).unwrap()),
    }
}

/// A package log on both sides, and a record that comes next.
struct Log {
    releases: usize,
    our_state: PackageState,
    their_state: TheirState,
    /// The envelope of the record, in the form in which both store it.
    next: Vec<u8>,
}

impl Log {
    fn new(random: &Random, pair: &KeyPair, releases: usize) -> Self {
        let mut ours = PackageState::new();
        let mut theirs = TheirState::new();
        let entries = vec![PackageEntry::init(pair.our_public())];
        let mut record = PackageRecord::new(None, Timestamp::from_seconds(0), entries);
        for number in 0..=releases {
            let envelope = Envelope::sign(&record, &pair.ours).unwrap();
            let their_envelope = records::envelope::<Package>(envelope.signed()).unwrap();
            ours.append(&envelope).unwrap();
            theirs = Package::validate(theirs, &their_envelope).unwrap();
            record = release(random, Some(envelope.record_id()), number as u64);
        }
        let next = Envelope::sign(&record, &pair.ours).unwrap().into_signed().to_protobuf();
        Self { releases, our_state: ours, their_state: theirs, next }
    }

    /// The states without keys, so that validation ends where the signature would be verified.
    fn keyless(&self) -> (PackageState, TheirState) {
        let mut json = serde_json::to_value(&self.our_state).unwrap();
        json.as_object_mut().unwrap().remove("keys").unwrap();
        (serde_json::from_value(json.clone()).unwrap(), serde_json::from_value(json).unwrap())
    }
}

fn one_more(log: &Rc<Log>) -> Row {
    let (ours, theirs) = (Rc::clone(log), Rc::clone(log));
    let (our_copy, their_copy) = (Rc::clone(log), Rc::clone(log));
    Row {
        name: format!("add a release after {}", log.releases),
        measures: "one more record on the state of its log, from the bytes of its envelope: \
                   decoding, all checks, signature; neither copying nor dropping the state is timed",
        ours: Side::fresh(
            move || our_copy.our_state.clone(),
            move |mut state| {
                state.append(&read_ours(&ours.next)).unwrap();
                state
            },
        ),
        theirs: Side::fresh(
            move || their_copy.their_state.clone(),
            move |state| state.validate(&read_theirs(&theirs.next)).unwrap(),
        ),
    }
}

fn one_more_unsigned(log: &Rc<Log>) -> Row {
    let (our_state, their_state) = log.keyless();
    let (ours, theirs) = (Rc::clone(log), Rc::clone(log));
    Row {
        name: format!("… its signature aside, after {}", log.releases),
        measures: "the same up to the signature, whose key the state is made to miss, by one who \
                   must have the state afterwards: validation uses theirs up, so they copy it first",
        ours: Side::repeated(move |_| {
            state::validate(&read_ours(&ours.next), &our_state).unwrap_err()
        }),
        theirs: Side::repeated(move |_| {
            their_state.clone().validate(&read_theirs(&theirs.next)).unwrap_err()
        }),
    }
}

/// A record as it comes from a stranger: nothing is known of its signature.
fn read_ours(envelope: &[u8]) -> PackageEnvelope {
    Envelope::decode(SignedEnvelope::from_protobuf(envelope).unwrap()).unwrap()
}

fn read_theirs(envelope: &[u8]) -> ProtoEnvelope<TheirRecord> {
    ProtoEnvelope::from_protobuf(envelope).unwrap()
}

fn release(random: &Random, prev: Option<RecordId>, number: u64) -> PackageRecord {
    let version = Version::new(1, number, 0);
    let content = Digest::from_bytes(random.array());
    let time = Timestamp::from_seconds(1_700_000_000 + number.cast_signed());
    PackageRecord::new(prev, time, vec![PackageEntry::release(version, content)])
}
