//! The first part of a step: what the commands are about, and what becomes of each record that they
//! touch.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;
use wargate_crypto::{Digest, KeyId};
use wargate_protocol::{
    LogId, OperatorEntry, PackageEnvelope, PackageName, RecordId, RegistryIndex, Timestamp,
};

use super::{Admission, Command, Outcome, RecordStatus, StepError, Tools, seconds};
use crate::content;
use crate::error::WriteError;
use crate::limits::{BACKLOG_RECORDS_MAX, DISCARDED_CONTENTS_MAX, REJECTED_RECORDS_MAX};
use crate::store::{
    Append, Batch, ContentArrived, PendingCounts, PendingRecord, PendingState, Rejection,
    StoreResult,
};
use crate::usage::{self, Tally, Usage};

/// How much longer unnamed content is kept than any record may wait that wants it, in seconds: records
/// are forgotten from time to time, not to the second.
const UNNAMED_MARGIN_SECONDS: u64 = 3600;

/// After how many seconds a key that has too many records waiting may try again.
const SOURCING_RETRY_SECONDS: u64 = 60;

/// A record's place in the world: the same record may be submitted to several logs (specification
/// 12.4), so its id alone does not do.
type RecordKey = (LogId, RecordId);

/// What a step has taken in. Every record that it touches has one fate, in the order in which they
/// were touched.
pub(super) struct Intake<'a> {
    tools: &'a Tools,
    now: u64,
    /// What is pending in the store.
    counts: PendingCounts,
    records: IndexMap<RecordKey, Tracked>,
    content: IndexMap<Digest, ContentArrived>,
    /// Content that is there and that a record wants which waits for more.
    wanted: Vec<Digest>,
    /// Content that nobody names and that is to be forgotten.
    discarded: Vec<Digest>,
    /// Records that miss nothing and may be sequenced, in order.
    candidates: Vec<Candidate>,
    operator: Vec<(usize, Vec<OperatorEntry>)>,
    /// By the number of the command.
    subjects: Vec<Subject>,
    /// More records may be ready than were looked at.
    more: bool,
}

/// A record that this step has to do with.
struct Tracked {
    /// As it came, or as the store has it; its state is not looked at. `None` if it is in the log.
    pending: Option<PendingRecord>,
    /// Whether the store has it as pending.
    stored: bool,
    fate: Fate,
    /// Whether this step has decided the fate.
    decided: bool,
    /// Whether it takes the place of a refused record in the store.
    replaces: bool,
}

/// How far a record is, or will be after this step.
enum Fate {
    /// It waits for these digests.
    Sourcing(Vec<Digest>),
    /// It is a candidate, and in the log if this step appends it.
    Ready,
    Rejected(String),
    Published(RegistryIndex),
    /// It has waited too long.
    Forgotten,
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
    /// The size of the content of its releases.
    pub(super) bytes: u64,
}

impl Candidate {
    /// Whom it counts for.
    pub(super) fn subjects(&self) -> [usage::Subject; 2] {
        usage::Subject::of(&self.name, self.envelope.key_id())
    }

    /// What it adds to what they use.
    pub(super) fn usage(&self) -> Usage {
        Usage::of(&self.envelope, self.bytes)
    }
}

impl<'a> Intake<'a> {
    pub(super) fn new(tools: &'a Tools, now: Timestamp) -> Result<Self, StepError> {
        Ok(Self {
            tools,
            now: seconds(now),
            counts: tools.store.counts()?,
            records: IndexMap::new(),
            content: IndexMap::new(),
            wanted: Vec::new(),
            discarded: Vec::new(),
            candidates: Vec::new(),
            operator: Vec::new(),
            subjects: Vec::new(),
            more: false,
        })
    }

    pub(super) fn take(&mut self, number: usize, command: &Command) -> Result<(), StepError> {
        let subject = match command {
            Command::Admit(admission) => self.admit(admission)?,
            Command::Content(content) => {
                self.arrive(content)?;
                Subject::Nothing
            }
            Command::Refuse { log, record, reason } => {
                let key = (*log, *record);
                let tracked = self.track(key)?;
                if tracked.is_some_and(|tracked| matches!(tracked.fate, Fate::Sourcing(_))) {
                    self.decide(key, Fate::Rejected(reason.clone()));
                }
                Subject::Record(key)
            }
            Command::Operator(entries) => {
                self.operator.push((number, entries.clone()));
                Subject::Operator
            }
            Command::Tend | Command::Renew => Subject::Nothing,
        };
        self.subjects.push(subject);
        Ok(())
    }

