//! What a registry's whole log can be found to be wrong in.

use wargate_crypto::{Digest, KeyId};
use wargate_protocol::verify::{Evidence, PlacedEnvelope};
use wargate_protocol::{
    InvalidRecord, LogId, LogLength, RecordError, RecordId, RegistryIndex, SignedCheckpoint,
};

use crate::error::Error;
use crate::evidence;
use crate::remote::Remote;
use crate::seams::{Event, State};

/// What contradicts what a registry signed, or itself.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Finding {
    /// The ledger is no ledger, or not all of it.
    #[error("the ledger {0}")]
    Ledger(String),
    /// The ledger is not that of the log.
    #[error("the ledger of {length} records makes the log's root {found}, and {signed} was signed")]
    LogRoot {
        /// The length.
        length: LogLength,
        /// What the checkpoint says.
        signed: Digest,
        /// What the ledger makes.
        found: Digest,
    },
    /// The map is not that of the log.
    #[error("the log of {length} records makes the map's root {found}, and {signed} was signed")]
    MapRoot {
        /// The length.
        length: LogLength,
        /// What the checkpoint says.
        signed: Digest,
        /// What the log makes.
        found: Digest,
    },
    /// A record that the ledger has does not come.
    #[error("the log {log} comes without its record {index}")]
    MissingRecord {
        /// The log.
        log: LogId,
        /// The record's position.
        index: RegistryIndex,
    },
    /// A record comes where the ledger has another one, or one of another log.
    #[error("the record {record} comes as number {index}, of the log {log}, and is not that")]
    SpareRecord {
        /// The log.
        log: LogId,
        /// The position that it is said to have.
        index: RegistryIndex,
        /// The record.
        record: RecordId,
    },
    /// A record cannot be decoded.
    #[error("record {index} of the log {log} cannot be decoded: {reason}")]
    Undecodable {
        /// The log.
        log: LogId,
        /// The position.
        index: RegistryIndex,
        /// Why.
        reason: RecordError,
    },
    /// A record breaks a rule of its log: it is signed by nobody who may, say.
    #[error("record {index} of the log {log} is invalid: {reason}")]
    InvalidRecord {
        /// The log.
        log: LogId,
        /// The position.
        index: RegistryIndex,
        /// The first rule that it breaks.
        reason: InvalidRecord,
    },
    /// What was believed to be a log's newest record is none of its records.
    #[error("the record that was the newest of the log {log} has gone")]
    Rewritten {
        /// The log.
        log: LogId,
    },
    /// The first record is not the operator's.
    #[error("the log does not begin with a record of the operator log")]
    Beginning,
    /// A name is not that of its log.
    #[error("the log {log} is said to be that of another package, `{name}`")]
    WrongName {
        /// The log.
        log: LogId,
        /// The name, tame.
        name: String,
    },
    /// A checkpoint that came another way is not one of the registry's.
    #[error("the checkpoint that was given is not the registry's: {0}")]
    NotItsCheckpoint(String),
    /// The registry signs no newer checkpoint.
    #[error(
        "the newest checkpoint is of second {timestamp}; {ticks} looks later there is no newer one"
    )]
    Still {
        /// When it was signed.
        timestamp: u64,
        /// How often there was none.
        ticks: u32,
    },
}

impl Finding {
    /// A word for programs, which stays what it is.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ledger(_) => "bad-ledger",
            Self::LogRoot { .. } => "wrong-log-root",
            Self::MapRoot { .. } => "wrong-map-root",
            Self::MissingRecord { .. } => "missing-record",
            Self::SpareRecord { .. } => "spare-record",
            Self::Undecodable { .. } => "undecodable-record",
            Self::InvalidRecord { .. } => "invalid-record",
            Self::Rewritten { .. } => "rewritten-log",
            Self::Beginning => "wrong-beginning",
            Self::WrongName { .. } => "wrong-name",
            Self::NotItsCheckpoint(_) => "not-its-checkpoint",
            Self::Still { .. } => "no-newer-checkpoint",
        }
    }

    /// Whether the checkpoint's signature makes it the registry's deed.
    ///
    /// Leaves that make the root that was signed and another map than the one that was signed convict
    /// it. A record does not: its id covers neither the signer nor the signature, so whoever answers can
    /// spoil a good one.
    const fn convicts(&self) -> bool {
        matches!(self, Self::MapRoot { .. })
    }

    const fn log(&self) -> Option<LogId> {
        match self {
            Self::MissingRecord { log, .. }
            | Self::SpareRecord { log, .. }
            | Self::Undecodable { log, .. }
            | Self::InvalidRecord { log, .. }
            | Self::Rewritten { log }
            | Self::WrongName { log, .. } => Some(*log),
            _ => None,
        }
    }
}

/// Something that was found, with the record that shows it.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) finding: Finding,
    pub(crate) record: Option<PlacedEnvelope>,
}

impl From<Finding> for Found {
    fn from(finding: Finding) -> Self {
        Self { finding, record: None }
    }
}

/// Why a registry could not be verified.
#[derive(Debug)]
pub(crate) enum Flaw {
    Found(Box<Found>),
    Failed(Box<Error>),
}

impl From<Finding> for Flaw {
    fn from(finding: Finding) -> Self {
        Self::Found(Box::new(finding.into()))
    }
}

impl From<Found> for Flaw {
    fn from(found: Found) -> Self {
        Self::Found(Box::new(found))
    }
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

impl Flaw {
    /// A word for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Found(found) => found.finding.code(),
            Self::Failed(error) => error.code(),
        }
    }
}

/// What something was found under.
pub(crate) struct Scene<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) state: &'a dyn State,
    pub(crate) offered: &'a SignedCheckpoint,
    pub(crate) seen: Option<&'a SignedCheckpoint>,
    pub(crate) operator_key: Option<&'a KeyId>,
}

impl Scene<'_> {
    /// The error, without evidence.
    pub(crate) fn bare(&self, flaw: Flaw) -> Error {
        self.error(flaw, false)
    }

    /// The error. What shows a finding is kept.
    pub(crate) fn keep(&self, flaw: Flaw) -> Error {
        self.error(flaw, true)
    }

    fn error(&self, flaw: Flaw, keep: bool) -> Error {
        let Found { finding, record } = match flaw {
            Flaw::Found(found) => *found,
            Flaw::Failed(error) => return *error,
        };
        let convicted = finding.convicts().then(|| self.offered.key_id.clone());
        let evidence = Evidence {
            summary: finding.to_string(),
            offered: self.offered.clone(),
            seen: self.seen.cloned(),
            log_id: finding.log(),
            record,
            proofs: None,
        };
        let kept = if keep { self.kept(convicted.clone(), &evidence) } else { None };
        let registry = self.remote.domain().clone();
        Error::Finding { registry, finding: Box::new(finding), convicted, evidence: kept }
    }

    fn kept(&self, convicted: Option<KeyId>, evidence: &Evidence) -> Option<evidence::EvidenceId> {
        let (url, now) = (self.remote.named(), self.remote.exchange().clock.now());
        let operator_key = self.operator_key.cloned();
        let kept = evidence::keep_piece(self.state, url, operator_key, now, convicted, evidence);
        kept.unwrap_or_else(|error| {
            let message = format!("the evidence could not be kept: {error}");
            self.remote.exchange().observer.event(Event::Warning { message: &message });
            None
        })
    }
}
