//! Removing old snapshots, and the parts that no other one needs.

use std::collections::HashSet;

use wargate_crypto::Digest;

use super::frames::{Frame, frames, read_part};
use super::manifest::{Manifest, PartRef, SnapshotId};
use super::target::Target;
use super::{SnapshotError, SnapshotResult};

/// What was removed.
#[derive(Clone, Debug, Default)]
pub struct Pruned {
    /// The snapshots that are left, oldest first.
    pub kept: Vec<SnapshotId>,
    /// Those that are gone.
    pub removed: Vec<SnapshotId>,
    /// Parts that are gone.
    pub parts: u64,
    /// How many bytes those had.
    pub bytes: u64,
}

/// Keeps the newest snapshots. Nobody else may write to the target meanwhile.
///
/// What the kept ones need is found out first; if one of them cannot be read, nothing is removed. Then
/// manifests go, and then parts, so that a crash leaves no snapshot without a part of its own.
///
/// # Errors
/// [`SnapshotError`]
pub fn prune(target: &dyn Target, keep: usize) -> SnapshotResult<Pruned> {
    let mut kept = target.manifests().map_err(SnapshotError::Target)?;
    let removed: Vec<_> = kept.drain(..kept.len().saturating_sub(keep)).collect();
    let mut needed = HashSet::new();
    for id in &kept {
        let manifest = Manifest::read(target, id)?;
        needed.extend(manifest.parts().map(|part| part.digest));
        for list in manifest.blob_lists() {
            needed.extend(blobs(target, &list)?.into_iter().map(|blob| blob.digest));
        }
    }
    for id in &removed {
        target.remove_manifest(id).map_err(SnapshotError::Target)?;
    }
    let mut unneeded: Vec<(Digest, u64)> = Vec::new();
    let listed = target.parts(&mut |digest, bytes| {
        if !needed.contains(&digest) {
            unneeded.push((digest, bytes));
        }
    });
    listed.map_err(SnapshotError::Target)?;
    let mut pruned = Pruned { kept, removed, ..Pruned::default() };
    for (digest, bytes) in unneeded {
        target.remove_part(&digest).map_err(SnapshotError::Target)?;
        pruned.parts += 1;
        pruned.bytes += bytes;
    }
    target.settle().map_err(SnapshotError::Target)?;
    Ok(pruned)
}

/// The content that a list names.
///
/// # Errors
/// [`SnapshotError::Damaged`]
pub fn blobs(target: &dyn Target, list: &PartRef) -> SnapshotResult<Vec<PartRef>> {
    let part = read_part(target, list)?;
    let blob = |frame| match frame? {
        Frame::Blob(blob) => Ok(blob),
        _ => Err(SnapshotError::damaged("a list of content has something else")),
    };
    frames(&part)?.map(blob).collect()
}
