//! A registry: one value that answers and takes records, shared by everything that serves it.

mod abuse;
mod queue;
mod strays;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use wargate_crypto::Digest;
use wargate_protocol::{
    Entry, LogId, Namespace, NamespaceState, OperatorEntry, Package, PackageAction,
    PackageEnvelope, PackageName, RecordId, RegistryIndex, SignedEnvelope,
};
use wargate_transparency::log::{Tile, TileId};
use wargate_transparency::map::{MapVersion, Page, PageId};

use self::queue::Queue;
use self::strays::Strays;
use crate::blobs::Blobs;
use crate::content::{Gone, Parked};
use crate::error::{OpenError, ReadError, WriteError};
use crate::index::Index;
use crate::kept::Kept;
use crate::limits::{
    FUTURE_SECONDS_MAX, INLINE_CONTENT_BYTES_MAX, NAME_BYTES_MAX, PAGES_KEPT_MAX, RECORD_BYTES_MAX,
    RECORD_ENTRIES_MAX, SOLVED_AT_ONCE_MAX, TILES_KEPT_MAX,
};
use crate::namespaces::Namespaces;
use crate::policy::Refusal;
use crate::recent::{Known, Recent};
use crate::seams::Offload;
use crate::sequencer::{
    self, Admission, Command, Outcome, Published, RecordStatus, Sequencer, Tools, Unfinished,
    seconds,
};
use crate::store::{LogQuery, PendingCounts, Store};
use crate::throttle::Buckets;

/// What a registry is made of.
pub struct Parts {
    /// Store, clock, signer, policies and limits.
    pub tools: Tools,
    /// Where content is that is too large for the store.
    pub blobs: Arc<dyn Blobs>,
    /// Where blocking work goes.
    pub offload: Arc<dyn Offload>,
    /// The same store for those who read, perhaps through connections of their own, so that many of
    /// them do not keep the sequencer waiting.
    pub readers: Arc<dyn Store>,
    /// What [`follow::step`](crate::follow::step) keeps up with the log, for questions that the store has
    /// no answer to.
    pub index: Arc<dyn Index>,
    /// Who makes the sequencer's steps.
    pub driver: Driver,
}

/// Who makes the sequencer's steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    /// A thread of its own, which calls [`Registry::drive`].
    Thread,
    /// Whoever has something to do, in its own place.
    Caller,
}

/// A registry.
pub struct Registry {
    parts: Parts,
    sequencer: Mutex<Sequencer>,
    queue: Queue,
    published: watch::Sender<Arc<Published>>,
    inspections: Arc<Semaphore>,
    solving: Arc<Semaphore>,
    /// How many units of content there is room for.
    inspection_units: u32,
    /// Bytes of content in spools.
    spooled: AtomicU64,
    parked: Mutex<Parked>,
    /// How often keys publish.
    pub(crate) publishers: Buckets,
    pub(crate) strays: Mutex<Strays>,
    pause: RwLock<Pause>,
    recent: Arc<Recent>,
    namespaces: Arc<Namespaces>,
    tiles: Kept<TileId, Arc<Tile>>,
    pages: Kept<PageId, Arc<Page>>,
}

/// Whether the registry takes records.
#[derive(Debug, Default)]
struct Pause {
    /// Why it does not; `None` if it does.
    reason: Option<Arc<str>>,
    /// Until then nothing that waits is forgotten, because it could not go on: a second of the Unix
    /// epoch.
    spared_until: u64,
}

/// Content that is looked into counts in pieces of this many bytes.
const INSPECTION_UNIT_BYTES: u64 = 64 << 10;

/// How many files are looked into at the same time at the most: the validator may take hundreds of
/// megabytes for a file that was made for it.
const INSPECTIONS_MAX: u32 = 2;

/// The same for those that are small enough for the store.
const SMALL_INSPECTIONS_MAX: u32 = 16;

/// Records up to this size are examined where they come in. A longer one may have many keys, each of
/// which takes some time to read.
const BRIEF_RECORD_BYTES_MAX: usize = 4 << 10;

