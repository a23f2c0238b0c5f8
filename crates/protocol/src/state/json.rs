//! A log's state as JSON (specification 5.5). What the reference keeps in its cache can be read.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use wargate_crypto::{DigestAlgorithm, DigestError, KeyId, PublicKey};

use super::{Head, LogState, Tables};
use crate::kind::LogKind;
use crate::permission::PermissionSet;

impl<K: LogKind> Serialize for LogState<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Tables { keys, permissions, items } = &self.tables;
        let mut members = serializer.serialize_map(None)?;
        if let Some(head) = &self.head {
            members.serialize_entry("algorithm", DigestAlgorithm::Sha256.name())?;
            members.serialize_entry("head", head)?;
        }
        if !permissions.is_empty() {
            members.serialize_entry("permissions", permissions)?;
        }
        if !items.is_empty() {
            members.serialize_entry(K::ITEMS_MEMBER, items)?;
        }
        if !keys.is_empty() {
            members.serialize_entry("keys", keys)?;
        }
        members.end()
    }
}

/// The members of either kind of state. That of the other kind would hold what does not parse.
#[derive(Deserialize)]
#[serde(bound = "")]
struct Members<K: LogKind> {
    algorithm: Option<String>,
    head: Option<Head>,
    #[serde(default = "BTreeMap::new")]
    permissions: BTreeMap<KeyId, PermissionSet<K::Permission>>,
    #[serde(default = "BTreeMap::new", alias = "releases", alias = "namespaces")]
    items: BTreeMap<K::Item, K::ItemState>,
    #[serde(default)]
    keys: BTreeMap<KeyId, PublicKey>,
}

/// Why members do not make a state.
#[derive(Debug, thiserror::Error)]
enum StateError {
    #[error("the log's algorithm is invalid: {0}")]
    Algorithm(#[from] DigestError),
    #[error("a log has an algorithm exactly if it has a head")]
    Head,
    #[error("the key id {0} is not that of its key")]
    KeyId(KeyId),
    #[error("a release stands under another version than its own")]
    Item,
}

impl<'de, K: LogKind> Deserialize<'de> for LogState<K> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Members::deserialize(from)?.into_state().map_err(D::Error::custom)
    }
}

impl<K: LogKind> Members<K> {
    fn into_state(self) -> Result<LogState<K>, StateError> {
        let algorithm: Option<DigestAlgorithm> =
            self.algorithm.map(|name| name.parse()).transpose()?;
        if algorithm.is_some() != self.head.is_some() {
            return Err(StateError::Head);
        }
        let is_own = |(id, key): &(&KeyId, &PublicKey)| key.id() == **id;
        if let Some((id, _)) = self.keys.iter().find(|entry| !is_own(entry)) {
            return Err(StateError::KeyId(id.clone()));
        }
        if !self.items.iter().all(|(item, state)| K::is_state_of(item, state)) {
            return Err(StateError::Item);
        }
        let (keys, permissions, items) = (self.keys, self.permissions, self.items);
        Ok(LogState { head: self.head, tables: Tables { keys, permissions, items } })
    }
}
