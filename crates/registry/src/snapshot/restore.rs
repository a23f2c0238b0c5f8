//! Making a registry of a snapshot, in an empty store.
//!
//! Nothing is served from a store before it is whole: whoever calls this keeps the store out of use
//! until it has returned, and begins with an empty one if it was interrupted.

use wargate_crypto::Digest;
use wargate_protocol::{
    Entry, LogId, LogLength, NamespaceState, OperatorEntry, PackageEnvelope, PackageName,
};
use wargate_transparency::log::Edge;

use super::frames::{Frame, frames, read_content, read_part};
use super::grow::{Grow, Grown};
use super::manifest::{Manifest, PartRef};
use super::replay::{Group, Replay, check_content, checked};
use super::target::Target;
use super::{Progress, SnapshotError, SnapshotResult, Watch};
use crate::blobs::Blobs;
use crate::sequencer::{
    Before, Command, OperatorWork, PackageWork, Sequenced, Sequencer, Tools, stage, tree_length,
};
use crate::store::{
    Append, Batch, Committed, ContentRow, PendingRecord, PendingState, Revision, Store, StoreError,
};
use crate::usage::catch_up;

/// Where a registry is restored to.
pub struct Place<'a> {
    /// An empty store.
    pub store: &'a dyn Store,
    /// For content that the store does not take.
    pub blobs: &'a dyn Blobs,
    /// For how long maps of old checkpoints can be asked for, in seconds.
    pub map_window_seconds: u64,
}

/// What was restored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restored {
    /// The newest commit.
    pub committed: Committed,
    /// Pending records.
    pub pending: u64,
}

/// Entries of one operator record.
const ENTRIES: usize = 500;

/// Restores a registry as it was at a length that was committed. What was pending comes back if that is
/// the snapshot's own length.
///
/// # Errors
/// [`SnapshotError`]; the store is of no use then.
pub fn restore(
    target: &dyn Target,
    manifest: &Manifest,
    until: LogLength,
    place: &Place<'_>,
    watch: Watch<'_>,
) -> SnapshotResult<Restored> {
    if place.store.head()?.is_some() {
        return Err(SnapshotError::Refused("there is a registry already".into()));
    }
    let from = manifest.checkpoint_seconds.saturating_sub(place.map_window_seconds);
    let mut trees = Grow::new(from);
    let mut replay = Replay::new(target, manifest, until);
    let (mut revision, mut newest) = (None, None);
    while let Some(mut group) = replay.next_group()? {
        let grown = trees.add(&group, replay.records() == until.get())?;
        let content = take_contents(target, place, std::mem::take(&mut group.contents))?;
        newest = group.commits.last().copied();
        let append = append(group, grown)?;
        let checkpoint_seconds = manifest.checkpoint_seconds.max(append.committed.seconds);
        let batch = Batch { checkpoint_seconds, content, append: Some(append), ..Batch::default() };
        revision = Some(place.store.commit(revision, &batch)?);
        let (records, bytes) = (replay.records(), replay.bytes());
        watch(Progress { records, of_records: until.get(), bytes });
    }
    let committed = newest.ok_or_else(|| SnapshotError::damaged("it has no records"))?;
    // What is counted beside the log follows from it.
    catch_up(place.store)?;
    let is_whole = until == manifest.length;
    if is_whole && committed.checkpoint != manifest.checkpoint() {
        return Err(SnapshotError::damaged("the manifest has other roots than the last commit"));
    }
    let revision = place.store.head()?.map(|head| head.revision);
    let pending = if is_whole { pending(target, manifest, place, revision)? } else { 0 };
    Ok(Restored { committed, pending })
}

