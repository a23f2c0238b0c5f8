//! The operator's own records: what the operator asks for, and namespaces that packages need.

use std::collections::{BTreeSet, HashMap};

use wargate_protocol::state::{Overlay, Prefetched, ReadSet};
use wargate_protocol::{
    Entry, LogId, LogLeaf, LogLength, LogView, Operator, OperatorEntry, OperatorEnvelope,
    OperatorPermission, OperatorRecord, RegistryIndex, Timestamp,
};

use super::intake::Intake;
use super::packages::Sequenced;
use super::{StepError, Tools};
use crate::error::{OpenError, WriteError};
use crate::store::{LogChange, LogQuery, StoreError};
use crate::view::{self, Changes};

/// Records of the operator log to append.
#[derive(Default)]
pub(super) struct OperatorWork {
    /// The records, in order. They come before those of packages.
    pub(super) records: Vec<Sequenced>,
    /// What becomes of the operator log.
    pub(super) change: Option<LogChange>,
    /// Which record belongs to which command.
    pub(super) of_command: HashMap<usize, usize>,
}

impl OperatorWork {
    /// Where the record of each command will stand in a log of this length.
    pub(super) fn indices(&self, length: LogLength) -> HashMap<usize, RegistryIndex> {
        let index = |behind: usize| RegistryIndex::new(length.get() + behind as u64);
        self.of_command.iter().map(|(number, behind)| (*number, index(*behind))).collect()
    }
}

/// Makes, signs and validates the records that the operator's commands and new namespaces need.
pub(super) fn sequence(
    tools: &Tools,
    now: Timestamp,
    intake: &mut Intake<'_>,
) -> Result<OperatorWork, StepError> {
    let namespaces: BTreeSet<_> = intake.namespaces().iter().cloned().collect();
    let commands = intake.operator().to_vec();
    let mut work = OperatorWork::default();
    if namespaces.is_empty() && commands.is_empty() {
        return Ok(work);
    }
    let mut reads = reads(tools, commands.iter().flat_map(|(_, entries)| entries));
    reads.items.extend(namespaces.iter().cloned());
    let log = LogId::operator();
    let rows = tools.store.log_rows(&[view::query(log, &reads)])?;
    let rows = rows.first().ok_or_else(|| StoreError::Damaged("no answer for a log".into()))?;
    let mut overlay = Overlay::new(view::prefetched(reads, rows)?);
    let mut changes = Changes::<Operator>::new(log, None);

    let mut undefined = Vec::new();
    for namespace in namespaces {
        if overlay.item(&namespace).map_err(bug)?.is_none() {
            undefined.push(Entry::define_namespace(namespace.as_str()));
        }
    }
    // The operator's commands first: one of them may say more about a namespace than that it exists.
    for (number, entries) in commands {
        match append(tools, now, &mut overlay, &mut changes, entries)? {
            Ok(record) => {
                work.of_command.insert(number, work.records.len());
                work.records.push(record);
            }
            Err(error) => intake.fail(number, error),
        }
    }
    if !undefined.is_empty()
        && let Ok(record) = append(tools, now, &mut overlay, &mut changes, undefined)?
    {
        work.records.push(record);
    }
    work.change = changes.finish();
    Ok(work)
}

/// One record; the inner error is for whoever asked for it.
fn append(
    tools: &Tools,
    now: Timestamp,
    overlay: &mut Overlay<Operator, Prefetched<Operator>>,
    changes: &mut Changes<Operator>,
    entries: Vec<OperatorEntry>,
) -> Result<Result<Sequenced, WriteError>, StepError> {
    let head = overlay.head().map_err(bug)?;
    let time = head.map_or(now, |head| now.max(head.timestamp));
    let record = OperatorRecord::new(head.map(|head| head.record_id), time, entries);
    let signed = tools.signer.sign_operator_record(record.encode());
    let signed = signed.map_err(|error| StepError::Signer(error.to_string()))?;
    let envelope = match OperatorEnvelope::decode(signed) {
        Ok(envelope) => envelope,
        Err(error) => return Ok(Err(WriteError::BadRequest(error.to_string()))),
    };
    let validated = match envelope.validate(overlay) {
        Ok(validated) => validated,
        Err(wargate_protocol::ValidationError::Invalid(why)) => {
            return Ok(Err(WriteError::Rejected(why.to_string())));
        }
        Err(wargate_protocol::ValidationError::View(error)) => return Err(bug(error)),
    };
    let (envelope, delta) = validated.into_parts();
    changes.add(&delta);
    overlay.push(delta).map_err(bug)?.map_err(bug)?;
    let leaf = LogLeaf { log_id: LogId::operator(), record_id: envelope.record_id() };
    Ok(Ok(Sequenced { leaf, envelope: envelope.into_signed() }))
}

/// What validating these entries reads.
fn reads<'a>(tools: &Tools, entries: impl Iterator<Item = &'a OperatorEntry>) -> ReadSet<Operator> {
    let mut reads = ReadSet::new();
    let signer = tools.signer.operator_key().id();
    reads.keys.insert(signer.clone());
    reads.permissions.insert(signer);
    entries.for_each(|entry| reads.add_entry(entry));
    reads
}

/// The keys at hand must be the registry's (specification 16.1 and 20.3, N13). A registry whose
/// operator key is offline still signs checkpoints; its operator commands fail one by one.
pub(super) fn check_keys(tools: &Tools) -> Result<(), OpenError> {
    let (operator, checkpoint) =
        (tools.signer.operator_key().id(), tools.signer.checkpoint_key().id());
    let keys = vec![operator.clone(), checkpoint.clone()];
    let query =
        LogQuery { keys: keys.clone(), permissions: keys, ..LogQuery::of_head(LogId::operator()) };
    let rows = tools.store.log_rows(&[query])?;
    let rows = rows.first().cloned().unwrap_or_default();
    let known = |key: &_| rows.keys.iter().any(|known| known.id() == *key);
    if !known(&operator) {
        let key = operator.to_string();
        return Err(OpenError::KeyNotPermitted { role: "operator", key });
    }
    let held = rows.permissions.iter().find(|(key, _)| *key == checkpoint);
    let held = held.map(|(_, names)| view::permissions::<Operator>(names)).transpose()?;
    if known(&checkpoint) && held.is_some_and(|held| held.contains(OperatorPermission::Commit)) {
        Ok(())
    } else {
        Err(OpenError::KeyNotPermitted { role: "checkpoint", key: checkpoint.to_string() })
    }
}

/// What was read ahead is what validation reads; otherwise this module has a bug.
fn bug(error: impl std::fmt::Display) -> StepError {
    StepError::Store(StoreError::Damaged(error.to_string()))
}
