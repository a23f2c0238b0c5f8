//! Records: what is signed and linked into a log (specification 3.2 to 3.7).

mod message;
pub(crate) mod operator;
pub(crate) mod package;

use wargate_crypto::{AnyDigest, DigestAlgorithm, DigestError, KeyError, KeyId, PublicKey};

use crate::id::RecordId;
use crate::kind::{LogKind, Operator, OperatorAction, Package, PackageAction};
use crate::limits::{ENTRY_PERMISSIONS_MAX, RECORD_BYTES_MAX, RECORD_ENTRIES_MAX};
use crate::timestamp::{Timestamp, TimestampError};
use crate::version::{Version, VersionError};

/// A record of the operator log.
pub type OperatorRecord = Record<Operator>;
/// A record of a package log.
pub type PackageRecord = Record<Package>;
/// An entry of an operator record.
pub type OperatorEntry = Entry<Operator>;
/// An entry of a package record.
pub type PackageEntry = Entry<Package>;

/// A record that decodes. Whether it fits onto its log is for
/// [`validate`](crate::state::validate) to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<K: LogKind> {
    /// The record before it in the same log, as the sender wrote it; absent in the first record.
    pub prev: Option<AnyDigest>,
    /// The protocol version; only [`LogKind::RECORD_VERSION`] validates.
    pub version: u32,
    /// When it was made, by the signer's clock.
    pub timestamp: Timestamp,
    /// What it does, in order.
    pub entries: Vec<Entry<K>>,
}

/// An entry of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry<K: LogKind> {
    /// Begins the log.
    Init {
        /// The hash algorithm of the log's links.
        hash_algorithm: DigestAlgorithm,
        /// The first key, which gets all permissions.
        key: PublicKey,
    },
    /// Makes a key known and gives it permissions.
    Grant {
        /// The key.
        key: PublicKey,
        /// As listed: perhaps none, perhaps one twice.
        permissions: Vec<K::Permission>,
    },
    /// Takes permissions from a key, which stays known.
    Revoke {
        /// The key's id as the sender wrote it.
        key_id: KeyId,
        /// As listed: perhaps none, perhaps one twice (which cannot be valid).
        permissions: Vec<K::Permission>,
    },
    /// What only this kind of log has.
    Action(K::Action),
}

impl<K: LogKind> Record<K> {
    /// A record of the current protocol version.
    pub fn new(prev: Option<RecordId>, timestamp: Timestamp, entries: Vec<Entry<K>>) -> Self {
        let prev = prev.map(|id| AnyDigest::from(*id.digest()));
        Self { prev, version: K::RECORD_VERSION, timestamp, entries }
    }

    /// Reads the protobuf form (specification 3.7).
    ///
    /// What it allocates is a small multiple of the input.
    ///
    /// # Errors
    /// [`RecordError`] says which rule the bytes break.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            Err(RecordError::TooLarge { bytes: bytes.len() })
        } else {
            K::decode_record(bytes)
        }
    }

    /// Writes the canonical protobuf form (specification 3.6).
    ///
    /// Only for new records: bytes that were received are kept, since others than these may have
    /// been signed.
    pub fn encode(&self) -> Vec<u8> {
        K::encode_record(self)
    }
}

impl<K: LogKind> Entry<K> {
    /// Begins a log with its first key.
    pub const fn init(key: PublicKey) -> Self {
        Self::Init { hash_algorithm: DigestAlgorithm::Sha256, key }
    }

    /// Gives a key permissions.
    pub fn grant(key: PublicKey, permissions: impl IntoIterator<Item = K::Permission>) -> Self {
        Self::Grant { key, permissions: permissions.into_iter().collect() }
    }

    /// Takes permissions from a key.
    pub fn revoke(key_id: KeyId, permissions: impl IntoIterator<Item = K::Permission>) -> Self {
        Self::Revoke { key_id, permissions: permissions.into_iter().collect() }
    }
}

impl Entry<Package> {
    /// Releases a version with the content of a digest.
    pub fn release(version: Version, content: impl Into<AnyDigest>) -> Self {
        Self::Action(PackageAction::Release { version, content: content.into() })
    }

    /// Withdraws a version for good.
    pub const fn yank(version: Version) -> Self {
        Self::Action(PackageAction::Yank { version })
    }
}

impl Entry<Operator> {
    /// Defines a namespace as the registry's own.
    pub fn define_namespace(namespace: impl Into<String>) -> Self {
        Self::Action(OperatorAction::DefineNamespace { namespace: namespace.into() })
    }

    /// Says that a namespace is another registry's.
    pub fn import_namespace(namespace: impl Into<String>, registry: impl Into<String>) -> Self {
        let (namespace, registry) = (namespace.into(), registry.into());
        Self::Action(OperatorAction::ImportNamespace { namespace, registry })
    }
}

/// Why bytes are no record (specification 3.7).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// More than [`RECORD_BYTES_MAX`] bytes.
    #[error("a record of {bytes} bytes is larger than {RECORD_BYTES_MAX}")]
    TooLarge {
        /// Its length in bytes.
        bytes: usize,
    },
    /// More than [`RECORD_ENTRIES_MAX`] entries.
    #[error("a record has at most {RECORD_ENTRIES_MAX} entries")]
    TooManyEntries,
    /// Malformed protobuf: wrong wire type, cut off, or text that is not UTF-8.
    #[error("the record is not well-formed: {0}")]
    Protobuf(#[from] prost::DecodeError),
    /// The time is missing.
    #[error("the record has no time")]
    MissingTime,
    /// The time is out of range.
    #[error("the record's time is invalid: {0}")]
    InvalidTime(#[from] TimestampError),
    /// The previous record's id is there but is no digest.
    #[error("the id of the previous record is invalid: {0}")]
    BadPrev(#[source] DigestError),
    /// An entry is invalid.
    #[error("entry {index} of the record is invalid: {source}")]
    Entry {
        /// The entry's position, counted from 0.
        index: usize,
        /// What is wrong with it.
        source: EntryError,
    },
}

/// Why an entry of a record does not decode (specification 3.7).
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EntryError {
    /// It is of no known type.
    #[error("the entry is empty or of an unknown type")]
    EmptyEntry,
    /// The hash algorithm is not known.
    #[error("the hash algorithm {name:?} is not known; only sha256 is")]
    UnknownHashAlgorithm {
        /// What stands there.
        name: String,
    },
    /// The key does not parse.
    #[error("the key is invalid: {0}")]
    BadKey(#[from] KeyError),
    /// A permission is 0 or unknown.
    #[error("there is no permission with the number {number}")]
    UnknownPermission {
        /// What stands there.
        number: i32,
    },
    /// More than [`ENTRY_PERMISSIONS_MAX`] permissions.
    #[error("an entry lists at most {ENTRY_PERMISSIONS_MAX} permissions")]
    TooManyPermissions,
    /// The version does not parse.
    #[error("the version is invalid: {0}")]
    BadVersion(#[from] VersionError),
    /// The content's digest does not parse.
    #[error("the digest of the content is invalid: {0}")]
    BadContentDigest(#[source] DigestError),
}
