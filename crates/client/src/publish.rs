//! Publishing: one signed record, with the content that it needs, exactly once.
//!
//! A record is written to a journal before it is sent. Whoever was interrupted, at any point, runs the
//! same publication again: the journal's record is taken up where it is, and is not signed anew, unless
//! the registry has refused it or the log has gone on without it. What the log says already is not
//! published again.

mod journal;
mod pending;
mod plan;
mod send;

use std::io::Read;

use serde::{Deserialize, Serialize};
use wargate_crypto::{AnyDigest, Digest, KeyId, PublicKey, Sha256};
use wargate_protocol::{
    PackageEntry, PackageName, PackagePermission, RecordId, RegistryIndex, SignedCheckpoint,
    Version,
};

pub use self::plan::Plan;
use crate::client::Client;
use crate::error::Error;
use crate::origin::Domain;
use crate::package::Package;
use crate::seams::{CacheError, ChunkSource, Content};

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

/// Content that was put into the cache with [`Client::keep`].
pub struct Kept {
    client: Client,
    registry: Domain,
}

impl Client {
    /// Puts content into the cache, to be published to a registry now or later.
    ///
    /// # Errors
    /// [`Error::Content`] if what is read is not what the digest says; [`Error::Cache`]
    pub fn keep(
        &self,
        registry: &Domain,
        digest: &Digest,
        content: &mut dyn Read,
    ) -> Result<(), Error> {
        let cache = &*self.parts.cache;
        if cache.open(registry, digest)?.is_some() {
            return Ok(());
        }
        // Somebody downloads it at this moment: it will be there.
        let Some(mut partial) = cache.begin(registry, digest)? else { return Ok(()) };
        partial.restart()?;
        let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_BYTES]);
        loop {
            let read = content.read(&mut chunk);
            let read = read.map_err(|error| Error::Content(error.to_string()))?;
            let Some(piece) = chunk.get(..read).filter(|piece| !piece.is_empty()) else { break };
            hasher.update(piece);
            partial.append(piece)?;
        }
        if hasher.finish() != *digest {
            partial.restart()?;
            return Err(Error::Content("the file changed while it was read".into()));
        }
        partial.commit()?;
        Ok(())
    }

    /// What was [kept](Self::keep) for a registry.
    pub fn kept(&self, registry: &Domain) -> Kept {
        Kept { client: self.clone(), registry: registry.clone() }
    }
}

impl Contents for Kept {
    fn open(&self, digest: &Digest) -> std::io::Result<(u64, Box<dyn ChunkSource>)> {
        let content = self.client.parts.cache.open(&self.registry, digest).map_err(io_error)?;
        let content = content.ok_or(std::io::ErrorKind::NotFound)?;
        let length = content.length();
        Ok((length, Box::new(CachedSource { content, offset: 0 })))
    }
}

/// Content from the cache, as it is sent.
struct CachedSource {
    content: Box<dyn Content>,
    offset: u64,
}

/// Most bytes that are read at a time.
const CHUNK_BYTES: usize = 128 << 10;

impl ChunkSource for CachedSource {
    fn next(&mut self) -> std::io::Result<Option<bytes::Bytes>> {
        let mut chunk = vec![0; CHUNK_BYTES];
        let read = self.content.read_at(self.offset, &mut chunk).map_err(io_error)?;
        chunk.truncate(read);
        self.offset += u64::try_from(read).unwrap_or_default();
        Ok((read > 0).then(|| chunk.into()))
    }
}

fn io_error(error: CacheError) -> std::io::Error {
    std::io::Error::other(error)
}
