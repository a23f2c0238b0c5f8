//! The first part of a step: what the commands are about, and which records miss nothing.

use std::collections::HashMap;

use wargate_crypto::Digest;
use wargate_protocol::state::InvalidRecord;
use wargate_protocol::{
    LogId, Namespace, OperatorEntry, PackageEnvelope, PackageName, RecordId, RegistryIndex,
    Timestamp,
};

use super::{Admission, Command, Outcome, RecordStatus, StepError, Tools, seconds};
use crate::content;
use crate::error::WriteError;
use crate::limits::{BACKLOG_RECORDS_MAX, REJECTED_RECORDS_MAX};
use crate::store::{
    Append, Batch, ContentArrived, PendingCounts, PendingRecord, PendingState, Rejection,
    StoreResult,
};

/// A record's place in the world: the same record may be submitted to several logs (specification
/// 12.4), so its id alone does not do.
type RecordKey = (LogId, RecordId);

/// What a step has taken in.
pub(super) struct Intake<'a> {
    tools: &'a Tools,
    now: u64,
    /// Records that wait for content and are looked at in this step, with what they miss.
    waiting: HashMap<RecordKey, PendingRecord>,
    /// Of `waiting`, those that are not in the store yet, in the order of their admission.
    new: Vec<RecordKey>,
    /// Records that were new and are refused at once.
    stillborn: Vec<PendingRecord>,
    content: Vec<ContentArrived>,
    refused: Vec<Rejection>,
    dropped: Vec<RecordKey>,
    /// What is known of every record that a command names.
    known: HashMap<RecordKey, RecordStatus>,
    /// By the number of the command.
    subjects: Vec<Subject>,
    ready: Vec<Candidate>,
    operator: Vec<(usize, Vec<OperatorEntry>)>,
    namespaces: Vec<Namespace>,
    /// Records that are pending, now.
    counts: PendingCounts,
    /// More records may be ready than were looked at.
    more: bool,
}

/// What a command is answered with.
enum Subject {
    Record(RecordKey),
    Operator,
    Nothing,
    Failed(WriteError),
}

/// A record that misses nothing.
pub(super) struct Candidate {
    pub(super) log: LogId,
    pub(super) name: PackageName,
    pub(super) envelope: PackageEnvelope,
    /// Whether the store has it as pending.
    stored: bool,
    admitted_seconds: u64,
}

impl<'a> Intake<'a> {
    pub(super) fn new(tools: &'a Tools, counts: PendingCounts, now: Timestamp) -> Self {
        Self {
            tools,
            now: seconds(now),
            waiting: HashMap::new(),
            new: Vec::new(),
            stillborn: Vec::new(),
            content: Vec::new(),
            refused: Vec::new(),
            dropped: Vec::new(),
            known: HashMap::new(),
            subjects: Vec::new(),
            ready: Vec::new(),
            operator: Vec::new(),
            namespaces: Vec::new(),
            counts,
            more: false,
        }
    }

    pub(super) fn take(&mut self, number: usize, command: &Command) -> Result<(), StepError> {
        let subject = match command {
            Command::Admit(admission) => self.admit(admission)?,
            Command::Content(content) => {
                self.arrive(content)?;
                Subject::Nothing
            }
            Command::Refuse { log, record, reason } => self.refuse((*log, *record), reason)?,
            Command::Operator(entries) => {
                self.operator.push((number, entries.clone()));
                Subject::Operator
            }
            Command::Tend => {
                self.expire()?;
                Subject::Nothing
            }
        };
        self.subjects.push(subject);
        Ok(())
    }

    fn admit(&mut self, admission: &Admission) -> Result<Subject, StepError> {
        let key = (admission.log, admission.envelope.record_id());
        if self.look_up(key)?.is_some() {
            return Ok(Subject::Record(key));
        }
        let mut missing = Vec::new();
        for digest in &admission.contents {
            if !self.has_content(digest)? {
                missing.push(*digest);
            }
        }
        if admission.define_namespace {
            self.namespaces.push(admission.name.namespace().clone());
        }
        let (log, name) = (admission.log, admission.name.clone());
        if missing.is_empty() {
            self.known.insert(key, RecordStatus::Processing);
            let envelope = admission.envelope.clone();
            let (stored, admitted_seconds) = (false, self.now);
            self.vet(Candidate { log, name, envelope, stored, admitted_seconds })?;
            return Ok(Subject::Record(key));
        }
        if self.counts.sourcing >= self.tools.limits.sourcing_records_max {
            return Ok(Subject::Failed(WriteError::Busy("too many records wait for content")));
        }
        self.counts.sourcing += 1;
        self.known.insert(key, RecordStatus::Sourcing(missing.clone()));
        self.new.push(key);
        let pending = PendingRecord {
            log,
            record: key.1,
            name,
            envelope: admission.envelope.signed().clone(),
            admitted_seconds: self.now,
            state: PendingState::Sourcing(missing),
        };
        self.waiting.insert(key, pending);
        Ok(Subject::Record(key))
    }

