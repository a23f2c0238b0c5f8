//! Taking a snapshot of a registry that goes on meanwhile.
//!
//! How long the log is and which records are pending are read in one moment of the store, which is over
//! before anything is asked of the target: that may be slow, and a store that has to remember a moment
//! grows. All else is below that length and never changes, or is what has become of those records.
//!
//! Parts first, then what makes them durable, then the manifest: a crash leaves parts that nobody
//! names, which the next snapshot uses and `prune` removes.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};

use wargate_crypto::Digest;
use wargate_protocol::{
    LogId, LogLength, LogState, Operator, OperatorEnvelope, PackageEnvelope, PackageName, RecordId,
    RegistryIndex, TimestampedCheckpoint,
};

use super::frames::{Frame, PartWriter};
use super::manifest::{FORMAT, Manifest, PartRef, Segment, SnapshotId, VERSION};
use super::target::Target;
use super::{Progress, SnapshotError, SnapshotResult, Watch};
use crate::blobs::{Blob, Blobs};
use crate::content::releases;
use crate::limits::{SNAPSHOT_SEGMENT_BYTES, SNAPSHOT_SEGMENT_RECORDS};
use crate::seams::{Clock, Signer};
use crate::sequencer::seconds;
use crate::store::{
    Committed, ContentRow, LogQuery, LoggedRecord, PendingRecord, PendingState, Store, StoreError,
    StoreHead,
};

/// What a snapshot is taken of.
pub struct Source<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Content that is not in the store.
    pub blobs: &'a dyn Blobs,
    /// Signs the checkpoint, if the key is at hand.
    pub signer: Option<&'a dyn Signer>,
    /// Private keys to include: which, and what their files have.
    pub keys: Vec<(String, String)>,
    /// The time, which is looked at when the moment was.
    pub clock: &'a dyn Clock,
    /// The program, for people.
    pub program: String,
}

/// A snapshot that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its name.
    pub id: SnapshotId,
    /// Its manifest.
    pub manifest: Manifest,
    /// Records in segments that an earlier snapshot has.
    pub shared_records: u64,
    /// Parts that were new.
    pub new_parts: u64,
    /// How many bytes those have.
    pub new_bytes: u64,
}

/// Rows that are read at once.
const CHUNK: usize = 256;

/// Takes a snapshot.
///
/// # Errors
/// [`SnapshotError`]; there is no snapshot then, and perhaps some parts.
pub fn take(source: &Source<'_>, target: &dyn Target, watch: Watch<'_>) -> SnapshotResult<Taken> {
    let target = Counted::new(target);
    let mut noted = Vec::new();
    let head = source.store.moment(&mut |record| noted.push(Noted::of(&record)))?;
    let now = source.clock.now();
    let empty = || SnapshotError::Refused("the registry has no records yet".into());
    let (head, newest) = head.and_then(|head| Some((head, head.committed?))).ok_or_else(empty)?;
    let (pending, pending_blobs) = Waiting::new(source, &target).copy(&noted)?;
    let registry = first_record(source.store)?;
    let mut segments = shared(source.store, &target, registry, &newest)?;
    let shared_records = segments.iter().map(|segment| segment.records).sum();
    let mut writer = Writer::new(source, &target, newest.length(), shared_records);
    segments.extend(writer.run(watch)?);
    let mut manifest = Manifest {
        format: FORMAT.into(),
        version: VERSION,
        taken_millis: seconds(now) * 1000 + u64::from(now.nanos()) / 1_000_000,
        program: source.program.clone(),
        registry,
        length: newest.length(),
        log_root: newest.checkpoint.log_root,
        map_root: newest.checkpoint.map_root,
        checkpoint_seconds: head.checkpoint_seconds,
        signed: None,
        segments,
        pending,
        pending_blobs,
        keys: keys(source, &target)?,
    };
    manifest.signed = sign(source, &head, &newest)?;
    target.settle().map_err(SnapshotError::Target)?;
    let (id, bytes) = manifest.encode()?;
    target.keep_manifest(&id, &bytes).map_err(SnapshotError::Target)?;
    let (new_parts, new_bytes) = target.counts();
    Ok(Taken { id, manifest, shared_records, new_parts, new_bytes })
}

