//! What can go wrong, whose fault it is, and what to do about it.

#[cfg(any(test, feature = "examples"))]
mod examples;

use std::time::Duration;

use wargate_api::publish::PackageError;
use wargate_component::lock::PackageId;
use wargate_component::solve::Conflict;
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::verify::{Culprit, Fault, Misbehaviour};
use wargate_protocol::{CheckpointError, LogLength, Namespace, PackageName, RecordId, Version};

#[cfg(any(test, feature = "examples"))]
pub use self::examples::examples;
use crate::client::Selector;
use crate::evidence::EvidenceId;
use crate::origin::{Domain, DomainError, RegistryUrlError};
use crate::question::Question;
use crate::seams::{CacheError, SecretError, StateError, TransportError};
use crate::verify::Finding;

/// A release that has other content than a lock says.
#[derive(Clone, Debug, thiserror::Error)]
#[error("`{release}` is locked to {locked}, and {registry} has {found}")]
pub struct NotAsLocked {
    /// The registry.
    pub registry: Domain,
    /// The release.
    pub release: PackageId,
    /// The digest that the lock has.
    pub locked: Digest,
    /// The digest that the registry's log has.
    pub found: Digest,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A registry's answer contradicts the protocol or an earlier answer. State and cache are what they
    /// were.
    #[error("{registry}: {source}")]
    Misbehaviour {
        /// The registry.
        registry: Domain,
        /// Who did what.
        source: Box<Misbehaviour>,
        /// What was kept as evidence; `None` if it could not be kept.
        evidence: Option<EvidenceId>,
    },
    /// What a registry shows of its whole log contradicts what it signed, or itself. State and cache are
    /// what they were.
    #[error("{registry}: {finding}")]
    Finding {
        /// The registry.
        registry: Domain,
        /// What is wrong.
        finding: Box<Finding>,
        /// The key with which the registry convicted itself.
        convicted: Option<wargate_crypto::KeyId>,
        /// What was kept as evidence; `None` if it could not be kept.
        evidence: Option<EvidenceId>,
    },
    /// An answer has not the form that the protocol demands, or breaks a limit.
    #[error("{registry}: {what}: {reason}")]
    BadAnswer {
        /// The registry.
        registry: Domain,
        /// Which answer.
        what: &'static str,
        /// What is wrong with it; for people, free of control characters.
        reason: String,
    },
    /// What came is not what its digest says, from none of the places that the registry named.
    #[error("{registry}: the content that came for {digest} is not that: {reason}")]
    WrongContent {
        /// The registry.
        registry: Domain,
        /// The digest.
        digest: AnyDigest,
        /// What came instead.
        reason: String,
    },
    /// The registry does not have the content of a digest, or does not say where it is.
    #[error("{registry} does not have the content {digest}")]
    NoContent {
        /// The registry.
        registry: Domain,
        /// The digest.
        digest: AnyDigest,
    },
    /// The registry cannot be reached.
    #[error("{registry} cannot be reached: {source}")]
    Unreachable {
        /// The registry.
        registry: Domain,
        /// Why.
        source: TransportError,
    },
    /// The registry is there and cannot answer now, or answers with an error of its own.
    #[error("{registry} fails with status {status}: {message}")]
    Unavailable {
        /// The registry.
        registry: Domain,
        /// The HTTP status.
        status: u16,
        /// For people, free of control characters.
        message: String,
        /// When the registry says it can be asked again.
        retry_after: Option<Duration>,
    },
    /// The registry wants to know who asks.
    #[error("{registry} does not let you do this: {message}")]
    Unauthorized {
        /// The registry.
        registry: Domain,
        /// For people, free of control characters.
        message: String,
    },
    /// The registry has no such package.
    #[error("{registry} has no package `{package}`")]
    UnknownPackage {
        /// The registry.
        registry: Domain,
        /// The package.
        package: PackageName,
        /// Names that are known and look like it, best first.
        similar: Vec<PackageName>,
    },
    /// The package has no release that fits.
    #[error("`{package}` has no release that fits `{wanted}`")]
    NoSuchRelease {
        /// The package.
        package: PackageName,
        /// What was asked for.
        wanted: Selector,
        /// The versions that it has and that were not yanked, highest first.
        available: Vec<Version>,
    },
    /// No choice of releases answers all imports.
    #[error("the imports cannot be satisfied together: {0}")]
    Conflict(Box<Conflict>),
    /// Whether any choice of releases answers all imports cannot be found out.
    #[error("{0}")]
    Unsolvable(String),
    /// A release has other content than a lock says, by a verified log, in which that cannot change: the
    /// lock is of another registry, or somebody has changed it.
    #[error("{0}")]
    NotAsLocked(Box<NotAsLocked>),
    /// The content of a release imports other packages than a lock says: somebody has changed the lock, or
    /// the registry did not tell the truth when it was made.
    #[error("`{release}` imports other packages than the lock says")]
    OtherImports {
        /// The release.
        release: Box<PackageId>,
    },
    /// A registry does not show that its log goes on from the state that a lock was made from.
    #[error(
        "{registry} does not show that its log goes on from the {length} records that the lock was \
         made from: {reason}"
    )]
    OtherLog {
        /// The registry.
        registry: Domain,
        /// The length of the log that the lock was made from.
        length: LogLength,
        /// What is wrong.
        reason: String,
    },
    /// The release was withdrawn.
    #[error("`{package}@{version}` was yanked")]
    Yanked {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
    /// The version is released with other content.
    #[error("`{package}@{version}` is released already, with other content ({digest})")]
    AlreadyReleased {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// The content that it has; `None` if it was yanked.
        digest: YankedOr,
    },
    /// The package exists, and was to be created.
    #[error("`{0}` exists already")]
    AlreadyInitialised(PackageName),
    /// The registry does not define the namespace.
    #[error("{registry} does not define the namespace `{namespace}`")]
    UnknownNamespace {
        /// The registry.
        registry: Domain,
        /// The namespace.
        namespace: Namespace,
    },
    /// The namespace belongs to another registry.
    #[error("the namespace `{namespace}` belongs to {owner}, not to {registry}")]
    ImportedNamespace {
        /// The registry that was asked.
        registry: Domain,
        /// The namespace.
        namespace: Namespace,
        /// The registry that it belongs to; `another registry` if that is not known.
        owner: String,
    },
    /// The key that signs may not do this to the package.
    #[error("the key {key_id} may not {action} `{package}`")]
    NotPermitted {
        /// The key.
        key_id: wargate_crypto::KeyId,
        /// What it may not do: `release to`, `yank versions of`, …
        action: &'static str,
        /// The package.
        package: PackageName,
        /// The keys that may.
        holders: Vec<wargate_crypto::KeyId>,
    },
    /// The registry refuses the record, for good.
    #[error("{registry} rejects the record {record}: {reason}")]
    Rejected {
        /// The registry.
        registry: Domain,
        /// The record.
        record: RecordId,
        /// For people, free of control characters.
        reason: String,
    },
    /// The registry answers a publish with an error that has no variant of its own here.
    #[error("{registry}: {source}")]
    Publish {
        /// The registry.
        registry: Domain,
        /// What it says.
        source: PackageError,
    },
    /// The registry has not finished a record in the time that there was.
    #[error("{registry} has not finished the record {record} of `{package}` yet")]
    StillWaiting {
        /// The registry.
        registry: Domain,
        /// The package.
        package: PackageName,
        /// The record.
        record: RecordId,
    },
    /// The registry has no such record of the package: it was never submitted there, or its id is
    /// mistyped.
    #[error("{registry} has no record {record} of `{package}`")]
    UnknownRecord {
        /// The registry.
        registry: Domain,
        /// The package.
        package: PackageName,
        /// The record.
        record: RecordId,
    },
    /// It would need the network.
    #[error("{0} is not at hand, and the network is not to be used")]
    Offline(String),
    /// There is no key to sign with.
    #[error("there is no key to sign with for {0}")]
    NoSigningKey(Domain),
    /// No registry is named or configured.
    #[error("no registry is given")]
    NoRegistry,
    /// The caller has to decide something first. See [`Question`].
    #[error("{0}")]
    Undecided(Question),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Usage(String),
    /// A file that was to be published cannot be read or used.
    #[error("{0}")]
    Content(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] crate::config::ConfigError),
    /// A name of a registry is wrong.
    #[error(transparent)]
    Domain(#[from] DomainError),
    /// A URL of a registry is wrong.
    #[error(transparent)]
    Url(#[from] RegistryUrlError),
    /// What the client remembers cannot be read or written.
    #[error("what is remembered of registries: {0}")]
    State(#[from] StateError),
    /// What the client remembers is damaged.
    #[error("what is remembered as `{key}` is damaged: {reason}")]
    Damaged {
        /// Where.
        key: String,
        /// How.
        reason: String,
    },
    /// The cache cannot be read or written.
    #[error("the content cache: {0}")]
    Cache(#[from] CacheError),
    /// A secret cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// The content of a release, if it was not yanked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YankedOr(pub Option<Digest>);

impl std::fmt::Display for YankedOr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(digest) => digest.fmt(f),
            None => f.write_str("yanked"),
        }
    }
}

/// Whose fault it is, which decides what helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user's: the command, the configuration or a file.
    Usage,
    /// Nobody's: there is no such thing.
    NotFound,
    /// A permission or a credential is missing.
    Denied,
    /// The network or a server: later may help.
    Unavailable,
    /// A server lied, or somebody between.
    Untrusted,
    /// This machine: disk, files, permissions.
    Local,
    /// The registry refuses what was to be published.
    Rejected,
}

