//! Signing a record, sending it, and seeing it into the log.

use std::time::Duration;

use wargate_api::OrderedMap;
use wargate_api::publish::{
    MissingContent, PackageError, PackageRecordState, PublishRecordRequest,
};
use wargate_crypto::{AnyDigest, Digest, PrivateKey, PublicKey};
use wargate_protocol::{
    LogId, PackageEnvelope, PackageName, RecordId, RegistryIndex, SignedEnvelope,
};

use super::journal::{Entry, Noted};
use super::{Change, Contents, Plan, Publication, Published};
use crate::content::{self, UploadOutcome};
use crate::error::Error;
use crate::package::Package;
use crate::registry::Registry;
use crate::remote::{CallError, Remote, Retry};
use crate::seams::Event;
use crate::sync::{SyncError, Want};
use crate::text::tame;

/// How often to sign anew because somebody else's record came first.
const OVERTAKEN_MAX: u32 = 30;

/// The longest pause before that, so that publishers do not meet again and again.
const OVERTAKEN_PAUSE: Duration = Duration::from_millis(400);

/// How often to send a record of which nobody knows whether it arrived.
const SENDS_MAX: u32 = 4;

/// The first pause between two questions after a record, and the longest.
const POLL: Duration = Duration::from_millis(100);
const POLL_MAX: Duration = Duration::from_secs(2);

/// A publication that is to be carried out.
pub(super) struct Job<'a> {
    pub(super) publication: &'a Publication,
    /// What it is called in the journal if it was put together over several calls: then each of its
    /// changes is published once. Otherwise a call that comes long after the same one had its effect
    /// means it anew.
    pub(super) collected: Option<&'a str>,
}

/// What came of signing.
enum Signed {
    Entry {
        entry: Box<Entry>,
        /// Nobody can have seen it.
        fresh: bool,
    },
    /// The log says all of it already.
    Nothing(Box<Plan>),
    /// What was collected is not what it was: another call has taken it up.
    Changed,
}

/// What became of a record.
enum Fate {
    InLog(RegistryIndex),
    /// Submitted, and not waited for.
    Submitted,
    /// Refused for good; for people.
    Rejected(String),
    /// Another record of the log comes first.
    Behind(RecordId),
}