    /// Content came: records that wait for it miss one thing less.
    fn arrive(&mut self, content: &ContentArrived) -> Result<(), StepError> {
        if self.has_content(&content.digest)? {
            return Ok(());
        }
        self.content.push(content.clone());
        let waiting = self.tools.store.waiting_for(&content.digest, BACKLOG_RECORDS_MAX)?;
        // The commit sets all of them free, those too that are not looked at now.
        self.more |= waiting.len() == BACKLOG_RECORDS_MAX;
        for pending in waiting {
            let key = (pending.log, pending.record);
            self.waiting.entry(key).or_insert(pending);
        }
        let mut complete = Vec::new();
        for (key, pending) in &mut self.waiting {
            if let PendingState::Sourcing(missing) = &mut pending.state {
                missing.retain(|digest| *digest != content.digest);
                self.known.insert(*key, RecordStatus::Sourcing(missing.clone()));
                if missing.is_empty() {
                    complete.push(*key);
                }
            }
        }
        // By time of admission, and in any case in an order that depends on nothing else.
        complete.sort_by_key(|key| (self.waiting.get(key).map(|it| it.admitted_seconds), *key));
        for key in complete {
            self.set_free(key)?;
        }
        Ok(())
    }

    /// A waiting record misses nothing any more.
    fn set_free(&mut self, key: RecordKey) -> Result<(), StepError> {
        let Some(pending) = self.waiting.remove(&key) else { return Ok(()) };
        let stored = !self.new.contains(&key);
        self.new.retain(|new| *new != key);
        self.counts.sourcing = self.counts.sourcing.saturating_sub(1);
        self.take_ready(pending, stored)
    }

    fn take_ready(&mut self, pending: PendingRecord, stored: bool) -> Result<(), StepError> {
        let PendingRecord { log, record, name, envelope, admitted_seconds, .. } = pending;
        self.known.insert((log, record), RecordStatus::Processing);
        match PackageEnvelope::decode(envelope.clone()) {
            Ok(envelope) => {
                self.vet(Candidate { log, name, envelope, stored, admitted_seconds })?;
            }
            // It did when it was admitted: the store has changed it. That must not hold up others.
            Err(error) => {
                let reason = format!("the registry has lost the record: {error}");
                let state = PendingState::Rejected { reason };
                let lost = PendingRecord { log, record, name, envelope, admitted_seconds, state };
                self.put_away(lost, stored);
            }
        }
        Ok(())
    }

    /// All content of a record is there: may it be released under the record's name?
    fn vet(&mut self, candidate: Candidate) -> Result<(), StepError> {
        match self.refusal(&candidate)? {
            Some(reason) => self.reject(candidate, reason),
            None => self.ready.push(candidate),
        }
        Ok(())
    }

    fn refusal(&self, candidate: &Candidate) -> StoreResult<Option<String>> {
        for (version, digest) in content::releases(&candidate.envelope) {
            let of_batch = self.content.iter().find(|row| row.digest == digest);
            let row = match of_batch {
                Some(row) => Some(row.clone()),
                None => self.tools.store.content(&digest)?,
            };
            // Content that is not there any more was taken down; the release cannot be had then.
            let Some(row) = row else {
                return Ok(Some(format!("the content {digest} is not available any more")));
            };
            let policies = &self.tools.content_policies;
            if let Err(reason) = content::check(policies, &candidate.name, version, &row) {
                return Ok(Some(format!("the content {digest} was refused: {reason}")));
            }
        }
        Ok(None)
    }

    fn refuse(&mut self, key: RecordKey, reason: &str) -> Result<Subject, StepError> {
        let sourcing = matches!(self.look_up(key)?, Some(RecordStatus::Sourcing(_)));
        let pending = self.waiting.remove(&key);
        if sourcing {
            self.counts.sourcing = self.counts.sourcing.saturating_sub(1);
            let is_new = self.new.contains(&key);
            self.new.retain(|new| *new != key);
            let pending = match pending {
                Some(pending) => Some(pending),
                None => self.tools.store.pending(&key.0, &key.1)?,
            };
            if let Some(pending) = pending {
                let state = PendingState::Rejected { reason: reason.to_owned() };
                self.put_away(PendingRecord { state, ..pending }, !is_new);
            }
        }
        Ok(Subject::Record(key))
    }

    /// Forgets what has waited too long.
    fn expire(&mut self) -> Result<(), StepError> {
        let until = self.now.saturating_sub(self.tools.limits.pending_seconds_max);
        for pending in self.tools.store.pending_until(until, BACKLOG_RECORDS_MAX)? {
            let key = (pending.log, pending.record);
            let untouched = !self.known.contains_key(&key) && !self.waiting.contains_key(&key);
            match pending.state {
                PendingState::Ready => continue,
                PendingState::Sourcing(_) if untouched => {
                    self.counts.sourcing = self.counts.sourcing.saturating_sub(1);
                }
                PendingState::Rejected { .. } if untouched => {
                    self.counts.rejected = self.counts.rejected.saturating_sub(1);
                }
                _ => {}
            }
            if untouched {
                self.dropped.push(key);
            }
        }
        Ok(())
    }

