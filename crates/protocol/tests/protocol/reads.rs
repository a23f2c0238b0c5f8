//! What validation reads: what the record names and no more, however long the log is.

use std::cell::Cell;

use serde_json::json;
use wargate_crypto::{Digest, KeyId, PublicKey};
use wargate_protocol::state::{NotPrefetched, Overlay, Prefetched, StaleDelta, validate};
use wargate_protocol::{
    Envelope, Head, LogView, Package, PackageEntry, PackagePermission, PackageRecord, PackageState,
    PermissionSet, RecordId, Release, ReleaseState, Timestamp, ValidationError, Version,
};

use crate::keys::{private_key, public_key};

/// A view that counts how often it is read.
struct Counting<'a> {
    state: &'a PackageState,
    reads: Cell<usize>,
}

impl Counting<'_> {
    fn count<T>(&self, answer: T) -> T {
        self.reads.set(self.reads.get() + 1);
        answer
    }
}

impl LogView<Package> for Counting<'_> {
    type Error = std::convert::Infallible;

    fn head(&self) -> Result<Option<Head>, Self::Error> {
        self.count(LogView::head(self.state))
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, Self::Error> {
        self.count(self.state.key(id))
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<PackagePermission>, Self::Error> {
        self.count(LogView::permissions(self.state, id))
    }

    fn item(&self, version: &Version) -> Result<Option<Release>, Self::Error> {
        self.count(self.state.item(version))
    }
}

/// The state of alice's log with this many releases, `1.0.0`, `2.0.0` and so on.
fn state_of(releases: u64) -> PackageState {
    let alice = public_key("alice");
    let record_id = RecordId::from_digest(Digest::of(b"some record"));
    let releases: serde_json::Map<_, _> = (1..=releases)
        .map(|major| {
            let content = Digest::of(&major.to_be_bytes()).into();
            let release = Release {
                record_id,
                version: Version::new(major, 0, 0),
                by: alice.id(),
                timestamp: Timestamp::EPOCH,
                state: ReleaseState::Released { content },
            };
            (release.version.to_string(), serde_json::to_value(release).unwrap())
        })
        .collect();
    let state = json!({
        "algorithm": "sha256",
        "head": { "digest": record_id, "timestamp": "0.0" },
        "permissions": { alice.id().as_str(): ["release", "yank"] },
        "releases": releases,
        "keys": { alice.id().as_str(): alice },
    });
    serde_json::from_value(state).unwrap()
}

/// A record by alice that touches some of everything.
fn record_onto(state: &PackageState) -> Envelope<Package> {
    let head = state.head().unwrap();
    let content = Digest::of(b"content");
    let entries = vec![
        PackageEntry::release("0.1.0".parse().unwrap(), content),
        PackageEntry::yank(Version::new(3, 0, 0)),
        PackageEntry::grant(public_key("bob"), [PackagePermission::Yank]),
        PackageEntry::revoke(public_key("bob").id(), [PackagePermission::Yank]),
        PackageEntry::yank("0.1.0".parse().unwrap()),
    ];
    let record = PackageRecord::new(Some(head.record_id), head.timestamp, entries);
    Envelope::sign(&record, &private_key("alice")).unwrap()
}

/// A view of exactly what the record says it reads.
fn prefetched(envelope: &Envelope<Package>, state: &PackageState) -> Prefetched<Package> {
    let reads = envelope.reads();
    let mut view = Prefetched::new(reads.clone(), state.head());
    reads.keys.iter().filter_map(|id| state.keys().get(id)).for_each(|key| {
        view.insert_key(key.clone());
    });
    for id in &reads.permissions {
        if let Some(held) = state.permissions().get(id) {
            view.insert_permissions(id.clone(), *held);
        }
    }
    for version in &reads.items {
        if let Some(release) = state.release(version) {
            view.insert_item(version.clone(), release.clone());
        }
    }
    view
}

#[test]
fn reads_do_not_grow_with_the_log() {
    let reads_at = |releases: u64| {
        let state = state_of(releases);
        assert_eq!(state.items().len() as u64, releases);
        let view = Counting { state: &state, reads: Cell::new(0) };
        let delta = validate(&record_onto(&state), &view).unwrap();
        assert_eq!((delta.items().len(), delta.keys().len()), (2, 1));
        view.reads.get()
    };
    let few = reads_at(10);
    assert_eq!(few, reads_at(10_000));
    let entries = 5;
    assert!(few <= 2 + 2 * entries, "{few} reads");
}

#[test]
fn a_record_names_all_that_it_reads() {
    let state = state_of(10);
    let envelope = record_onto(&state);
    let view = prefetched(&envelope, &state);
    assert_eq!(validate(&envelope, &view).unwrap(), validate(&envelope, &state).unwrap());
}

#[test]
fn what_was_not_read_ahead_is_an_error_of_the_view() {
    let state = state_of(10);
    let envelope = record_onto(&state);
    let mut reads = envelope.reads();
    reads.items.clear();
    let mut view = Prefetched::new(reads, state.head());
    for (id, held) in state.permissions() {
        view.insert_permissions(id.clone(), *held);
    }
    let error = validate(&envelope, &view).unwrap_err();
    assert_eq!(error, ValidationError::View(NotPrefetched));
}

#[test]
fn records_are_validated_on_top_of_one_another() {
    let mut state = state_of(10);
    let first = record_onto(&state);
    let mut overlay = Overlay::new(&state);
    let delta = validate(&first, &overlay).unwrap();
    overlay.push(delta.clone()).unwrap().unwrap();
    assert_eq!(overlay.push(delta.clone()), Ok(Err(StaleDelta)));

    let release = PackageEntry::release("0.2.0".parse().unwrap(), Digest::of(b"more"));
    let record = PackageRecord::new(Some(first.record_id()), Timestamp::EPOCH, vec![release]);
    let second = Envelope::sign(&record, &private_key("alice")).unwrap();
    let onto_overlay = validate(&second, &overlay).unwrap();
    assert!(validate(&second, &state).is_err());
    state.apply(delta).unwrap();
    assert_eq!(onto_overlay, validate(&second, &state).unwrap());
}