fn first_record(store: &dyn Store) -> SnapshotResult<RecordId> {
    let leaf = store.leaves(&[RegistryIndex::FIRST])?.into_iter().flatten().next();
    let missing = || StoreError::Damaged("the first record is missing".into());
    Ok(leaf.ok_or_else(missing)?.record_id)
}

/// The full segments of the newest snapshot of the same history that are there.
fn shared(
    store: &dyn Store,
    target: &dyn Target,
    registry: RecordId,
    newest: &Committed,
) -> SnapshotResult<Vec<Segment>> {
    for id in target.manifests().map_err(SnapshotError::Target)?.iter().rev() {
        // One that is damaged is `verify`'s to tell of, and no reason to take no new one.
        let Ok(manifest) = Manifest::read(target, id) else { continue };
        if manifest.registry != registry {
            return Err(SnapshotError::Refused(
                "there are snapshots of another registry: name another place".into(),
            ));
        }
        if manifest.length > newest.length() {
            continue;
        }
        let same = store.commit_of_length(manifest.length)?;
        if same.is_none_or(|same| same.checkpoint != manifest.checkpoint()) {
            continue;
        }
        let mut shared = Vec::new();
        for segment in manifest.segments.into_iter().take_while(|segment| segment.full) {
            for part in std::iter::once(segment.part).chain(segment.blobs) {
                let there = target.part_bytes(&part.digest).map_err(SnapshotError::Target)?;
                if there != Some(part.bytes) {
                    return Ok(shared);
                }
            }
            shared.push(segment);
        }
        return Ok(shared);
    }
    Ok(Vec::new())
}

fn keys(source: &Source<'_>, target: &dyn Target) -> SnapshotResult<Option<PartRef>> {
    if source.keys.is_empty() {
        return Ok(None);
    }
    let mut part = PartWriter::default();
    for (role, text) in &source.keys {
        part.push(&Frame::Key { role: role.clone(), text: text.clone() })?;
    }
    part.keep(target).map(Some)
}

/// The checkpoint as it was or would be served, if the key at hand may sign it.
fn sign(
    source: &Source<'_>,
    head: &StoreHead,
    newest: &Committed,
) -> SnapshotResult<Option<wargate_protocol::SignedCheckpoint>> {
    let Some(signer) = source.signer else { return Ok(None) };
    let contents = TimestampedCheckpoint {
        checkpoint: newest.checkpoint,
        timestamp_seconds: head.checkpoint_seconds,
    };
    let Ok(checkpoint) = signer.sign_checkpoint(contents) else { return Ok(None) };
    // The key may have been replaced after that length.
    let (mut operator, mut after) = (LogState::<Operator>::new(), None);
    loop {
        let page = source.store.log_records(&LogId::operator(), after, newest.length(), CHUNK)?;
        let Some(last) = page.last() else { break };
        after = Some(last.index);
        for record in page {
            let damaged = |why: String| StoreError::Damaged(format!("the operator log: {why}"));
            let envelope = OperatorEnvelope::decode(record.envelope);
            let envelope = envelope.map_err(|error| damaged(error.to_string()))?;
            operator.append(&envelope).map_err(|error| damaged(error.to_string()))?;
        }
    }
    Ok(checkpoint.verify(&operator).ok().map(wargate_protocol::VerifiedCheckpoint::into_signed))
}

/// Numbers of logs in a part.
#[derive(Default)]
struct Logs(HashMap<LogId, u32>);

impl Logs {
    /// The number of a log, which is introduced if the part does not have it.
    fn number(
        &mut self,
        part: &mut PartWriter,
        log: LogId,
        name: Option<&PackageName>,
    ) -> SnapshotResult<u32> {
        if let Some(number) = self.0.get(&log) {
            return Ok(*number);
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        part.push(&Frame::Log { log, name: name.cloned() })?;
        self.0.insert(log, number);
        Ok(number)
    }
}

/// Content of the records of one part.
struct Contents<'a> {
    source: &'a Source<'a>,
    target: &'a dyn Target,
    there: HashSet<Digest>,
    blobs: Vec<PartRef>,
}

