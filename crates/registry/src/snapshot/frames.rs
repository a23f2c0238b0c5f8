//! What is inside of parts: frames, one after the other.
//!
//! A part begins with [`MAGIC`]. A frame is a letter, the length of its body in four bytes, and the
//! body; numbers are big endian. `docs/spec/snapshot.md` has the bodies.

use std::io::Read;

use wargate_crypto::{Digest, Sha256};
use wargate_protocol::{Checkpoint, LogId, LogLength, PackageName, SignedEnvelope};

use super::target::Target;
use super::{PartRef, SnapshotError, SnapshotResult};
use crate::limits::SNAPSHOT_PART_BYTES_MAX;
use crate::store::{Committed, ContentPlace, ContentRow, PendingState};

/// How every part begins that is no content.
pub const MAGIC: &[u8; 8] = b"WGSNAP1\n";

/// Where the bytes of content are: they are a part of their own, in the frame, or not in the snapshot.
const PART: u8 = 0;
const HERE: u8 = 1;
const REFERRED: u8 = 2;

/// A frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A log, which has the next number in its part.
    Log {
        /// Its id.
        log: LogId,
        /// The package; `None` for the operator log.
        name: Option<PackageName>,
    },
    /// The next record of the registry log.
    Record {
        /// The number of its log in the part.
        log: u32,
        /// The record as it was received.
        envelope: SignedEnvelope,
    },
    /// The record before was the last of a commit.
    Commit(Committed),
    /// Content of the record before; its bytes are here or a part of their own, or nowhere in the
    /// snapshot if they are only referred to.
    Content(ContentRow),
    /// A record that is pending.
    Pending {
        /// The number of its log in the part.
        log: u32,
        /// When it was admitted, in seconds of the Unix epoch.
        admitted_seconds: u64,
        /// How far it is.
        state: PendingState,
        /// The record as it was received.
        envelope: SignedEnvelope,
    },
    /// Content that is a part of its own.
    Blob(PartRef),
    /// A private key.
    Key {
        /// Which.
        role: String,
        /// What its file has.
        text: String,
    },
}

/// A part that is being put together.
#[derive(Clone, Debug)]
pub struct PartWriter(Vec<u8>);

impl Default for PartWriter {
    fn default() -> Self {
        Self(MAGIC.to_vec())
    }
}

impl PartWriter {
    /// How many bytes it has.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no frame.
    pub const fn is_empty(&self) -> bool {
        self.0.len() == MAGIC.len()
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// [`SnapshotError::Refused`] if it is longer than a frame can be.
    pub fn push(&mut self, frame: &Frame) -> SnapshotResult<()> {
        let out = &mut self.0;
        out.push(frame.letter());
        let at = out.len();
        out.extend([0; 4]);
        frame.put(out);
        let body = u32::try_from(out.len() - at - 4);
        let body = body.map_err(|_| SnapshotError::Refused("a frame is too long".into()))?;
        if let Some(length) = out.get_mut(at..at + 4) {
            length.copy_from_slice(&body.to_be_bytes());
        }
        Ok(())
    }

    /// Keeps the part, unless the target has it.
    ///
    /// # Errors
    /// [`SnapshotError::Target`]
    pub fn keep(self, target: &dyn Target) -> SnapshotResult<PartRef> {
        let part = PartRef { digest: Digest::of(&self.0), bytes: self.0.len() as u64 };
        let there = target.part_bytes(&part.digest).map_err(SnapshotError::Target)?;
        if there != Some(part.bytes) {
            let kept = target.keep_part(&part.digest, part.bytes, &mut self.0.as_slice());
            kept.map_err(SnapshotError::Target)?;
        }
        Ok(part)
    }
}

/// The bytes of a part, which are those of its digest.
///
/// # Errors
/// [`SnapshotError::Damaged`] if it is missing or has other bytes.
pub fn read_part(target: &dyn Target, part: &PartRef) -> SnapshotResult<Vec<u8>> {
    let PartRef { digest, bytes } = part;
    let damaged = |why: &str| SnapshotError::Damaged(format!("the part {digest} {why}"));
    if *bytes > SNAPSHOT_PART_BYTES_MAX {
        return Err(damaged("is larger than any"));
    }
    let reader = target.part(digest).map_err(SnapshotError::Target)?;
    let reader = reader.ok_or_else(|| damaged("is missing"))?;
    let mut found = Vec::new();
    reader.take(bytes.saturating_add(1)).read_to_end(&mut found).map_err(SnapshotError::Target)?;
    if found.len() as u64 != *bytes {
        return Err(damaged("has another size"));
    }
    if Digest::of(&found) != *digest {
        return Err(damaged("has other bytes"));
    }
    Ok(found)
}

/// Reads content that is a part of its own, piece by piece. Only when all has come is it known whether it
/// is that of its digest.
///
/// # Errors
/// [`SnapshotError::Damaged`] if it is missing or has other bytes; that of `each`.
pub fn read_content(
    target: &dyn Target,
    part: &PartRef,
    each: &mut dyn FnMut(&[u8]) -> SnapshotResult<()>,
) -> SnapshotResult<()> {
    let PartRef { digest, bytes } = part;
    let damaged = |why: &str| SnapshotError::Damaged(format!("the content {digest} {why}"));
    let reader = target.part(digest).map_err(SnapshotError::Target)?;
    let mut reader = reader.ok_or_else(|| damaged("is missing"))?.take(bytes.saturating_add(1));
    let (mut hasher, mut found, mut buffer) = (Sha256::new(), 0_u64, vec![0; 256 << 10]);
    loop {
        let read = reader.read(&mut buffer).map_err(SnapshotError::Target)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        found += read as u64;
        each(&buffer[..read])?;
    }
    if found != *bytes {
        Err(damaged("has another size"))
    } else if hasher.finish() != *digest {
        Err(damaged("has other bytes"))
    } else {
        Ok(())
    }
}

/// The frames of a part.
///
/// # Errors
/// [`SnapshotError::Damaged`] if it is no part.
pub fn frames(part: &[u8]) -> SnapshotResult<impl Iterator<Item = SnapshotResult<Frame>>> {
    let rest = part.strip_prefix(MAGIC);
    let mut rest = rest.ok_or_else(|| SnapshotError::damaged("a part is something else"))?;
    Ok(std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let frame = next(&mut rest);
        if frame.is_err() {
            rest = &[];
        }
        Some(frame)
    }))
}

