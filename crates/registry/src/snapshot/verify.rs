//! The check of a snapshot: everything that `fsck` computes for a registry, without restoring it.

use std::collections::HashSet;

use serde::Serialize;
use wargate_crypto::Digest;
use wargate_protocol::ReleaseState;

use super::frames::{Frame, frames, read_content, read_part};
use super::grow::Grow;
use super::manifest::{Manifest, PartRef};
use super::prune::blobs;
use super::replay::{Replay, check_content, checked};
use super::target::Target;
use super::{Progress, SnapshotError, SnapshotResult, Watch};

/// What is wrong is listed up to here.
const FINDINGS_MAX: usize = 100;

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    /// Records, each with its signature and against its log.
    pub records: u64,
    /// Commits, each with both roots.
    pub commits: u64,
    /// Logs of packages.
    pub packages: u64,
    /// Content of releases.
    pub contents: u64,
    /// Pending records.
    pub pending: u64,
    /// Parts, content included.
    pub parts: u64,
    /// How many bytes those have.
    pub bytes: u64,
    /// What is wrong, at most the first hundred.
    pub findings: Vec<String>,
    /// What is not wrong, and worth knowing.
    pub notes: Vec<String>,
}

/// Checks a snapshot.
///
/// # Errors
/// [`SnapshotError::Target`] if it cannot be read. What is damaged is in the report.
pub fn verify(
    target: &dyn Target,
    manifest: &Manifest,
    watch: Watch<'_>,
) -> SnapshotResult<Verified> {
    let mut report = Verified::default();
    // Every part first, so that all that are damaged are named.
    for part in manifest.parts() {
        let checked = read_part(target, &part).map(drop);
        report.part(&part, checked)?;
    }
    let mut blobs_there = HashSet::new();
    for list in manifest.blob_lists() {
        // A list that is damaged was named.
        for blob in blobs(target, &list).unwrap_or_default() {
            if blobs_there.insert(blob.digest) {
                let checked = read_content(target, &blob, &mut |_| Ok(()));
                report.part(&blob, checked)?;
            }
        }
    }
    if !report.findings.is_empty() {
        report.notes.push("the records were not checked, because parts of them are damaged".into());
        return Ok(report);
    }
    match history(target, manifest, &blobs_there, &mut report, watch) {
        Err(SnapshotError::Damaged(what)) => report.findings.push(what),
        done => done?,
    }
    Ok(report)
}

impl Verified {
    fn part(&mut self, part: &PartRef, checked: SnapshotResult<()>) -> SnapshotResult<()> {
        self.parts += 1;
        self.bytes += part.bytes;
        match checked {
            Err(SnapshotError::Damaged(what)) if self.findings.len() < FINDINGS_MAX => {
                self.findings.push(what);
                Ok(())
            }
            Err(SnapshotError::Damaged(_)) => Ok(()),
            other => other,
        }
    }

    /// Whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }
}

fn history(
    target: &dyn Target,
    manifest: &Manifest,
    blobs: &HashSet<Digest>,
    report: &mut Verified,
    watch: Watch<'_>,
) -> SnapshotResult<()> {
    let mut replay = Replay::new(target, manifest, manifest.length);
    let mut trees = Grow::new(u64::MAX);
    let (mut contents, mut kept) = (HashSet::new(), HashSet::new());
    let mut newest = None;
    while let Some(group) = replay.next_group()? {
        trees.add(&group, false)?;
        report.commits += group.commits.len() as u64;
        newest = group.commits.last().copied().or(newest);
        if group.records.first().is_some_and(|record| {
            record.index.get() == 0 && record.leaf.record_id != manifest.registry
        }) {
            return Err(SnapshotError::damaged("the first record is that of another registry"));
        }
        for row in &group.contents {
            if row.is_blob() && !blobs.contains(&row.digest) {
                let what = format!("the content {} is in no list", row.digest);
                return Err(SnapshotError::Damaged(what));
            }
            contents.insert(row.digest);
            if row.is_kept() {
                kept.insert(row.digest);
            }
        }
        let (records, bytes) = (replay.records(), replay.bytes());
        watch(Progress { records, of_records: manifest.length.get(), bytes });
    }
    report.records = replay.records();
    report.packages = replay.packages().len() as u64;
    report.contents = contents.len() as u64;
    let referred = contents.len().saturating_sub(kept.len());
    if referred > 0 {
        let why = "is not in it, because the registry only refers to it";
        report.notes.push(format!("content of {referred} digests {why}"));
    }
    if newest.map(|newest| newest.checkpoint) != Some(manifest.checkpoint()) {
        return Err(SnapshotError::damaged("the manifest has other roots than the last commit"));
    }
    for state in replay.packages().values() {
        for release in state.releases() {
            if let ReleaseState::Released { content } = &release.state
                && let Ok(digest) = Digest::try_from(content)
                && !contents.contains(&digest)
                && report.findings.len() < FINDINGS_MAX
            {
                report.findings.push(format!("the content {digest} of a release is missing"));
            }
        }
    }
    match &manifest.signed {
        None => report.notes.push("its checkpoint is not signed".into()),
        Some(signed) if signed.contents.checkpoint != manifest.checkpoint() => {
            return Err(SnapshotError::damaged("the signed checkpoint is another one"));
        }
        Some(signed) => {
            let valid = signed.clone().verify(replay.operator());
            valid.map_err(|error| SnapshotError::Damaged(error.to_string()))?;
        }
    }
    if manifest.keys.is_some() {
        report.notes.push("it has private keys: keep it as secret as they are".into());
    }
    pending(target, manifest, report)
}

fn pending(target: &dyn Target, manifest: &Manifest, report: &mut Verified) -> SnapshotResult<()> {
    for part in &manifest.pending {
        for frame in frames(&read_part(target, part)?)? {
            match frame? {
                Frame::Log { log, name } => drop(checked(log, name)?),
                Frame::Content(row) => check_content(&row)?,
                Frame::Pending { .. } => report.pending += 1,
                _ => return Err(SnapshotError::damaged("a frame that is not of pending records")),
            }
        }
    }
    Ok(())
}
