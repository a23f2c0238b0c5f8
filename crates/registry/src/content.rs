//! Content: the bytes of releases, from the first that comes to the last that is kept.

mod parked;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
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
use crate::recent::{Verified, Waiting};
use crate::registry::{Registry, Submitted};
use crate::sequencer::{Command, RecordStatus, seconds};
use crate::store::{ContentPlace, ContentRow, LogQuery, PendingRecord, PendingState, StoreError};

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

/// The names of imports that are dependencies on packages, in the file's order, from the facts of a
/// [`ContentRow`]. Most content has none, and its facts are not read then.
pub(crate) fn dependencies_in(facts: &str) -> Vec<String> {
    /// Every name of a dependency has it, and JSON writes it as it is.
    const MARK: &str = "locked-dep=<";
    if !facts.contains(MARK) {
        return Vec::new();
    }
    let Ok(Facts::Wasm(inspection)) = serde_json::from_str(facts) else { return Vec::new() };
    // Those of a core module are fields of another's, whatever they are called.
    let of_component = inspection.imports.into_iter().filter(|import| import.module.is_none());
    let names = of_component.map(|import| import.name);
    names.filter(|name| name.strip_prefix("un").unwrap_or(name).starts_with(MARK)).collect()
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
    let nobody_looked = || Facts::Other("it was not looked into".into());
    judge(policies, name, version, row, &Facts::from_row(row).unwrap_or_else(nobody_looked))
}

fn judge(
    policies: &[Arc<dyn ContentPolicy>],
    name: &PackageName,
    version: &Version,
    row: &ContentRow,
    facts: &Facts,
) -> Result<(), String> {
    let inspection = match facts {
        Facts::Wasm(inspection) => Ok(&**inspection),
        Facts::Other(why) => Err(why.as_str()),
    };
    let release = ReleaseFacts { name, version, digest: &row.digest, size: row.size, inspection };
    policies.iter().try_for_each(|policy| policy.check(&release))
}

pub(crate) use self::parked::{Gone, Parked};

/// Content on its way in. Dropping it forgets the bytes.
pub struct Upload {
    registry: Arc<Registry>,
    record: Arc<Waiting>,
    digest: Digest,
    received: Received,
    room: Room,
    /// Where the bytes came from, if it will do to refer to that place.
    url: Option<String>,
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
        let record_id = record;
        let record = match self.recent().waiting(&(*log, *record)) {
            Some(waiting) => waiting,
            None => Arc::new(self.waiting(log, record)?),
        };
        let needed = record.pending.missing().contains(digest);
        if !needed && !releases(&record.verified.envelope).any(|(_, content)| content == *digest) {
            let record = record_id;
            return Err(WriteError::BadRequest(format!(
                "the record {record} does not need the content {digest}"
            )));
        }
        let bytes = if needed { Bytes::Few(Vec::new()) } else { Bytes::Unneeded };
        let received = Received { hasher: Sha256::new(), size: 0, bytes };
        let room = Room { registry: Arc::clone(self), bytes: 0 };
        let (registry, digest) = (Arc::clone(self), *digest);
        Ok(Upload { registry, record, digest, received, room, url: None })
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

    /// Takes content that is in memory and small: [`Self::begin_upload`] and what follows, in one go,
    /// and where it is called, but for most WebAssembly: a few bytes of it can take milliseconds to check.
    /// Says whether the record has waited for it, too.
    ///
    /// # Errors
    /// Those of [`Self::begin_upload`] and [`Upload::finish`].
    pub async fn upload_small(
        self: &Arc<Self>,
        log: LogId,
        record: RecordId,
        digest: Digest,
        bytes: Vec<u8>,
    ) -> Result<(bool, RecordStatus), WriteError> {
        let permit = self.permit_inspection(bytes.len() as u64).await;
        let (registry, is_brief) = (Arc::clone(self), inspect::is_brief(&bytes));
        let take = move || {
            let mut upload = registry.begin_upload(&log, &record, &digest)?;
            upload.write(&bytes)?;
            let needed = upload.is_needed();
            let kept = upload.keep(None);
            drop(permit);
            Ok::<_, WriteError>((needed, registry.arrived(log, record, kept?)?))
        };
        let (needed, arrived) = if is_brief { take()? } else { self.offload(take).await? };
        Ok((needed, arrived.status().await?))
    }