fn next(rest: &mut &[u8]) -> SnapshotResult<Frame> {
    let damaged = || SnapshotError::damaged("a frame ends too early");
    let (letter, behind) = rest.split_first().ok_or_else(damaged)?;
    let mut body = Body(behind);
    let length = body.number32()? as usize;
    let (mine, behind) = body.0.split_at_checked(length).ok_or_else(damaged)?;
    *rest = behind;
    Frame::take(*letter, Body(mine))
}

impl Frame {
    const fn letter(&self) -> u8 {
        match self {
            Self::Log { .. } => b'L',
            Self::Record { .. } => b'R',
            Self::Commit(_) => b'C',
            Self::Content(_) => b'B',
            Self::Pending { .. } => b'P',
            Self::Blob(_) => b'F',
            Self::Key { .. } => b'K',
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Log { log, name } => {
                out.extend(log.as_bytes());
                out.extend(name.as_ref().map_or("", PackageName::as_str).as_bytes());
            }
            Self::Record { log, envelope } => {
                out.extend(log.to_be_bytes());
                out.extend(envelope.to_protobuf());
            }
            Self::Commit(committed) => {
                let Checkpoint { log_root, log_length, map_root } = &committed.checkpoint;
                out.extend(log_length.get().to_be_bytes());
                out.extend(log_root.as_bytes());
                out.extend(map_root.as_bytes());
                out.extend(committed.seconds.to_be_bytes());
            }
            Self::Content(row) => {
                out.extend(row.digest.as_bytes());
                out.extend(row.size.to_be_bytes());
                out.extend(row.arrived_seconds.to_be_bytes());
                put_prefixed(out, row.facts.as_bytes());
                match &row.place {
                    ContentPlace::Inline(bytes) => {
                        out.push(HERE);
                        out.extend(bytes);
                    }
                    ContentPlace::Blob => out.push(PART),
                    ContentPlace::Url(url) => {
                        out.push(REFERRED);
                        out.extend(url.as_bytes());
                    }
                }
            }
            Self::Pending { log, admitted_seconds, state, envelope } => {
                out.extend(log.to_be_bytes());
                out.extend(admitted_seconds.to_be_bytes());
                match state {
                    PendingState::Sourcing(missing) => {
                        out.push(0);
                        let digests = missing.iter().flat_map(|digest| *digest.as_bytes());
                        put_prefixed(out, &digests.collect::<Vec<_>>());
                    }
                    PendingState::Ready => {
                        out.push(1);
                        put_prefixed(out, &[]);
                    }
                    PendingState::Rejected { reason } => {
                        out.push(2);
                        put_prefixed(out, reason.as_bytes());
                    }
                }
                out.extend(envelope.to_protobuf());
            }
            Self::Blob(part) => {
                out.extend(part.digest.as_bytes());
                out.extend(part.bytes.to_be_bytes());
            }
            Self::Key { role, text } => {
                put_prefixed(out, role.as_bytes());
                out.extend(text.as_bytes());
            }
        }
    }

