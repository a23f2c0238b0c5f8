//! The two state machines (specification 5): the same verdict on every record of random logs, for the
//! same reason, and the same state after it.

use std::collections::BTreeSet;
use std::sync::Mutex;

use serde_json::Value;
use wargate_oracle::keys::{self, KeyPair};
use wargate_oracle::random::Random;
use wargate_oracle::records::{self, Twin};
use wargate_protocol::{
    Entry, Envelope, LogState, Operator, OperatorPermission, Package, Permission, Record, RecordId,
    SignedEnvelope, Timestamp,
};

use crate::each_seed;
use crate::records::{Actions, entry};

/// Reasons that no record can meet (specification 5.1 step 3, 5.3).
const UNREACHABLE: &[&str] = &["IncorrectHashAlgorithm"];

#[test]
fn package_logs_are_judged_alike() {
    let seen = Mutex::default();
    each_seed(300, |random| judge::<Package>(random, &seen));
    assert_seen(
        seen,
        &[
            "PreviousHashOnFirstRecord",
            "NoPreviousHashAfterInit",
            "RecordHashDoesNotMatch",
            "ProtocolVersionNotAllowed",
            "TimestampLowerThanPrevious",
            "InitialRecordDoesNotInit",
            "KeyIDNotRecognized",
            "SignatureError",
            "UnauthorizedAction",
            "InitialEntryAfterBeginning",
            "FirstEntryIsNotInit",
            "PermissionNotFoundToRevoke",
            "ReleaseOfReleased",
            "YankOfUnreleased",
            "YankOfYanked",
        ],
    );
}

#[test]
fn operator_logs_are_judged_alike() {
    let seen = Mutex::default();
    each_seed(300, |random| judge::<Operator>(random, &seen));
    assert_seen(
        seen,
        &[
            "PreviousHashOnFirstRecord",
            "NoPreviousHashAfterInit",
            "RecordHashDoesNotMatch",
            "ProtocolVersionNotAllowed",
            "TimestampLowerThanPrevious",
            "InitialRecordDoesNotInit",
            "KeyIDNotRecognized",
            "SignatureError",
            "UnauthorizedAction",
            "InitialEntryAfterBeginning",
            "PermissionNotFoundToRevoke",
            "InvalidNamespace",
            "NamespaceAlreadyDefined",
        ],
    );
}

/// Every reason must have come up, or the logs are not random enough.
fn assert_seen(seen: Mutex<BTreeSet<String>>, reasons: &[&str]) {
    let seen = seen.into_inner().unwrap();
    let expected: BTreeSet<_> = reasons.iter().map(ToString::to_string).collect();
    assert_eq!(seen, expected);
    assert!(UNREACHABLE.iter().all(|reason| !seen.contains(*reason)));
}

/// One log of up to 40 records, valid and invalid ones.
fn judge<K: Actions>(random: &Random, seen: &Mutex<BTreeSet<String>>) {
    let keys = keys::some(random, 4);
    let (mut ours, mut theirs) = (LogState::<K>::new(), K::State::default());
    let (mut accepted, mut known) = (0, Vec::new());
    for _ in 0..40 {
        let signed = signed(random, &keys, &ours, &known);
        let envelope = Envelope::<K>::decode(signed.clone()).unwrap();
        let their_envelope = records::envelope::<K>(&signed).unwrap();
        known.push(envelope.record_id());

        let before = ours.clone();
        let our_verdict = ours.append(&envelope).map_err(|invalid| invalid.kind().to_owned());
        let their_verdict = K::validate(theirs.clone(), &their_envelope);
        match (our_verdict, their_verdict) {
            (Ok(()), Ok(state)) => (accepted, theirs) = (accepted + 1, state),
            (Err(ours_kind), Err(their_kind)) => {
                assert_eq!(ours_kind, their_kind, "{envelope:?}");
                assert_eq!(ours, before);
                seen.lock().unwrap().insert(ours_kind);
            }
            (our_verdict, their_verdict) => {
                panic!("{our_verdict:?}, {their_verdict:?}: {envelope:?} in {before:?}")
            }
        }
        same_state::<K>(&ours, &theirs);
    }
    assert!(accepted > 0, "no record was accepted");
}

