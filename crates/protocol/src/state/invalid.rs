//! Why a record does not fit onto its log.

use wargate_crypto::{KeyId, SignatureError};

use crate::version::Version;

/// Why a record is invalid (specification 5.1 to 5.3). Several rules may be broken; this is the
/// first in the specification's order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecord {
    /// The log is empty, but the record names one before it.
    #[error("the first record of a log names a previous record")]
    PreviousHashOnFirstRecord,
    /// The log has records, but the record names none.
    #[error("the record names no previous record, but the log has one")]
    NoPreviousHashAfterInit,
    /// The previous record's id is a digest of another algorithm.
    #[error("the id of the previous record is of another hash algorithm than the log's")]
    IncorrectHashAlgorithm,
    /// The previous record is not the head.
    #[error("the record does not follow the last record of the log")]
    RecordHashDoesNotMatch,
    /// The protocol version is not supported.
    #[error("the protocol version {version} is not allowed")]
    ProtocolVersionNotAllowed {
        /// The version of the record.
        version: u32,
    },
    /// The record is dated before the head.
    #[error("the record is dated before the last record of the log")]
    TimestampLowerThanPrevious,
    /// The first record has no entries.
    #[error("the first record of a log does not begin it")]
    InitialRecordDoesNotInit,
    /// The first entry of a log is something else than init.
    #[error("the first entry of the log is not \"init\"")]
    FirstEntryIsNotInit,
    /// The log was begun before.
    #[error("the log has begun before and cannot begin again")]
    InitialEntryAfterBeginning,
    /// The signer's key is not known, or is not the key that begins the log.
    #[error("the log does not know the key {key_id}")]
    KeyIdNotRecognized {
        /// The id as the signer gave it.
        key_id: KeyId,
    },
    /// The signature is not the signer's.
    #[error("the record's signature is invalid: {0}")]
    SignatureError(#[source] SignatureError),
    /// The signer may not do this.
    #[error("the key {key_id} does not have the permission {permission}")]
    UnauthorizedAction {
        /// The signer's key.
        key_id: KeyId,
        /// The permission's name.
        permission: &'static str,
    },
    /// A permission is revoked that the key does not hold.
    #[error(
        "the permission {permission} cannot be revoked from the key {key_id}, which does not have it"
    )]
    PermissionNotFoundToRevoke {
        /// The key, as the entry gives it.
        key_id: KeyId,
        /// The permission's name.
        permission: &'static str,
    },
    /// The version was released before, and perhaps yanked since.
    #[error("the version {version} is already released")]
    ReleaseOfReleased {
        /// The version.
        version: Version,
    },
    /// The version was never released.
    #[error("the version {version} is not released and cannot be yanked")]
    YankOfUnreleased {
        /// The version.
        version: Version,
    },
    /// The version was yanked before.
    #[error("the version {version} is already yanked")]
    YankOfYanked {
        /// The version.
        version: Version,
    },
    /// The namespace is not lower-case kebab case.
    #[error("the namespace {namespace:?} is not valid; it must be lower-case kebab case")]
    InvalidNamespace {
        /// The namespace, as the entry gives it.
        namespace: String,
    },
    /// The namespace was defined or imported before.
    #[error("the namespace {namespace} is already defined or imported")]
    NamespaceAlreadyDefined {
        /// The namespace.
        namespace: String,
    },
}

impl InvalidRecord {
    /// The name that the specification gives the error.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::PreviousHashOnFirstRecord => "PreviousHashOnFirstRecord",
            Self::NoPreviousHashAfterInit => "NoPreviousHashAfterInit",
            Self::IncorrectHashAlgorithm => "IncorrectHashAlgorithm",
            Self::RecordHashDoesNotMatch => "RecordHashDoesNotMatch",
            Self::ProtocolVersionNotAllowed { .. } => "ProtocolVersionNotAllowed",
            Self::TimestampLowerThanPrevious => "TimestampLowerThanPrevious",
            Self::InitialRecordDoesNotInit => "InitialRecordDoesNotInit",
            Self::FirstEntryIsNotInit => "FirstEntryIsNotInit",
            Self::InitialEntryAfterBeginning => "InitialEntryAfterBeginning",
            Self::KeyIdNotRecognized { .. } => "KeyIDNotRecognized",
            Self::SignatureError(_) => "SignatureError",
            Self::UnauthorizedAction { .. } => "UnauthorizedAction",
            Self::PermissionNotFoundToRevoke { .. } => "PermissionNotFoundToRevoke",
            Self::ReleaseOfReleased { .. } => "ReleaseOfReleased",
            Self::YankOfUnreleased { .. } => "YankOfUnreleased",
            Self::YankOfYanked { .. } => "YankOfYanked",
            Self::InvalidNamespace { .. } => "InvalidNamespace",
            Self::NamespaceAlreadyDefined { .. } => "NamespaceAlreadyDefined",
        }
    }
}