/// Pages dropped in one go: short enough that a commit hardly waits for it.
const PRUNED_PAGES: usize = 2000;

/// Maps are kept a little longer than they can be asked for, so that nobody reads what is being
/// dropped.
const PRUNE_DELAY_SECONDS: u64 = 600;

/// A record that was sent to be published.
#[derive(Clone, Debug)]
pub struct Submission {
    /// The log that it was sent to.
    pub log: LogId,
    /// The package that it is for.
    pub name: PackageName,
    /// The record.
    pub record: SignedEnvelope,
}

/// What is on its way into a registry, beside what its store knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// Commands that wait for the sequencer's next step.
    pub queued_commands: u64,
    /// Uploads that broke off and are kept.
    pub parked_uploads: u64,
    /// Bytes of uploads on the medium.
    pub spooled_bytes: u64,
}

impl Registry {
    /// Opens the registry in a store, or begins one with these entries in its first record.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(parts: Parts, entries: &[OperatorEntry]) -> Result<Arc<Self>, OpenError> {
        let (sequencer, published) = Sequencer::open(parts.tools.clone(), entries)?;
        let (recent, namespaces) = (sequencer.recent(), sequencer.namespaces());
        let units = parts.tools.limits.inspected_bytes_max / INSPECTION_UNIT_BYTES;
        let inspection_units = u32::try_from(units).unwrap_or(u32::MAX).clamp(1, 1 << 28);
        Ok(Arc::new(Self {
            parts,
            sequencer: Mutex::new(sequencer),
            queue: Queue::default(),
            published: watch::Sender::new(Arc::new(published)),
            inspections: Arc::new(Semaphore::new(inspection_units as usize)),
            solving: Arc::new(Semaphore::new(SOLVED_AT_ONCE_MAX)),
            inspection_units,
            spooled: AtomicU64::new(0),
            parked: Mutex::default(),
            publishers: Buckets::default(),
            strays: Mutex::default(),
            pause: RwLock::default(),
            recent,
            namespaces,
            tiles: Kept::new(TILES_KEPT_MAX),
            pages: Kept::new(PAGES_KEPT_MAX),
        }))
    }

    /// The newest commit and its signed checkpoint.
    pub fn newest(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }

    /// Tells of every new checkpoint.
    pub fn changes(&self) -> watch::Receiver<Arc<Published>> {
        self.published.subscribe()
    }

    /// What is on its way, for those who watch.
    pub fn load(&self) -> Load {
        Load {
            queued_commands: self.queue.len(),
            parked_uploads: self.parked().len(),
            spooled_bytes: self.spooled.load(Ordering::Relaxed),
        }
    }

    /// How many records are pending. May block.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn pending_counts(&self) -> Result<PendingCounts, ReadError> {
        Ok(self.store().counts()?)
    }

    /// Takes a record. Returns when it is in the log, refused, or waits for content.
    ///
    /// # Errors
    /// [`WriteError`]; nothing of the record is kept then, unless it is
    /// [`WriteError::Unavailable`].
    pub async fn publish(
        self: &Arc<Self>,
        submission: Submission,
    ) -> Result<(RecordId, RecordStatus), WriteError> {
        self.refuse_if_paused()?;
        let admission = if submission.record.content_bytes().len() <= BRIEF_RECORD_BYTES_MAX {
            self.examine(submission)?
        } else {
            let registry = Arc::clone(self);
            self.offload(move || registry.examine(submission)).await?
        };
        let (record, signer) =
            (admission.envelope.record_id(), admission.envelope.key_id().clone());
        let counted = admission.counted;
        let status = match self.push(Command::Admit(Box::new(admission))) {
            Ok(submitted) => submitted.status().await,
            Err(error) => Err(error),
        };
        if counted && matches!(status, Err(_) | Ok(RecordStatus::Rejected { .. })) {
            self.give_back(&signer);
        }
        Ok((record, status?))
    }

    /// Appends a record with these entries to the operator log.
    ///
    /// # Errors
    /// [`WriteError::Rejected`] if the log does not allow it.
    pub async fn operate(&self, entries: Vec<OperatorEntry>) -> Result<RegistryIndex, WriteError> {
        match self.submit(Command::Operator(entries)).await? {
            Outcome::Operator(index) => Ok(index),
            Outcome::Record(_) | Outcome::Done => {
                Err(WriteError::Unavailable("the record has no place".into()))
            }
        }
    }

    /// What is to be done from time to time: signs the newest checkpoint again, forgets records that
    /// have waited too long, drops old pages of the map.
    ///
    /// # Errors
    /// [`WriteError::Unavailable`]
    pub async fn tend(self: &Arc<Self>) -> Result<(), WriteError> {
        let spared = self.pause.read().unwrap_or_else(PoisonError::into_inner).spared_until;
        let now = seconds(self.tools().clock.now());
        let waits = self.paused().is_some() || now < spared;
        self.submit(if waits { Command::Renew } else { Command::Tend }).await?;
        let registry = Arc::clone(self);
        self.offload(move || {
            let gone = registry.parked().expire(seconds(registry.tools().clock.now()));
            registry.forget(&gone);
            registry.prune()
        })
        .await?;
        let registry = Arc::clone(self);
        // A list may wait for a network.
        self.offload_content(move || registry.sweep()).await
    }

    /// Takes no more records and no content, and says why. What was accepted before is finished, or
    /// waits and is not forgotten; reading and the operator's own commands go on.
    pub fn pause(&self, reason: &str) {
        let mut pause = self.pause.write().unwrap_or_else(PoisonError::into_inner);
        pause.reason = Some(reason.into());
    }

    /// Takes records again. What waits gets its whole time once more.
    pub fn resume(&self) {
        let mut pause = self.pause.write().unwrap_or_else(PoisonError::into_inner);
        if pause.reason.take().is_some() {
            let now = seconds(self.tools().clock.now());
            pause.spared_until = now.saturating_add(self.tools().limits.pending_seconds_max);
        }
    }

    /// Why no records are taken; `None` if they are.
    pub fn paused(&self) -> Option<Arc<str>> {
        self.pause.read().unwrap_or_else(PoisonError::into_inner).reason.clone()
    }

    pub(crate) fn refuse_if_paused(&self) -> Result<(), WriteError> {
        self.paused().map_or(Ok(()), |reason| Err(WriteError::Paused(reason.to_string())))
    }

    /// How far a record is; `None` if it was never submitted to the log.
    ///
    /// # Errors
    /// [`WriteError::Unavailable`]
    pub fn status(
        &self,
        log: &LogId,
        record: &RecordId,
    ) -> Result<Option<RecordStatus>, WriteError> {
        match self.recent.get(&(*log, *record)) {
            Some(Known::Published(index)) if self.newest().committed.length().contains(index) => {
                return Ok(Some(RecordStatus::Published { index }));
            }
            Some(Known::Waiting(waiting)) => {
                return Ok(Some(RecordStatus::Sourcing(waiting.pending.missing().to_vec())));
            }
            Some(Known::Published(_)) | None => {}
        }
        self.record_status(log, record).map_err(|error| WriteError::Unavailable(error.to_string()))
    }

    /// Runs work in the place that was given for what may wait long: for files, or for what somebody
    /// made to be slow. A signature and a few rows of the store take less time than the way there and
    /// back.
    pub async fn offload<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        run(&*self.parts.offload, work).await
    }

    /// Runs work that waits for content, which may be behind a network, where it keeps nobody waiting
    /// who only reads the log.
    pub async fn offload_content<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        run(self.parts.blobs.offload().unwrap_or(&*self.parts.offload), work).await
    }

    /// Makes steps until [`Registry::close`]. For a thread of its own.
    pub fn drive(&self) {
        while self.queue.wait(self.unfinished()) {
            // Whatever was half done is read again from the store before the next step.
            if catch_unwind(AssertUnwindSafe(|| self.turn())).is_err() {
                tracing::error!("a step of the sequencer ended in a panic: this is a defect");
            }
        }
    }

    /// Takes no more commands, and ends [`Registry::drive`] when those that came are done.
    pub fn close(&self) {
        self.queue.close();
    }

    pub(crate) const fn tools(&self) -> &Tools {
        &self.parts.tools
    }

    /// Tiles that were used for proofs.
    pub(crate) const fn kept_tiles(&self) -> &Kept<TileId, Arc<Tile>> {
        &self.tiles
    }

    /// Pages that were used for proofs.
    pub(crate) const fn kept_pages(&self) -> &Kept<PageId, Arc<Page>> {
        &self.pages
    }

    pub(crate) fn recent(&self) -> &Recent {
        &self.recent
    }

    /// For reading only.
    pub(crate) fn store(&self) -> &dyn Store {
        &*self.parts.readers
    }

    pub(crate) fn index(&self) -> &dyn Index {
        &*self.parts.index
    }

    pub(crate) fn blobs(&self) -> &dyn Blobs {
        &*self.parts.blobs
    }

    /// A turn for [`Registry::solve`], of which few run at once: it may take a processor for seconds.
    /// `None` if the registry ends.
    pub async fn permit_solving(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.solving).acquire_owned().await.ok()
    }

    /// Room in memory for content that is looked into. Whoever looks holds it until he has looked.
    pub(crate) async fn permit_inspection(&self, bytes: u64) -> Option<OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(INSPECTION_UNIT_BYTES)).unwrap_or(u32::MAX);
        // Small files may hide much: each takes a part of the room that only so many others leave.
        let together =
            if bytes <= INLINE_CONTENT_BYTES_MAX { SMALL_INSPECTIONS_MAX } else { INSPECTIONS_MAX };
        let units = units.max(self.inspection_units / together).clamp(1, self.inspection_units);
        Arc::clone(&self.inspections).acquire_many_owned(units).await.ok()
    }

    /// Takes room on the medium for content that is coming in, or says that there is none.
    pub(crate) fn take_spool_room(&self, bytes: u64) -> Result<(), WriteError> {
        let limits = &self.tools().limits;
        let most = limits.spooled_bytes_max.max(limits.content_bytes_max);
        let taken = self.spooled.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        let mut excess = taken.saturating_sub(most);
        // What broke off makes room for what comes.
        while excess > 0 {
            let evicted = self.parked().evict();
            let Some(gone) = evicted else {
                self.give_spool_room(bytes);
                return Err(WriteError::Busy("too much content is coming in"));
            };
            self.forget(&gone);
            excess = excess.saturating_sub(gone.room());
        }
        Ok(())
    }

    /// The room of uploads that are no longer kept is free.
    pub(crate) fn forget(&self, gone: &Gone) {
        self.give_spool_room(gone.room());
    }

    /// Uploads that broke off.
    pub(crate) fn parked(&self) -> MutexGuard<'_, Parked> {
        self.parked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn give_spool_room(&self, bytes: u64) {
        self.spooled.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, WriteError> {
        self.push(command)?.outcome().await
    }

    /// Hands a command to the sequencer, from any thread.
    pub(crate) fn push(&self, command: Command) -> Result<Submitted, WriteError> {
        let answer = self.queue.push(command)?;
        if self.parts.driver == Driver::Caller {
            self.turn();
            while self.unfinished() == Unfinished::Backlog {
                self.turn();
            }
        }
        Ok(Submitted(answer))
    }

    /// One step with all that has come, as far as it fits.
    fn turn(&self) {
        let mut sequencer = self.sequencer.lock().unwrap_or_else(PoisonError::into_inner);
        let (commands, answers) = self.queue.take();
        let (outcomes, published) = sequencer.step(&commands);
        // Shown before anybody is answered: an answer must not be ahead of the checkpoint.
        if let Some(published) = published {
            self.published.send_replace(Arc::new(published));
        }
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone; what was asked for is done all the same.
            let _ = answer.send(outcome);
        }
    }

    fn unfinished(&self) -> Unfinished {
        self.sequencer.lock().unwrap_or_else(PoisonError::into_inner).unfinished()
    }

    fn prune(&self) -> Result<(), WriteError> {
        let tools = self.tools();
        let window = tools.limits.map_window_seconds.saturating_add(PRUNE_DELAY_SECONDS);
        let until = seconds(tools.clock.now()).saturating_sub(window);
        let Some(oldest) = tools.store.commit_at(until)? else { return Ok(()) };
        let oldest = MapVersion(oldest.length().get());
        while tools.store.prune(oldest, PRUNED_PAGES)? == PRUNED_PAGES {}
        Ok(())
    }

    /// All that can be said of a record by itself and by what is there (specification 12.4), in the
    /// specification's order. Nothing is kept.
    fn examine(&self, submission: Submission) -> Result<Admission, WriteError> {
        let Submission { log, name, record } = submission;
        if LogId::package(&name) != log {
            return Err(WriteError::BadRequest(format!(
                "the package {name} has another log than {log}: send the record to the log whose id \
                 belongs to the name"
            )));
        }
        if name.as_str().len() > NAME_BYTES_MAX {
            return Err(WriteError::BadRequest(format!(
                "the package's name is longer than {NAME_BYTES_MAX} bytes"
            )));
        }
        let bytes = record.content_bytes().len();
        if bytes > RECORD_BYTES_MAX {
            return Err(WriteError::BadRequest(format!(
                "the record has {bytes} bytes; this registry takes {RECORD_BYTES_MAX} at most"
            )));
        }
        let undecodable =
            |error| WriteError::BadRequest(format!("the record cannot be read: {error}"));
        let mut envelope = PackageEnvelope::decode(record).map_err(undecodable)?;
        let contents = contents(&envelope)?;
        self.check_namespace(name.namespace())?;
        self.check_signature(&log, &mut envelope)?;
        for policy in &self.tools().record_policies {
            policy.check(&name, &envelope).map_err(|refusal| match refusal {
                Refusal::Unauthorized(why) => WriteError::Unauthorized(why),
                Refusal::Rejected(why) => WriteError::Rejected(why),
            })?;
        }
        self.check_time(&envelope)?;
        let stem = sequencer::stem(&log, envelope.record_id());
        let mut admission = Admission { name, log, envelope, contents, stem, counted: false };
        // What is known already takes nothing, whoever sends it again.
        if self.counts() && !self.knows_record(&admission)? {
            self.check_quotas(&admission)?;
            admission.counted = self.count(admission.envelope.key_id())?;
        }
        Ok(admission)
    }

    /// Whether packages may be published in the namespace. The sequencer decides; this is for those
    /// who could not be helped by it.
    fn check_namespace(&self, namespace: &Namespace) -> Result<(), WriteError> {
        let state = match self.namespaces.get(namespace) {
            Some(state) => Some(state),
            None => self.namespace(namespace).map_err(|error| match error {
                ReadError::Store(error) => WriteError::from(error),
                error => WriteError::Unavailable(error.to_string()),
            })?,
        };
        match state {
            Some(NamespaceState::Defined) => Ok(()),
            Some(NamespaceState::Imported { registry }) => {
                let namespace = namespace.to_string();
                Err(WriteError::NamespaceImported { namespace, registry })
            }
            None if self.tools().define_namespaces => Ok(()),
            None => Err(WriteError::NamespaceNotDefined(namespace.to_string())),
        }
    }

    /// The signature, with the key that the log knows by the record's key id, or, if there is no such
    /// log, with the key of the record's own init entry (specification 12.4, steps 8 and 9; in a log
    /// that exists nobody brings his own key: 20.3, N9).
    fn check_signature(
        &self,
        log: &LogId,
        envelope: &mut PackageEnvelope,
    ) -> Result<(), WriteError> {
        let key_id = envelope.key_id().clone();
        let query = LogQuery { keys: vec![key_id.clone()], ..LogQuery::of_head(*log) };
        let rows = self.store().log_rows(&[query])?.pop().unwrap_or_default();
        let known = rows.keys.into_iter().next();
        let key = match (known, rows.head, envelope.record().entries.first()) {
            (Some(key), ..) => Some(key),
            // Under another id the log would refuse it, and whoever has that id would be charged.
            (None, None, Some(Entry::Init { key, .. })) if key.id() == key_id => Some(key.clone()),
            _ => None,
        };
        let key = key.ok_or_else(|| {
            WriteError::Unauthorized(format!(
                "the key {key_id} is not known to this package: somebody who may publish it must \
                 grant it first (`warg publish grant`)"
            ))
        })?;
        envelope.verify_signature(&key).map_err(|error| {
            WriteError::Unauthorized(format!(
                "the record's signature is not that of its key: {error}"
            ))
        })
    }

    /// Times before 1970 cannot be stored by clients, and one far in the future would block the log
    /// for everybody else (specification 20.3, N8).
    fn check_time(&self, envelope: &PackageEnvelope) -> Result<(), WriteError> {
        let (time, now) = (envelope.record().timestamp, self.tools().clock.now());
        if time.seconds() < 0 {
            let why = "the record is dated before 1970: check your clock";
            return Err(WriteError::Rejected(why.into()));
        }
        let ahead = time.seconds().saturating_sub(now.seconds());
        if ahead > FUTURE_SECONDS_MAX {
            return Err(WriteError::Rejected(format!(
                "the record is dated {ahead} seconds in the future: check your clock"
            )));
        }
        Ok(())
    }
}

