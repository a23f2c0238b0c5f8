//! Who misbehaved, how, and what shows it.

use std::fmt;

use serde::{Deserialize, Serialize};
use wargate_crypto::{KeyId, Signature};
use wargate_transparency::log;
use wargate_transparency::map::MapBundleError;

use crate::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::envelope::SignedEnvelope;
use crate::id::{LogId, LogLength, RegistryIndex};
use crate::kind::Operator;
use crate::record::RecordError;
use crate::state::{InvalidRecord, LogView};

/// An answer that contradicts the protocol, or another answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{culprit}: {fault}")]
pub struct Misbehaviour {
    /// Who did it, as far as that can be known.
    pub culprit: Culprit,
    /// What is wrong.
    #[source]
    pub fault: Fault,
    /// What shows it.
    pub evidence: Evidence,
}

/// Who misbehaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The registry: it signed two different states of one length, which the evidence shows to anybody
    /// who knows the operator log.
    Registry {
        /// The key that signed the later statement.
        key_id: KeyId,
    },
    /// Whoever answered: the registry, or something between. Nothing signed proves it, so asking
    /// again, or over another way, may help.
    Server,
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { key_id } => {
                write!(f, "the registry contradicts itself under its key {key_id}")
            }
            Self::Server => f.write_str("the server's answer cannot be believed"),
        }
    }
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The checkpoint is shorter than one seen before.
    #[error("the log has {offered} records, but had {seen} before")]
    Rollback {
        /// The length seen before.
        seen: LogLength,
        /// The length offered.
        offered: LogLength,
    },
    /// Two checkpoints of one length have different roots.
    #[error("there are two different states of the log at length {length}")]
    Fork {
        /// The length.
        length: LogLength,
    },
    /// The log is not shown to be an extension of the one seen before.
    #[error("the log of length {to} is not shown to extend the one of length {from}: {reason}")]
    Inconsistent {
        /// The length seen before.
        from: LogLength,
        /// The length offered.
        to: LogLength,
        /// What is wrong with the proof.
        reason: ProofFault,
    },
    /// The checkpoint was signed too long ago.
    #[error("the checkpoint is of second {timestamp}, before second {not_before}")]
    Stale {
        /// When it was signed, in seconds since the Unix epoch.
        timestamp: u64,
        /// The oldest time that is acceptable, likewise.
        not_before: u64,
    },
    /// The checkpoint was signed in the future.
    #[error("the checkpoint is of second {timestamp}, after second {not_after}")]
    Early {
        /// When it was signed, in seconds since the Unix epoch.
        timestamp: u64,
        /// The latest time that is acceptable, likewise.
        not_after: u64,
    },
    /// The checkpoint is of an empty log, which no registry ever signs.
    #[error("the checkpoint is of an empty log")]
    EmptyLog,
    /// The operator log begins with a key that is not trusted.
    #[error("the operator log begins with the key {found}, which is not trusted")]
    UntrustedOperator {
        /// The key.
        found: KeyId,
    },
    /// The checkpoint is not signed with a key that may sign checkpoints.
    #[error("{0}")]
    Checkpoint(CheckpointError<std::convert::Infallible>),
    /// A record is no record of its log's kind.
    #[error("record {index} of the log {log} cannot be decoded: {reason}")]
    Undecodable {
        /// The log that it was said to be of.
        log: LogId,
        /// Its position in the registry log.
        index: RegistryIndex,
        /// Why.
        reason: RecordError,
    },
    /// A record breaks a rule of its log.
    #[error("record {index} of the log {log} is invalid: {reason}")]
    InvalidRecord {
        /// The log that it was said to be of.
        log: LogId,
        /// Its position in the registry log.
        index: RegistryIndex,
        /// The first rule that it breaks.
        reason: InvalidRecord,
    },
    /// A record stands where it cannot: not behind the one before, beyond the checkpoint, or first in
    /// the registry without being the first operator record.
    #[error("record {index} of the log {log} is out of order, or beyond the checkpoint")]
    Misplaced {
        /// The log.
        log: LogId,
        /// The position.
        index: RegistryIndex,
    },
    /// Records of a log came that was not asked for.
    #[error("records of the log {log} came, which was not asked for")]
    Unrequested {
        /// The log.
        log: LogId,
    },
    /// A log that was asked for has no records.
    #[error("the log {log} came without records")]
    MissingLog {
        /// The log.
        log: LogId,
    },
    /// The newest records are not shown to be in the log.
    #[error("the newest records are not shown to be in the log: {0}")]
    NotInLog(ProofFault),
    /// The newest records are not shown to be the newest ones of their logs.
    #[error("the newest records are not shown to be in the map: {0}")]
    NotInMap(MapBundleError),
}

