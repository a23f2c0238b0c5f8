//! A history as a registry would make it, batch by batch.

use std::collections::{BTreeMap, BTreeSet};

use wargate_crypto::{Digest, KeyId, PrivateKey, PublicKey, Signature};
use wargate_protocol::{
    Checkpoint, LogId, LogLeaf, LogLength, MapLeaf, Package, PackageName, RegistryIndex,
    SignedEnvelope, Timestamp, state::Head,
};
use wargate_registry::store::{
    Admitted, Append, Batch, Committed, ContentArrived, ContentPlace, LogChange, LogRows,
    LoggedRecord, PendingState, Revision, Store,
};
use wargate_transparency::log::Edge;
use wargate_transparency::map::{MapVersion, MemoryPages, PageId};

use crate::vectors::{Walk, load};

/// Time between two appends, in seconds.
pub const STEP_SECONDS: u64 = 10;
/// The time of the first append, in seconds of the Unix epoch.
pub const FIRST_SECOND: u64 = 1_700_000_000;

/// A record of a log, by numbers.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The package; `None` for the operator log.
    pub name: Option<PackageName>,
    /// Its log and its id.
    pub leaf: LogLeaf,
    /// Its bytes, with a signature that is well-formed and signs something else.
    pub envelope: SignedEnvelope,
    /// Its number.
    pub serial: u64,
}

/// The keys of the golden vectors, and a signature by one of them.
#[derive(Clone, Debug)]
struct Keys {
    public: Vec<PublicKey>,
    signature: Signature,
}

/// A registry's history so far, and what it takes to go on.
#[derive(Clone, Debug)]
pub struct History {
    keys: Keys,
    edge: Edge,
    map: MemoryPages,
    revision: Option<Revision>,
    seconds: u64,
    /// Everything appended.
    pub samples: Vec<Sample>,
    /// Every commit that appended.
    pub committed: Vec<Committed>,
    /// Every page that was written.
    pub pages: BTreeSet<PageId>,
}

impl Default for History {
    fn default() -> Self {
        Self::new()
    }
}

impl History {
    /// A registry without records.
    pub fn new() -> Self {
        let keys = load("keys");
        let keys = keys.list("keys").iter();
        let keys = keys.map(|key| PrivateKey::from_text(key.text("private_key_text")).unwrap());
        let keys: Vec<_> = keys.collect();
        let signature = keys[0].sign(&[b"something"]);
        Self {
            keys: Keys { public: keys.iter().map(PrivateKey::public_key).collect(), signature },
            edge: Edge::empty(),
            map: MemoryPages::default(),
            revision: None,
            seconds: FIRST_SECOND,
            samples: Vec::new(),
            committed: Vec::new(),
            pages: BTreeSet::new(),
        }
    }

    /// Record `serial` of log `log`; log 0 is the operator's.
    pub fn sample(&self, log: u64, serial: u64) -> Sample {
        let name = (log > 0).then(|| package(log));
        let contents = format!("record {serial} of log {log}").into_bytes();
        let envelope = SignedEnvelope::new(contents, self.key(serial).id(), self.keys.signature);
        let log_id = name.as_ref().map_or_else(LogId::operator, LogId::package);
        let leaf = LogLeaf { log_id, record_id: envelope.record_id::<Package>() };
        Sample { name, leaf, envelope, serial }
    }

    /// The key of a record, by its number.
    pub fn key(&self, serial: u64) -> &PublicKey {
        &self.keys.public[usize::try_from(serial).unwrap() % self.keys.public.len()]
    }

    /// A record as it is admitted.
    pub fn admitted(&self, log: u64, serial: u64, state: PendingState) -> Admitted {
        let sample = self.sample(log, serial);
        Admitted {
            log: sample.leaf.log_id,
            record: sample.leaf.record_id,
            name: sample.name.expect("records of the operator are never pending"),
            envelope: sample.envelope,
            admitted_seconds: self.seconds,
            state,
        }
    }

    /// How many records there are.
    pub fn length(&self) -> LogLength {
        LogLength::new(self.samples.len() as u64)
    }

    /// The revision that the next commit goes on from.
    pub const fn revision(&self) -> Option<Revision> {
        self.revision
    }

    /// The time of the newest append, or what will be the first's.
    pub const fn seconds(&self) -> u64 {
        self.seconds
    }

