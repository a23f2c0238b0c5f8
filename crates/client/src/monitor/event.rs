//! What a monitor tells.

use std::fmt;

use serde::Serialize;
use wargate_crypto::KeyId;
use wargate_protocol::{
    Entry, LogLength, OperatorAction, OperatorEntry, OperatorPermission, Permission, RegistryIndex,
    SignedCheckpoint,
};

use crate::error::Error;
use crate::evidence::EvidenceId;
use crate::origin::Domain;
use crate::verify::{OperatorStep, Tally, counted};

/// Something that happened. It serialises as one flat object with the member `event`, which says what.
#[derive(Clone, Debug, Serialize)]
pub struct MonitorEvent {
    /// Where.
    pub registry: Domain,
    /// When, by this machine's clock, in seconds since the Unix epoch.
    pub time: i64,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "camelCase", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum Happening {
    /// The first look succeeded.
    Started {
        /// The key that signed the registry's first record.
        #[serde(skip_serializing_if = "Option::is_none")]
        operator_key: Option<KeyId>,
        /// The keys that may sign checkpoints.
        checkpoint_keys: Vec<KeyId>,
        /// How many records were known from before.
        known_length: LogLength,
    },
    /// There are new records, and all is as it should be.
    Verified {
        /// The checkpoint.
        checkpoint: SignedCheckpoint,
        /// New records.
        records: u64,
        /// Logs that they are in.
        logs: u64,
        /// New packages among these.
        packages: u64,
        /// Releases among the records.
        releases: u64,
        /// Withdrawals of releases among them.
        yanks: u64,
    },
    /// There is nothing new, and all is as it should be.
    Unchanged {
        /// The length of the log.
        length: LogLength,
        /// When its checkpoint was signed, in seconds since the Unix epoch.
        timestamp: u64,
    },
    /// The operator changed who may do what, or which namespaces there are. It may, and who follows the
    /// registry should know.
    Operator {
        /// The record's position.
        registry_index: RegistryIndex,
        /// The key that signed it.
        signed_by: KeyId,
        /// What changed.
        change: OperatorChange,
    },
    /// Something is wrong.
    Alarm {
        /// What, for programs.
        code: String,
        /// What, for people.
        message: String,
        /// `registry` if the registry convicted itself, `server` if it may be somebody between.
        culprit: &'static str,
        /// The evidence that was kept.
        #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
        evidence: Option<EvidenceId>,
    },
    /// What is wrong still is.
    Persisting {
        /// What, for programs.
        code: String,
        /// What, for people.
        message: String,
    },
    /// What was wrong is not any more: the registry goes on from what was verified last.
    Recovered {
        /// What it was.
        code: String,
    },
    /// The registry cannot be asked.
    Unavailable {
        /// Why, for programs.
        code: String,
        /// Why, for people.
        message: String,
    },
    /// Something about this monitor.
    Warning {
        /// What, for people.
        message: String,
    },
}

/// A change of the operator log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum OperatorChange {
    /// The log begins.
    Initialised {
        /// With this key.
        key_id: KeyId,
    },
    /// A key got permissions.
    Granted {
        /// The key.
        key_id: KeyId,
        /// Which.
        permissions: Vec<&'static str>,
    },
    /// A key lost permissions.
    Revoked {
        /// The key.
        key_id: KeyId,
        /// Which.
        permissions: Vec<&'static str>,
    },
    /// There is a new namespace.
    NamespaceDefined {
        /// The namespace.
        namespace: String,
    },
    /// A namespace is another registry's.
    NamespaceImported {
        /// The namespace.
        namespace: String,
        /// The other registry, free of control characters.
        from: String,
    },
}

#[expect(clippy::ref_option, reason = "serde wants it")]
fn as_text<S: serde::Serializer>(
    id: &Option<EvidenceId>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match id {
        Some(id) => serializer.collect_str(id),
        None => serializer.serialize_none(),
    }
}

impl Happening {
    /// Whether somebody should look at it.
    pub const fn is_alarm(&self) -> bool {
        matches!(self, Self::Alarm { .. })
    }