    fn take(letter: u8, mut body: Body<'_>) -> SnapshotResult<Self> {
        let frame = match letter {
            b'L' => {
                let log = LogId::from_digest(body.digest()?);
                let name = body.rest_as_text()?;
                Self::Log { log, name: package(&name)? }
            }
            b'R' => Self::Record { log: body.number32()?, envelope: body.envelope()? },
            b'C' => {
                let log_length = LogLength::new(body.number64()?);
                let (log_root, map_root) = (body.digest()?, body.digest()?);
                let checkpoint = Checkpoint { log_root, log_length, map_root };
                Self::Commit(Committed { checkpoint, seconds: body.number64()? })
            }
            b'B' => Self::Content(body.content()?),
            b'P' => Self::Pending {
                log: body.number32()?,
                admitted_seconds: body.number64()?,
                state: body.state()?,
                envelope: body.envelope()?,
            },
            b'F' => Self::Blob(PartRef { digest: body.digest()?, bytes: body.number64()? }),
            b'K' => Self::Key { role: text(body.prefixed()?)?, text: body.rest_as_text()? },
            other => {
                let other = char::from(other).escape_default();
                return Err(SnapshotError::Damaged(format!("a frame of no kind: {other}")));
            }
        };
        if body.0.is_empty() {
            Ok(frame)
        } else {
            Err(SnapshotError::damaged("a frame is too long"))
        }
    }
}

fn put_prefixed(out: &mut Vec<u8>, bytes: &[u8]) {
    // What is longer makes the frame too long, which is refused.
    out.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend(bytes);
}

fn text(bytes: &[u8]) -> SnapshotResult<String> {
    let damaged = |_| SnapshotError::damaged("a text is not UTF-8");
    std::str::from_utf8(bytes).map(str::to_owned).map_err(damaged)
}

fn package(name: &str) -> SnapshotResult<Option<PackageName>> {
    if name.is_empty() {
        return Ok(None);
    }
    let damaged = |_| SnapshotError::damaged("a log has no package's name");
    name.parse().map(Some).map_err(damaged)
}

/// What is left of a frame's body.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, bytes: usize) -> SnapshotResult<&'a [u8]> {
        let short = || SnapshotError::damaged("a frame is too short");
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or_else(short)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const BYTES: usize>(&mut self) -> SnapshotResult<[u8; BYTES]> {
        let short = |_| SnapshotError::damaged("a frame is too short");
        self.take(BYTES)?.try_into().map_err(short)
    }

    fn number8(&mut self) -> SnapshotResult<u8> {
        self.array::<1>().map(|[number]| number)
    }

    fn number32(&mut self) -> SnapshotResult<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn number64(&mut self) -> SnapshotResult<u64> {
        self.array().map(u64::from_be_bytes)
    }

    fn digest(&mut self) -> SnapshotResult<Digest> {
        self.array().map(Digest::from_bytes)
    }

    fn prefixed(&mut self) -> SnapshotResult<&'a [u8]> {
        let length = self.number32()? as usize;
        self.take(length)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn rest_as_text(&mut self) -> SnapshotResult<String> {
        text(self.rest())
    }

    fn envelope(&mut self) -> SnapshotResult<SignedEnvelope> {
        let damaged = |error| SnapshotError::Damaged(format!("a record cannot be read: {error}"));
        SignedEnvelope::from_protobuf(self.rest()).map_err(damaged)
    }

    fn content(&mut self) -> SnapshotResult<ContentRow> {
        let (digest, size, arrived_seconds) = (self.digest()?, self.number64()?, self.number64()?);
        let facts = text(self.prefixed()?)?;
        let place = match self.number8()? {
            PART => ContentPlace::Blob,
            HERE => ContentPlace::Inline(self.rest().to_vec()),
            REFERRED => ContentPlace::Url(self.rest_as_text()?),
            _ => return Err(SnapshotError::damaged("content is nowhere")),
        };
        Ok(ContentRow { digest, size, place, facts, arrived_seconds })
    }

    fn state(&mut self) -> SnapshotResult<PendingState> {
        let state = self.number8()?;
        let detail = self.prefixed()?;
        match state {
            0 => {
                let mut rest = Body(detail);
                let mut missing = Vec::new();
                while !rest.0.is_empty() {
                    missing.push(rest.digest()?);
                }
                Ok(PendingState::Sourcing(missing))
            }
            1 if detail.is_empty() => Ok(PendingState::Ready),
            2 => Ok(PendingState::Rejected { reason: text(detail)? }),
            _ => Err(SnapshotError::damaged("a pending record is in no state")),
        }
    }
}
