//! Content: the bytes of releases, from the first that comes to the last that is kept.

mod parked;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wargate_component::inspect::{self, Inspection};
use wargate_crypto::{Digest, Sha256};
use wargate_protocol::{
    Entry, LogId, PackageAction, PackageEnvelope, PackageName, RecordId, Version,
};

pub use self::parked::UploadName;
use crate::blobs::{Blob, Spool};
use crate::error::WriteError;
use crate::limits::INLINE_CONTENT_BYTES_MAX;
use crate::policy::{ContentPolicy, ReleaseFacts};
use crate::registry::Registry;
use crate::sequencer::{Command, RecordStatus, seconds};
use crate::store::{ContentRow, LogQuery, PendingRecord, PendingState, StoreError};

/// What was found in content when it came. It is kept beside the content as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Facts {
    /// It is Wasm.
    Wasm(Box<Inspection>),
    /// It is not, or not valid: why.
    Other(String),
}

impl Facts {
    /// Looks into content.
    pub fn of(bytes: &[u8]) -> Self {
        let limits = inspect::Limits { bytes_max: usize::MAX };
        match inspect::inspect(bytes, &limits) {
            Ok(inspection) => Self::Wasm(Box::new(inspection)),
            Err(error) => Self::Other(error.to_string()),
        }
    }

