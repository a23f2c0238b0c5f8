//! The first part of a step: what the commands are about, and what becomes of each record that they
//! touch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use indexmap::IndexMap;
use wargate_crypto::{Digest, KeyId};
use wargate_protocol::{
    LogId, OperatorEntry, PackageEnvelope, PackageName, RegistryIndex, Timestamp,
};
use wargate_transparency::map::Stem;

use super::{Admission, Command, Outcome, RecordStatus, StepError, Tools, seconds};
use crate::content;
use crate::error::WriteError;
use crate::limits::{BACKLOG_RECORDS_MAX, DISCARDED_CONTENTS_MAX, REJECTED_RECORDS_MAX};
use crate::recent::{Known, Recent, RecordKey, Verified, Waiting};
use crate::store::{
    Append, Batch, ContentArrived, ContentRow, PendingCounts, PendingRecord, PendingState,
    Referral, Rejection, StoreResult,
};
use crate::usage::{self, Tally, Usage};

/// How much longer unnamed content is kept than any record may wait that wants it, in seconds: records
/// are forgotten from time to time, not to the second.
const UNNAMED_MARGIN_SECONDS: u64 = 3600;

/// After how many seconds a key that has too many records waiting may try again.
const SOURCING_RETRY_SECONDS: u64 = 60;