/// A command that the sequencer has.
pub(crate) struct Submitted(oneshot::Receiver<Result<Outcome, WriteError>>);

impl Submitted {
    /// What becomes of it.
    pub(crate) async fn outcome(self) -> Result<Outcome, WriteError> {
        let gone = |_| WriteError::Unavailable("the registry is shutting down".into());
        self.0.await.map_err(gone)?
    }

    /// What becomes of the record that it is about.
    pub(crate) async fn status(self) -> Result<RecordStatus, WriteError> {
        match self.outcome().await? {
            Outcome::Record(status) => Ok(status),
            Outcome::Operator(_) | Outcome::Done => Ok(RecordStatus::Processing),
        }
    }
}

/// Runs blocking work somewhere, and waits for what it says.
async fn run<T: Send + 'static>(
    offload: &dyn Offload,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let (answer, answered) = oneshot::channel();
    offload.run(Box::new(move || {
        let done = catch_unwind(AssertUnwindSafe(work));
        // Whoever asked may have gone.
        let _ = answer.send(done);
    }));
    match answered.await {
        Ok(Ok(value)) => value,
        // A defect shows where the work was asked for, and not as an answer that never comes.
        Ok(Err(panic)) => resume_unwind(panic),
        // The work was dropped because the process ends: there is nobody to tell.
        Err(_) => std::future::pending().await,
    }
}

/// The digests that a record releases, each once. All must be of a length that content can have
/// (specification 20.3, N7).
fn contents(envelope: &PackageEnvelope) -> Result<Vec<Digest>, WriteError> {
    let entries = &envelope.record().entries;
    if entries.len() > RECORD_ENTRIES_MAX {
        return Err(WriteError::BadRequest(format!(
            "the record has {} entries; this registry takes {RECORD_ENTRIES_MAX} at most",
            entries.len()
        )));
    }
    let mut contents = Vec::new();
    for entry in entries {
        if let Entry::<Package>::Action(PackageAction::Release { version, content }) = entry {
            let digest = Digest::try_from(content).map_err(|_| {
                WriteError::BadRequest(format!(
                    "the release {version} names the content {content}, which is no SHA-256 digest \
                     of 32 bytes"
                ))
            })?;
            if !contents.contains(&digest) {
                contents.push(digest);
            }
        }
    }
    Ok(contents)
}