    fn admit(&mut self, admission: &Admission) -> Result<Subject, StepError> {
        let key = (admission.log, admission.envelope.record_id());
        let replaces = match self.track(key)? {
            None => false,
            // An id says nothing of the signer: what was refused for one key may be right for another.
            Some(tracked) if tracked.is_refused_for_another(admission.envelope.key_id()) => true,
            Some(_) => return Ok(Subject::Record(key)),
        };
        let (mut missing, mut present) = (Vec::new(), Vec::new());
        for digest in &admission.contents {
            let list = if self.has_content(digest)? { &mut present } else { &mut missing };
            list.push(*digest);
        }
        if !missing.is_empty() {
            if let Some(error) = self.too_many_wait(admission.envelope.key_id())? {
                return Ok(Subject::Failed(error));
            }
            self.wanted.append(&mut present);
        }
        let pending = PendingRecord {
            log: key.0,
            record: key.1,
            name: admission.name.clone(),
            envelope: admission.envelope.signed().clone(),
            admitted_seconds: self.now,
            state: PendingState::Ready,
        };
        let fate = Fate::Sourcing(missing);
        let tracked =
            Tracked { pending: Some(pending), stored: false, fate, decided: true, replaces };
        self.records.insert(key, tracked);
        self.advance(key, Some(&admission.envelope))?;
        Ok(Subject::Record(key))
    }

    /// Content came: records that wait for it miss one thing less.
    fn arrive(&mut self, content: &ContentArrived) -> Result<(), StepError> {
        let digest = content.digest;
        if self.has_content(&digest)? {
            return Ok(());
        }
        self.content.insert(digest, content.clone());
        let waiting = self.tools.store.waiting_for(&digest, BACKLOG_RECORDS_MAX)?;
        // The commit sets all of them free, those too that are not looked at now.
        self.more |= waiting.len() == BACKLOG_RECORDS_MAX;
        for pending in waiting {
            let key = (pending.log, pending.record);
            self.records.entry(key).or_insert_with(|| Tracked::stored(pending));
        }
        let mut freed = Vec::new();
        for (key, tracked) in &mut self.records {
            if let Fate::Sourcing(missing) = &mut tracked.fate
                && missing.contains(&digest)
            {
                missing.retain(|other| *other != digest);
                freed.push(*key);
            }
        }
        for key in freed {
            self.advance(key, None)?;
        }
        Ok(())
    }

    /// Lets a record that misses nothing any more become a candidate, if it may.
    fn advance(
        &mut self,
        key: RecordKey,
        decoded: Option<&PackageEnvelope>,
    ) -> Result<(), StepError> {
        let Some(tracked) = self.records.get(&key) else { return Ok(()) };
        let Some(pending) = &tracked.pending else { return Ok(()) };
        if !matches!(&tracked.fate, Fate::Sourcing(missing) if missing.is_empty()) {
            return Ok(());
        }
        let (log, name, stored) = (pending.log, pending.name.clone(), tracked.stored);
        let envelope = match decoded {
            Some(envelope) => Ok(envelope.clone()),
            None => PackageEnvelope::decode(pending.envelope.clone()),
        };
        let fate = match envelope {
            // It did when it was admitted: the store has changed it. That must not hold up others.
            Err(error) => Fate::Rejected(format!("the registry has lost the record: {error}")),
            Ok(envelope) => match self.judge(&name, &envelope, stored)? {
                Err(reason) => Fate::Rejected(reason),
                Ok(bytes) => {
                    self.candidates.push(Candidate { log, name, envelope, bytes });
                    Fate::Ready
                }
            },
        };
        self.decide(key, fate);
        Ok(())
    }

    /// How large the content is of a record all of whose content is there, or why it may not be
    /// published under its name. One that has waited is judged again: what is allowed may have changed
    /// in the meantime.
    fn judge(
        &self,
        name: &PackageName,
        record: &PackageEnvelope,
        waited: bool,
    ) -> StoreResult<Result<u64, String>> {
        let policies = self.tools.record_policies.iter().filter(|_| waited);
        for policy in policies {
            if let Err(refusal) = policy.check(name, record) {
                return Ok(Err(refusal.to_string()));
            }
        }
        let mut bytes = 0_u64;
        for (version, digest) in content::releases(record) {
            let row = match self.content.get(&digest) {
                Some(row) => Some(row.clone()),
                None => self.tools.store.content(&digest)?,
            };
            // Content that is not there any more was taken down; the release cannot be had then.
            let Some(row) = row else {
                return Ok(Err(format!("the content {digest} is not available any more")));
            };
            if let Err(reason) = content::check(&self.tools.content_policies, name, version, &row) {
                return Ok(Err(format!("the content {digest} was refused: {reason}")));
            }
            bytes = bytes.saturating_add(row.size);
        }
        Ok(Ok(bytes))
    }

