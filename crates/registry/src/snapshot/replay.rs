//! A snapshot's history, read from the first record to the last and checked on the way: signatures,
//! and that every record fits onto its log.
//!
//! The state of every log is held in memory, about a kilobyte for each package.

use std::collections::{HashMap, VecDeque};
use std::thread;

use indexmap::IndexMap;
use wargate_protocol::{
    Entry, Envelope, LogId, LogKind, LogLeaf, LogLength, LogState, Operator, OperatorEnvelope,
    Package, PackageEnvelope, PackageName, RegistryIndex, state,
};

use super::frames::{Frame, frames, read_part};
use super::manifest::{Manifest, Segment};
use super::target::Target;
use super::{SnapshotError, SnapshotResult};
use crate::store::{Committed, ContentPlace, ContentRow, LogChange, LoggedRecord};
use crate::view::Changes;

/// Records that follow each other and end with a commit, and what follows from them.
#[derive(Debug, Default)]
pub struct Group {
    /// The records.
    pub records: Vec<LoggedRecord>,
    /// What becomes of their logs, by id.
    pub logs: Vec<LogChange>,
    /// The lengths that were committed; the last is that behind the last record.
    pub commits: Vec<Committed>,
    /// Content of the records. Some may have come before.
    pub contents: Vec<ContentRow>,
}

/// A snapshot on its way from the first record on.
pub struct Replay<'a> {
    target: &'a dyn Target,
    segments: std::slice::Iter<'a, Segment>,
    until: LogLength,
    /// Read, and not handed out.
    queue: VecDeque<Step>,
    read: u64,
    next: u64,
    seconds: u64,
    operator: LogState<Operator>,
    packages: HashMap<LogId, LogState<Package>>,
    /// Bytes of parts that were read.
    bytes: u64,
}

/// A record, with what stands behind it.
struct Step {
    log: LogId,
    name: Option<PackageName>,
    envelope: AnyEnvelope,
    contents: Vec<ContentRow>,
    commit: Option<Committed>,
}

enum AnyEnvelope {
    Operator(Box<OperatorEnvelope>),
    Package(Box<PackageEnvelope>),
}

impl<'a> Replay<'a> {
    /// Begins. `until` must be a length that was committed.
    pub fn new(target: &'a dyn Target, manifest: &'a Manifest, until: LogLength) -> Self {
        Self {
            target,
            segments: manifest.segments.iter(),
            until,
            queue: VecDeque::new(),
            read: 0,
            next: 0,
            seconds: 0,
            operator: LogState::new(),
            packages: HashMap::new(),
            bytes: 0,
        }
    }

    /// How many records were handed out.
    pub const fn records(&self) -> u64 {
        self.next
    }

    /// How many bytes of parts were read.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The operator log so far.
    pub const fn operator(&self) -> &LogState<Operator> {
        &self.operator
    }

    /// The logs of packages so far.
    pub const fn packages(&self) -> &HashMap<LogId, LogState<Package>> {
        &self.packages
    }

    /// The next records up to a commit; `None` when all were handed out.
    ///
    /// # Errors
    /// [`SnapshotError::Damaged`] if there is anything wrong with them.
    pub fn next_group(&mut self) -> SnapshotResult<Option<Group>> {
        if self.next >= self.until.get() {
            return Ok(None);
        }
        let (more, until) = (self.until.get() - self.next, self.until.get());
        let within =
            |queue: &VecDeque<Step>| queue.len().min(usize::try_from(more).unwrap_or(usize::MAX));
        let last = |queue: &VecDeque<Step>| {
            let last = queue.iter().take(within(queue)).rposition(|step| step.commit.is_some());
            last.map(|last| last + 1)
        };
        let steps = loop {
            if let Some(steps) = last(&self.queue) {
                break steps;
            }
            if within(&self.queue) as u64 == more {
                return Err(SnapshotError::Refused(format!("no commit has the length {until}")));
            }
            let Some(segment) = self.segments.next() else {
                return Err(SnapshotError::damaged("the last records belong to no commit"));
            };
            self.load(segment)?;
        };
        let steps: Vec<_> = self.queue.drain(..steps).collect();
        self.group(steps).map(Some)
    }

    /// Reads a segment.
    fn load(&mut self, segment: &Segment) -> SnapshotResult<()> {
        let part = read_part(self.target, &segment.part)?;
        self.bytes += segment.part.bytes;
        let mut steps = decode(&part)?;
        if steps.len() as u64 != segment.records {
            let wrong = format!("the part {} has another number of records", segment.part.digest);
            return Err(SnapshotError::Damaged(wrong));
        }
        for (step, index) in steps.iter().zip(self.read..) {
            if step.commit.is_some_and(|commit| commit.length().get() != index + 1) {
                return Err(SnapshotError::damaged(
                    "a commit stands at another place than its own",
                ));
            }
        }
        self.read += segment.records;
        self.verify_signatures(&mut steps);
        self.queue.extend(steps);
        Ok(())
    }

    /// Looks at signatures early, on all processors. Those that do not verify with a key that is known
    /// here are looked at again when their turn comes.
    fn verify_signatures(&self, steps: &mut [Step]) {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let share = steps.len().div_ceil(threads).max(1);
        let work = |steps: &mut [Step]| {
            for step in steps {
                if let AnyEnvelope::Package(envelope) = &mut step.envelope {
                    let key = signer(envelope, self.packages.get(&step.log));
                    // What fails now is refused when it is validated.
                    let _ = key.map(|key| envelope.verify_signature(&key));
                }
            }
        };
        if threads == 1 {
            return work(steps);
        }
        thread::scope(|scope| {
            for share in steps.chunks_mut(share) {
                scope.spawn(|| work(share));
            }
        });
    }

