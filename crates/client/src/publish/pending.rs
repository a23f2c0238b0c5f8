//! A publication that is put together over several calls.
//!
//! It is kept with the registry that it was begun for, which is where it goes, whatever is configured
//! when it is submitted; and with a name of its own. Its records stand in the journal under that name
//! until it was settled, so that whoever was interrupted between publishing and settling publishes
//! nothing twice: neither what can be said only once, such as releases, nor grants and revocations.

use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, PrivateKey};
use wargate_protocol::{LogId, PackageName};

use super::send::Job;
use super::{Change, Contents, Publication, Published};
use crate::client::Client;
use crate::error::Error;
use crate::origin::{Domain, RegistryUrl};
use crate::registry::Registry;
use crate::seams::{Event, Key, State, StateError};

/// How often others may take up what was collected before a call gives up.
const CHANGES_MAX: u32 = 30;

/// A publication that is being put together.
#[derive(Clone)]
pub struct Collected {
    /// The registry that it goes to.
    pub registry: Registry,
    /// What was collected.
    pub publication: Publication,
}

/// As it is kept.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// Where it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registry: Option<String>,
    /// What its records are called in the journal.
    #[serde(default)]
    id: String,
    #[serde(flatten)]
    publication: Publication,
}

impl Client {
    /// All publications that are being put together, each with the registry that it goes to, in the
    /// order of the registries' names. One that is damaged is passed over, and told of:
    /// [`Registry::abort_pending`] removes it.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn pending(&self) -> Result<Vec<Collected>, Error> {
        let keys = self.parts.state.list(&crate::client::key(&["publishing"])?)?;
        let mut pending = Vec::new();
        for key in keys {
            let segments: Vec<&str> = key.segments().collect();
            let [_, domain, "pending"] = segments[..] else { continue };
            // Others have no business there.
            let Ok(domain) = domain.parse::<Domain>() else { continue };
            let stored = match read(&*self.parts.state, &key) {
                Ok(Some(stored)) => stored,
                Ok(None) => continue,
                Err(error @ Error::Damaged { .. }) => {
                    let message =
                        format!("the publish that is pending at {domain} is lost: {error}");
                    self.parts.observer.event(Event::Warning { message: &message });
                    continue;
                }
                Err(error) => return Err(error),
            };
            let named = || stored.registry.as_ref()?.parse::<RegistryUrl>().ok();
            let url = self.configured(&domain).or_else(named);
            let url = url.map_or_else(|| domain.to_url(), Ok)?;
            let (registry, publication) = (self.registry(url), stored.publication);
            pending.push(Collected { registry, publication });
        }
        Ok(pending)
    }
}