    /// Forgets what has waited too long and is not touched by this step. Comes after all commands.
    pub(super) fn expire(&mut self) -> Result<(), StepError> {
        let until = self.now.saturating_sub(self.tools.limits.pending_seconds_max);
        for pending in self.tools.store.pending_until(until, BACKLOG_RECORDS_MAX)? {
            if pending.state != PendingState::Ready {
                let key = (pending.log, pending.record);
                self.records.entry(key).or_insert_with(|| Tracked {
                    fate: Fate::Forgotten,
                    decided: true,
                    ..Tracked::stored(pending)
                });
            }
        }
        self.discard()
    }

    /// Forgets content that no record has named for too long. Whoever names it in this very step keeps
    /// it; whoever does so in a later one is told that it is missing.
    fn discard(&mut self) -> Result<(), StepError> {
        let limits = &self.tools.limits;
        let patience = limits.unnamed_seconds_max.max(limits.pending_seconds_max);
        let until = self.now.saturating_sub(patience.saturating_add(UNNAMED_MARGIN_SECONDS));
        let named = self.candidates.iter().flat_map(|it| content::releases(&it.envelope));
        let mut kept: HashSet<Digest> = named.map(|(_, digest)| digest).collect();
        kept.extend(self.wanted.iter().chain(self.content.keys()));
        let old = self.tools.store.unnamed_until(until, DISCARDED_CONTENTS_MAX)?;
        self.discarded = old.into_iter().filter(|digest| !kept.contains(digest)).collect();
        Ok(())
    }