    /// Content for a record is kept, or was refused. From any thread.
    fn arrived(&self, log: LogId, record: RecordId, kept: Kept) -> Result<Arrived, WriteError> {
        Ok(match kept {
            // It may have waited too long, just now.
            Kept::Already => {
                let status = self.record_status(&log, &record);
                let status = status.map_err(|error| WriteError::Unavailable(error.to_string()))?;
                Arrived::Known(status.ok_or(WriteError::RecordNotFound(record))?)
            }
            Kept::Now(row) => {
                let content = Box::new(row);
                Arrived::Submitted(self.push(Command::Content { log, record, content })?)
            }
            Kept::Refused(reason) => {
                let refusal = Command::Refuse { log, record, reason: reason.clone() };
                Arrived::Refused(self.push(refusal)?, WriteError::Rejected(reason))
            }
            Kept::OverQuota(reason) => {
                let refusal = Command::Refuse { log, record, reason: reason.clone() };
                Arrived::Refused(self.push(refusal)?, WriteError::QuotaExceeded(reason))
            }
        })
    }

    /// A record that may wait for content, as the store has it.
    fn waiting(&self, log: &LogId, record: &RecordId) -> Result<Waiting, WriteError> {
        let pending = match self.store().pending(log, record)? {
            Some(pending) => pending,
            None => self.published_as_pending(log, record)?,
        };
        if matches!(pending.state, PendingState::Rejected { .. }) {
            return Err(WriteError::NotSourcing);
        }
        let lost = |error| StoreError::Damaged(format!("a record that was taken: {error}"));
        let verified = Verified::read(&pending).map_err(lost)?;
        Ok(Waiting { pending, verified })
    }

    /// The URL, if content may be referred to by it: nobody has brought it, or named another place.
    fn may_refer(
        &self,
        digest: &Digest,
        url: Option<String>,
    ) -> Result<Option<String>, WriteError> {
        let Some(url) = url else { return Ok(None) };
        let known = self.store().content(digest)?;
        Ok(Some(url).filter(|url| known.is_none_or(|known| known.place.url() == Some(url))))
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

    /// Looks for content in the store; `None` if it has not been taken. Blocks.
    ///
    /// # Errors
    /// [`ReadError::Store`](crate::ReadError::Store) if it cannot be read now.
    pub fn find_content(&self, digest: &Digest) -> Result<Option<ContentRow>, crate::ReadError> {
        Ok(self.store().content(digest)?)
    }

    /// Opens what was found. Blocks, for a network perhaps if the store does not have it itself: see
    /// [`Registry::offload_content`].
    ///
    /// # Errors
    /// [`ReadError::Store`](crate::ReadError::Store) if it cannot be read now.
    pub fn open_found(&self, row: ContentRow) -> Result<Content, crate::ReadError> {
        let (size, facts) = (row.size, Facts::from_row(&row));
        let body = match row.place {
            ContentPlace::Inline(bytes) => Body::Inline(bytes),
            ContentPlace::Blob => Body::Blob(Arc::from(self.open_blob(&row.digest, size)?)),
            ContentPlace::Url(url) => {
                let why = format!("the content is at {url}, and not kept here");
                return Err(StoreError::Unavailable(why.into()).into());
            }
        };
        Ok(Content { size, facts, body })
    }

    fn open_blob(&self, digest: &Digest, size: u64) -> Result<Box<dyn Blob>, StoreError> {
        let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
        match self.blobs().open(digest).map_err(unavailable)? {
            Some(blob) if blob.size() == size => Ok(blob),
            // It was taken, and is not what it was: nobody may conclude that it never came.
            Some(_) => Err(misplaced(digest, "has another size")),
            None => Err(misplaced(digest, "is missing")),
        }
    }

    /// Content, and how to read it; `None` if it has not been taken. Blocks.
    ///
    /// # Errors
    /// [`ReadError::Store`](crate::ReadError::Store) if it cannot be read now.
    pub fn open_content(&self, digest: &Digest) -> Result<Option<Content>, crate::ReadError> {
        self.find_content(digest)?.map(|found| self.open_found(found)).transpose()
    }

    /// A URL at which anybody can read content for a short time, if whatever keeps it gives such. It is
    /// as good as a password: see [`Blobs::link`](crate::blobs::Blobs::link). Blocks, perhaps for a network.
    ///
    /// # Errors
    /// [`ReadError::Store`](crate::ReadError::Store) if there is none now.
    pub fn link_content(&self, digest: &Digest) -> Result<Option<String>, crate::ReadError> {
        let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
        Ok(self.blobs().link(digest).map_err(unavailable)?)
    }
}

/// Content that was taken is not there, or not as it was; perhaps for now.
fn misplaced(digest: &Digest, how: &str) -> StoreError {
    StoreError::Unavailable(format!("the content {digest} {how}").into())
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
            let key = (self.record.pending.record, self.digest, name);
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
        self.arrive().await
    }

