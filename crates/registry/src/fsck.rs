//! Checks everything that a registry keeps against its log.
//!
//! The log of records is read once from the first to the last. From it alone follow every leaf, tile
//! and root, every state of a log, every page of the map, and which content must be there; each is
//! computed anew and compared with what is kept. The only thing that grows with the registry is the
//! map, which is held in memory, some hundred bytes for each package.

mod accounts;
mod logs;
mod trees;

use serde::Serialize;
use wargate_crypto::{Digest, Sha256};

use crate::blobs::Blobs;
use crate::store::{ContentPlace, ContentRow, Store, StoreError, StoreResult};

/// Findings that are listed; further ones are only counted.
const FINDINGS_MAX: usize = 100;

/// Rows that are read at once.
const CHUNK: usize = 1000;

/// How closely content is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Whether it is there.
    Names,
    /// Every byte.
    Bytes,
}

/// What was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How much of what, and how much of it is wrong.
    pub parts: Vec<Part>,
    /// What is wrong, at most the first hundred.
    pub findings: Vec<String>,
    /// What is not wrong, and worth knowing.
    pub notes: Vec<String>,
}

/// A kind of thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Part {
    /// What it is.
    pub what: &'static str,
    /// How many were checked.
    pub checked: u64,
    /// How many are wrong.
    pub wrong: u64,
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.parts.iter().all(|part| part.wrong == 0)
    }

    fn part(&mut self, what: &'static str) -> &mut Part {
        let at = self.parts.iter().position(|part| part.what == what).unwrap_or_else(|| {
            self.parts.push(Part { what, checked: 0, wrong: 0 });
            self.parts.len() - 1
        });
        &mut self.parts[at]
    }

    fn checked(&mut self, what: &'static str) {
        self.part(what).checked += 1;
    }

    /// One more thing of a kind, which is wrong if there is something to say about it.
    fn verdict(&mut self, what: &'static str, wrong: Option<String>) {
        self.checked(what);
        if let Some(finding) = wrong {
            self.part(what).wrong += 1;
            if self.findings.len() < FINDINGS_MAX {
                self.findings.push(format!("{what}: {finding}"));
            }
        }
    }
}

/// Checks a registry that nobody writes to.
///
/// # Errors
/// [`StoreError::Unavailable`] if it cannot be read. What is damaged is in the report.
pub fn check(store: &dyn Store, blobs: &dyn Blobs, depth: Depth) -> StoreResult<Report> {
    let mut report = Report::default();
    let Some(head) = store.head()? else {
        report.notes.push("the registry is empty".into());
        return Ok(report);
    };
    let Some(committed) = head.committed else {
        report.notes.push("the registry has no records".into());
        return Ok(report);
    };
    trees::check(store, &committed, &mut report)?;
    logs::check(store, &committed, &mut report)?;
    contents(store, blobs, depth, &mut report)?;
    orphans(store, blobs, &mut report)?;
    Ok(report)
}

/// Every content that has arrived is there, with the bytes of its digest.
fn contents(
    store: &dyn Store,
    blobs: &dyn Blobs,
    depth: Depth,
    report: &mut Report,
) -> StoreResult<()> {
    let (mut after, mut referred) = (None, 0_u64);
    loop {
        let rows = store.contents(after.as_ref(), CHUNK)?;
        let Some(last) = rows.last() else { break };
        after = Some(last.digest);
        for row in &rows {
            if row.is_kept() {
                let wrong = content(blobs, depth, row)?;
                report.verdict("content", wrong);
            } else {
                referred += 1;
            }
        }
    }
    if referred > 0 {
        let why = "was not checked, because it is only referred to";
        report.notes.push(format!("content of {referred} digests {why}"));
    }
    Ok(())
}

fn content(blobs: &dyn Blobs, depth: Depth, row: &ContentRow) -> StoreResult<Option<String>> {
    let ContentRow { digest, size, place, .. } = row;
    let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
    let mut hasher = Sha256::new();
    let found = if let ContentPlace::Inline(bytes) = place {
        hasher.update(bytes);
        bytes.len() as u64
    } else {
        let blob = match blobs.open(digest) {
            Ok(Some(blob)) => blob,
            Ok(None) => return Ok(Some(format!("{digest} is missing"))),
            Err(error) if is_other(&error) => return Ok(Some(other(digest, &error))),
            Err(error) => return Err(unavailable(error)),
        };
        if depth == Depth::Names {
            return Ok((blob.size() != *size).then(|| format!("{digest} has another size")));
        }
        let mut buffer = vec![0; 256 << 10];
        let mut position = 0;
        loop {
            let read = match blob.read_at(position, &mut buffer) {
                Err(error) if is_other(&error) => return Ok(Some(other(digest, &error))),
                read => read.map_err(unavailable)?,
            };
            if read == 0 {
                break position;
            }
            hasher.update(&buffer[..read]);
            position += read as u64;
        }
    };
    Ok(if found != *size {
        Some(format!("{digest} has {found} bytes instead of {size}"))
    } else if hasher.finish() != *digest {
        Some(format!("{digest} has other bytes"))
    } else {
        None
    })
}

/// Whether blobs that check what they read have found other bytes.
fn is_other(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::InvalidData
}

fn other(digest: &Digest, error: &std::io::Error) -> String {
    format!("{digest} has other bytes ({error})")
}

/// Content that nothing refers to takes room, and is no damage: an upload was interrupted between
/// keeping the bytes and the commit.
fn orphans(store: &dyn Store, blobs: &dyn Blobs, report: &mut Report) -> StoreResult<()> {
    let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
    let (mut after, mut orphans) = (None, 0_u64);
    loop {
        let digests = blobs.list(after.as_ref(), CHUNK).map_err(unavailable)?;
        let Some(last) = digests.last() else { break };
        after = Some(*last);
        for digest in &digests {
            if store.content(digest)?.is_none_or(|row| !row.is_blob()) {
                orphans += 1;
            }
        }
    }
    if orphans > 0 {
        report.notes.push(format!("{orphans} content files belong to no upload that was finished"));
    }
    Ok(())
}