impl<'a> Contents<'a> {
    fn new(source: &'a Source<'a>, target: &'a dyn Target) -> Self {
        Self { source, target, there: HashSet::new(), blobs: Vec::new() }
    }

    /// Adds content that has arrived, once. Whether it has.
    fn add(&mut self, part: &mut PartWriter, digest: &Digest) -> SnapshotResult<bool> {
        if self.there.contains(digest) {
            return Ok(true);
        }
        let Some(row) = self.source.store.content(digest)? else { return Ok(false) };
        if row.is_blob() {
            self.blobs.push(self.copy(&row)?);
        }
        part.push(&Frame::Content(row))?;
        self.there.insert(*digest);
        Ok(true)
    }

    fn copy(&self, row: &ContentRow) -> SnapshotResult<PartRef> {
        let part = PartRef { digest: row.digest, bytes: row.size };
        let there = self.target.part_bytes(&part.digest).map_err(SnapshotError::Target)?;
        if there != Some(part.bytes) {
            let blob = self.source.blobs.open(&row.digest).map_err(SnapshotError::Content)?;
            let missing = || StoreError::Damaged(format!("the content {} is missing", row.digest));
            let mut reader = BlobReader { blob: blob.ok_or_else(missing)?, position: 0 };
            let kept = self.target.keep_part(&part.digest, part.bytes, &mut reader);
            kept.map_err(SnapshotError::Target)?;
        }
        Ok(part)
    }

    /// The list of what is a part of its own.
    fn finish(self) -> SnapshotResult<Option<PartRef>> {
        if self.blobs.is_empty() {
            return Ok(None);
        }
        let mut list = PartWriter::default();
        self.blobs.into_iter().try_for_each(|blob| list.push(&Frame::Blob(blob)))?;
        list.keep(self.target).map(Some)
    }
}

struct BlobReader {
    blob: Box<dyn Blob>,
    position: u64,
}

impl Read for BlobReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.blob.read_at(self.position, into)?;
        self.position += read as u64;
        Ok(read)
    }
}

/// A pending record, as it is noted in the moment of the store: little, where the records themselves may
/// be gigabytes, as many as the operator allows and 256 KiB each.
struct Noted {
    log: LogId,
    record: RecordId,
    admitted_seconds: u64,
}

impl Noted {
    fn of(record: &PendingRecord) -> Self {
        let PendingRecord { log, record, admitted_seconds, .. } = *record;
        Self { log, record, admitted_seconds }
    }

    /// The record as it is now. One that is in the log by now waits for nothing any more; there is none
    /// if it has expired.
    fn now(&self, store: &dyn Store) -> SnapshotResult<Option<PendingRecord>> {
        let Self { log, record, admitted_seconds } = *self;
        if let Some(pending) = store.pending(&log, &record)? {
            return Ok(Some(pending));
        }
        let Some(index) = store.record_index(&log, &record)? else { return Ok(None) };
        let logged = store.records(index, 1)?;
        let name = names(store, &logged)?.remove(&log);
        let (Some(logged), Some(name)) = (logged.into_iter().next(), name) else {
            return Err(StoreError::Damaged(format!("record {index} is missing")).into());
        };
        let (envelope, state) = (logged.envelope, PendingState::Ready);
        Ok(Some(PendingRecord { log, record, name, envelope, admitted_seconds, state }))
    }
}

/// Writes what is pending.
struct Waiting<'a> {
    target: &'a dyn Target,
    contents: Contents<'a>,
    part: PartWriter,
    logs: Logs,
    parts: Vec<PartRef>,
}

impl<'a> Waiting<'a> {
    fn new(source: &'a Source<'a>, target: &'a dyn Target) -> Self {
        let contents = Contents::new(source, target);
        let (part, logs) = (PartWriter::default(), Logs::default());
        Self { target, contents, part, logs, parts: Vec::new() }
    }

    /// The parts, and the list of content that is a part of its own.
    fn copy(mut self, noted: &[Noted]) -> SnapshotResult<(Vec<PartRef>, Option<PartRef>)> {
        for noted in noted {
            if let Some(record) = noted.now(self.contents.source.store)? {
                self.add(record)?;
            }
        }
        if !self.part.is_empty() {
            self.cut()?;
        }
        Ok((self.parts, self.contents.finish()?))
    }