/// What a step has taken in. Every record that it touches has one fate, in the order in which they
/// were touched.
pub(super) struct Intake<'a> {
    tools: &'a Tools,
    recent: &'a Recent,
    now: u64,
    /// What is pending in the store.
    counts: PendingCounts,
    records: IndexMap<RecordKey, Tracked>,
    /// Those of them that miss a digest, or did when they were first looked at.
    missing: HashMap<Digest, Vec<RecordKey>>,
    /// How many of them wait that did not before, by the key that has signed them. One whose content
    /// comes in the same step counts all the same.
    newly_waiting: HashMap<KeyId, u64>,
    content: IndexMap<Digest, ContentArrived>,
    /// Records for which content that is only referred to is good enough.
    referred: Vec<Referral>,
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
    /// As it was verified, if that is known, until it becomes a candidate.
    verified: Option<Verified>,
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
    pub(super) stem: Stem,
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
    pub(super) fn new(
        tools: &'a Tools,
        recent: &'a Recent,
        counts: PendingCounts,
        now: Timestamp,
    ) -> Self {
        Self {
            tools,
            recent,
            now: seconds(now),
            counts,
            records: IndexMap::new(),
            missing: HashMap::new(),
            newly_waiting: HashMap::new(),
            content: IndexMap::new(),
            referred: Vec::new(),
            wanted: Vec::new(),
            discarded: Vec::new(),
            candidates: Vec::new(),
            operator: Vec::new(),
            subjects: Vec::new(),
            more: false,
        }
    }

    pub(super) fn take(&mut self, number: usize, command: &Command) -> Result<(), StepError> {
        let subject = match command {
            Command::Admit(admission) => self.admit(admission)?,
            Command::Content { log, record, content } => {
                let key = (*log, *record);
                if content.is_kept() {
                    self.arrive(key, content)?;
                } else {
                    self.refer(key, content)?;
                }
                Subject::Record(key)
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
            let signer = admission.envelope.key_id();
            *self.newly_waiting.entry(signer.clone()).or_default() += 1;
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
        let verified = Verified { envelope: admission.envelope.clone(), stem: admission.stem };
        let tracked = Tracked {
            pending: Some(pending),
            verified: Some(verified),
            stored: false,
            fate,
            decided: true,
            replaces,
        };
        self.insert(key, tracked);
        self.advance(key, None)?;
        Ok(Subject::Record(key))
    }

    /// Content came for a record, which may be released under the record's name. Every record that
    /// waits for it misses one thing less; those that this step does not look at, the commit sets free.
    fn arrive(&mut self, key: RecordKey, content: &ContentArrived) -> Result<(), StepError> {
        let digest = content.digest;
        let waits = self.track(key)?.is_some_and(|tracked| tracked.misses(&digest));
        // What a record waits for has not come before.
        let came = self.content.get(&digest).is_some_and(ContentArrived::is_kept);
        if came || !waits && self.has_content(&digest)? {
            return Ok(());
        }
        self.content.insert(digest, content.clone());
        let mut freed = Vec::new();
        for key in self.missing.remove(&digest).unwrap_or_default() {
            let Some(tracked) = self.records.get_mut(&key) else { continue };
            if let Fate::Sourcing(missing) = &mut tracked.fate
                && missing.contains(&digest)
            {
                missing.retain(|other| *other != digest);
                tracked.decided = true;
                freed.push(key);
            }
        }
        for freed in freed {
            self.advance(freed, (freed == key).then_some(digest))?;
        }
        Ok(())
    }

    /// Content was found where a record's publisher has it, and is only referred to. That record misses
    /// one thing less, and no other: nobody else has said that this place will do.
    fn refer(&mut self, key: RecordKey, content: &ContentArrived) -> Result<(), StepError> {
        let digest = content.digest;
        if !self.track(key)?.is_some_and(|tracked| tracked.misses(&digest)) {
            return Ok(());
        }
        match self.known(&digest)? {
            // Somebody else has it elsewhere. The record waits until it is fetched once more, and kept.
            Some(known) if known.place != content.place => return Ok(()),
            // Perhaps it is old and nobody has named it, but somebody does now.
            Some(_) => self.wanted.push(digest),
            None => drop(self.content.insert(digest, content.clone())),
        }
        if let Some(tracked) = self.records.get_mut(&key)
            && let Fate::Sourcing(missing) = &mut tracked.fate
        {
            missing.retain(|other| *other != digest);
            tracked.decided = true;
            self.referred.push(Referral { log: key.0, record: key.1, content: digest });
        }
        self.advance(key, Some(digest))
    }

    /// Lets a record that misses nothing any more become a candidate, if it may. One digest of it may
    /// have been judged already.
    fn advance(&mut self, key: RecordKey, judged: Option<Digest>) -> Result<(), StepError> {
        let Some(tracked) = self.records.get_mut(&key) else { return Ok(()) };
        let Some(pending) = &tracked.pending else { return Ok(()) };
        if !matches!(&tracked.fate, Fate::Sourcing(missing) if missing.is_empty()) {
            return Ok(());
        }
        let (log, name, stored) = (pending.log, pending.name.clone(), tracked.stored);
        let verified = match tracked.verified.take() {
            Some(verified) => Ok(verified),
            None => Verified::read(pending),
        };
        let fate = match verified {
            // It did when it was admitted: the store has changed it. That must not hold up others.
            Err(error) => Fate::Rejected(format!("the registry has lost the record: {error}")),
            Ok(Verified { envelope, stem }) => {
                match self.judge(&name, &envelope, stored, judged)? {
                    Err(reason) => Fate::Rejected(reason),
                    Ok(bytes) => {
                        self.candidates.push(Candidate { log, name, envelope, stem, bytes });
                        Fate::Ready
                    }
                }
            }
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
        judged: Option<Digest>,
    ) -> StoreResult<Result<u64, String>> {
        let policies = self.tools.record_policies.iter().filter(|_| waited);
        for policy in policies {
            if let Err(refusal) = policy.check(name, record) {
                return Ok(Err(refusal.to_string()));
            }
        }
        let mut bytes = 0_u64;
        for (version, digest) in content::releases(record) {
            if let Some(row) = self.content.get(&digest).filter(|_| Some(digest) == judged) {
                bytes = bytes.saturating_add(row.size);
                continue;
            }
            let row = self.known(&digest)?;
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
                    ..Tracked::stored(pending, None)
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
                self.records.insert(key, Tracked { fate, ..Tracked::stored(pending, None) });
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
            referred: std::mem::take(&mut self.referred),
            append,
            counted,
            wanted: wanted.into_iter().map(|digest| (digest, self.now)).collect(),
            discarded: std::mem::take(&mut self.discarded),
            ..Batch::default()
        };
        // Whoever sent a record is told that it was refused in any case; remembering it has a limit.
        let mut room = REJECTED_RECORDS_MAX.saturating_sub(self.counts.rejected);
        for ((log, record), tracked) in &mut self.records {
            let Tracked { pending, stored, fate, decided, replaces, .. } = tracked;
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

    /// What to remember of a batch that was committed.
    pub(super) fn changes(
        &mut self,
        batch: Batch,
    ) -> impl Iterator<Item = (RecordKey, Option<Known>)> {
        let records = &mut self.records;
        let mut waiting: HashMap<RecordKey, PendingRecord> = HashMap::new();
        for pending in batch.admitted {
            waiting.insert((pending.log, pending.record), pending);
        }
        let appended = batch.append.into_iter().flat_map(|append| append.records);
        let published: HashMap<RecordKey, RegistryIndex> = appended
            .map(|record| ((record.leaf.log_id, record.leaf.record_id), record.index))
            .collect();
        records.drain(..).filter_map(move |(key, tracked)| {
            if let Some(index) = published.get(&key) {
                return Some((key, Some(Known::Published(*index))));
            }
            match (waiting.remove(&key), tracked.verified, tracked.fate) {
                (Some(pending), Some(verified), Fate::Sourcing(_)) => {
                    Some((key, Some(Known::Waiting(Arc::new(Waiting { pending, verified })))))
                }
                // As it was.
                (None, _, Fate::Sourcing(_) | Fate::Published(_)) if !tracked.decided => None,
                _ => Some((key, None)),
            }
        })
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
            let tracked = match self.recent.get(&key) {
                Some(Known::Published(index)) => Some(Tracked::published(index)),
                Some(Known::Waiting(waiting)) => {
                    let Waiting { pending, verified } = &*waiting;
                    Some(Tracked::stored(pending.clone(), Some(verified.clone())))
                }
                None => match store.pending(&key.0, &key.1)? {
                    Some(pending) => Some(Tracked::stored(pending, None)),
                    None => store.record_index(&key.0, &key.1)?.map(Tracked::published),
                },
            };
            if let Some(tracked) = tracked {
                self.insert(key, tracked);
            }
        }
        Ok(self.records.get(&key))
    }

    fn insert(&mut self, key: RecordKey, tracked: Tracked) {
        if let Fate::Sourcing(missing) = &tracked.fate {
            for digest in missing {
                self.missing.entry(*digest).or_default().push(key);
            }
        }
        self.records.insert(key, tracked);
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
        let most = limits.sourcing_records_of_key_max;
        // Those of one key are not more than those of all.
        if self.sourcing() < most {
            return Ok(None);
        }
        let new = self.newly_waiting.get(signer).copied().unwrap_or(0);
        let waiting = self.tools.store.sourcing_of(signer)?.saturating_add(new);
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
        self.counts.sourcing + self.newly_waiting.values().sum::<u64>()
    }

    /// Whether content is kept. Who wants what is only referred to has to bring it, or say where it is:
    /// it is not for one publisher to say from where another's content comes.
    fn has_content(&self, digest: &Digest) -> StoreResult<bool> {
        if let Some(row) = self.content.get(digest) {
            return Ok(row.is_kept());
        }
        Ok(self.tools.store.content(digest)?.is_some_and(|row| row.is_kept()))
    }

    /// What is known of content, from this step or from the store.
    fn known(&self, digest: &Digest) -> StoreResult<Option<ContentRow>> {
        match self.content.get(digest) {
            Some(row) => Ok(Some(row.clone())),
            None => self.tools.store.content(digest),
        }
    }
}

impl Tracked {
    /// A record that the store has as pending.
    fn stored(pending: PendingRecord, verified: Option<Verified>) -> Self {
        let fate = match &pending.state {
            PendingState::Sourcing(missing) => Fate::Sourcing(missing.clone()),
            // The backlog takes it up.
            PendingState::Ready => Fate::Ready,
            PendingState::Rejected { reason } => Fate::Rejected(reason.clone()),
        };
        let pending = Some(pending);
        Self { pending, verified, stored: true, fate, decided: false, replaces: false }
    }

    /// A record that is in the log.
    const fn published(index: RegistryIndex) -> Self {
        let fate = Fate::Published(index);
        let (pending, verified) = (None, None);
        Self { pending, verified, stored: false, fate, decided: false, replaces: false }
    }

    fn misses(&self, digest: &Digest) -> bool {
        matches!(&self.fate, Fate::Sourcing(missing) if missing.contains(digest))
    }

    /// Whether the store has it as refused, signed with another key than this one.
    fn is_refused_for_another(&self, key: &KeyId) -> bool {
        let pending = self.pending.as_ref();
        let refused = self.stored && !self.decided && matches!(self.fate, Fate::Rejected(_));
        refused && pending.is_some_and(|pending| pending.envelope.key_id() != key)
    }
}
