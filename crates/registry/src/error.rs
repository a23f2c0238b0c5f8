//! Why the engine did not do what it was asked for. Each variant is somebody's fault, and the text
//! says whose and what to do.

use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{LogId, LogLength, PackageName, RecordId, RegistryIndex, Version};

use crate::seams::SignerError;
use crate::store::{CommitError, StoreError};

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No commit made this length, or its map is no longer kept.
    #[error("the registry has no checkpoint of length {0}")]
    CheckpointNotFound(LogLength),
    /// There is no such log at the length.
    #[error("the registry has no log {0}")]
    LogNotFound(LogId),
    /// The token is none of the log's.
    #[error("the registry does not know the fetch token {0:?}")]
    FetchTokenNotFound(String),
    /// The log is not that long.
    #[error("the registry has no record at position {0}")]
    LeafNotFound(RegistryIndex),
    /// There is no such content.
    #[error("the registry has no content {0}")]
    ContentNotFound(AnyDigest),
    /// There is no such package.
    #[error("the registry has no package {0}")]
    PackageNotFound(PackageName),
    /// The package has no such version.
    #[error("the registry has no version {version} of {package}")]
    ReleaseNotFound {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
    /// The registry cannot say which releases answer the imports; whether any do, it does not know.
    #[error("{0}")]
    Unsolvable(String),
    /// What was asked for cannot be proven.
    #[error("{0}")]
    CannotProve(String),
    /// The record is not the newest of its log at the length.
    #[error("the record is not the newest of its log at that length")]
    IncorrectProof {
        /// The map's root.
        root: Digest,
        /// The root that the proof leads to.
        found: Digest,
    },
    /// The request asks for too much at once, or for nothing.
    #[error("{0}")]
    BadRequest(String),
    /// The registry cannot answer now.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The request contradicts itself or breaks the protocol.
    #[error("{0}")]
    BadRequest(String),
    /// The sender may not do this.
    #[error("{0}")]
    Unauthorized(String),
    /// A rule of the registry forbids it.
    #[error("{0}")]
    Rejected(String),
    /// The namespace is not defined.
    #[error("the namespace {0} is not defined in this registry; ask its operator to define it")]
    NamespaceNotDefined(String),
    /// The namespace belongs to another registry.
    #[error("the namespace {namespace} is imported from {registry}; publish there")]
    NamespaceImported {
        /// The namespace.
        namespace: String,
        /// The other registry.
        registry: String,
    },
    /// Nothing was ever submitted to the log.
    #[error("the registry has no log {0}")]
    LogNotFound(LogId),
    /// Nothing with this id was submitted to the log.
    #[error("the registry has no record {0} in this log")]
    RecordNotFound(RecordId),
    /// The record waits for no content.
    #[error("the record does not wait for content any more")]
    NotSourcing,
    /// The content is larger than the registry takes.
    #[error("content may have at most {bytes_max} bytes here")]
    ContentTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// The sender does something too often.
    #[error("{what}: wait {seconds} seconds, then try again")]
    TooMany {
        /// What there is too much of, and whose it is.
        what: String,
        /// After how many seconds it may be tried again.
        seconds: u64,
    },
    /// A quota is used up. The text names it.
    #[error("{0}")]
    QuotaExceeded(String),
    /// Too much is going on.
    #[error("the registry is busy: {0}; try again in a while")]
    Busy(&'static str),
    /// The operator has paused the registry: why, perhaps nothing. Nothing was written.
    #[error("{}", paused(.0))]
    Paused(String),
    /// The registry cannot write now. What was asked for did not happen, or did: asking for the
    /// record's state tells.
    #[error("the registry cannot write now: {0}; ask for the record's state, or try again")]
    Unavailable(String),
}

fn paused(reason: &str) -> String {
    let reason = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    format!(
        "the registry is paused by its operator{reason}: nothing was written, reading goes on; try again \
         later"
    )
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<CommitError> for WriteError {
    fn from(error: CommitError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl From<SignerError> for WriteError {
    fn from(error: SignerError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// Why a registry was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The operator's key is none of the registry's (specification 16.1 and 20.3, N13).
    #[error(
        "the {role} key {key} is not one that this registry's operator log permits: start with the \
         key that the registry was made with, or grant this one first (`wargate operator grant`)"
    )]
    KeyNotPermitted {
        /// `operator` or `checkpoint`.
        role: &'static str,
        /// The key's id.
        key: String,
    },
    /// The store cannot be read, or contradicts itself.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first record could not be written.
    #[error("the registry could not be created: {0}")]
    Create(#[from] WriteError),
}
