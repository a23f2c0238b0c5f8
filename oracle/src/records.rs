//! Our records and ids as the reference's, field by field.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde::de::DeserializeOwned;
use warg_crypto::hash::{AnyHash, HashAlgorithm, Sha256};
use warg_crypto::{Decode, Signable, signing};
use warg_protocol::{ProtoEnvelope, operator, package, registry};
use wargate_crypto::{AnyDigest, Digest, KeyId, PublicKey};
use wargate_protocol::{
    Checkpoint, Entry, LogId, LogKind, LogLeaf, MapLeaf, Operator, OperatorAction, Package,
    PackageAction, Permission, Record, RecordId, SignedEnvelope, Timestamp, TimestampedCheckpoint,
};

/// A digest of any length.
pub fn any_hash(digest: &AnyDigest) -> AnyHash {
    AnyHash::new(HashAlgorithm::Sha256, digest.as_bytes().to_vec())
}

/// A digest.
pub fn hash(digest: &Digest) -> AnyHash {
    AnyHash::new(HashAlgorithm::Sha256, digest.as_bytes().to_vec())
}

/// A log's id.
pub fn log_id(id: &LogId) -> registry::LogId {
    hash(id.digest()).into()
}

/// A record's id.
pub fn record_id(id: &RecordId) -> registry::RecordId {
    hash(id.digest()).into()
}

/// A leaf of the registry log.
pub fn log_leaf(leaf: &LogLeaf) -> registry::LogLeaf {
    let (log_id, record_id) = (log_id(&leaf.log_id), record_id(&leaf.record_id));
    registry::LogLeaf { log_id, record_id }
}

/// A leaf of the map.
pub fn map_leaf(leaf: &MapLeaf) -> registry::MapLeaf {
    registry::MapLeaf { record_id: record_id(&leaf.record_id) }
}

/// A public key. Through its text, since the reference takes nothing else.
pub fn public_key(key: &PublicKey) -> signing::PublicKey {
    key.to_string().parse().expect("a key that we know is a key")
}

/// A key's id.
pub fn key_id(id: &KeyId) -> signing::KeyID {
    id.to_string().into()
}

/// A time.
pub fn time(time: Timestamp) -> SystemTime {
    let seconds = Duration::from_secs(time.seconds().unsigned_abs());
    let whole = if time.seconds() < 0 {
        SystemTime::UNIX_EPOCH - seconds
    } else {
        SystemTime::UNIX_EPOCH + seconds
    };
    whole + Duration::from_nanos(time.nanos().into())
}

/// A checkpoint.
pub fn checkpoint(checkpoint: &Checkpoint) -> registry::Checkpoint {
    registry::Checkpoint {
        log_root: hash(&checkpoint.log_root),
        log_length: usize::try_from(checkpoint.log_length.get()).expect("a length fits"),
        map_root: hash(&checkpoint.map_root),
    }
}

/// A checkpoint with its time.
pub fn timestamped(contents: &TimestampedCheckpoint) -> registry::TimestampedCheckpoint {
    let (checkpoint, timestamp) = (checkpoint(&contents.checkpoint), contents.timestamp_seconds);
    registry::TimestampedCheckpoint { checkpoint, timestamp }
}

/// A kind of log, which the reference has as well.
pub trait Twin: LogKind {
    /// The reference's record.
    type Record: Decode + Signable + Clone + Debug + PartialEq;
    /// The reference's state of such a log.
    type State: Clone + Default + Debug + PartialEq + Serialize + DeserializeOwned;

    /// One of our records as theirs.
    fn record(record: &Record<Self>) -> Self::Record;

    /// The id that the reference gives to a record.
    fn record_id(envelope: &ProtoEnvelope<Self::Record>) -> registry::RecordId;

    /// Validates one more record.
    ///
    /// # Errors
    /// The name of the error's variant if the reference refuses the record.
    fn validate(
        state: Self::State,
        envelope: &ProtoEnvelope<Self::Record>,
    ) -> Result<Self::State, String>;
}

impl Twin for Package {
    type Record = package::PackageRecord;
    type State = package::LogState;