/// What is wrong with a proof about the log.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProofFault {
    /// None came.
    #[error("there is no proof")]
    Missing,
    /// The lengths or positions are beyond what a log can have.
    #[error("no log is that long")]
    OutOfRange,
    /// It is no bundle.
    #[error(transparent)]
    Undecodable(#[from] log::BundleDecodeError),
    /// It proves something else, or nothing.
    #[error(transparent)]
    Wrong(#[from] log::VerifyError),
}

impl From<log::OutOfRange> for ProofFault {
    fn from(_: log::OutOfRange) -> Self {
        Self::OutOfRange
    }
}

/// A record as a registry handed it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "FlatEnvelope")]
pub struct PlacedEnvelope {
    /// The record.
    #[serde(flatten)]
    pub envelope: SignedEnvelope,
    /// Its position in the registry log.
    pub registry_index: RegistryIndex,
}

/// How it is read. Reading into a flattened member would keep all that a stranger adds, at many times
/// its size.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatEnvelope {
    #[serde(with = "crate::base64")]
    content_bytes: Vec<u8>,
    key_id: KeyId,
    signature: Signature,
    registry_index: RegistryIndex,
}

impl From<FlatEnvelope> for PlacedEnvelope {
    fn from(flat: FlatEnvelope) -> Self {
        let FlatEnvelope { content_bytes, key_id, signature, registry_index } = flat;
        Self { envelope: SignedEnvelope::new(content_bytes, key_id, signature), registry_index }
    }
}

/// The registry's proofs, as they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProofBytes {
    /// The log bundle with the inclusion of the newest records.
    #[serde(with = "crate::base64", skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<u8>,
    /// The map bundle with the same.
    #[serde(with = "crate::base64", skip_serializing_if = "Vec::is_empty")]
    pub map: Vec<u8>,
    /// Of each length that was seen before the log bundle with its consistency.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consistency: Vec<ConsistencyBytes>,
}

/// The registry's proof of consistency, as it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyBytes {
    /// The earlier length.
    pub from: LogLength,
    /// The log bundle.
    #[serde(with = "crate::base64")]
    pub proof: Vec<u8>,
}

/// What shows a misbehaviour, to be kept and handed on.
///
/// It has what the registry said, not what it was compared with: whoever checks it needs the
/// registry's operator log, and for a record the log that it was for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// What is wrong, for people.
    pub summary: String,
    /// The checkpoint offered.
    pub offered: SignedCheckpoint,
    /// The checkpoint seen before that it contradicts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<SignedCheckpoint>,
    /// The log of the record at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_id: Option<LogId>,
    /// The record at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<PlacedEnvelope>,
    /// The proofs at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proofs: Option<ProofBytes>,
}

impl Evidence {
    /// The key that signed the offered checkpoint, if the two checkpoints alone convict the registry:
    /// both are well signed, and are different states of one length.
    ///
    /// A shorter log that is signed later convicts nobody: the registry's clock may have been set.
    /// `seen` and `offered` are the operator log as of the two checkpoints, which need not be the same
    /// one: a registry that forks its log may fork its operator log too.
    pub fn fork<S, O>(&self, seen: &S, offered: &O) -> Option<&KeyId>
    where
        S: LogView<Operator>,
        O: LogView<Operator>,
    {
        let before = self.seen.as_ref()?;
        let signed = before.clone().verify(seen).is_ok();
        (signed && self.is_fork_from_believed(offered)).then_some(&self.offered.key_id)
    }

    /// [`Self::fork`], where the checkpoint seen is one that is believed already.
    pub(super) fn is_fork_from_believed<V: LogView<Operator>>(&self, offered: &V) -> bool {
        let (after, before) = (self.offered.contents.checkpoint, self.seen.as_ref());
        let before = before.map(|seen| seen.contents.checkpoint);
        before.is_some_and(|before| before.log_length == after.log_length && before != after)
            && self.offered.clone().verify(offered).is_ok()
    }
}