    fn add(&mut self, record: PendingRecord) -> SnapshotResult<()> {
        let PendingRecord { log, name, envelope, admitted_seconds, state, .. } = record;
        let damaged = |error| StoreError::Damaged(format!("a pending record: {error}"));
        let decoded = PackageEnvelope::decode(envelope.clone()).map_err(damaged)?;
        let mut missing = match &state {
            PendingState::Sourcing(missing) => missing.clone(),
            PendingState::Ready | PendingState::Rejected { .. } => Vec::new(),
        };
        let log = self.logs.number(&mut self.part, log, Some(&name))?;
        let state = if let PendingState::Rejected { .. } = state {
            state
        } else {
            // What arrived in the meantime is there, what was removed is missing: both are said of
            // content that the snapshot has, and of no other.
            for (_, digest) in releases(&decoded) {
                if !missing.contains(&digest) && !self.contents.add(&mut self.part, &digest)? {
                    missing.push(digest);
                }
            }
            if missing.is_empty() { PendingState::Ready } else { PendingState::Sourcing(missing) }
        };
        self.part.push(&Frame::Pending { log, admitted_seconds, state, envelope })?;
        if self.part.len() >= SNAPSHOT_SEGMENT_BYTES {
            self.cut()?;
        }
        Ok(())
    }

    fn cut(&mut self) -> SnapshotResult<()> {
        self.logs = Logs::default();
        self.contents.there.clear();
        self.parts.push(std::mem::take(&mut self.part).keep(self.target)?);
        Ok(())
    }
}

/// Writes the segments that are new.
struct Writer<'a> {
    source: &'a Source<'a>,
    target: &'a dyn Target,
    until: LogLength,
    next: u64,
    /// Commits behind the records so far, oldest first.
    commits: std::collections::VecDeque<Committed>,
    bytes: u64,
}

/// A segment that is being put together.
struct Open<'a> {
    first: u64,
    part: PartWriter,
    logs: Logs,
    contents: Contents<'a>,
}

impl<'a> Writer<'a> {
    fn new(source: &'a Source<'a>, target: &'a dyn Target, until: LogLength, next: u64) -> Self {
        Self { source, target, until, next, commits: std::collections::VecDeque::new(), bytes: 0 }
    }

    fn run(&mut self, watch: Watch<'_>) -> SnapshotResult<Vec<Segment>> {
        let mut segments = Vec::new();
        let mut open = self.begin();
        let (source, until) = (self.source, self.until.get());
        while self.next < until {
            let left = usize::try_from(until - self.next).unwrap_or(CHUNK);
            let records = source.store.records(RegistryIndex::new(self.next), left.min(CHUNK))?;
            if records.is_empty() {
                let missing = format!("record {} is missing", self.next);
                return Err(StoreError::Damaged(missing).into());
            }
            let names = names(source.store, &records)?;
            for record in records {
                let name = names.get(&record.leaf.log_id);
                self.add(&mut open, record, name)?;
                let count = self.next - open.first;
                if count >= SNAPSHOT_SEGMENT_RECORDS || open.part.len() >= SNAPSHOT_SEGMENT_BYTES {
                    let full = std::mem::replace(&mut open, self.begin());
                    segments.push(self.end(full, true)?);
                }
            }
            watch(Progress { records: self.next, of_records: until, bytes: self.bytes });
        }
        if !open.part.is_empty() {
            segments.push(self.end(open, false)?);
        }
        Ok(segments)
    }