    /// Takes up records that the store has as ready.
    pub(super) fn take_backlog(&mut self) -> Result<(), StepError> {
        let ready = self.tools.store.ready(BACKLOG_RECORDS_MAX)?;
        self.more |= ready.len() == BACKLOG_RECORDS_MAX;
        for pending in ready {
            let key = (pending.log, pending.record);
            if !self.records.contains_key(&key) {
                let fate = Fate::Sourcing(Vec::new());
                self.records.insert(key, Tracked { fate, ..Tracked::stored(pending) });
                self.advance(key, None)?;
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
        std::mem::take(&mut self.candidates)
    }

    /// A candidate is not appended.
    pub(super) fn reject(&mut self, candidate: &Candidate, reason: String) {
        let key = (candidate.log, candidate.envelope.record_id());
        self.decide(key, Fate::Rejected(reason));
    }

    /// Entries that the operator wants, with the number of the command.
    pub(super) fn take_operator(&mut self) -> Vec<(usize, Vec<OperatorEntry>)> {
        std::mem::take(&mut self.operator)
    }

    /// A command cannot be done.
    pub(super) fn fail(&mut self, number: usize, error: WriteError) {
        if let Some(subject) = self.subjects.get_mut(number) {
            *subject = Subject::Failed(error);
        }
    }

    /// What to commit.
    pub(super) fn batch(
        &mut self,
        append: Option<Append>,
        checkpoint_seconds: u64,
        tally: Tally,
    ) -> Batch {
        let content = std::mem::take(&mut self.content).into_values().collect();
        let counted = append.as_ref().map(|append| tally.into_counted(append.committed.length()));
        let wanted = std::mem::take(&mut self.wanted);
        let mut batch = Batch {
            checkpoint_seconds,
            content,
            append,
            counted,
            wanted: wanted.into_iter().map(|digest| (digest, self.now)).collect(),
            discarded: std::mem::take(&mut self.discarded),
            ..Batch::default()
        };
        // Whoever sent a record is told that it was refused in any case; remembering it has a limit.
        let mut room = REJECTED_RECORDS_MAX.saturating_sub(self.counts.rejected);
        for ((log, record), tracked) in &mut self.records {
            let Tracked { pending, stored, fate, decided, replaces } = tracked;
            if *replaces {
                batch.dropped.push((*log, *record));
            }
            let state = match (&*fate, *stored, *decided) {
                (Fate::Forgotten, true, true) => {
                    batch.dropped.push((*log, *record));
                    continue;
                }
                (Fate::Rejected(reason), true, true) => {
                    let (log, record, reason) = (*log, *record, reason.clone());
                    batch.rejected.push(Rejection { log, record, reason });
                    continue;
                }
                (Fate::Rejected(reason), false, _) if room > 0 => {
                    room -= 1;
                    PendingState::Rejected { reason: reason.clone() }
                }
                (Fate::Sourcing(missing), false, _) => PendingState::Sourcing(missing.clone()),
                _ => continue,
            };
            let pending = pending.take();
            batch.admitted.extend(pending.map(|pending| PendingRecord { state, ..pending }));
        }
        batch
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
        let status = |key: &RecordKey| match (indices.get(key), self.records.get(key)) {
            (Some(index), _) => Ok(RecordStatus::Published { index: *index }),
            (None, Some(tracked)) => Ok(match &tracked.fate {
                Fate::Sourcing(missing) => RecordStatus::Sourcing(missing.clone()),
                Fate::Rejected(reason) => RecordStatus::Rejected { reason: reason.clone() },
                Fate::Published(index) => RecordStatus::Published { index: *index },
                Fate::Ready | Fate::Forgotten => RecordStatus::Processing,
            }),
            (None, None) => Err(WriteError::RecordNotFound(key.1)),
        };
        let answer = |(number, subject): (usize, &Subject)| match subject {
            Subject::Failed(error) => Err(error.clone()),
            Subject::Nothing => Ok(Outcome::Done),
            Subject::Operator => {
                Ok(operator.get(&number).map_or(Outcome::Done, |index| Outcome::Operator(*index)))
            }
            Subject::Record(key) => status(key).map(Outcome::Record),
        };
        self.subjects.iter().enumerate().map(answer).collect()
    }

    /// What is known of a record, from this step or from the store.
    fn track(&mut self, key: RecordKey) -> StoreResult<Option<&Tracked>> {
        if !self.records.contains_key(&key) {
            let store = &self.tools.store;
            let tracked = match store.pending(&key.0, &key.1)? {
                Some(pending) => Some(Tracked::stored(pending)),
                None => store.record_index(&key.0, &key.1)?.map(Tracked::published),
            };
            self.records.extend(tracked.map(|tracked| (key, tracked)));
        }
        Ok(self.records.get(&key))
    }

    fn decide(&mut self, key: RecordKey, fate: Fate) {
        if let Some(tracked) = self.records.get_mut(&key) {
            (tracked.fate, tracked.decided) = (fate, true);
        }
    }

    /// Why a further record may not wait for content; `None` if it may.
    fn too_many_wait(&self, signer: &KeyId) -> StoreResult<Option<WriteError>> {
        let limits = &self.tools.limits;
        if self.sourcing() >= limits.sourcing_records_max {
            return Ok(Some(WriteError::Busy("too many records wait for content")));
        }
        let new = self.records.values().filter(|tracked| tracked.is_new_and_waits_for(signer));
        let waiting = self.tools.store.sourcing_of(signer)?.saturating_add(new.count() as u64);
        let most = limits.sourcing_records_of_key_max;
        Ok((waiting >= most).then(|| WriteError::TooMany {
            what: format!(
                "{waiting} records of the key {signer} wait for content, and no more may: upload \
                 what they miss, or wait until they are forgotten"
            ),
            seconds: SOURCING_RETRY_SECONDS,
        }))
    }

    /// How many records wait for content, those of this step included that were not there before.
    fn sourcing(&self) -> u64 {
        let new = |tracked: &&Tracked| !tracked.stored && matches!(tracked.fate, Fate::Sourcing(_));
        self.counts.sourcing + self.records.values().filter(new).count() as u64
    }

    fn has_content(&self, digest: &Digest) -> StoreResult<bool> {
        Ok(self.content.contains_key(digest) || self.tools.store.content(digest)?.is_some())
    }
}

impl Tracked {
    /// A record that the store has as pending.
    fn stored(pending: PendingRecord) -> Self {
        let fate = match &pending.state {
            PendingState::Sourcing(missing) => Fate::Sourcing(missing.clone()),
            // The backlog takes it up.
            PendingState::Ready => Fate::Ready,
            PendingState::Rejected { reason } => Fate::Rejected(reason.clone()),
        };
        Self { pending: Some(pending), stored: true, fate, decided: false, replaces: false }
    }

    /// Whether this step admits it, signed with a key, and it waits for content.
    fn is_new_and_waits_for(&self, signer: &KeyId) -> bool {
        let waits = !self.stored && matches!(self.fate, Fate::Sourcing(_));
        waits && self.pending.as_ref().is_some_and(|it| it.envelope.key_id() == signer)
    }

    /// A record that is in the log.
    const fn published(index: RegistryIndex) -> Self {
        let fate = Fate::Published(index);
        Self { pending: None, stored: false, fate, decided: false, replaces: false }
    }

    /// Whether the store has it as refused, signed with another key than this one.
    fn is_refused_for_another(&self, key: &KeyId) -> bool {
        let pending = self.pending.as_ref();
        let refused = self.stored && !self.decided && matches!(self.fate, Fate::Rejected(_));
        refused && pending.is_some_and(|pending| pending.envelope.key_id() != key)
    }
}