    /// Whether it says only that nothing has changed.
    pub const fn is_quiet(&self) -> bool {
        matches!(self, Self::Unchanged { .. } | Self::Persisting { .. })
    }
}

pub(super) fn verified(checkpoint: SignedCheckpoint, tally: &Tally) -> Happening {
    let Tally { records, logs, packages, releases, yanks, .. } = *tally;
    Happening::Verified { checkpoint, records, logs, packages, releases, yanks }
}

pub(super) fn alarm(error: &Error) -> Happening {
    Happening::Alarm {
        code: error.code().to_owned(),
        message: error.to_string(),
        culprit: error.culprit().unwrap_or("server"),
        evidence: error.evidence().cloned(),
    }
}

pub(super) fn operator_changes(step: &OperatorStep) -> impl Iterator<Item = Happening> {
    step.entries.iter().map(|entry| Happening::Operator {
        registry_index: step.index,
        signed_by: step.key_id.clone(),
        change: change(entry),
    })
}

fn change(entry: &OperatorEntry) -> OperatorChange {
    let names = |permissions: &[OperatorPermission]| {
        permissions.iter().map(|permission| permission.name()).collect()
    };
    match entry {
        Entry::Init { key, .. } => OperatorChange::Initialised { key_id: key.id() },
        Entry::Grant { key, permissions } => {
            OperatorChange::Granted { key_id: key.id(), permissions: names(permissions) }
        }
        Entry::Revoke { key_id, permissions } => {
            OperatorChange::Revoked { key_id: key_id.clone(), permissions: names(permissions) }
        }
        Entry::Action(OperatorAction::DefineNamespace { namespace }) => {
            OperatorChange::NamespaceDefined { namespace: namespace.clone() }
        }
        Entry::Action(OperatorAction::ImportNamespace { namespace, registry }) => {
            let from = crate::text::tame(registry);
            OperatorChange::NamespaceImported { namespace: namespace.clone(), from }
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { operator_key, known_length, .. } => {
                f.write_str("watching")?;
                if let Some(key) = operator_key {
                    write!(f, " the registry of {key}")?;
                }
                if *known_length > LogLength::EMPTY {
                    write!(f, ", from record {known_length} on")?;
                }
                Ok(())
            }
            Self::Verified { checkpoint, records, logs, releases, .. } => {
                let length = checkpoint.contents.checkpoint.log_length.get();
                write!(
                    f,
                    "{} in {}, {}: all valid and in place; the roots of {} are those that were \
                     signed",
                    counted(*records, "new record", "new records"),
                    counted(*logs, "log", "logs"),
                    counted(*releases, "release", "releases"),
                    counted(length, "record", "records"),
                )
            }
            Self::Unchanged { length, timestamp } => {
                let records = counted(length.get(), "record", "records");
                write!(f, "nothing new; {records}, signed at second {timestamp}")
            }
            Self::Operator { registry_index, signed_by, change } => {
                write!(f, "{change} (record {registry_index}, signed by {signed_by})")
            }
            Self::Alarm { message, evidence, .. } => {
                write!(f, "ALARM: {message}")?;
                match evidence {
                    Some(evidence) => write!(f, " (evidence: {evidence})"),
                    None => Ok(()),
                }
            }
            Self::Persisting { message, .. } => write!(f, "still wrong: {message}"),
            Self::Recovered { code } => {
                write!(f, "`{code}` is over: the registry goes on from what was verified")
            }
            Self::Unavailable { message, .. } => write!(f, "cannot be asked: {message}"),
            Self::Warning { message } => f.write_str(message),
        }
    }
}

impl fmt::Display for OperatorChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Initialised { key_id } => write!(f, "the operator log begins with {key_id}"),
            Self::Granted { key_id, permissions } => {
                write!(f, "the operator lets {key_id} {}", permissions.join(", "))
            }
            Self::Revoked { key_id, permissions } => {
                write!(f, "the operator takes from {key_id}: {}", permissions.join(", "))
            }
            Self::NamespaceDefined { namespace } => {
                write!(f, "the operator defines the namespace `{namespace}`")
            }
            Self::NamespaceImported { namespace, from } => {
                write!(f, "the operator imports the namespace `{namespace}` from {from}")
            }
        }
    }
}