    fn begin(&self) -> Open<'a> {
        Open {
            first: self.next,
            part: PartWriter::default(),
            logs: Logs::default(),
            contents: Contents::new(self.source, self.target),
        }
    }

    fn add(
        &mut self,
        open: &mut Open<'a>,
        record: LoggedRecord,
        name: Option<&PackageName>,
    ) -> SnapshotResult<()> {
        let LoggedRecord { index, leaf, envelope } = record;
        if index.get() != self.next {
            let gap = format!("record {} is missing", self.next);
            return Err(StoreError::Damaged(gap).into());
        }
        let log = open.logs.number(&mut open.part, leaf.log_id, name)?;
        let contents: Vec<Digest> = if leaf.log_id == LogId::operator() {
            Vec::new()
        } else {
            let damaged = |error| StoreError::Damaged(format!("record {index}: {error}"));
            let decoded = PackageEnvelope::decode(envelope.clone()).map_err(damaged)?;
            releases(&decoded).map(|(_, digest)| digest).collect()
        };
        open.part.push(&Frame::Record { log, envelope })?;
        for digest in contents {
            open.contents.add(&mut open.part, &digest)?;
        }
        self.next += 1;
        if let Some(commit) = self.commit_here()? {
            open.part.push(&Frame::Commit(commit))?;
        }
        Ok(())
    }

    /// The commit that ends with the record before `next`, if one does.
    fn commit_here(&mut self) -> SnapshotResult<Option<Committed>> {
        if self.commits.is_empty() {
            let after = LogLength::new(self.next - 1);
            self.commits.extend(self.source.store.commits(after, CHUNK)?);
        }
        Ok(self.commits.pop_front_if(|commit| commit.length().get() == self.next))
    }

    fn end(&mut self, open: Open<'a>, full: bool) -> SnapshotResult<Segment> {
        let Open { first, part, contents, .. } = open;
        let blobs = contents.finish()?;
        let part = part.keep(self.target)?;
        self.bytes += part.bytes;
        Ok(Segment { first, records: self.next - first, full, part, blobs })
    }
}

/// The names of the packages of some records.
fn names(
    store: &dyn Store,
    records: &[LoggedRecord],
) -> SnapshotResult<HashMap<LogId, PackageName>> {
    let logs: HashSet<_> = records.iter().map(|record| record.leaf.log_id).collect();
    let logs: Vec<_> = logs.into_iter().collect();
    let queries: Vec<_> = logs.iter().map(|log| LogQuery::of_head(*log)).collect();
    let rows = store.log_rows(&queries)?;
    Ok(logs.into_iter().zip(rows).filter_map(|(log, rows)| Some((log, rows.name?))).collect())
}

/// A target that counts what is new.
struct Counted<'a> {
    inner: &'a dyn Target,
    parts: std::sync::atomic::AtomicU64,
    bytes: std::sync::atomic::AtomicU64,
}

impl<'a> Counted<'a> {
    fn new(inner: &'a dyn Target) -> Self {
        Self { inner, parts: 0.into(), bytes: 0.into() }
    }

    fn counts(&self) -> (u64, u64) {
        let read =
            |it: &std::sync::atomic::AtomicU64| it.load(std::sync::atomic::Ordering::Relaxed);
        (read(&self.parts), read(&self.bytes))
    }
}

impl Target for Counted<'_> {
    fn part(&self, digest: &Digest) -> io::Result<Option<Box<dyn Read + '_>>> {
        self.inner.part(digest)
    }

    fn part_bytes(&self, digest: &Digest) -> io::Result<Option<u64>> {
        self.inner.part_bytes(digest)
    }

    fn keep_part(&self, digest: &Digest, bytes: u64, from: &mut dyn Read) -> io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        self.inner.keep_part(digest, bytes, from)?;
        self.parts.fetch_add(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
        Ok(())
    }

    fn parts(&self, each: &mut dyn FnMut(Digest, u64)) -> io::Result<()> {
        self.inner.parts(each)
    }

    fn remove_part(&self, digest: &Digest) -> io::Result<()> {
        self.inner.remove_part(digest)
    }

    fn settle(&self) -> io::Result<()> {
        self.inner.settle()
    }

    fn manifests(&self) -> io::Result<Vec<SnapshotId>> {
        self.inner.manifests()
    }

    fn manifest(&self, id: &SnapshotId, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        self.inner.manifest(id, bytes_max)
    }

    fn keep_manifest(&self, id: &SnapshotId, bytes: &[u8]) -> io::Result<()> {
        self.inner.keep_manifest(id, bytes)
    }

    fn remove_manifest(&self, id: &SnapshotId) -> io::Result<()> {
        self.inner.remove_manifest(id)
    }
}