impl Error {
    /// Whose fault it is.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Misbehaviour { .. }
            | Self::Finding { .. }
            | Self::BadAnswer { .. }
            | Self::WrongContent { .. }
            | Self::OtherLog { .. } => Kind::Untrusted,
            Self::Unreachable { .. } | Self::Unavailable { .. } | Self::StillWaiting { .. } => {
                Kind::Unavailable
            }
            Self::Unauthorized { .. } | Self::NotPermitted { .. } | Self::NoSigningKey(_) => {
                Kind::Denied
            }
            Self::UnknownPackage { .. }
            | Self::NoSuchRelease { .. }
            | Self::Yanked { .. }
            | Self::Conflict(_)
            | Self::Unsolvable(_)
            | Self::NoContent { .. }
            | Self::UnknownRecord { .. }
            | Self::UnknownNamespace { .. }
            | Self::ImportedNamespace { .. }
            | Self::Offline(_) => Kind::NotFound,
            Self::Rejected { .. }
            | Self::Publish { .. }
            | Self::AlreadyReleased { .. }
            | Self::AlreadyInitialised(_) => Kind::Rejected,
            Self::NoRegistry
            | Self::Undecided(_)
            | Self::Usage(_)
            | Self::Content(_)
            | Self::Config(_)
            | Self::NotAsLocked(_)
            | Self::OtherImports { .. }
            | Self::Domain(_)
            | Self::Url(_) => Kind::Usage,
            Self::State(_) | Self::Damaged { .. } | Self::Cache(_) | Self::Secret(_) => Kind::Local,
        }
    }

    /// A word for programs, which stays what it is. A misbehaviour's says which one.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Misbehaviour { source, .. } => fault_code(&source.fault),
            Self::Finding { finding, .. } => finding.code(),
            Self::BadAnswer { .. } => "bad-answer",
            Self::WrongContent { .. } => "wrong-content",
            Self::NoContent { .. } => "no-content",
            Self::Unreachable { .. } => "unreachable",
            Self::Unavailable { .. } => "unavailable",
            Self::Unauthorized { .. } => "unauthorized",
            Self::UnknownPackage { .. } => "unknown-package",
            Self::NoSuchRelease { .. } => "no-such-release",
            Self::NotAsLocked(_) => "not-as-locked",
            Self::OtherLog { .. } => "other-log",
            Self::OtherImports { .. } => "other-imports",
            Self::Yanked { .. } => "yanked",
            Self::Conflict(_) => "conflict",
            Self::Unsolvable(_) => "unsolvable",
            Self::AlreadyReleased { .. } => "already-released",
            Self::AlreadyInitialised(_) => "already-initialised",
            Self::UnknownNamespace { .. } => "unknown-namespace",
            Self::ImportedNamespace { .. } => "imported-namespace",
            Self::NotPermitted { .. } => "not-permitted",
            Self::Rejected { .. } => "rejected",
            Self::Publish { .. } => "publish-refused",
            Self::StillWaiting { .. } => "still-waiting",
            Self::UnknownRecord { .. } => "unknown-record",
            Self::Offline(_) => "offline",
            Self::NoSigningKey(_) => "no-signing-key",
            Self::NoRegistry => "no-registry",
            Self::Undecided(_) => "undecided",
            Self::Usage(_) => "usage",
            Self::Content(_) => "content",
            Self::Config(_) => "config",
            Self::Domain(_) => "registry-name",
            Self::Url(_) => "registry-url",
            Self::State(_) => "state",
            Self::Damaged { .. } => "damaged-state",
            Self::Cache(_) => "cache",
            Self::Secret(_) => "secret",
        }
    }

    /// Who lied, if somebody did: `registry` if it convicted itself, else `server`.
    pub const fn culprit(&self) -> Option<&'static str> {
        match self {
            Self::Misbehaviour { source, .. } => Some(match source.culprit {
                Culprit::Registry { .. } => "registry",
                Culprit::Server => "server",
            }),
            Self::Finding { convicted: Some(_), .. } => Some("registry"),
            Self::Finding { .. }
            | Self::BadAnswer { .. }
            | Self::WrongContent { .. }
            | Self::OtherLog { .. } => Some("server"),
            _ => None,
        }
    }

    /// The registry, if it is on this machine and is not the one that was there before, or an older
    /// state of it. Whoever operates it may have started it anew on purpose, and can make the client
    /// forget what was. Of a registry that is elsewhere nobody should be told to do that lightly.
    pub fn may_be_anew(&self) -> Option<&Domain> {
        let Self::Misbehaviour { registry, source, .. } = self else { return None };
        let is_other = matches!(
            source.fault,
            Fault::Rollback { .. }
                | Fault::Fork { .. }
                | Fault::Inconsistent { .. }
                | Fault::InvalidRecord { .. }
                | Fault::UntrustedOperator { .. }
                | Fault::MissingLog { .. }
                | Fault::Checkpoint(CheckpointError::UnknownKey)
        );
        let is_here = || registry.to_url().is_ok_and(|url| url.is_loopback());
        (is_other && is_here()).then_some(registry)
    }

    /// What was kept as evidence.
    pub const fn evidence(&self) -> Option<&EvidenceId> {
        match self {
            Self::Misbehaviour { evidence, .. } | Self::Finding { evidence, .. } => {
                evidence.as_ref()
            }
            _ => None,
        }
    }
}