    fn record(record: &Record<Self>) -> Self::Record {
        package::PackageRecord {
            prev: record.prev.as_ref().map(|prev| any_hash(prev).into()),
            version: record.version,
            timestamp: time(record.timestamp),
            entries: record.entries.iter().map(package_entry).collect(),
        }
    }

    fn record_id(envelope: &ProtoEnvelope<Self::Record>) -> registry::RecordId {
        registry::RecordId::package_record::<Sha256>(envelope)
    }

    fn validate(
        state: Self::State,
        envelope: &ProtoEnvelope<Self::Record>,
    ) -> Result<Self::State, String> {
        state.validate(envelope).map_err(|error| variant(&error))
    }
}

impl Twin for Operator {
    type Record = operator::OperatorRecord;
    type State = operator::LogState;

    fn record(record: &Record<Self>) -> Self::Record {
        operator::OperatorRecord {
            prev: record.prev.as_ref().map(|prev| any_hash(prev).into()),
            version: record.version,
            timestamp: time(record.timestamp),
            entries: record.entries.iter().map(operator_entry).collect(),
        }
    }

    fn record_id(envelope: &ProtoEnvelope<Self::Record>) -> registry::RecordId {
        registry::RecordId::operator_record::<Sha256>(envelope)
    }

    fn validate(
        state: Self::State,
        envelope: &ProtoEnvelope<Self::Record>,
    ) -> Result<Self::State, String> {
        state.validate(envelope).map_err(|error| variant(&error))
    }
}

/// A signed record as theirs, if they can decode it. Through the storage form of the envelope: they
/// have no other way to make one of parts.
///
/// # Errors
/// If they refuse it.
pub fn envelope<K: Twin>(signed: &SignedEnvelope) -> anyhow::Result<ProtoEnvelope<K::Record>> {
    Ok(ProtoEnvelope::from_protobuf(&signed.to_protobuf())?)
}

/// A list of permissions, by name: the reference's operator permissions have no public path.
macro_rules! permissions {
    ($list:expr) => {
        $list.iter().map(|one| one.name().parse().expect("a name of theirs")).collect()
    };
}

fn package_entry(entry: &Entry<Package>) -> package::PackageEntry {
    match entry {
        Entry::Init { key, .. } => package::PackageEntry::Init {
            hash_algorithm: HashAlgorithm::Sha256,
            key: public_key(key),
        },
        Entry::Grant { key, permissions: list } => package::PackageEntry::GrantFlat {
            key: public_key(key),
            permissions: permissions!(list),
        },
        Entry::Revoke { key_id: id, permissions: list } => package::PackageEntry::RevokeFlat {
            key_id: key_id(id),
            permissions: permissions!(list),
        },
        Entry::Action(PackageAction::Release { version, content }) => {
            package::PackageEntry::Release {
                version: version.as_semver().clone(),
                content: any_hash(content),
            }
        }
        Entry::Action(PackageAction::Yank { version }) => {
            package::PackageEntry::Yank { version: version.as_semver().clone() }
        }
    }
}

fn operator_entry(entry: &Entry<Operator>) -> operator::OperatorEntry {
    match entry {
        Entry::Init { key, .. } => operator::OperatorEntry::Init {
            hash_algorithm: HashAlgorithm::Sha256,
            key: public_key(key),
        },
        Entry::Grant { key, permissions: list } => operator::OperatorEntry::GrantFlat {
            key: public_key(key),
            permissions: permissions!(list),
        },
        Entry::Revoke { key_id: id, permissions: list } => operator::OperatorEntry::RevokeFlat {
            key_id: key_id(id),
            permissions: permissions!(list),
        },
        Entry::Action(OperatorAction::DefineNamespace { namespace }) => {
            operator::OperatorEntry::DefineNamespace { namespace: namespace.clone() }
        }
        Entry::Action(OperatorAction::ImportNamespace { namespace, registry }) => {
            let (namespace, registry) = (namespace.clone(), registry.clone());
            operator::OperatorEntry::ImportNamespace { namespace, registry }
        }
    }
}

/// The name of an error's variant, which is where its debug form begins.
fn variant(error: &impl Debug) -> String {
    format!("{error:?}").chars().take_while(char::is_ascii_alphanumeric).collect()
}