    /// Records that the store has as ready.
    pub(super) fn take_backlog(&mut self) -> Result<(), StepError> {
        let ready = self.tools.store.ready(BACKLOG_RECORDS_MAX)?;
        self.more |= ready.len() == BACKLOG_RECORDS_MAX;
        for pending in ready {
            if !self.known.contains_key(&(pending.log, pending.record)) {
                self.take_ready(pending, true)?;
            }
        }
        Ok(())
    }

    /// Whether more records may be ready than this step has looked at.
    pub(super) const fn has_more(&self) -> bool {
        self.more
    }

    /// Records to sequence, in order.
    pub(super) fn take_candidates(&mut self) -> Vec<Candidate> {
        std::mem::take(&mut self.ready)
    }

    /// Entries that the operator wants, with the number of the command.
    pub(super) fn operator(&self) -> &[(usize, Vec<OperatorEntry>)] {
        &self.operator
    }

    /// Namespaces that packages of this step need, perhaps repeated.
    pub(super) fn namespaces(&self) -> &[Namespace] {
        &self.namespaces
    }

    /// An operator's command cannot be done.
    pub(super) fn fail(&mut self, number: usize, error: WriteError) {
        if let Some(subject) = self.subjects.get_mut(number) {
            *subject = Subject::Failed(error);
        }
    }

    /// A record does not fit onto its log (specification 14.1).
    pub(super) fn reject_invalid(&mut self, candidate: Candidate, why: &InvalidRecord) {
        self.reject(candidate, format!("the package record was invalid: {why}"));
    }

    fn reject(&mut self, candidate: Candidate, reason: String) {
        let Candidate { log, name, envelope, stored, admitted_seconds } = candidate;
        let (record, envelope) = (envelope.record_id(), envelope.into_signed());
        let state = PendingState::Rejected { reason };
        self.put_away(
            PendingRecord { log, record, name, envelope, admitted_seconds, state },
            stored,
        );
    }

    /// Remembers that a record was refused, as long as not too many are remembered: whoever sent it is
    /// told in any case.
    fn put_away(&mut self, refused: PendingRecord, stored: bool) {
        let PendingState::Rejected { reason } = &refused.state else { return };
        let (log, record, reason) = (refused.log, refused.record, reason.clone());
        self.known.insert((log, record), RecordStatus::Rejected { reason: reason.clone() });
        if stored {
            self.counts.rejected += 1;
            self.refused.push(Rejection { log, record, reason });
        } else if self.counts.rejected < REJECTED_RECORDS_MAX {
            self.counts.rejected += 1;
            self.stillborn.push(refused);
        }
    }

    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.new.is_empty()
            && self.stillborn.is_empty()
            && self.content.is_empty()
            && self.refused.is_empty()
            && self.dropped.is_empty()
    }

    /// What to commit.
    pub(super) fn batch(&mut self, append: Option<Append>, checkpoint_seconds: u64) -> Batch {
        let mut admitted = std::mem::take(&mut self.stillborn);
        admitted.extend(self.new.iter().filter_map(|key| self.waiting.remove(key)));
        Batch {
            checkpoint_seconds,
            rejected: std::mem::take(&mut self.refused),
            dropped: std::mem::take(&mut self.dropped),
            admitted,
            content: std::mem::take(&mut self.content),
            append,
        }
    }

    /// How many records are pending after this step.
    pub(super) const fn counts(&self) -> PendingCounts {
        self.counts
    }

    /// What became of each command.
    pub(super) fn outcomes(
        &self,
        append: Option<&Append>,
        operator: &HashMap<usize, RegistryIndex>,
    ) -> Vec<Result<Outcome, WriteError>> {
        let appended = append.into_iter().flat_map(|append| &append.records);
        let indices: HashMap<RecordKey, RegistryIndex> = appended
            .map(|record| ((record.leaf.log_id, record.leaf.record_id), record.index))
            .collect();
        let answer = |(number, subject): (usize, &Subject)| match subject {
            Subject::Failed(error) => Err(error.clone()),
            Subject::Nothing => Ok(Outcome::Done),
            Subject::Operator => {
                Ok(operator.get(&number).map_or(Outcome::Done, |index| Outcome::Operator(*index)))
            }
            Subject::Record(key) => Ok(Outcome::Record(match indices.get(key) {
                Some(index) => RecordStatus::Published { index: *index },
                None => self.known.get(key).cloned().unwrap_or(RecordStatus::Processing),
            })),
        };
        self.subjects.iter().enumerate().map(answer).collect()
    }

    /// What is known of a record, from this step or from the store.
    fn look_up(&mut self, key: RecordKey) -> StoreResult<Option<RecordStatus>> {
        if let Some(known) = self.known.get(&key) {
            return Ok(Some(known.clone()));
        }
        let found = crate::read::record_status(&*self.tools.store, &key.0, &key.1)?;
        if let Some(found) = &found {
            self.known.insert(key, found.clone());
        }
        Ok(found)
    }

    fn has_content(&self, digest: &Digest) -> StoreResult<bool> {
        let here = self.content.iter().any(|row| row.digest == *digest);
        Ok(here || self.tools.store.content(digest)?.is_some())
    }
}
