//! A package as a verified log shows it.

use std::sync::Arc;

use wargate_crypto::KeyId;
use wargate_protocol::verify::Followed;
use wargate_protocol::{
    LogLength, PackageEntry, PackageName, PackageState, RecordId, RegistryIndex, Release,
    SignedCheckpoint, Timestamp, VersionReq,
};

use crate::origin::Domain;

/// A package as a verified log shows it, at one length of the registry's log. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Package {
    pub(crate) name: PackageName,
    pub(crate) registry: Domain,
    pub(crate) log: Followed<wargate_protocol::Package>,
    pub(crate) checkpoint: Arc<SignedCheckpoint>,
    pub(crate) operator_key: KeyId,
}

impl Package {
    /// Its name.
    pub const fn name(&self) -> &PackageName {
        &self.name
    }

    /// The registry that it belongs to.
    pub const fn registry(&self) -> &Domain {
        &self.registry
    }

    /// Its log's state: releases, keys and what they may do.
    pub fn state(&self) -> &PackageState {
        self.log.state()
    }

    /// The position of its newest record in the registry's log.
    pub const fn index(&self) -> RegistryIndex {
        self.log.index()
    }

    /// The length of the registry's log at which this is the package's whole log.
    pub const fn as_of(&self) -> LogLength {
        self.log.as_of()
    }

    /// The newest checkpoint that is known of the registry. The package was verified under it, or under
    /// an earlier one that it extends.
    pub fn checkpoint(&self) -> &SignedCheckpoint {
        &self.checkpoint
    }

    /// The key that signed the registry's first record.
    pub const fn operator_key(&self) -> &KeyId {
        &self.operator_key
    }

    /// The highest release that fits and was not yanked.
    pub fn latest(&self, requirement: &VersionReq) -> Option<&Release> {
        self.state().latest(requirement)
    }
}

/// A record of a package's log.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryRecord {
    /// Its id.
    pub id: RecordId,
    /// Its position in the registry's log.
    pub registry_index: RegistryIndex,
    /// The key that signed it.
    pub key_id: KeyId,
    /// When, by the publisher's clock.
    pub timestamp: Timestamp,
    /// What it does.
    pub entries: Vec<PackageEntry>,
}