    /// All bytes have come, from a place that the record's publisher has named. They are looked at as
    /// those of [`Upload::finish`], and not kept: who wants the content is told of that place. If the
    /// registry knows the content at another place already, it is kept after all, so that no publisher's
    /// release depends on what another has named.
    ///
    /// # Errors
    /// Those of [`Upload::finish`].
    pub async fn finish_by_referring(mut self, url: String) -> Result<RecordStatus, WriteError> {
        self.url = Some(url);
        self.arrive().await
    }

    async fn arrive(self) -> Result<RecordStatus, WriteError> {
        let registry = Arc::clone(&self.registry);
        let PendingRecord { log, record, .. } = self.record.pending;
        let permit = registry.permit_inspection(self.received.size).await;
        let is_large = matches!(self.received.bytes, Bytes::Spooled(_));
        let there = Arc::clone(&registry);
        let keep = move || there.arrived(log, record, self.keep(permit)?);
        // Who publishes little does not wait behind those who wait for a network.
        let arrived = if is_large {
            registry.offload_content(keep).await?
        } else {
            registry.offload(keep).await?
        };
        arrived.status().await
    }

    /// The permit to look into it is given back before the bytes go where they are kept.
    fn keep(self, permit: Option<OwnedSemaphorePermit>) -> Result<Kept, WriteError> {
        let Self { registry, record, digest, received, room: _room, url } = self;
        let Received { hasher, size, bytes } = received;
        let found = hasher.finish();
        if found != digest {
            return Err(WriteError::BadRequest(format!(
                "the content that came has the digest {found}, not {digest}: send the file that \
                 the record was made for"
            )));
        }
        let tools = registry.tools();
        let url = registry.may_refer(&digest, url)?;
        // Also if nobody asks today: somebody may tomorrow, and the content is there then.
        let (place, facts, spool) = match bytes {
            Bytes::Unneeded => return Ok(Kept::Already),
            Bytes::Few(few) => {
                let facts = Facts::of(&few);
                (ContentPlace::Inline(few), facts, None)
            }
            Bytes::Spooled(mut spool) => {
                let facts = Facts::of(&spool.read_back().map_err(unavailable)?);
                (ContentPlace::Blob, facts, Some(spool))
            }
        };
        let (place, spool) = match url {
            Some(url) => (ContentPlace::Url(url), None),
            None => (place, spool),
        };
        let arrived_seconds = seconds(tools.clock.now());
        let row = ContentRow { digest, size, place, facts: facts.to_json(), arrived_seconds };
        for (version, _) in
            releases(&record.verified.envelope).filter(|(_, content)| *content == digest)
        {
            let policies = &tools.content_policies;
            if let Err(reason) = judge(policies, &record.pending.name, version, &row, &facts) {
                let reason = format!("the content {digest} was refused: {reason}");
                return Ok(Kept::Refused(reason));
            }
        }
        if let Some(why) = registry.over_quota(&record, size)? {
            return Ok(Kept::OverQuota(why));
        }
        drop(permit);
        if let Some(spool) = spool {
            registry.keeps(&digest);
            registry.blobs().keep(&digest, spool).map_err(unavailable)?;
            let gone = registry.parked().forget(&digest);
            registry.forget(&gone);
        }
        Ok(Kept::Now(row))
    }
}

/// What content means for the record that it came for.
enum Arrived {
    Known(RecordStatus),
    Submitted(Submitted),
    Refused(Submitted, WriteError),
}

impl Arrived {
    async fn status(self) -> Result<RecordStatus, WriteError> {
        match self {
            Self::Known(status) => Ok(status),
            Self::Submitted(submitted) => submitted.status().await,
            Self::Refused(submitted, why) => {
                submitted.outcome().await?;
                Err(why)
            }
        }
    }
}

/// What became of content.
enum Kept {
    Now(ContentRow),
    Already,
    Refused(String),
    OverQuota(String),
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn unavailable(error: std::io::Error) -> WriteError {
    tracing::error!(%error, "content could not be kept");
    WriteError::Unavailable(format!("content cannot be kept ({error})"))
}
