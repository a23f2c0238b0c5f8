//! Publishing: one signed record, with the content that it needs, exactly once.
//!
//! A record is written to a journal before it is sent. Whoever was interrupted, at any point, runs the
//! same publication again: the journal's record is taken up where it is, and is not signed anew, unless
//! the registry has refused it or the log has gone on without it. What the log says already is not
//! published again.

mod contents;
mod journal;
mod pending;
mod plan;
mod send;

use serde::{Deserialize, Serialize};
use wargate_crypto::{AnyDigest, Digest, KeyId, PublicKey};
use wargate_protocol::{
    PackageEntry, PackageName, PackagePermission, RecordId, RegistryIndex, SignedCheckpoint,
    Version,
};

pub use self::contents::{Kept, MemoryContents};
pub use self::pending::Collected;
pub use self::plan::Plan;
use crate::package::Package;
use crate::seams::ChunkSource;

/// What is to become one record of a package's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Publication {
    /// The package.
    pub name: PackageName,
    /// The record that must be the newest of the log; `None`: whichever is.
    pub head: Option<RecordId>,
    /// What the record does, in order.
    pub entries: Vec<Change>,
}

/// A change to a package. Its JSON is that of the reference client's pending publish (specification
/// 15.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Change {
    /// Creates it; the key that signs gets all permissions.
    Init,
    /// Releases a version.
    Release {
        /// The version.
        version: Version,
        /// The digest of its content.
        content: AnyDigest,
    },
    /// Withdraws a version, for good.
    Yank {
        /// The version.
        version: Version,
    },
    /// Gives permissions to a key.
    Grant {
        /// The key.
        key: PublicKey,
        /// The permissions.
        permissions: Vec<PackagePermission>,
    },
    /// Takes permissions from a key.
    Revoke {
        /// The key.
        key_id: KeyId,
        /// The permissions.
        permissions: Vec<PackagePermission>,
    },
}

/// What came of a publication.
#[derive(Clone, Debug)]
pub enum Published {
    /// A record is in the log, and was verified to be.
    InLog {
        /// The record.
        record: RecordId,
        /// Its position in the registry's log.
        registry_index: RegistryIndex,
        /// A checkpoint that covers it.
        checkpoint: Box<SignedCheckpoint>,
        /// The package as it is now.
        package: Box<Package>,
        /// Whether the package was created.
        created: bool,
    },
    /// The log said all of it already.
    Already {
        /// The package as it is.
        package: Box<Package>,
    },
    /// The registry has the record, and it was not waited for.
    Submitted {
        /// The record.
        record: RecordId,
    },
}

/// Has the content that is published.
pub trait Contents: Send + Sync {
    /// Content from its beginning, with its length in bytes. It may be asked for more than once.
    ///
    /// # Errors
    /// Those of reading it; `NotFound` if it is not there.
    fn open(&self, digest: &Digest) -> std::io::Result<(u64, Box<dyn ChunkSource>)>;
}

impl Change {
    /// As an entry of a record that this key signs.
    fn entry(&self, key: &PublicKey) -> PackageEntry {
        match self {
            Self::Init => PackageEntry::init(key.clone()),
            Self::Release { version, content } => {
                PackageEntry::release(version.clone(), content.clone())
            }
            Self::Yank { version } => PackageEntry::yank(version.clone()),
            Self::Grant { key, permissions } => {
                PackageEntry::grant(key.clone(), permissions.iter().copied())
            }
            Self::Revoke { key_id, permissions } => {
                PackageEntry::revoke(key_id.clone(), permissions.iter().copied())
            }
        }
    }
}