/// Restores the packages of a snapshot under a new operator: the records of its log are left out, and a
/// new operator log that defines the same namespaces comes before all others. Records of packages keep
/// their ids and signatures; positions and checkpoints are new.
///
/// `tools.store` is that of `place`.
///
/// # Errors
/// [`SnapshotError`]; the store is of no use then.
pub fn restore_with_new_operator(
    target: &dyn Target,
    manifest: &Manifest,
    until: LogLength,
    place: &Place<'_>,
    tools: &Tools,
    watch: Watch<'_>,
) -> SnapshotResult<Restored> {
    if place.store.head()?.is_some() {
        return Err(SnapshotError::Refused("there is a registry already".into()));
    }
    // Once to check all of it, and to see what the operator had done.
    let (mut replay, mut trees) = (Replay::new(target, manifest, until), Grow::new(u64::MAX));
    while let Some(group) = replay.next_group()? {
        trees.add(&group, false)?;
        let (records, bytes) = (replay.records() / 2, replay.bytes() / 2);
        watch(Progress { records, of_records: until.get(), bytes });
    }
    drop(trees);
    let namespaces = replay.operator().items().iter().map(|(name, state)| match state {
        NamespaceState::Defined => Entry::define_namespace(name.to_string()),
        NamespaceState::Imported { registry } => {
            Entry::import_namespace(name.to_string(), registry.clone())
        }
    });
    begin(tools, &namespaces.collect::<Vec<_>>())?;
    drop(replay);

    let mut replay = Replay::new(target, manifest, until);
    while let Some(mut group) = replay.next_group()? {
        let content = take_contents(target, place, std::mem::take(&mut group.contents))?;
        continue_log(place.store, tools, group, content)?;
        let records = until.get() / 2 + replay.records() / 2;
        watch(Progress { records, of_records: until.get(), bytes: replay.bytes() });
    }
    catch_up(place.store)?;
    let head = place.store.head()?;
    let revision = head.map(|head| head.revision);
    let pending =
        if until == manifest.length { pending(target, manifest, place, revision)? } else { 0 };
    let committed = head.and_then(|head| head.committed);
    let committed = committed.ok_or_else(|| StoreError::Damaged("nothing is committed".into()))?;
    Ok(Restored { committed, pending })
}

/// A new registry with these namespaces.
fn begin(tools: &Tools, namespaces: &[OperatorEntry]) -> SnapshotResult<()> {
    let (first, rest) = namespaces.split_at(namespaces.len().min(ENTRIES));
    let (mut sequencer, _) = Sequencer::open(tools.clone(), first)?;
    for entries in rest.chunks(ENTRIES) {
        let (outcomes, _) = sequencer.step(&[Command::Operator(entries.to_vec())]);
        outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    }
    Ok(())
}

/// Appends the records of packages in a group to another log.
fn continue_log(
    store: &dyn Store,
    tools: &Tools,
    group: Group,
    content: Vec<ContentRow>,
) -> SnapshotResult<()> {
    let head = store.head()?.ok_or_else(|| StoreError::Damaged("there is no head".into()))?;
    let damaged = |what: &str| StoreError::Damaged(what.into());
    let newest = head.committed.ok_or_else(|| damaged("nothing is committed"))?;
    let length = tree_length(newest.length())?;
    let tiles = store.tiles(&Edge::wanted(length))?;
    let edge = Edge::from_tiles(length, &tiles, &newest.checkpoint.log_root)
        .map_err(|error| damaged(&error.to_string()))?;
    let records =
        group.records.into_iter().filter(|record| record.leaf.log_id != LogId::operator());
    let records = records.map(|record| Sequenced::new(record.leaf, record.envelope));
    let changes = group.logs.into_iter().filter(|change| change.log != LogId::operator());
    let (records, changes) = (records.collect(), changes.collect());
    // What they use is counted at the end.
    let packages = PackageWork { records, changes, ..PackageWork::default() };
    let now = crate::sequencer::seconds(tools.clock.now());
    let before = Before { committed: Some(newest), edge: &edge };
    let staged = stage(store, &before, now, OperatorWork::default(), packages);
    let staged = staged.map_err(|error| damaged(&error.to_string()))?;
    let checkpoint_seconds = head.checkpoint_seconds.max(now);
    let append = staged.map(|staged| staged.append);
    let batch = Batch { checkpoint_seconds, content, append, ..Batch::default() };
    store.commit(Some(head.revision), &batch)?;
    Ok(())
}