const fn fault_code(fault: &Fault) -> &'static str {
    match fault {
        Fault::Rollback { .. } => "rollback",
        Fault::Fork { .. } => "fork",
        Fault::Inconsistent { .. } => "inconsistent",
        Fault::Stale { .. } => "stale-checkpoint",
        Fault::Early { .. } => "early-checkpoint",
        Fault::EmptyLog => "empty-log",
        Fault::UntrustedOperator { .. } => "untrusted-operator",
        Fault::Checkpoint(_) => "bad-checkpoint",
        Fault::Undecodable { .. } => "undecodable-record",
        Fault::InvalidRecord { .. } => "invalid-record",
        Fault::Misplaced { .. } => "misplaced-record",
        Fault::Unrequested { .. } => "unrequested-log",
        Fault::MissingLog { .. } => "missing-log",
        Fault::NotInLog(_) => "not-in-log",
        Fault::NotInMap(_) => "not-in-map",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[test]
    fn every_error_says_what_it_is_to_people_and_to_programs() {
        let (mut kinds, mut messages) = (BTreeMap::new(), BTreeSet::new());
        for error in examples() {
            let (code, message) = (error.code(), error.to_string());
            assert!(code.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase()), "{code}");
            assert!(message.len() > 8 && !message.ends_with('.'), "{code}: {message}");
            assert!(!message.contains(char::is_control), "{code}: {message}");
            // A code is of one kind. Two lies may have one code, if one thing shows them.
            assert_eq!(*kinds.entry(code).or_insert(error.kind()), error.kind(), "{code}");
            let is_lie = error.kind() == Kind::Untrusted;
            assert_eq!(error.culprit().is_some(), is_lie, "{code}");
            assert!(error.evidence().is_none() || is_lie, "{code}");
            messages.insert(message);
        }
        assert_eq!(kinds.len(), 61, "{:?}", kinds.keys());
        let culprits: BTreeSet<_> = examples().iter().filter_map(Error::culprit).collect();
        assert_eq!(culprits, ["registry", "server"].into());
    }
}
