//! The state machines of logs: bytes choose records, which a few known keys sign.

use std::cell::Cell;
use std::convert::Infallible;

use wargate_crypto::{Digest, KeyId, PrivateKey, PublicKey};
use wargate_protocol::permission::Permission;
use wargate_protocol::state::{Overlay, Prefetched, validate};
use wargate_protocol::{
    Entry, Envelope, Head, InvalidRecord, LogKind, LogState, LogView, OperatorEntry, Package,
    PackageEntry, PermissionSet, Record, RecordId, SignedEnvelope, Timestamp, ValidationError,
    Version,
};

use super::{Bytes, KEYS, json};

/// Most records of one input: signing takes most of the time.
const RECORDS_MAX: usize = 8;

/// Operator logs.
pub fn operator_machine(data: &[u8]) {
    run(data, |bytes| {
        let names = ["acme", "acme-tools", "b", "not a namespace", ""];
        let registries = ["other.example", ""];
        match bytes.byte() % 2 {
            0 => OperatorEntry::define_namespace(*bytes.choice(&names)),
            _ => OperatorEntry::import_namespace(*bytes.choice(&names), *bytes.choice(&registries)),
        }
    });
}

/// Package logs.
pub fn package_machine(data: &[u8]) {
    run::<Package>(data, |bytes| {
        let version = Version::new(0, 1, u64::from(bytes.byte() % 4));
        match bytes.byte() % 2 {
            0 => PackageEntry::release(version, Digest::of(&[bytes.byte()])),
            _ => PackageEntry::yank(version),
        }
    });
}