    /// Goes on with these records, and says what a store has to keep for it.
    pub fn append(&mut self, samples: Vec<Sample>) -> Append {
        let hashes: Vec<_> = samples.iter().map(|sample| sample.leaf.hash()).collect();
        let appended = self.edge.append(&hashes).unwrap();
        let leaf = |sample: &Sample| {
            let LogLeaf { log_id, record_id } = sample.leaf;
            (log_id.map_path(), MapLeaf { record_id }.hash())
        };
        let version = MapVersion(appended.length().get());
        let updated = self.map.set(version, samples.iter().map(leaf)).unwrap();
        let checkpoint = Checkpoint {
            log_root: appended.root,
            log_length: LogLength::new(appended.length().get()),
            map_root: updated.root,
        };
        self.seconds += STEP_SECONDS;
        let committed = Committed { checkpoint, seconds: self.seconds };
        let first = self.length().get();
        let records = samples.iter().zip(first..).map(|(sample, index)| LoggedRecord {
            index: RegistryIndex::new(index),
            leaf: sample.leaf,
            envelope: sample.envelope.clone(),
        });
        let append = Append {
            records: records.collect(),
            logs: self.changes(&samples),
            tiles: appended.tiles,
            pages: updated.written,
            superseded: updated.superseded,
            committed,
            earlier: Vec::new(),
        };
        self.edge = appended.edge;
        self.samples.extend(samples);
        self.committed.push(committed);
        self.pages.extend(append.pages.iter().map(|(id, _)| *id));
        append
    }

    /// What becomes of the logs of these records: every record sets its key, what the key holds, and
    /// an item of its own.
    fn changes(&self, samples: &[Sample]) -> Vec<LogChange> {
        let mut logs: BTreeMap<LogId, Vec<&Sample>> = BTreeMap::new();
        for sample in samples {
            logs.entry(sample.leaf.log_id).or_default().push(sample);
        }
        let change = |(log, samples): (LogId, Vec<&Sample>)| {
            let mut keys: BTreeMap<KeyId, PublicKey> = BTreeMap::new();
            let mut permissions = BTreeMap::new();
            let mut items = BTreeMap::new();
            for sample in &samples {
                let key = self.key(sample.serial);
                keys.insert(key.id(), key.clone());
                permissions.insert(key.id(), held(sample.serial));
                items.insert(item(sample.serial), format!("{{\"by\":{}}}", sample.serial));
            }
            let last = samples.last().unwrap();
            let seconds = i64::try_from(last.serial).unwrap() - 5;
            let timestamp = Timestamp::new(seconds, 999_999_999).unwrap();
            let rows = LogRows {
                head: Some(Head { record_id: last.leaf.record_id, timestamp }),
                name: last.name.clone(),
                keys: keys.into_values().collect(),
                permissions: permissions.into_iter().collect(),
                items: items.into_iter().collect(),
            };
            LogChange { log, rows }
        };
        logs.into_iter().map(change).collect()
    }

    /// A batch that appends `records` (log and serial each).
    pub fn batch_of(&mut self, records: impl IntoIterator<Item = (u64, u64)>) -> Batch {
        let samples = records.into_iter().map(|(log, serial)| self.sample(log, serial)).collect();
        let append = Some(self.append(samples));
        Batch { append, ..self.batch() }
    }

    /// A batch that says nothing but the time.
    pub fn batch(&self) -> Batch {
        Batch { checkpoint_seconds: self.seconds, ..Batch::default() }
    }

    /// Commits a batch, which must succeed.
    pub fn commit(&mut self, store: &dyn Store, batch: &Batch) -> Revision {
        let revision = store.commit(self.revision, batch).unwrap();
        assert_eq!(revision.0, self.revision.map_or(1, |revision| revision.0 + 1));
        self.revision = Some(revision);
        revision
    }

    /// [`Self::batch_of`] and [`Self::commit`].
    pub fn extend(&mut self, store: &dyn Store, records: impl IntoIterator<Item = (u64, u64)>) {
        let batch = self.batch_of(records);
        self.commit(store, &batch);
    }
}

/// The package of log `log`.
pub fn package(log: u64) -> PackageName {
    format!("test:p{log}").parse().unwrap()
}

/// The id of log `log`; 0 is the operator's.
pub fn log_id(log: u64) -> LogId {
    if log == 0 { LogId::operator() } else { LogId::package(&package(log)) }
}

/// The item that a record sets.
pub fn item(serial: u64) -> String {
    format!("0.{serial}.0")
}

/// What the key of a record holds after it: sometimes nothing.
pub fn held(serial: u64) -> String {
    ["release,yank", "release", ""][usize::try_from(serial % 3).unwrap()].to_owned()
}

/// The `n`-th digest of content.
pub fn digest(n: u64) -> Digest {
    Digest::of(&n.to_be_bytes())
}

/// The `n`-th content: every second one is kept by the store itself.
pub fn content(n: u64) -> ContentArrived {
    let bytes = n.to_be_bytes().to_vec();
    ContentArrived {
        digest: digest(n),
        size: bytes.len() as u64,
        place: if n.is_multiple_of(2) { ContentPlace::Inline(bytes) } else { ContentPlace::Blob },
        facts: if n.is_multiple_of(3) { String::new() } else { format!("{{\"n\":{n}}}") },
        arrived_seconds: FIRST_SECOND + n,
    }
}

/// The same, only referred to.
pub fn elsewhere(n: u64) -> ContentArrived {
    ContentArrived { place: ContentPlace::Url(format!("https://files.example/{n}")), ..content(n) }
}

/// That content `numbers` is missing.
pub fn sourcing(numbers: impl IntoIterator<Item = u64>) -> PendingState {
    PendingState::Sourcing(numbers.into_iter().map(digest).collect())
}
