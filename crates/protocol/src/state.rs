//! The state of a log, and what one more record does to it (specification 5).
//!
//! [`validate`] checks a record against a [`LogView`] of the log that it is for and answers with a
//! [`Delta`], which the owner of the state applies. It reads only what the record touches, so the
//! cost does not depend on the length of the log, and it changes nothing, so a record that fails has
//! no effect.
//!
//! [`LogState`] is a whole state in memory. A store implements [`LogView`] over its own tables, or
//! loads what [`ReadSet`] names into a [`Prefetched`] view.
//!
//! **Invariant**: a key id in [`LogState::keys`] is the id of the key beside it, and a log has a head
//! exactly if it was initialised.

mod invalid;
mod json;
mod prefetch;
mod validate;
mod view;

use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};
use wargate_crypto::{KeyId, PublicKey};

pub use self::invalid::InvalidRecord;
pub use self::prefetch::{NotPrefetched, Prefetched, ReadSet};
pub use self::validate::{Validated, ValidationError, validate};
pub use self::view::{LogView, Overlay};
use crate::envelope::Envelope;
use crate::id::RecordId;
use crate::kind::{LogKind, Operator, Package};
use crate::name::Namespace;
use crate::namespace::NamespaceState;
use crate::permission::PermissionSet;
use crate::release::Release;
use crate::timestamp::Timestamp;
use crate::version::{Version, VersionReq};

/// The state of an operator log.
pub type OperatorState = LogState<Operator>;
/// The state of a package log.
pub type PackageState = LogState<Package>;
/// What a record does to an operator log.
pub type OperatorDelta = Delta<Operator>;
/// What a record does to a package log.
pub type PackageDelta = Delta<Package>;

/// The last record of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// Its id.
    #[serde(rename = "digest")]
    pub record_id: RecordId,
    /// Its time; no later record has a lower one.
    pub timestamp: Timestamp,
}

/// The state of a log in memory. Its JSON is that of specification 5.5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogState<K: LogKind> {
    head: Option<Head>,
    tables: Tables<K>,
}

/// What a valid record does to its log: the new head, and what takes the place of what was there.
///
/// Only [`validate`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a record has no effect until its delta is applied"]
pub struct Delta<K: LogKind> {
    prev: Option<RecordId>,
    head: Head,
    tables: Tables<K>,
}

/// Keys, permissions and items, all of a log or those that a record sets.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tables<K: LogKind> {
    keys: BTreeMap<KeyId, PublicKey>,
    permissions: BTreeMap<KeyId, PermissionSet<K::Permission>>,
    items: BTreeMap<K::Item, K::ItemState>,
}

/// A delta was made for another head than the one that the state has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the record was validated against another state of its log")]
pub struct StaleDelta;

impl<K: LogKind> LogState<K> {
    /// The state of a log without records.
    pub const fn new() -> Self {
        Self { head: None, tables: Tables::new() }
    }

    /// The last record; `None` before the first.
    pub const fn head(&self) -> Option<Head> {
        self.head
    }

    /// All keys that were ever made known, with their ids.
    pub const fn keys(&self) -> &BTreeMap<KeyId, PublicKey> {
        &self.tables.keys
    }

    /// What each key holds. A key that never held anything may be missing.
    pub const fn permissions(&self) -> &BTreeMap<KeyId, PermissionSet<K::Permission>> {
        &self.tables.permissions
    }

    /// The items: releases by version, or namespaces by name.
    pub const fn items(&self) -> &BTreeMap<K::Item, K::ItemState> {
        &self.tables.items
    }

    /// Makes a record that was validated against this state part of it.
    ///
    /// # Errors
    /// [`StaleDelta`] if it was validated against another state; this one is as before then.
    pub fn apply(&mut self, delta: Delta<K>) -> Result<(), StaleDelta> {
        if delta.prev != self.head.map(|head| head.record_id) {
            return Err(StaleDelta);
        }
        self.head = Some(delta.head);
        self.tables.absorb(delta.tables);
        Ok(())
    }

    /// Validates a record and applies it.
    ///
    /// # Errors
    /// [`InvalidRecord`]; the state is as before then.
    pub fn append(&mut self, envelope: &Envelope<K>) -> Result<(), InvalidRecord> {
        let delta = validate(envelope, self)?;
        self.head = Some(delta.head);
        self.tables.absorb(delta.tables);
        Ok(())
    }
}

impl LogState<Package> {
    /// What the log says about a version.
    pub fn release(&self, version: &Version) -> Option<&Release> {
        self.tables.items.get(version)
    }

    /// All versions that were ever released, yanked ones included, in order.
    pub fn releases(&self) -> impl DoubleEndedIterator<Item = &Release> {
        self.tables.items.values()
    }

    /// The highest version that satisfies the requirement and was not yanked (specification 5.4).
    pub fn latest(&self, requirement: &VersionReq) -> Option<&Release> {
        self.releases()
            .rev()
            .find(|release| !release.is_yanked() && requirement.matches(&release.version))
    }
}

impl LogState<Operator> {
    /// What the log says about a namespace.
    pub fn namespace(&self, namespace: &Namespace) -> Option<&NamespaceState> {
        self.tables.items.get(namespace)
    }
}

impl<K: LogKind> Default for LogState<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: LogKind> LogView<K> for LogState<K> {
    type Error = Infallible;

    fn head(&self) -> Result<Option<Head>, Infallible> {
        Ok(self.head)
    }

    fn key(&self, id: &KeyId) -> Result<Option<PublicKey>, Infallible> {
        Ok(self.tables.keys.get(id).cloned())
    }

    fn permissions(&self, id: &KeyId) -> Result<PermissionSet<K::Permission>, Infallible> {
        Ok(self.tables.permissions.get(id).copied().unwrap_or_default())
    }

    fn item(&self, item: &K::Item) -> Result<Option<K::ItemState>, Infallible> {
        Ok(self.tables.items.get(item).cloned())
    }
}

impl<K: LogKind> Delta<K> {
    /// The head that the log must have for the delta to be applied: `None` before its first record.
    pub const fn prev(&self) -> Option<RecordId> {
        self.prev
    }

    /// The new head: the record itself.
    pub const fn head(&self) -> Head {
        self.head
    }

    /// The keys that the record makes known; some may have been known before.
    pub const fn keys(&self) -> &BTreeMap<KeyId, PublicKey> {
        &self.tables.keys
    }

    /// All that these keys now hold, in place of what they held before. The set may be empty.
    pub const fn permissions(&self) -> &BTreeMap<KeyId, PermissionSet<K::Permission>> {
        &self.tables.permissions
    }

    /// The states of the items that the record changes, in place of what they were before.
    pub const fn items(&self) -> &BTreeMap<K::Item, K::ItemState> {
        &self.tables.items
    }
}

impl<K: LogKind> Tables<K> {
    const fn new() -> Self {
        Self { keys: BTreeMap::new(), permissions: BTreeMap::new(), items: BTreeMap::new() }
    }

    /// Takes over what newer tables say.
    fn absorb(&mut self, newer: Self) {
        self.keys.extend(newer.keys);
        self.permissions.extend(newer.permissions);
        self.items.extend(newer.items);
    }
}