    /// Reads what is kept; `None` if nobody looked.
    pub fn from_row(row: &ContentRow) -> Option<Self> {
        serde_json::from_str(&row.facts).ok()
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The releases of a record that can be had: with digests of 32 bytes.
pub(crate) fn releases(record: &PackageEnvelope) -> impl Iterator<Item = (&Version, Digest)> {
    record.record().entries.iter().filter_map(|entry| match entry {
        Entry::Action(PackageAction::Release { version, content }) => {
            Some((version, Digest::try_from(content).ok()?))
        }
        _ => None,
    })
}

/// Whether content may be released under a name. The error is for the publisher.
pub(crate) fn check(
    policies: &[Arc<dyn ContentPolicy>],
    name: &PackageName,
    version: &Version,
    row: &ContentRow,
) -> Result<(), String> {
    if policies.is_empty() {
        return Ok(());
    }
    let facts = Facts::from_row(row);
    let inspection = match &facts {
        Some(Facts::Wasm(inspection)) => Ok(&**inspection),
        Some(Facts::Other(why)) => Err(why.as_str()),
        None => Err("it was not looked into"),
    };
    let release = ReleaseFacts { name, version, digest: &row.digest, size: row.size, inspection };
    policies.iter().try_for_each(|policy| policy.check(&release))
}

pub(crate) use self::parked::{Gone, Parked};

/// Content on its way in. Dropping it forgets the bytes.
pub struct Upload {
    registry: Arc<Registry>,
    pending: PendingRecord,
    digest: Digest,
    received: Received,
    room: Room,
}

/// What has come of content.
pub(crate) struct Received {
    hasher: Sha256,
    size: u64,
    bytes: Bytes,
}

/// Room on the medium, given back with the value.
struct Room {
    registry: Arc<Registry>,
    bytes: u64,
}

impl Room {
    fn grow_to(&mut self, bytes: u64) -> Result<(), WriteError> {
        let more = bytes.saturating_sub(self.bytes);
        self.registry.take_spool_room(more)?;
        self.bytes += more;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.registry.give_spool_room(self.bytes);
    }
}

/// Where the bytes are so far.
enum Bytes {
    /// Few enough for the store.
    Few(Vec<u8>),
    /// Too many.
    Spooled(Box<dyn Spool>),
    /// The content is there already: nobody needs them.
    Unneeded,
}

impl Registry {
    /// Begins to take content for a record that waits for it. Blocks.
    ///
    /// Content that has come another way in the meantime is welcome again, and changes nothing: two
    /// publishers of the same bytes must not fail each other.
    ///
    /// # Errors
    /// [`WriteError::LogNotFound`], [`WriteError::RecordNotFound`]; [`WriteError::NotSourcing`] for a
    /// record that was refused; [`WriteError::BadRequest`] for a digest that the record does not name.
    pub fn begin_upload(
        self: &Arc<Self>,
        log: &LogId,
        record: &RecordId,
        digest: &Digest,
    ) -> Result<Upload, WriteError> {
        self.refuse_if_paused()?;
        let pending = self.store().pending(log, record)?;
        let (pending, needed) = match pending {
            Some(pending) => {
                let needed = match &pending.state {
                    PendingState::Rejected { .. } => return Err(WriteError::NotSourcing),
                    PendingState::Ready => false,
                    PendingState::Sourcing(missing) => missing.contains(digest),
                };
                (pending, needed)
            }
            None => (self.published_as_pending(log, record)?, false),
        };
        if !needed && !names(&pending, digest) {
            return Err(WriteError::BadRequest(format!(
                "the record {record} does not need the content {digest}"
            )));
        }
        let bytes = if needed { Bytes::Few(Vec::new()) } else { Bytes::Unneeded };
        let received = Received { hasher: Sha256::new(), size: 0, bytes };
        let room = Room { registry: Arc::clone(self), bytes: 0 };
        Ok(Upload { registry: Arc::clone(self), pending, digest: *digest, received, room })
    }

    /// Goes on with an upload that broke off after so many bytes. Blocks.
    ///
    /// # Errors
    /// Those of [`Registry::begin_upload`]; [`WriteError::BadRequest`] if there is no such upload.
    pub fn resume_upload(
        self: &Arc<Self>,
        log: &LogId,
        record: &RecordId,
        digest: &Digest,
        name: UploadName,
        offset: u64,
    ) -> Result<Upload, WriteError> {
        let mut upload = self.begin_upload(log, record, digest)?;
        if matches!(upload.received.bytes, Bytes::Unneeded) {
            return Ok(upload);
        }
        let key = (*record, *digest, name);
        let parked = self.parked().take(&key, seconds(self.tools().clock.now()), offset);
        let (received, bytes) = parked.ok_or_else(|| {
            WriteError::BadRequest(format!(
                "no upload of {digest} broke off after {offset} bytes: send all of it"
            ))
        })?;
        // It has been taken all the time.
        upload.room.bytes = bytes;
        upload.received = received;
        Ok(upload)
    }

    /// How much came of an upload that broke off; `None` if nothing of it is kept.
    pub fn parked_upload(
        &self,
        record: &RecordId,
        digest: &Digest,
        name: UploadName,
    ) -> Option<u64> {
        self.parked().size(&(*record, *digest, name), seconds(self.tools().clock.now()))
    }

    /// A record that is in the log already, as if it were pending.
    fn published_as_pending(
        &self,
        log: &LogId,
        record: &RecordId,
    ) -> Result<PendingRecord, WriteError> {
        let store = &self.store();
        let rows = store.log_rows(&[LogQuery::of_head(*log)])?.pop().unwrap_or_default();
        let name = rows.name.ok_or(WriteError::LogNotFound(*log))?;
        let index = store.record_index(log, record)?.ok_or(WriteError::RecordNotFound(*record))?;
        let logged = store.records(index, 1)?.pop();
        let logged = logged.filter(|logged| logged.leaf.record_id == *record);
        let damaged = || StoreError::Damaged("a record of the log is missing".into());
        let envelope = logged.ok_or_else(damaged)?.envelope;
        let state = PendingState::Ready;
        Ok(PendingRecord { log: *log, record: *record, name, envelope, admitted_seconds: 0, state })
    }

    /// Content, and how to read it; `None` if it is not there. Blocks.
    ///
    /// # Errors
    /// [`WriteError::Unavailable`](crate::ReadError::Store) if it cannot be read now.
    pub fn open_content(&self, digest: &Digest) -> Result<Option<Content>, crate::ReadError> {
        let Some(row) = self.store().content(digest)? else { return Ok(None) };
        let facts = Facts::from_row(&row);
        let body = if let Some(bytes) = row.inline {
            Body::Inline(bytes)
        } else {
            let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
            match self.blobs().open(digest).map_err(unavailable)? {
                Some(blob) => Body::Blob(Arc::from(blob)),
                None => return Ok(None),
            }
        };
        Ok(Some(Content { size: row.size, facts, body }))
    }
}

/// Content that can be read.
pub struct Content {
    /// Its size in bytes.
    pub size: u64,
    /// What was found in it; `None` if nobody looked.
    pub facts: Option<Facts>,
    /// The bytes.
    pub body: Body,
}

/// The bytes of content.
pub enum Body {
    /// All of them; few.
    Inline(Vec<u8>),
    /// To be read piece by piece, without a lock on anything.
    Blob(Arc<dyn Blob>),
}

impl Upload {
    /// Takes more bytes. May block once they are too many to be kept in memory.
    ///
    /// # Errors
    /// [`WriteError::ContentTooLarge`], [`WriteError::Unavailable`].
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let bytes_max = self.registry.tools().limits.content_bytes_max;
        let Received { hasher, size, bytes: received } = &mut self.received;
        *size = size.saturating_add(bytes.len() as u64);
        if *size > bytes_max {
            return Err(WriteError::ContentTooLarge { bytes_max });
        }
        hasher.update(bytes);
        match received {
            Bytes::Unneeded => Ok(()),
            Bytes::Few(few) if *size <= INLINE_CONTENT_BYTES_MAX => {
                few.extend_from_slice(bytes);
                Ok(())
            }
            Bytes::Few(few) => {
                self.room.grow_to(*size)?;
                let mut spool = self.registry.blobs().spool().map_err(unavailable)?;
                spool.write(few).and_then(|()| spool.write(bytes)).map_err(unavailable)?;
                *received = Bytes::Spooled(spool);
                Ok(())
            }
            Bytes::Spooled(spool) => {
                self.room.grow_to(*size)?;
                spool.write(bytes).map_err(unavailable)
            }
        }
    }

    /// No more bytes come, though more should. What came is kept for a while under this name, which
    /// only whoever sent it knows. Little is not worth it. May block.
    pub fn park(mut self, name: UploadName) {
        if matches!(self.received.bytes, Bytes::Spooled(_)) {
            let now = seconds(self.registry.tools().clock.now());
            let key = (self.pending.record, self.digest, name);
            let room = std::mem::take(&mut self.room.bytes);
            let gone = self.registry.parked().put(key, self.received, room, now);
            self.registry.forget(&gone);
        }
    }

    /// Whether the record waits for these bytes.
    pub const fn is_needed(&self) -> bool {
        !matches!(self.received.bytes, Bytes::Unneeded)
    }

    /// Whether [`Upload::write`] of as many bytes may block.
    pub const fn may_block(&self, bytes: usize) -> bool {
        match &self.received.bytes {
            Bytes::Unneeded => false,
            Bytes::Few(_) => {
                self.received.size.saturating_add(bytes as u64) > INLINE_CONTENT_BYTES_MAX
            }
            Bytes::Spooled(_) => true,
        }
    }

    /// All bytes have come. Returns when they are kept and the record has gone as far as it can.
    ///
    /// # Errors
    /// [`WriteError::BadRequest`] if they are not the content of the digest: the record goes on
    /// waiting, or anybody could spoil it. [`WriteError::Rejected`] if a policy refuses them: the
    /// record is refused then, too.
    pub async fn finish(self) -> Result<RecordStatus, WriteError> {
        let registry = Arc::clone(&self.registry);
        let (log, record) = (self.pending.log, self.pending.record);
        let permit = registry.permit_inspection(self.received.size).await;
        let kept = registry
            .offload(move || {
                let kept = self.keep();
                drop(permit);
                kept
            })
            .await?;
        match kept {
            Kept::Already => {}
            Kept::Now(row) => {
                registry.submit(Command::Content(Box::new(row))).await?;
            }
            Kept::Refused(reason) => {
                let refusal = Command::Refuse { log, record, reason: reason.clone() };
                registry.submit(refusal).await?;
                return Err(WriteError::Rejected(reason));
            }
            Kept::OverQuota(reason) => {
                let refusal = Command::Refuse { log, record, reason: reason.clone() };
                registry.submit(refusal).await?;
                return Err(WriteError::QuotaExceeded(reason));
            }
        }
        // It may have waited too long, just now.
        registry.status(&log, &record).await?.ok_or(WriteError::RecordNotFound(record))
    }

    fn keep(self) -> Result<Kept, WriteError> {
        let Self { registry, pending, digest, received, room: _room } = self;
        let Received { hasher, size, bytes } = received;
        let found = hasher.finish();
        if found != digest {
            return Err(WriteError::BadRequest(format!(
                "the content that came has the digest {found}, not {digest}: send the file that \
                 the record was made for"
            )));
        }
        let tools = registry.tools();
        // Also if nobody asks today: somebody may tomorrow, and the content is there then.
        let facts = |bytes: &[u8]| Facts::of(bytes).to_json();
        let (inline, facts, spool) = match bytes {
            Bytes::Unneeded => return Ok(Kept::Already),
            Bytes::Few(few) => {
                let facts = facts(&few);
                (Some(few), facts, None)
            }
            Bytes::Spooled(mut spool) => {
                let facts = facts(&spool.read_back().map_err(unavailable)?);
                (None, facts, Some(spool))
            }
        };
        let arrived_seconds = seconds(tools.clock.now());
        let row = ContentRow { digest, size, inline, facts, arrived_seconds };
        // Reading a record with a key takes longer than all else here.
        let judged = !tools.content_policies.is_empty();
        if judged && let Ok(envelope) = PackageEnvelope::decode(pending.envelope.clone()) {
            for (version, _) in releases(&envelope).filter(|(_, content)| *content == digest) {
                let checked = check(&tools.content_policies, &pending.name, version, &row);
                if let Err(reason) = checked {
                    let reason = format!("the content {digest} was refused: {reason}");
                    return Ok(Kept::Refused(reason));
                }
            }
        }
        if let Some(why) = registry.over_quota(&pending, size)? {
            return Ok(Kept::OverQuota(why));
        }
        if let Some(spool) = spool {
            registry.keeps(&digest);
            registry.blobs().keep(&digest, spool).map_err(unavailable)?;
            let gone = registry.parked().forget(&digest);
            registry.forget(&gone);
        }
        Ok(Kept::Now(row))
    }
}

/// What became of content.
enum Kept {
    Now(ContentRow),
    Already,
    Refused(String),
    OverQuota(String),
}

/// Whether a record releases this content.
fn names(pending: &PendingRecord, digest: &Digest) -> bool {
    PackageEnvelope::decode(pending.envelope.clone())
        .is_ok_and(|envelope| releases(&envelope).any(|(_, content)| content == *digest))
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn unavailable(error: std::io::Error) -> WriteError {
    tracing::error!(%error, "content could not be kept");
    WriteError::Unavailable(format!("content cannot be kept ({error})"))
}
