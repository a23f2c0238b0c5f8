//! What a verifier believes: before it starts, and after it has verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wargate_crypto::KeyId;

use crate::checkpoint::SignedCheckpoint;
use crate::id::{LogId, LogLength, RegistryIndex};
use crate::kind::{LogKind, Operator, Package};
use crate::state::LogState;

/// What a verifier believes without proof.
///
/// The default believes the first operator log that it sees (trust on first use).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct TrustAnchor {
    /// Ids of operator keys. One of them must have signed the first operator record; if there are
    /// none, any key may.
    pub operator_keys: Vec<KeyId>,
    /// A checkpoint that is believed. The registry must be an extension of it, whatever else is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<SignedCheckpoint>,
    /// Checkpoints signed before this time are too old, in seconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before_seconds: Option<u64>,
    /// Checkpoints signed after this time are from the future, likewise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_after_seconds: Option<u64>,
}

/// A log that is followed, up to its newest record. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Followed<K: LogKind> {
    pub(super) state: Arc<LogState<K>>,
    pub(super) index: RegistryIndex,
    pub(super) as_of: LogLength,
}

impl<K: LogKind> Followed<K> {
    /// A log whose state was verified before, such as one read from a client's cache. `index` is the
    /// position of its newest record in the registry log, `as_of` the length of the registry log at
    /// which that was so.
    pub fn new(state: LogState<K>, index: RegistryIndex, as_of: LogLength) -> Self {
        Self { state: Arc::new(state), index, as_of }
    }

    /// The log's state.
    pub fn state(&self) -> &LogState<K> {
        &self.state
    }

    /// The position of its newest record in the registry log.
    pub const fn index(&self) -> RegistryIndex {
        self.index
    }

    /// The length of the registry log at which this is the log's whole state. Later records may have
    /// come since, if it is less than the checkpoint's.
    pub const fn as_of(&self) -> LogLength {
        self.as_of
    }
}

/// What is known of a registry: logs, and the newest checkpoint that any was verified under. A clone
/// shares the logs' states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub(super) operator_key: Option<KeyId>,
    pub(super) operator: Option<Followed<Operator>>,
    pub(super) packages: BTreeMap<LogId, Followed<Package>>,
    pub(super) checkpoint: Option<SignedCheckpoint>,
}

impl Verified {
    /// A registry of which nothing is known.
    pub const fn nothing() -> Self {
        Self { operator_key: None, operator: None, packages: BTreeMap::new(), checkpoint: None }
    }

    /// A state that was verified before, such as one read from a client's cache. `operator_key` is
    /// the key that signed the first operator record.
    pub fn restore(
        operator_key: KeyId,
        operator: Followed<Operator>,
        packages: impl IntoIterator<Item = (LogId, Followed<Package>)>,
        checkpoint: SignedCheckpoint,
    ) -> Self {
        Self {
            operator_key: Some(operator_key),
            operator: Some(operator),
            packages: packages.into_iter().collect(),
            checkpoint: Some(checkpoint),
        }
    }

    /// The id of the key that signed the first operator record: what a trust anchor pins.
    pub const fn operator_key(&self) -> Option<&KeyId> {
        self.operator_key.as_ref()
    }

    /// The operator log.
    pub const fn operator(&self) -> Option<&Followed<Operator>> {
        self.operator.as_ref()
    }

    /// The package logs that are followed.
    pub const fn packages(&self) -> &BTreeMap<LogId, Followed<Package>> {
        &self.packages
    }

    /// A package log that is followed.
    pub fn package(&self, log: &LogId) -> Option<&Followed<Package>> {
        self.packages.get(log)
    }

    /// Stops following a package log. It may come back, from its start, in a later session.
    pub fn forget(&mut self, log: &LogId) {
        self.packages.remove(log);
    }

    /// The newest checkpoint that was verified. It extends the registry logs that the logs here are as
    /// of.
    pub const fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.checkpoint.as_ref()
    }
}