impl Registry {
    /// The publication that is being put together; `None` if there is none. There is one for each
    /// registry.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn pending(&self) -> Result<Option<Publication>, Error> {
        Ok(self.stored()?.map(|stored| stored.publication))
    }

    /// Begins to put a publication together.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is one already; [`Error::State`]
    pub fn begin_pending(&self, name: PackageName) -> Result<(), Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        if let Some(pending) = self.pending()? {
            let name = pending.name;
            return Err(Error::Usage(format!("a publish of `{name}` is pending already")));
        }
        let mut chance = [0; 32];
        self.client().parts.random.fill(&mut chance);
        let id = Digest::of(&chance).to_string();
        let publication = Publication { name, head: None, entries: Vec::new() };
        self.write_pending(&Stored { registry: Some(self.url().to_string()), id, publication })
    }

    /// Adds a change to the publication that is being put together.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, or it is of another package; [`Error::State`]
    pub fn add_pending(&self, name: &PackageName, change: Change) -> Result<Publication, Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let none = || Error::Usage("no publish is pending".into());
        let mut stored = self.stored()?.ok_or_else(none)?;
        if stored.publication.name != *name {
            let other = &stored.publication.name;
            return Err(Error::Usage(format!("the publish that is pending is of `{other}`")));
        }
        stored.publication.entries.push(change);
        self.write_pending(&stored)?;
        Ok(stored.publication)
    }

    /// Forgets the publication that was being put together. Returns it, if it can be read.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn abort_pending(&self) -> Result<Option<Publication>, Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let pending = match self.pending() {
            Err(Error::Damaged { .. }) => None,
            read => read?,
        };
        self.client().parts.state.remove(&self.pending_key()?)?;
        Ok(pending)
    }

    /// Publishes what was put together, as [`publish`](Self::publish) does, and forgets it. Each change
    /// is published once, however often this is interrupted and called again, and however many call it
    /// at once.
    ///
    /// Most often that is one record. If an earlier call was interrupted and more was added since, the
    /// record of that call comes first. What is added meanwhile stays, unless other calls publish at
    /// the same time.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is nothing to publish, or another call has published it; [`Error`]
    pub async fn publish_pending(
        &self,
        key: &PrivateKey,
        contents: &dyn Contents,
        wait: bool,
    ) -> Result<Vec<Published>, Error> {
        let none = || Error::Usage("no publish is pending".into());
        let Stored { mut publication, id, .. } = self.stored()?.ok_or_else(none)?;
        if publication.entries.is_empty() {
            return Err(Error::Usage("nothing was collected to be published".into()));
        }
        let (mut published, mut changes) = (Vec::new(), 0);
        while !publication.entries.is_empty() {
            let sent = self.sent_before(&publication, &id)?.unwrap_or(publication.entries.len());
            let rest = publication.entries.split_off(sent);
            let job = Job { publication: &publication, collected: Some(&id) };
            if let Some(done) = Box::pin(self.carry_out(&job, key, contents, wait)).await? {
                published.push(done);
                publication.entries = rest;
                continue;
            }
            changes += 1;
            match self.stored()? {
                Some(now) if now.id == id && changes < CHANGES_MAX => publication = now.publication,
                _ => break,
            }
        }
        if published.is_empty() {
            return Err(Error::Usage("another call has published what was pending".into()));
        }
        Ok(published)
    }

    /// Whether what was collected is not what is to be published any more: because it was published, or
    /// because another call has made other parts of it into a record.
    pub(super) fn was_taken_up(&self, job: &Job<'_>) -> Result<bool, Error> {
        let Some(id) = job.collected else { return Ok(false) };
        let Some(stored) = self.stored()? else { return Ok(true) };
        let is_there = stored.publication.entries.starts_with(&job.publication.entries);
        Ok(stored.id != id || !is_there || self.sent_before(&stored.publication, id)?.is_some())
    }

    /// How many of the changes an earlier call made into a record whose fate is not settled.
    fn sent_before(&self, publication: &Publication, id: &str) -> Result<Option<usize>, Error> {
        let log = LogId::package(&publication.name);
        for count in (1..=publication.entries.len()).rev() {
            let (entries, head) = (publication.entries[..count].to_vec(), publication.head);
            let part = Publication { name: publication.name.clone(), head, entries };
            let job = Job { publication: &part, collected: Some(id) };
            if self.journalled(&log, &job)?.is_some() {
                return Ok(Some(count));
            }
        }
        Ok(None)
    }

    /// Forgets what was published of the publication that is being put together. What was added to it
    /// meanwhile stays.
    pub(super) fn settle_pending(&self, published: &Publication, id: &str) -> Result<(), Error> {
        let _lock = self.client().parts.state.lock(&self.pending_key()?)?;
        let Some(mut stored) = self.stored()? else { return Ok(()) };
        let pending = &mut stored.publication;
        if stored.id != id || !pending.entries.starts_with(&published.entries) {
            return Ok(());
        }
        if pending.entries.len() == published.entries.len() {
            return Ok(self.client().parts.state.remove(&self.pending_key()?)?);
        }
        pending.entries.drain(..published.entries.len());
        self.write_pending(&stored)
    }

    fn stored(&self) -> Result<Option<Stored>, Error> {
        read(&*self.client().parts.state, &self.pending_key()?)
    }

    fn write_pending(&self, pending: &Stored) -> Result<(), Error> {
        let key = self.pending_key()?;
        let bytes = serde_json::to_vec_pretty(pending)
            .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })?;
        Ok(self.client().parts.state.write(&key, &bytes)?)
    }

    pub(super) fn pending_key(&self) -> Result<Key, StateError> {
        crate::client::key(&["publishing", self.domain().as_str(), "pending"])
    }
}

fn read(state: &dyn State, key: &Key) -> Result<Option<Stored>, Error> {
    let Some(bytes) = state.read(key)? else { return Ok(None) };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| Error::Damaged { key: key.to_string(), reason: error.to_string() })
}