/// The JSON of both is the same but for the order of permissions (specification 5.5, QUIRK), and each
/// reads what the other wrote.
fn same_state<K: Actions>(ours: &LogState<K>, theirs: &K::State) {
    let (our_json, their_json) =
        (serde_json::to_value(ours).unwrap(), serde_json::to_value(theirs).unwrap());
    assert_eq!(sorted(our_json.clone()), sorted(their_json.clone()));
    assert_eq!(serde_json::from_value::<LogState<K>>(their_json).unwrap(), *ours);
    assert_eq!(serde_json::from_value::<K::State>(our_json).unwrap(), *theirs);
}

fn sorted(mut state: Value) -> Value {
    if let Some(permissions) = state.get_mut("permissions") {
        for held in permissions.as_object_mut().unwrap().values_mut() {
            held.as_array_mut().unwrap().sort_by_key(|name| name.as_str().map(str::to_owned));
        }
    }
    state
}

/// A record that mostly fits onto the log, as far as one can tell from outside.
fn signed<K: Actions>(
    random: &Random,
    keys: &[KeyPair],
    state: &LogState<K>,
    known: &[RecordId],
) -> SignedEnvelope {
    let signer = if random.one_in(3) { random.pick(keys) } else { &keys[0] };
    let head = state.head();
    let prev = match random.below(12) {
        0 if head.is_some() => None,
        1 => known.get(random.below(known.len().max(1))).copied(),
        _ => head.map(|head| head.record_id),
    };
    let now = head.map_or(Timestamp::from_seconds(1_700_000_000), |head| head.timestamp);
    let timestamp = match random.below(16) {
        0 => Timestamp::from_seconds(now.seconds() - 1),
        1..4 => now,
        4 => Timestamp::new(now.seconds() + 1, 7).unwrap(),
        _ => Timestamp::from_seconds(now.seconds() + 1),
    };
    let mut entries = Vec::new();
    if head.is_none() && !random.one_in(6) {
        let key = if random.one_in(12) { random.pick(keys) } else { signer };
        entries.push(Entry::init(key.our_public()));
    }
    while !random.one_in(3) {
        entries.push(fitting(random, keys, state));
    }
    let mut record = Record::<K>::new(prev, timestamp, entries);
    if random.one_in(40) {
        record.version = 1;
    }
    let envelope = SignedEnvelope::sign::<K>(record.encode(), &signer.ours);
    match random.below(40) {
        // Somebody else's signature, or somebody else's name.
        0 => {
            let id = envelope.key_id().clone();
            let other = SignedEnvelope::sign::<K>(record.encode(), &random.pick(keys).ours);
            SignedEnvelope::new(record.encode(), id, *other.signature())
        }
        1 => SignedEnvelope::new(record.encode(), random.pick(keys).id(), *envelope.signature()),
        2 => SignedEnvelope::new(record.encode(), "nobody".into(), *envelope.signature()),
        _ => envelope,
    }
}

/// A random entry, but seldom init, and revoked is mostly what is held.
fn fitting<K: Actions>(random: &Random, keys: &[KeyPair], state: &LogState<K>) -> Entry<K> {
    loop {
        let entry = entry::<K>(random, keys);
        match &entry {
            Entry::Init { .. } if !random.one_in(12) => {}
            Entry::Revoke { .. } if !random.one_in(6) => {
                let key = random.pick(keys).id();
                let held = state.permissions().get(&key).copied().unwrap_or_default();
                let held = held.iter().filter(|_| random.one_in(3)).collect::<Vec<_>>();
                return Entry::revoke(key, held);
            }
            _ => return entry,
        }
    }
}

/// Two keys in one operator init: the signer gets the permissions, the other becomes known
/// (specification 5.3, QUIRK).
#[test]
fn an_operator_log_may_begin_with_two_keys() {
    each_seed(10, |random| {
        let keys = keys::some(random, 2);
        let (signer, other) = (&keys[0], &keys[1]);
        let mut ours = LogState::<Operator>::new();
        let time = Timestamp::from_seconds(1);
        let grant = Entry::grant(signer.our_public(), OperatorPermission::ALL.iter().copied());
        let entries = vec![Entry::init(other.our_public()), grant];
        let record = Record::<Operator>::new(None, time, entries);
        let bytes = record.encode();
        let envelope = SignedEnvelope::sign::<Operator>(bytes, &signer.ours);
        ours.append(&Envelope::decode(envelope.clone()).unwrap()).unwrap();
        let envelope = records::envelope::<Operator>(&envelope).unwrap();
        let theirs = Operator::validate(<Operator as Twin>::State::default(), &envelope).unwrap();
        same_state::<Operator>(&ours, &theirs);
    });
}