/// Lets bytes choose records, and checks what becomes of each.
fn run<K: LogKind>(data: &[u8], mut action: impl FnMut(&mut Bytes<'_>) -> Entry<K>) {
    let mut bytes = Bytes(data);
    let mut state = LogState::<K>::new();
    // Records on top of a log that is empty, as a store sees a batch before it commits.
    let mut overlay = Overlay::new(LogState::<K>::new());
    for _ in 0..RECORDS_MAX {
        if bytes.is_empty() {
            break;
        }
        let envelope = envelope(&mut bytes, state.head(), &mut action);
        let expected = check_views(&envelope, &state);
        let on_top = validate(&envelope, &overlay).map_err(InvalidRecord::from);
        assert_eq!(on_top, expected, "an overlay is as good as a state");

        let before = state.clone();
        assert_eq!(state.append(&envelope).as_ref().err(), expected.as_ref().err());
        let Ok(delta) = expected else {
            assert_eq!(state, before, "a record that fails changes nothing");
            continue;
        };
        assert_eq!(state.head(), Some(delta.head()));
        assert_ne!(state, before);
        assert_eq!(overlay.push(delta.clone()), Ok(Ok(())));
        let mut applied: LogState<K> = json(&serde_json::to_vec(&before).unwrap()).unwrap();
        assert_eq!(applied, before, "a state survives its JSON");
        assert_eq!(applied.apply(delta.clone()), Ok(()));
        assert_eq!(applied, state, "to apply is to append");
        assert!(applied.apply(delta).is_err(), "no record is applied twice");
    }
}

/// A record as the bytes say, honest more often than not.
fn envelope<K: LogKind>(
    bytes: &mut Bytes<'_>,
    head: Option<Head>,
    action: &mut impl FnMut(&mut Bytes<'_>) -> Entry<K>,
) -> Envelope<K> {
    let flags = bytes.byte();
    let (signer, other) = (key(flags), key(flags.wrapping_add(1)));
    let prev = match flags >> 2 & 7 {
        0 => Some(RecordId::from_digest(Digest::of(b"another"))),
        1 => None,
        _ => head.map(|head| head.record_id),
    };
    let step = i64::from(bytes.byte().cast_signed());
    let seconds = head.map_or(0, |head| head.timestamp.seconds());
    let timestamp = Timestamp::from_seconds(seconds.saturating_add(step));
    let entries = (0..bytes.byte() % 5).map(|_| entry(bytes, signer, action)).collect();
    let mut record = Record::<K>::new(prev, timestamp, entries);
    record.version = u32::from(flags >> 5 == 7);
    let envelope = Envelope::sign(&record, signer).expect("the record is small");
    match flags >> 5 {
        // Somebody signs in the name of somebody else.
        6 => {
            let forged = Envelope::<K>::sign(&record, other).unwrap();
            let (content, key_id) = (envelope.signed().content_bytes(), envelope.key_id());
            let signature = *forged.signed().signature();
            let forged = SignedEnvelope::new(content.to_vec(), key_id.clone(), signature);
            Envelope::decode(forged).unwrap()
        }
        // As it comes from a peer, with the signature still to be verified.
        0..=2 => {
            let sent = serde_json::to_vec(envelope.signed()).unwrap();
            let received = json::<SignedEnvelope>(&sent).expect("an envelope survives its JSON");
            assert_eq!(&received, envelope.signed());
            Envelope::decode(received).unwrap()
        }
        _ => envelope,
    }
}

fn entry<K: LogKind>(
    bytes: &mut Bytes<'_>,
    signer: &PrivateKey,
    action: &mut impl FnMut(&mut Bytes<'_>) -> Entry<K>,
) -> Entry<K> {
    let kind = bytes.byte();
    let whose = key(kind >> 4).public_key();
    let mut permissions = || {
        let bits = bytes.byte();
        let listed = K::Permission::ALL.iter().filter(move |p| bits >> p.number() & 1 == 1);
        // The lowest bit has the first one listed twice.
        listed.copied().chain(K::Permission::ALL.first().copied().filter(|_| bits & 1 == 1))
    };
    match kind & 7 {
        0 => Entry::init(signer.public_key()),
        1 => Entry::init(whose),
        2 => Entry::grant(whose, permissions()),
        3 => Entry::revoke(whose.id(), permissions()),
        4 => Entry::revoke(KeyId::from("no key"), permissions()),
        _ => action(bytes),
    }
}

fn key(number: u8) -> &'static PrivateKey {
    &KEYS[usize::from(number & 3) % KEYS.len()]
}

/// Validates over the state, over a view that counts, and over what was read ahead.
fn check_views<K: LogKind>(
    envelope: &Envelope<K>,
    state: &LogState<K>,
) -> Result<wargate_protocol::Delta<K>, InvalidRecord> {
    let counting = Counting { state, reads: Cell::new(0) };
    let expected = validate(envelope, &counting).map_err(InvalidRecord::from);
    let entries = envelope.record().entries.len();
    assert!(counting.reads.get() <= 3 * entries + 2, "{} reads", counting.reads.get());

    let reads = envelope.reads();
    let mut prefetched = Prefetched::new(reads.clone(), state.head());
    reads.keys.iter().filter_map(|id| state.keys().get(id)).for_each(|key| {
        prefetched.insert_key(key.clone());
    });
    for id in &reads.permissions {
        if let Some(held) = state.permissions().get(id) {
            prefetched.insert_permissions(id.clone(), *held);
        }
    }
    for item in &reads.items {
        if let Some(known) = state.items().get(item) {
            prefetched.insert_item(item.clone(), known.clone());
        }
    }
    match (validate(envelope, &prefetched), &expected) {
        (Ok(delta), Ok(expected)) => assert_eq!(delta, *expected),
        (Err(ValidationError::Invalid(error)), Err(expected)) => assert_eq!(error, *expected),
        (other, expected) => unreachable!("{other:?} instead of {expected:?}"),
    }
    expected
}

/// A view that counts how often it is asked.
struct Counting<'a, K: LogKind> {
    state: &'a LogState<K>,
    reads: Cell<usize>,
}

impl<'a, K: LogKind> Counting<'a, K> {
    fn counted(&self) -> &'a LogState<K> {
        self.reads.set(self.reads.get() + 1);
        self.state
    }
}

impl<K: LogKind> LogView<K> for Counting<'_, K> {
    type Error = Infallible;

    fn head(&self) -> Result<Option<Head>, Infallible> {
        LogView::head(self.counted())
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, Infallible> {
        LogView::key(self.counted(), id)
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, Infallible> {
        LogView::permissions(self.counted(), id)
    }

    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, Infallible> {
        LogView::item(self.counted(), item)
    }
}