fn append(group: Group, grown: Grown) -> SnapshotResult<Append> {
    let Group { records, logs, mut commits, .. } = group;
    let Grown { tiles, pages, superseded } = grown;
    let committed = commits.pop().ok_or_else(|| SnapshotError::damaged("a group has no commit"))?;
    Ok(Append { records, logs, tiles, pages, superseded, committed, earlier: commits })
}

/// Sees to it that content is there before the store says so.
fn take_contents(
    target: &dyn Target,
    place: &Place<'_>,
    rows: Vec<ContentRow>,
) -> SnapshotResult<Vec<ContentRow>> {
    for row in rows.iter().filter(|row| row.is_blob()) {
        let part = PartRef { digest: row.digest, bytes: row.size };
        if place.blobs.open(&row.digest).map_err(SnapshotError::Content)?.is_none() {
            copy(target, place.blobs, &part)?;
        }
    }
    Ok(rows)
}

fn copy(target: &dyn Target, blobs: &dyn Blobs, part: &PartRef) -> SnapshotResult<()> {
    let mut spool = blobs.spool().map_err(SnapshotError::Content)?;
    read_content(target, part, &mut |bytes| spool.write(bytes).map_err(SnapshotError::Content))?;
    blobs.keep(&part.digest, spool).map_err(SnapshotError::Content)
}

/// Makes pending what was.
fn pending(
    target: &dyn Target,
    manifest: &Manifest,
    place: &Place<'_>,
    mut revision: Option<Revision>,
) -> SnapshotResult<u64> {
    let mut count = 0;
    for part in &manifest.pending {
        let (rows, admitted) = waiting(target, part)?;
        count += admitted.len() as u64;
        let content = take_contents(target, place, rows)?;
        let head = place.store.head()?;
        let checkpoint_seconds =
            head.map_or(manifest.checkpoint_seconds, |head| head.checkpoint_seconds);
        let batch = Batch { checkpoint_seconds, admitted, content, ..Batch::default() };
        revision = Some(place.store.commit(revision, &batch)?);
    }
    Ok(count)
}

fn waiting(
    target: &dyn Target,
    part: &PartRef,
) -> SnapshotResult<(Vec<ContentRow>, Vec<PendingRecord>)> {
    let (mut rows, mut admitted) = (Vec::new(), Vec::new());
    let mut logs: Vec<(LogId, Option<PackageName>)> = Vec::new();
    for frame in frames(&read_part(target, part)?)? {
        let misplaced = || SnapshotError::damaged("a frame that is not of pending records");
        match frame? {
            Frame::Log { log, name } => logs.push(checked(log, name)?),
            Frame::Content(row) => {
                check_content(&row)?;
                rows.push(row);
            }
            Frame::Pending { log, admitted_seconds, state, envelope } => {
                let (log, name) = logs.get(log as usize).cloned().ok_or_else(misplaced)?;
                let damaged = |error| SnapshotError::Damaged(format!("a pending record: {error}"));
                let decoded = PackageEnvelope::decode(envelope.clone()).map_err(damaged)?;
                let name = name.ok_or_else(misplaced)?;
                check_pending(&state, &decoded, &rows)?;
                let record = decoded.record_id();
                admitted.push(PendingRecord {
                    log,
                    record,
                    name,
                    envelope,
                    admitted_seconds,
                    state,
                });
            }
            Frame::Record { .. } | Frame::Commit(_) | Frame::Blob(_) | Frame::Key { .. } => {
                return Err(misplaced());
            }
        }
    }
    Ok((rows, admitted))
}

/// What a record does not miss is there.
fn check_pending(
    state: &PendingState,
    record: &PackageEnvelope,
    rows: &[ContentRow],
) -> SnapshotResult<()> {
    let missing: &[Digest] = match state {
        PendingState::Rejected { .. } => return Ok(()),
        PendingState::Ready => &[],
        PendingState::Sourcing(missing) => missing,
    };
    let lost = crate::content::releases(record).find(|(_, digest)| {
        !missing.contains(digest) && rows.iter().all(|row| row.digest != *digest)
    });
    match lost {
        Some((_, digest)) => Err(SnapshotError::Damaged(format!(
            "the content {digest} of a pending record is missing"
        ))),
        None => Ok(()),
    }
}