impl Registry {
    /// Publishes one record: signs it, sends it, uploads what the registry lacks, and waits until the
    /// record is in the log and was verified to be.
    ///
    /// It can be called again after any failure, and publishes once.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn publish(
        &self,
        publication: &Publication,
        key: &PrivateKey,
        contents: &dyn Contents,
        wait: bool,
    ) -> Result<Published, Error> {
        let job = Job { publication, collected: None };
        let published = self.carry_out(&job, key, contents, wait).await?;
        published.ok_or_else(|| Error::Usage("there is nothing to publish".into()))
    }

    /// `None` if another call has taken up what was collected.
    pub(super) async fn carry_out(
        &self,
        job: &Job<'_>,
        key: &PrivateKey,
        contents: &dyn Contents,
        wait: bool,
    ) -> Result<Option<Published>, Error> {
        if self.client().settings().offline {
            return Err(Error::Offline(format!("{}", self.domain())));
        }
        let publication = job.publication;
        let remote = self.remote().await?;
        let log = LogId::package(&publication.name);
        let sending = Sending {
            registry: self,
            remote: &remote,
            name: &publication.name,
            log,
            contents,
            wait,
        };
        let (mut behind, mut last) = (None, None);
        for _ in 0..OVERTAKEN_MAX {
            if behind.is_some() {
                self.let_others_pass().await;
            }
            let (entry, fresh) = match self.take_up(&sending, job, key, last.take()).await? {
                Signed::Entry { entry, fresh } => (*entry, fresh),
                Signed::Nothing(plan) => return self.already(plan.package, job).map(Some),
                Signed::Changed => return Ok(None),
            };
            let record = entry.record.record_id::<wargate_protocol::Package>();
            match sending.see_through(&entry, record, fresh).await? {
                Fate::InLog(index) => {
                    let published =
                        self.confirm_published(&entry, record, index, publication).await?;
                    // What was published long ago may have been undone since.
                    if fresh || job.collected.is_some() || still_says(&published, &entry, record) {
                        self.settle(&log, job)?;
                        return Ok(Some(published));
                    }
                    self.strike_record(&log, job, &entry)?;
                    behind = Some(record);
                }
                Fate::Submitted => {
                    self.settle(&log, job)?;
                    return Ok(Some(Published::Submitted { record }));
                }
                Fate::Behind(other) => {
                    sending.wait_for_other(other).await?;
                    behind = Some(other);
                }
                Fate::Rejected(reason) => {
                    self.strike_record(&log, job, &entry)?;
                    let moved = self.has_moved(&entry, &publication.name).await?;
                    if publication.head.is_some() || !moved {
                        let registry = self.domain().clone();
                        return Err(Error::Rejected { registry, record, reason });
                    }
                    behind = Some(record);
                }
            }
            last = Some(entry);
        }
        let (registry, package) = (self.domain().clone(), publication.name.clone());
        Err(match behind {
            Some(record) => Error::StillWaiting { registry, package, record },
            None => Error::Usage("there is nothing to publish".into()),
        })
    }

    /// Waits a moment, by chance.
    async fn let_others_pass(&self) {
        let mut chance = [0];
        self.client().parts.random.fill(&mut chance);
        let pause = OVERTAKEN_PAUSE.mul_f64(f64::from(chance[0]) / 255.0);
        self.client().parts.clock.wait(pause).await;
    }

    /// Notes that all was done. What was put together is forgotten before the journal is struck, so that
    /// whoever is interrupted in between finds the record, and does not publish it again.
    fn settle(&self, log: &LogId, job: &Job<'_>) -> Result<(), Error> {
        if let Some(id) = job.collected {
            self.settle_pending(job.publication, id)?;
        }
        self.strike(log, job)
    }

    fn already(&self, package: Option<Package>, job: &Job<'_>) -> Result<Published, Error> {
        let nothing = || Error::Usage("there is nothing to publish".into());
        let package = Box::new(package.ok_or_else(nothing)?);
        self.settle(&LogId::package(&job.publication.name), job)?;
        Ok(Published::Already { package })
    }

    /// Takes a publication up where it is: its record in the journal, if that may still do; or plans
    /// it, signs it, and notes it in the journal, in the place of the `last` one that did not do.
    async fn take_up(
        &self,
        sending: &Sending<'_>,
        job: &Job<'_>,
        key: &PrivateKey,
        last: Option<Entry>,
    ) -> Result<Signed, Error> {
        let publication = job.publication;
        let (public, log) = (key.public_key(), LogId::package(&publication.name));
        let resume = |entry| Ok(Signed::Entry { entry: Box::new(entry), fresh: false });
        let mut replaced = last;
        if replaced.is_none()
            && let Some(entry) = self.journalled(&log, job)?
        {
            // One that another key signed counts only if it is there: its key may be gone.
            let record = entry.record.record_id::<wargate_protocol::Package>();
            let is_ours = *entry.record.key_id() == public.id();
            if is_ours || (job.collected.is_some() && sending.state(record).await?.is_some()) {
                return resume(entry);
            }
            replaced = Some(entry);
        }
        let plan = self.plan(publication, &public).await?;
        if let Some(entry) = &replaced
            && job.collected.is_some()
            && sending.may_still_do(entry, &plan, &public).await?
        {
            return resume(entry.clone());
        }
        let now = self.client().parts.clock.now();
        let Some(record) = plan.record(&public, now) else {
            return Ok(Signed::Nothing(Box::new(plan)));
        };
        let signed = PackageEnvelope::sign(&record, key);
        let record = signed.map_err(|error| Error::Usage(error.to_string()))?.into_signed();
        let (asked, changes, prev) = (publication.entries.clone(), plan.changes, plan.prev);
        let entry = Entry { asked, changes, prev, record };
        match self.note_in_journal(&log, job, &entry, replaced.as_ref())? {
            Noted::Done => Ok(Signed::Entry { entry: Box::new(entry), fresh: true }),
            Noted::There(entry) => resume(*entry),
            Noted::Changed => Ok(Signed::Changed),
        }
    }

    /// Waits until a record that was submitted is in the log, and verifies that it is.
    ///
    /// # Errors
    /// [`Error::UnknownRecord`] if the registry does not have it; [`Error`]
    pub async fn wait(&self, name: &PackageName, record: RecordId) -> Result<Published, Error> {
        let remote = self.remote().await?;
        let log = LogId::package(name);
        let sending =
            Sending { registry: self, remote: &remote, name, log, contents: &Nothing, wait: true };
        if sending.state(record).await?.is_none() {
            let (registry, package) = (self.domain().clone(), name.clone());
            return Err(Error::UnknownRecord { registry, package, record });
        }
        match sending.poll(record, None).await? {
            Fate::InLog(index) => {
                let publication =
                    Publication { name: name.clone(), head: None, entries: Vec::new() };
                self.confirm_in_history(record, index, &publication).await
            }
            Fate::Rejected(reason) => {
                Err(Error::Rejected { registry: self.domain().clone(), record, reason })
            }
            Fate::Submitted | Fate::Behind(_) => Err(Error::StillWaiting {
                registry: self.domain().clone(),
                package: name.clone(),
                record,
            }),
        }
    }

    /// Whether the log has gone on from where a record was to be added.
    async fn has_moved(&self, entry: &Entry, name: &PackageName) -> Result<bool, Error> {
        match self.sync(&[Want::package(name)]).await {
            Ok(known) => {
                let package = self.packages_of(&known).pop();
                let head = package.and_then(|package| package.state().head());
                Ok(head.map(|head| head.record_id) != entry.prev)
            }
            Err(SyncError::NotFound { .. }) => Ok(entry.prev.is_some()),
            Err(SyncError::Failed(error)) => Err(error),
        }
    }

    /// Verifies that a record is in the log, as the registry says.
    async fn confirm_published(
        &self,
        entry: &Entry,
        record: RecordId,
        index: RegistryIndex,
        publication: &Publication,
    ) -> Result<Published, Error> {
        let package = self.updated(&publication.name).await?;
        let state = package.state();
        let is_head = state.head().is_some_and(|head| head.record_id == record);
        let releases = entry.changes.iter().any(|change| match change {
            Change::Release { version, .. } => {
                state.release(version).is_some_and(|release| release.record_id == record)
            }
            _ => false,
        });
        if is_head && package.index() != index {
            return Err(
                self.bad_answer("it says that the record is at another position than it is")
            );
        }
        if !is_head && !releases {
            return self.confirm_in_history(record, index, publication).await;
        }
        Ok(Published::InLog {
            record,
            registry_index: index,
            checkpoint: Box::new(package.checkpoint().clone()),
            created: entry.prev.is_none(),
            package: Box::new(package),
        })
    }

    async fn confirm_in_history(
        &self,
        record: RecordId,
        index: RegistryIndex,
        publication: &Publication,
    ) -> Result<Published, Error> {
        let package = self.updated(&publication.name).await?;
        let history = self.history(&package).await?;
        let found = history.iter().find(|found| found.id == record);
        if found.is_none_or(|found| found.registry_index != index) {
            return Err(
                self.bad_answer("it says that a record is published which is not in its log")
            );
        }
        Ok(Published::InLog {
            record,
            registry_index: index,
            checkpoint: Box::new(package.checkpoint().clone()),
            created: history.first().is_some_and(|first| first.id == record),
            package: Box::new(package),
        })
    }

    async fn updated(&self, name: &PackageName) -> Result<Package, Error> {
        let lie = || self.bad_answer("it says that a record is published which is not in its log");
        match self.sync(&[Want::package(name)]).await {
            Ok(known) => self.packages_of(&known).pop().ok_or_else(lie),
            Err(SyncError::NotFound { .. }) => Err(lie()),
            Err(SyncError::Failed(error)) => Err(error),
        }
    }
}

