//! The operator's own records: what the operator asks for, and namespaces that packages need.

use std::collections::HashMap;

use wargate_protocol::state::{Overlay, Prefetched, ReadSet};
use wargate_protocol::{
    Entry, LogId, LogLeaf, LogLength, LogView, Namespace, NamespaceState, Operator, OperatorEntry,
    OperatorEnvelope, OperatorPermission, OperatorRecord, RegistryIndex, Timestamp,
    ValidationError,
};

use super::packages::Sequenced;
use super::{StepError, Tools};
use crate::error::{OpenError, WriteError};
use crate::namespaces::Namespaces;
use crate::store::{LogChange, LogQuery, StoreError};
use crate::view::{self, Changes};

/// The operator log during a step.
pub(super) struct OperatorDesk<'a> {
    tools: &'a Tools,
    /// Namespaces of which nothing needs to be read.
    settled: HashMap<Namespace, NamespaceState>,
    now: Timestamp,
    overlay: Overlay<Operator, Prefetched<Operator>>,
    changes: Changes<Operator>,
    records: Vec<Sequenced>,
    /// Which record belongs to which command.
    of_command: HashMap<usize, usize>,
}

/// Records of the operator log to append, before those of packages.
#[derive(Default)]
pub(crate) struct OperatorWork {
    pub(super) records: Vec<Sequenced>,
    /// What becomes of the operator log.
    pub(super) change: Option<LogChange>,
    of_command: HashMap<usize, usize>,
}

impl OperatorWork {
    /// One record, and what it does.
    pub(super) fn of_record(record: Sequenced, change: Option<LogChange>) -> Self {
        Self { records: vec![record], change, of_command: HashMap::new() }
    }

    /// Where the record of each command will stand in a log of this length.
    pub(super) fn indices(&self, length: LogLength) -> HashMap<usize, RegistryIndex> {
        let index = |behind: usize| RegistryIndex::new(length.get() + behind as u64);
        self.of_command.iter().map(|(number, behind)| (*number, index(*behind))).collect()
    }
}

impl<'a> OperatorDesk<'a> {
    /// Reads what these commands, and packages in these namespaces, need of the operator log.
    pub(super) fn open(
        tools: &'a Tools,
        known: &Namespaces,
        now: Timestamp,
        commands: &[(usize, Vec<OperatorEntry>)],
        namespaces: Vec<Namespace>,
    ) -> Result<Self, StepError> {
        let mut settled = HashMap::new();
        let mut unknown = Vec::new();
        for namespace in namespaces {
            match known.get(&namespace) {
                Some(state) => drop(settled.insert(namespace, state)),
                None => unknown.push(namespace),
            }
        }
        let (changes, records) = (Changes::new(LogId::operator(), None), Vec::new());
        let of_command = HashMap::new();
        if commands.is_empty() && unknown.is_empty() {
            let overlay = Overlay::new(Prefetched::new(ReadSet::new(), None));
            return Ok(Self { tools, settled, now, overlay, changes, records, of_command });
        }
        let mut reads = ReadSet::new();
        let signer = tools.signer.operator_key().id();
        reads.keys.insert(signer.clone());
        reads.permissions.insert(signer);
        let entries = commands.iter().flat_map(|(_, entries)| entries);
        entries.for_each(|entry| reads.add_entry(entry));
        reads.items.extend(unknown.iter().cloned());
        let rows = tools.store.log_rows(&[view::query(LogId::operator(), &reads)])?;
        let rows = rows.first().ok_or_else(|| bug("no answer for a log"))?;
        let overlay = Overlay::new(view::prefetched(reads, rows)?);
        for namespace in unknown {
            if let Some(state) = overlay.item(&namespace).map_err(bug)? {
                known.keep(&namespace, state);
            }
        }
        Ok(Self { tools, settled, now, overlay, changes, records, of_command })
    }

    /// Does what the operator asks for. The inner error is for whoever asked.
    pub(super) fn command(
        &mut self,
        number: usize,
        entries: Vec<OperatorEntry>,
    ) -> Result<Result<(), WriteError>, StepError> {
        let appended = self.append(entries)?;
        if appended.is_ok() {
            self.of_command.insert(number, self.records.len() - 1);
        }
        Ok(appended)
    }

    /// Sees to it that packages may be published in a namespace, if they may. The inner error is for
    /// the publisher.
    pub(super) fn admit(
        &mut self,
        namespace: &Namespace,
    ) -> Result<Result<(), WriteError>, StepError> {
        let name = namespace.to_string();
        let state = match self.settled.get(namespace) {
            Some(state) => Some(state.clone()),
            None => self.overlay.item(namespace).map_err(bug)?,
        };
        match state {
            Some(NamespaceState::Defined) => Ok(Ok(())),
            Some(NamespaceState::Imported { registry }) => {
                Ok(Err(WriteError::NamespaceImported { namespace: name, registry }))
            }
            None if self.tools.define_namespaces => {
                self.append(vec![Entry::define_namespace(name)])
            }
            None => Ok(Err(WriteError::NamespaceNotDefined(name))),
        }
    }

    /// All that is to be appended.
    pub(super) fn close(self) -> OperatorWork {
        let Self { records, changes, of_command, .. } = self;
        OperatorWork { records, change: changes.finish(), of_command }
    }

    /// Makes, signs and validates one record.
    fn append(&mut self, entries: Vec<OperatorEntry>) -> Result<Result<(), WriteError>, StepError> {
        let head = self.overlay.head().map_err(bug)?;
        let time = head.map_or(self.now, |head| self.now.max(head.timestamp));
        let record = OperatorRecord::new(head.map(|head| head.record_id), time, entries);
        let signed = self.tools.signer.sign_operator_record(record.encode());
        let signed = signed.map_err(|error| StepError::Signer(error.to_string()))?;
        let envelope = match OperatorEnvelope::decode(signed) {
            Ok(envelope) => envelope,
            Err(error) => return Ok(Err(WriteError::BadRequest(error.to_string()))),
        };
        let validated = match envelope.validate(&self.overlay) {
            Ok(validated) => validated,
            Err(ValidationError::Invalid(why)) => {
                return Ok(Err(WriteError::Rejected(why.to_string())));
            }
            Err(ValidationError::View(error)) => return Err(bug(error)),
        };
        let (envelope, delta) = validated.into_parts();
        self.changes.add(&delta);
        self.overlay.push(delta).map_err(bug)?.map_err(bug)?;
        let leaf = LogLeaf { log_id: LogId::operator(), record_id: envelope.record_id() };
        self.records.push(Sequenced::new(leaf, envelope.into_signed()));
        Ok(Ok(()))
    }
}

/// The keys at hand must be the registry's (specification 16.1 and 20.3, N13).
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

/// What was read ahead is what validation reads; otherwise the sequencer has a bug.
pub(super) fn bug(error: impl std::fmt::Display) -> StepError {
    StepError::Store(StoreError::Damaged(error.to_string()))
}
