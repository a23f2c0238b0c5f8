//! Reading a log's state ahead of validation, for stores that cannot be read in its midst.

use std::collections::BTreeSet;

use wargate_crypto::{KeyId, PublicKey};

use super::{Head, LogState, LogView};
use crate::envelope::Envelope;
use crate::kind::LogKind;
use crate::permission::PermissionSet;
use crate::record::Entry;

/// All that validating a record, or several of one log, may read of the log's state besides its
/// head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadSet<K: LogKind> {
    /// The keys to read by id.
    pub keys: BTreeSet<KeyId>,
    /// The key ids whose permissions to read.
    pub permissions: BTreeSet<KeyId>,
    /// The versions or namespaces to read.
    pub items: BTreeSet<K::Item>,
}

impl<K: LogKind> ReadSet<K> {
    /// Nothing but the head.
    pub const fn new() -> Self {
        Self { keys: BTreeSet::new(), permissions: BTreeSet::new(), items: BTreeSet::new() }
    }

    /// Adds what another record of the same log reads.
    pub fn merge(&mut self, other: Self) {
        self.keys.extend(other.keys);
        self.permissions.extend(other.permissions);
        self.items.extend(other.items);
    }

    /// Adds what an entry reads, besides its signer's key and permissions.
    pub fn add_entry(&mut self, entry: &Entry<K>) {
        match entry {
            Entry::Init { .. } => {}
            Entry::Grant { key, .. } => {
                self.permissions.insert(key.id());
            }
            Entry::Revoke { key_id, .. } => {
                self.permissions.insert(key_id.clone());
            }
            // What is no item is not read either.
            Entry::Action(action) => self.items.extend(K::action_item(action)),
        }
    }
}

impl<K: LogKind> Default for ReadSet<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: LogKind> Envelope<K> {
    /// What [`validate`](super::validate) may read of the log's state besides its head.
    pub fn reads(&self) -> ReadSet<K> {
        let mut reads = ReadSet::new();
        reads.keys.insert(self.key_id().clone());
        reads.permissions.insert(self.key_id().clone());
        self.record().entries.iter().for_each(|entry| reads.add_entry(entry));
        reads
    }
}

/// What was read is not what the [`ReadSet`] names: a bug in the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a part of the log's state is needed that was not read ahead")]
pub struct NotPrefetched;

/// A [`LogView`] of what was read ahead.
///
/// What the [`ReadSet`] names and the store did not find counts as absent; anything else that is
/// asked for is an error, never absent.
#[derive(Clone, Debug)]
pub struct Prefetched<K: LogKind> {
    reads: ReadSet<K>,
    found: LogState<K>,
}

impl<K: LogKind> Prefetched<K> {
    /// A view of a log's head with nothing else found yet.
    pub const fn new(reads: ReadSet<K>, head: Option<Head>) -> Self {
        let mut found = LogState::new();
        found.head = head;
        Self { reads, found }
    }

    /// A key that the store found. It counts under its own id.
    pub fn insert_key(&mut self, key: PublicKey) {
        self.found.tables.keys.insert(key.id(), key);
    }

    /// What the store found that a key holds.
    pub fn insert_permissions(&mut self, key_id: KeyId, held: PermissionSet<K::Permission>) {
        self.found.tables.permissions.insert(key_id, held);
    }

    /// The state of a version or namespace that the store found.
    pub fn insert_item(&mut self, item: K::Item, state: K::ItemState) {
        self.found.tables.items.insert(item, state);
    }
}

impl<K: LogKind> LogView<K> for Prefetched<K> {
    type Error = NotPrefetched;

    fn head(&self) -> Result<Option<Head>, NotPrefetched> {
        Ok(self.found.head)
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, NotPrefetched> {
        if self.reads.keys.contains(id) {
            Ok(self.found.tables.keys.get(id).cloned())
        } else {
            Err(NotPrefetched)
        }
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, NotPrefetched> {
        if self.reads.permissions.contains(id) {
            Ok(self.found.tables.permissions.get(id).copied().unwrap_or_default())
        } else {
            Err(NotPrefetched)
        }
    }

    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, NotPrefetched> {
        if self.reads.items.contains(item) {
            Ok(self.found.tables.items.get(item).cloned())
        } else {
            Err(NotPrefetched)
        }
    }
}