/// Whether a log still says what a record of it said: no later record can have undone it.
fn still_says(published: &Published, entry: &Entry, record: RecordId) -> bool {
    let Published::InLog { package, .. } = published else { return false };
    let is_head = package.state().head().is_some_and(|head| head.record_id == record);
    let lasts = |change: &Change| !matches!(change, Change::Grant { .. } | Change::Revoke { .. });
    is_head || entry.changes.iter().all(lasts)
}

/// One record on its way.
struct Sending<'a> {
    registry: &'a Registry,
    remote: &'a Remote,
    name: &'a PackageName,
    log: LogId,
    contents: &'a dyn Contents,
    wait: bool,
}

impl Sending<'_> {
    /// Whether a record that came too late may still come into the log, because another call sends it:
    /// then a second one would say the same again. One whose place in the log is taken cannot.
    async fn may_still_do(
        &self,
        entry: &Entry,
        plan: &Plan,
        key: &PublicKey,
    ) -> Result<bool, Error> {
        let is_ours = *entry.record.key_id() == key.id();
        let record = entry.record.record_id::<wargate_protocol::Package>();
        Ok(match self.state(record).await? {
            Some(PackageRecordState::Rejected { .. }) => false,
            Some(_) => true,
            None => is_ours && plan.prev == entry.prev && plan.changes == entry.changes,
        })
    }

    /// Sends a record, if the registry does not have it, and sees it through.
    /// A fresh one cannot be there yet.
    async fn see_through(
        &self,
        entry: &Entry,
        record: RecordId,
        fresh: bool,
    ) -> Result<Fate, Error> {
        let observer = &self.remote.exchange().observer;
        observer.event(Event::Submitting { package: self.name, record: &record });
        let mut retry = Retry::new(SENDS_MAX);
        let mut may_be_there = !fresh;
        let state = loop {
            // Sending what is there twice harms at the reference (specification 12.4).
            if may_be_there && let Some(state) = self.state(record).await? {
                break state;
            }
            match self.send(&entry.record, record).await {
                Ok(Ok(state)) => break state,
                Ok(Err(fate)) => return Ok(fate),
                Err(error) => {
                    if !retry.again(self.remote.exchange(), &error).await {
                        return Err(error);
                    }
                    may_be_there = true;
                }
            }
        };
        self.follow(entry, record, state).await
    }

    /// Sends the record. A refusal that is a fate is one.
    async fn send(
        &self,
        signed: &SignedEnvelope,
        record: RecordId,
    ) -> Result<Result<PackageRecordState, Fate>, Error> {
        let request = PublishRecordRequest {
            package_name: self.name.clone(),
            record: signed.clone(),
            content_sources: OrderedMap::new(),
        };
        let refusal = match self.remote.publish(&self.log, &request).await {
            Ok(answer) if answer.record_id == record => return Ok(Ok(answer.state)),
            Ok(_) => return Err(self.registry.bad_answer("it answers about another record")),
            Err(CallError::Failed(error)) => return Err(*error),
            Err(CallError::Refused(refusal)) => refusal.error,
        };
        let registry = self.registry.domain().clone();
        let namespace = self.name.namespace().clone();
        Err(match refusal {
            PackageError::Rejection(reason) => return Ok(Err(Fate::Rejected(tame(&reason)))),
            PackageError::ConflictPendingPublish(other) => return Ok(Err(Fate::Behind(other))),
            PackageError::Unauthorized(message) => {
                Error::Unauthorized { registry, message: tame(&message) }
            }
            PackageError::NamespaceNotDefined(_) => Error::UnknownNamespace { registry, namespace },
            PackageError::NamespaceImported(_) => {
                let owner = "another registry".to_owned();
                Error::ImportedNamespace { registry, namespace, owner }
            }
            source => Error::Publish { registry, source },
        })
    }

    /// The state of a record; `None` if the registry does not have it.
    async fn state(&self, record: RecordId) -> Result<Option<PackageRecordState>, Error> {
        match self.remote.record(&self.log, &record).await {
            Ok(answer) if answer.record_id == record => Ok(Some(answer.state)),
            Ok(_) => Err(self.registry.bad_answer("it answers about another record")),
            Err(CallError::Refused(refusal)) => match refusal.error {
                PackageError::LogNotFound(_) | PackageError::RecordNotFound(_) => Ok(None),
                other => Err(Error::BadAnswer {
                    registry: self.registry.domain().clone(),
                    what: "the record's state",
                    reason: tame(&other.to_string()),
                }),
            },
            Err(CallError::Failed(error)) => Err(*error),
        }
    }

    /// Uploads what is missing, and waits for the end.
    async fn follow(
        &self,
        entry: &Entry,
        record: RecordId,
        state: PackageRecordState,
    ) -> Result<Fate, Error> {
        match state {
            PackageRecordState::Published { registry_index } => Ok(Fate::InLog(registry_index)),
            PackageRecordState::Rejected { reason } => Ok(Fate::Rejected(tame(&reason))),
            PackageRecordState::Sourcing { missing_content } => {
                if let Some(fate) = self.upload(entry, &missing_content).await? {
                    return Ok(fate);
                }
                self.poll(record, Some(entry)).await
            }
            PackageRecordState::Processing => self.poll(record, Some(entry)).await,
        }
    }

    /// Uploads what the registry lacks, if it is content of this record.
    async fn upload(
        &self,
        entry: &Entry,
        missing: &OrderedMap<AnyDigest, MissingContent>,
    ) -> Result<Option<Fate>, Error> {
        for (digest, places) in missing {
            let ours = entry.changes.iter().any(
                |change| matches!(change, Change::Release { content, .. } if content == digest),
            );
            let Some(sha256) = Digest::try_from(digest).ok().filter(|_| ours) else {
                let reason = "it asks for content that is not part of the record";
                return Err(self.registry.bad_answer(reason));
            };
            let open = || self.contents.open(&sha256);
            match content::upload(self.remote, &places.upload, digest, &open).await? {
                UploadOutcome::Done | UploadOutcome::AlreadyThere => {}
                UploadOutcome::Rejected(reason) => return Ok(Some(Fate::Rejected(reason))),
            }
        }
        Ok(None)
    }

    /// Asks until the record is final. With `entry`, what turns out to be missing is uploaded once more.
    async fn poll(&self, record: RecordId, entry: Option<&Entry>) -> Result<Fate, Error> {
        if !self.wait {
            return Ok(Fate::Submitted);
        }
        let exchange = self.remote.exchange();
        let patience = self.registry.client().settings().publish_wait_max;
        let (mut waited, mut pause, mut again) = (Duration::ZERO, POLL, entry);
        loop {
            match self.state(record).await? {
                Some(PackageRecordState::Published { registry_index }) => {
                    return Ok(Fate::InLog(registry_index));
                }
                Some(PackageRecordState::Rejected { reason }) => {
                    return Ok(Fate::Rejected(tame(&reason)));
                }
                Some(PackageRecordState::Sourcing { missing_content }) => {
                    if let Some(entry) = again.take()
                        && let Some(fate) = self.upload(entry, &missing_content).await?
                    {
                        return Ok(fate);
                    }
                }
                Some(PackageRecordState::Processing) => {}
                None => return Err(self.registry.bad_answer("it has forgotten the record")),
            }
            if waited >= patience {
                return Err(self.still_waiting(record));
            }
            exchange.observer.event(Event::Waiting { package: self.name, record: &record });
            exchange.clock.wait(pause).await;
            waited += pause;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    /// Waits until another record of the log is final.
    async fn wait_for_other(&self, other: RecordId) -> Result<(), Error> {
        let exchange = self.remote.exchange();
        let patience = self.registry.client().settings().publish_wait_max;
        let (mut waited, mut pause) = (Duration::ZERO, POLL);
        loop {
            use PackageRecordState::{Processing, Published, Rejected, Sourcing};
            match self.state(other).await? {
                Some(Published { .. } | Rejected { .. }) | None => return Ok(()),
                Some(Processing | Sourcing { .. }) if waited < patience => {}
                Some(Processing | Sourcing { .. }) => return Err(self.still_waiting(other)),
            }
            exchange.clock.wait(pause).await;
            waited += pause;
            pause = (pause * 2).min(POLL_MAX);
        }
    }

    fn still_waiting(&self, record: RecordId) -> Error {
        let (registry, package) = (self.registry.domain().clone(), self.name.clone());
        Error::StillWaiting { registry, package, record }
    }
}

/// No content.
struct Nothing;

impl Contents for Nothing {
    fn open(&self, _: &Digest) -> std::io::Result<(u64, Box<dyn crate::seams::ChunkSource>)> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}