    /// Checks records against their logs.
    fn group(&mut self, steps: Vec<Step>) -> SnapshotResult<Group> {
        let mut group = Group::default();
        let mut operator = Changes::<Operator>::new(LogId::operator(), None);
        let mut packages: IndexMap<LogId, Changes<Package>> = IndexMap::new();
        for step in steps {
            let Step { log, name, envelope, contents, commit } = step;
            let index = RegistryIndex::new(self.next);
            let wrong = |why: String| SnapshotError::Damaged(format!("record {index}: {why}"));
            let (record_id, envelope) = match envelope {
                AnyEnvelope::Operator(envelope) => {
                    append(&envelope, &mut self.operator, &mut operator).map_err(wrong)?;
                    (envelope.record_id(), envelope.into_signed())
                }
                AnyEnvelope::Package(envelope) => {
                    let state = self.packages.entry(log).or_default();
                    let changes = packages.entry(log);
                    let changes = changes.or_insert_with(|| Changes::new(log, name));
                    append(&envelope, state, changes).map_err(wrong)?;
                    (envelope.record_id(), envelope.into_signed())
                }
            };
            let leaf = LogLeaf { log_id: log, record_id };
            group.records.push(LoggedRecord { index, leaf, envelope });
            group.contents.extend(contents);
            self.next += 1;
            if let Some(commit) = commit {
                if commit.seconds < self.seconds {
                    return Err(wrong("time goes back".into()));
                }
                self.seconds = commit.seconds;
                group.commits.push(commit);
            }
        }
        let packages = packages.into_values().filter_map(Changes::finish);
        group.logs = operator.finish().into_iter().chain(packages).collect();
        group.logs.sort_by_key(|change| change.log);
        Ok(group)
    }
}

/// Validates a record, makes it part of its log, and notes what it changes.
fn append<K: LogKind>(
    envelope: &Envelope<K>,
    log: &mut LogState<K>,
    changes: &mut Changes<K>,
) -> Result<(), String> {
    let delta = state::validate(envelope, log).map_err(|error| error.to_string())?;
    changes.add(&delta);
    log.apply(delta).map_err(|error| error.to_string())
}

/// The key that signed a record, if it can be known without the records before it in its segment.
fn signer(
    envelope: &PackageEnvelope,
    log: Option<&LogState<Package>>,
) -> Option<wargate_crypto::PublicKey> {
    let id = envelope.key_id();
    if let Some(key) = log.and_then(|log| log.keys().get(id)) {
        return Some(key.clone());
    }
    envelope.record().entries.iter().find_map(|entry| match entry {
        Entry::Init { key, .. } if key.id() == *id => Some(key.clone()),
        _ => None,
    })
}

/// The records of a segment.
fn decode(part: &[u8]) -> SnapshotResult<Vec<Step>> {
    let mut logs = Vec::new();
    let mut steps: Vec<Step> = Vec::new();
    for frame in frames(part)? {
        let misplaced = || SnapshotError::damaged("a frame stands where none of its kind can be");
        match frame? {
            Frame::Log { log, name } => logs.push(checked(log, name)?),
            Frame::Record { log, envelope } => {
                let (log, name) = logs.get(log as usize).cloned().ok_or_else(misplaced)?;
                let damaged = |error| SnapshotError::Damaged(format!("a record: {error}"));
                let envelope = if name.is_none() {
                    let envelope = OperatorEnvelope::decode(envelope).map_err(damaged)?;
                    AnyEnvelope::Operator(Box::new(envelope))
                } else {
                    let envelope = PackageEnvelope::decode(envelope).map_err(damaged)?;
                    AnyEnvelope::Package(Box::new(envelope))
                };
                steps.push(Step { log, name, envelope, contents: Vec::new(), commit: None });
            }
            Frame::Commit(commit) => {
                let step = steps.last_mut().filter(|step| step.commit.is_none());
                step.ok_or_else(misplaced)?.commit = Some(commit);
            }
            Frame::Content(row) => {
                check_content(&row)?;
                let step = steps.last_mut().filter(|step| step.commit.is_none());
                step.ok_or_else(misplaced)?.contents.push(row);
            }
            Frame::Pending { .. } | Frame::Blob(_) | Frame::Key { .. } => return Err(misplaced()),
        }
    }
    Ok(steps)
}

/// A log's id is that of its name.
pub(super) fn checked(
    log: LogId,
    name: Option<PackageName>,
) -> SnapshotResult<(LogId, Option<PackageName>)> {
    if log == name.as_ref().map_or_else(LogId::operator, LogId::package) {
        Ok((log, name))
    } else {
        Err(SnapshotError::Damaged(format!("{log} has the name of another log")))
    }
}

/// Bytes that are here are those of the digest.
pub(super) fn check_content(row: &ContentRow) -> SnapshotResult<()> {
    let ContentPlace::Inline(bytes) = &row.place else { return Ok(()) };
    if bytes.len() as u64 == row.size && wargate_crypto::Digest::of(bytes) == row.digest {
        Ok(())
    } else {
        Err(SnapshotError::Damaged(format!("the content {} has other bytes", row.digest)))
    }
}

/// The newest commit at or before a second of the Unix epoch; `None` if there is none.
///
/// # Errors
/// [`SnapshotError::Damaged`]
pub fn length_at(
    target: &dyn Target,
    manifest: &Manifest,
    second: u64,
) -> SnapshotResult<Option<LogLength>> {
    let mut found = None;
    for segment in &manifest.segments {
        for frame in frames(&read_part(target, &segment.part)?)? {
            if let Frame::Commit(commit) = frame? {
                if commit.seconds > second {
                    return Ok(found);
                }
                found = Some(commit.length());
            }
        }
    }
    Ok(found)
}
