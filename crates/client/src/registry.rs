//! One registry.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wargate_api::fetch::{FetchLogsRequest, LIMIT_MAX};
use wargate_protocol::verify::{Culprit, Evidence, Fault, Misbehaviour};
use wargate_protocol::{
    Envelope, LogId, Namespace, NamespaceState, OperatorState, PackageName, PackageState,
    SignedCheckpoint,
};

use crate::client::Client;
use crate::error::Error;
use crate::evidence::EvidenceId;
use crate::limits::{LOGS_PER_REQUEST_MAX, PAGES_MAX, SIMILAR_MAX};
use crate::monitor;
use crate::origin::{Domain, RegistryUrl};
use crate::package::{HistoryRecord, Package};
use crate::remote::{CallError, Remote};
use crate::seams::{Event, Key, State, StateError};
use crate::similar;
use crate::sync::{Sync, SyncError, Want};
use crate::trust::{Known, Pin, Remembered, Trust};

/// How long what discovery found is taken for true, in seconds.
const DISCOVERY_SECONDS: i64 = 60 * 60;

/// A registry, as one client knows it.
#[derive(Clone)]
pub struct Registry {
    client: Client,
    named: RegistryUrl,
    domain: Domain,
}

/// Where the API of a registry was found.
#[derive(Serialize, Deserialize)]
struct Discovered {
    base: String,
    seconds: i64,
}

impl Registry {
    pub(crate) fn new(client: Client, named: RegistryUrl) -> Self {
        let domain = named.domain();
        Self { client, named, domain }
    }

    /// Its name.
    pub const fn domain(&self) -> &Domain {
        &self.domain
    }

    /// Its URL, as the user or another registry gave it.
    pub const fn url(&self) -> &RegistryUrl {
        &self.named
    }

    /// The client that it is known to.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Where its API is: what its discovery document says, or else where it is itself. It is asked
    /// unless that is known. Tokens are kept by the name of the API (specification 15.8).
    ///
    /// # Errors
    /// [`Error`]; [`Error::Offline`] if it may not be asked.
    pub async fn api(&self) -> Result<RegistryUrl, Error> {
        if let Some(api) = self.known_api()? {
            return Ok(api);
        }
        if self.client.settings.offline {
            return Err(Error::Offline(format!("the place of the API of {}", self.domain)));
        }
        Ok(self.remote().await?.base().clone())
    }

    /// Where its API is, without asking; `None` if that is not known.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn known_api(&self) -> Result<Option<RegistryUrl>, Error> {
        Ok(self.found()?.map(|remote| remote.base().clone()))
    }

    /// Who operates it; `None` if it was never seen.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn pin(&self) -> Result<Option<Pin>, Error> {
        self.trust().pin()
    }

    /// Believes that this key operates it. What was believed under another key is forgotten, also by
    /// monitors.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn confirm(&self, operator_key: wargate_crypto::KeyId) -> Result<(), Error> {
        let since = self.client.parts.clock.now();
        let url = self.named.to_string();
        if self.pin()?.is_some_and(|pin| pin.operator_key != operator_key) {
            monitor::forget(&*self.client.parts.state, &self.domain)?;
        }
        self.trust().set_pin(&Pin { operator_key, url, since, confirmed: true })
    }

    /// Believes a checkpoint that somebody else has seen, and that was signed by the registry: what it
    /// shows from now on must agree with it. To have that proven at once, [`Self::compare`].
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn believe(&self, checkpoint: &SignedCheckpoint) -> Result<(), Error> {
        self.trust().believe(checkpoint)
    }

    /// Forgets all that is known of it, also by monitors, apart from evidence. It will be believed on
    /// first use again.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn forget(&self) -> Result<(), Error> {
        forget(&*self.client.parts.state, &self.domain)
    }

    /// The newest checkpoint that was verified.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn checkpoint(&self) -> Result<Option<SignedCheckpoint>, Error> {
        self.trust().checkpoint()
    }

    /// What its operator log says, as far as it is known.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn operator(&self) -> Result<Option<OperatorState>, Error> {
        let known = self.trust().load(&[])?;
        Ok(known.verified.operator().map(|operator| operator.state().clone()))
    }

    /// The evidence that was kept about it.
    ///
    /// # Errors
    /// [`Error::State`]
    pub fn evidence(&self) -> Result<Vec<EvidenceId>, Error> {
        crate::evidence::list(&*self.client.parts.state, &self.domain)
    }

    /// Brings the operator log up to date, and verifies that the registry goes on from what is known.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn refresh(&self) -> Result<(), Error> {
        match self.sync(&[]).await {
            Ok(_) => Ok(()),
            Err(SyncError::Failed(error)) => Err(error),
            Err(SyncError::NotFound { .. }) => Err(self.bad_answer("it has no operator log")),
        }
    }

    /// What is known of a package, without asking. `None` if nothing is.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn known(&self, package: &PackageName) -> Result<Option<Package>, Error> {
        let log = LogId::package(package);
        let mut known = self.trust().load(&[log])?;
        known.names.insert(log, package.clone());
        Ok(self.packages_of(&known).pop())
    }

    /// All packages of which something is known.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn packages(&self) -> Result<Vec<Package>, Error> {
        let logs = self.remembered()?;
        let mut packages = Vec::new();
        for part in logs.chunks(LOGS_PER_REQUEST_MAX) {
            let ids: Vec<_> = part.iter().map(|(log, _)| *log).collect();
            packages.extend(self.packages_of(&self.trust().load(&ids)?));
        }
        let named = logs.iter().filter(|(_, name)| name.is_some()).count();
        if packages.len() < named {
            let lost = named - packages.len();
            self.warn(&format!("{lost} of its packages have to be fetched and verified anew"));
        }
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(packages)
    }

    /// Brings the packages of which something is known up to date.
    pub(crate) async fn update_known(&self) -> Result<Vec<Package>, Error> {
        let known = self.remembered()?;
        // What has no name nobody can have asked for.
        let names: Vec<_> = known.into_iter().filter_map(|(_, name)| name).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let wants: Vec<_> = names.iter().map(Want::package).collect();
        let mut packages = match self.sync(&wants).await {
            Ok(known) => self.packages_of(&known),
            Err(SyncError::Failed(error)) => return Err(error),
            Err(SyncError::NotFound { log, .. }) => {
                let missing = names.iter().find(|name| LogId::package(name) == log);
                return Err(match missing {
                    Some(name) => self.missing(name).await?,
                    None => self.bad_answer("it says that it has no log that was not asked for"),
                });
            }
        };
        packages.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(packages)
    }

    /// The package logs that are remembered. Logs are written without waiting for the disk, so that
    /// some may not have survived a power failure: that is said, and these are forgotten.
    fn remembered(&self) -> Result<Vec<Remembered>, Error> {
        let (logs, damaged) = self.trust().remembered()?;
        if damaged > 0 {
            let what = if damaged == 1 { "a package" } else { "packages" };
            self.warn(&format!(
                "what was known of {what} was damaged ({damaged}), by a power failure perhaps, and is \
                 forgotten; it is fetched and verified anew when it is asked for by name"
            ));
        }
        Ok(logs)
    }

    fn warn(&self, message: &str) {
        let message = format!("{}: {message}", self.domain);
        self.client.parts.observer.event(Event::Warning { message: &message });
    }

    /// All records of a package's log, oldest first. They are fetched, and are exactly those that lead
    /// to what was verified.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn history(&self, package: &Package) -> Result<Vec<HistoryRecord>, Error> {
        if self.client.settings.offline {
            return Err(Error::Offline(format!("the records of `{}`", package.name)));
        }
        let remote = self.remote().await?;
        let log = LogId::package(&package.name);
        let wrong = || self.bad_answer("its records do not lead to what it has proven");
        let (mut state, mut records, mut token) = (PackageState::new(), Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let request = FetchLogsRequest {
                log_length: package.checkpoint.contents.checkpoint.log_length,
                limit: Some(LIMIT_MAX),
                operator: None,
                packages: [(log, token)].into_iter().collect(),
            };
            let page = remote.logs(&request).await.map_err(|error| self.refused(error))?;
            let (more, mut packages) = (page.more, page.packages);
            let page = packages.swap_remove(&log).unwrap_or_default();
            token = page.last().map(|last| last.fetch_token.clone());
            let ended = page.len() < usize::from(LIMIT_MAX) || !more;
            for published in page {
                let registry_index = published.record.registry_index;
                let envelope = Envelope::decode(published.record.envelope).map_err(|_| wrong())?;
                state.append(&envelope).map_err(|_| wrong())?;
                records.push(HistoryRecord {
                    id: envelope.record_id(),
                    registry_index,
                    key_id: envelope.key_id().clone(),
                    timestamp: envelope.record().timestamp,
                    entries: envelope.record().entries.clone(),
                });
                if state == *package.state() {
                    // Later records are none of the package as it was verified.
                    return Ok(records);
                }
            }
            if ended {
                break;
            }
        }
        Err(wrong())
    }

    /// Brings package logs up to date, in as many requests as it takes.
    pub(crate) async fn sync(&self, wants: &[Want]) -> Result<Known, SyncError> {
        let mut parts = wants.chunks(LOGS_PER_REQUEST_MAX);
        let mut whole = Box::pin(self.sync_fairly(parts.next().unwrap_or_default())).await?;
        for part in parts {
            let known = Box::pin(self.sync_fairly(part)).await?;
            whole.names.extend(known.names);
            whole
                .rest
                .extend(std::mem::replace(&mut whole.verified, known.verified).packages().clone());
            whole.checkpoint = known.checkpoint;
        }
        Ok(whole)
    }

    /// A log that the registry did not have when it was asked, and that another process has verified
    /// since, is asked for again: what a registry may not deny is what was known before.
    async fn sync_fairly(&self, wants: &[Want]) -> Result<Known, SyncError> {
        match Box::pin(self.sync_part(wants)).await {
            Err(SyncError::NotFound { log, .. }) if self.knows_log(&log)? => {
                Box::pin(self.sync_part(wants)).await
            }
            done => done,
        }
    }

    async fn sync_part(&self, wants: &[Want]) -> Result<Known, SyncError> {
        if self.client.settings.offline {
            return Err(Error::Offline(format!("the newest state of {}", self.domain)).into());
        }
        if let Some(remote) = self.found()? {
            return self.run(&remote, wants).await;
        }
        // The URL at hand is most often that of the API, so both are asked at once.
        let guessed = Remote::new(self.client.exchange(), self.named.clone(), self.named.clone());
        let sync = self.syncing(&guessed);
        let (base, attempt) =
            crate::sync::guess(self.discover(&guessed), sync.attempt(wants)).await;
        let (remote, done) = match base? {
            Some(base) if base != self.named => {
                let remote = Remote::new(self.client.exchange(), self.named.clone(), base);
                let done = self.run(&remote, wants).await;
                (remote, done)
            }
            _ => {
                let done = sync.finish(wants, attempt?).await;
                (guessed.clone(), done)
            }
        };
        if matches!(done, Ok(_) | Err(SyncError::NotFound { .. })) {
            self.remember_base(&remote)?;
        }
        done
    }

    async fn run(&self, remote: &Remote, wants: &[Want]) -> Result<Known, SyncError> {
        self.syncing(remote).run(wants).await
    }

    fn syncing<'a>(&'a self, remote: &'a Remote) -> Sync<'a> {
        let (state, settings) = (&*self.client.parts.state, &*self.client.settings);
        Sync { remote, state, settings }
    }

    /// The API, found now if it was not found before.
    pub(crate) async fn remote(&self) -> Result<Remote, Error> {
        if let Some(remote) = self.found()? {
            return Ok(remote);
        }
        let guessed = Remote::new(self.client.exchange(), self.named.clone(), self.named.clone());
        let remote = match self.discover(&guessed).await? {
            Some(base) => Remote::new(self.client.exchange(), self.named.clone(), base),
            None => guessed,
        };
        self.client.note_remote(&remote);
        Ok(remote)
    }

    /// The API, if it was found before.
    fn found(&self) -> Result<Option<Remote>, Error> {
        if let Some(remote) = self.client.remote(&self.named) {
            return Ok(Some(remote));
        }
        let Some(bytes) = self.client.parts.state.read(&self.discovery_key()?)? else {
            return Ok(None);
        };
        let Ok(found) = serde_json::from_slice::<Discovered>(&bytes) else { return Ok(None) };
        let age = self.client.parts.clock.now().seconds().saturating_sub(found.seconds);
        if !(0..DISCOVERY_SECONDS).contains(&age) {
            return Ok(None);
        }
        let Ok(base) = found.base.parse() else { return Ok(None) };
        let remote = Remote::new(self.client.exchange(), self.named.clone(), base);
        self.client.note_remote(&remote);
        Ok(Some(remote))
    }

    /// Where the API is; `None` if it is where the registry is.
    async fn discover(&self, at: &Remote) -> Result<Option<RegistryUrl>, Error> {
        let found = match at.well_known().await {
            Ok(document) => document,
            // A page in its place, say: it is not worth giving up for.
            Err(Error::BadAnswer { reason, .. }) => {
                let message = format!("{}: its discovery document is none: {reason}", self.domain);
                self.client.parts.observer.event(Event::Warning { message: &message });
                None
            }
            Err(error) => return Err(error),
        };
        let base = match found.as_ref().and_then(|document| document.warg_base_url()) {
            Some(text) => Some(self.leads_to(text)?),
            None => None,
        };
        Ok(base)
    }

    /// Remembers where the API is, because it was found to be there.
    fn remember_base(&self, remote: &Remote) -> Result<(), Error> {
        let seconds = self.client.parts.clock.now().seconds();
        let discovered = Discovered { base: remote.base().as_url().to_string(), seconds };
        if let Ok(bytes) = serde_json::to_vec(&discovered) {
            self.client.parts.state.keep(&self.discovery_key()?, &bytes)?;
        }
        self.client.note_remote(remote);
        Ok(())
    }

    /// The URL that a discovery document names.
    fn leads_to(&self, text: &str) -> Result<RegistryUrl, Error> {
        let wrong = |reason: String| Error::BadAnswer {
            registry: self.domain.clone(),
            what: "the discovery document",
            reason,
        };
        let url: RegistryUrl = text.parse().map_err(|error: crate::origin::RegistryUrlError| {
            wrong(crate::text::tame(&error.to_string()))
        })?;
        if url.is_loopback() && !self.named.is_loopback() {
            return Err(wrong("it leads to this machine".into()));
        }
        Ok(url)
    }

    fn discovery_key(&self) -> Result<Key, StateError> {
        discovery_key(&self.domain, self.named.as_url().scheme())
    }

    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust::of(&*self.client.parts.state, &self.domain)
    }

    /// The registry that this one leads to by name. It is asked itself, and by the one name that its
    /// URL has: what is believed of it is its own word, not that of whoever leads there.
    pub(crate) fn federated(&self, domain: &Domain) -> Result<Self, Error> {
        let url = domain.to_url()?;
        if url.domain() != *domain {
            return Err(self.bad_answer("it leads to a registry by a name that is not its own"));
        }
        if url.is_loopback() && !self.named.is_loopback() {
            return Err(self.bad_answer("it leads to a registry on this machine"));
        }
        Ok(Self::new(self.client.clone(), url))
    }

    /// Where a namespace is imported from, as far as the operator log is known.
    pub(crate) fn imported(&self, namespace: &Namespace) -> Result<Option<Domain>, Error> {
        Ok(crate::client::imported_from(self.namespace(namespace)?.as_ref()))
    }

    /// What the operator log says about a namespace, as far as it is known.
    pub(crate) fn namespace(&self, namespace: &Namespace) -> Result<Option<NamespaceState>, Error> {
        let known = self.trust().load(&[])?;
        let operator = known.verified.operator();
        Ok(operator.and_then(|operator| operator.state().namespace(namespace).cloned()))
    }

    /// The packages in what is known.
    pub(crate) fn packages_of(&self, known: &Known) -> Vec<Package> {
        let (Some(checkpoint), Some(operator_key)) =
            (known.verified.checkpoint(), known.verified.operator_key())
        else {
            return Vec::new();
        };
        let checkpoint = Arc::new(checkpoint.clone());
        let logs = known.verified.packages().iter().chain(&known.rest);
        let package = |(log, followed): (&LogId, &wargate_protocol::verify::Followed<_>)| {
            Some(Package {
                name: known.names.get(log)?.clone(),
                registry: self.domain.clone(),
                log: followed.clone(),
                checkpoint: Arc::clone(&checkpoint),
                operator_key: operator_key.clone(),
            })
        };
        logs.filter_map(package).collect()
    }

    /// The error for a package whose log the registry says it does not have.
    pub(crate) async fn missing(&self, package: &PackageName) -> Result<Error, Error> {
        self.may_lack(package).await?;
        self.unknown_package(package)
    }

    /// Checks what stands behind an answer that there is no such log, which nobody signs: the registry
    /// has to go on from what is known of it, and a log that was verified before cannot be gone, for
    /// logs only grow.
    pub(crate) async fn may_lack(&self, package: &PackageName) -> Result<(), Error> {
        self.refresh().await?;
        let log = LogId::package(package);
        let known = self.trust().load(&[log])?;
        let (Some(_), Some(offered)) = (known.verified.package(&log), known.checkpoint.clone())
        else {
            return Ok(());
        };
        let evidence = Evidence {
            summary: format!(
                "it says that it has no log of `{package}`, which it has shown before"
            ),
            offered,
            seen: None,
            log_id: Some(log),
            record: None,
            proofs: None,
        };
        let fault = Fault::MissingLog { log };
        let source = Box::new(Misbehaviour { culprit: Culprit::Server, fault, evidence });
        let (operator_key, parts) = (known.verified.operator_key().cloned(), &self.client.parts);
        let now = parts.clock.now();
        let kept = crate::evidence::keep(&*parts.state, &self.named, operator_key, now, &source);
        let evidence = kept.unwrap_or_else(|error| {
            let message = format!("the evidence could not be kept: {error}");
            parts.observer.event(Event::Warning { message: &message });
            None
        });
        Err(Error::Misbehaviour { registry: self.domain.clone(), source, evidence })
    }

    /// Whether a package's log was verified before.
    pub(crate) fn knows(&self, package: &PackageName) -> Result<bool, Error> {
        self.knows_log(&LogId::package(package))
    }

    fn knows_log(&self, log: &LogId) -> Result<bool, Error> {
        Ok(self.trust().load(&[*log])?.verified.package(log).is_some())
    }

    /// The error for a package that this registry does not have.
    pub(crate) fn unknown_package(&self, package: &PackageName) -> Result<Error, Error> {
        let registry = self.domain.clone();
        let namespace = package.namespace();
        if let Some(known) = self.trust().load(&[])?.verified.operator() {
            match known.state().namespace(namespace) {
                None => {
                    return Ok(Error::UnknownNamespace { registry, namespace: namespace.clone() });
                }
                Some(NamespaceState::Imported { registry: owner }) => {
                    let owner = crate::text::tame(owner);
                    let namespace = namespace.clone();
                    return Ok(Error::ImportedNamespace { registry, namespace, owner });
                }
                Some(NamespaceState::Defined) => {}
            }
        }
        let names = self.trust().packages()?.into_iter().filter_map(|(_, name)| name);
        let similar = similar::to(package, names, SIMILAR_MAX);
        Ok(Error::UnknownPackage { registry, package: package.clone(), similar })
    }

    pub(crate) fn bad_answer(&self, reason: &str) -> Error {
        let registry = self.domain.clone();
        Error::BadAnswer { registry, what: "its answer", reason: reason.to_owned() }
    }

    pub(crate) fn refused<E: std::error::Error>(&self, error: CallError<E>) -> Error {
        match error {
            CallError::Failed(error) => *error,
            CallError::Refused(refusal) => {
                self.bad_answer(&crate::text::tame(&refusal.error.to_string()))
            }
        }
    }
}

/// Where it is kept what discovery found. `http` and `https` of one name may be two servers.
fn discovery_key(domain: &Domain, scheme: &str) -> Result<Key, StateError> {
    crate::client::key(&["registries", domain.as_str(), &format!("discovery-{scheme}")])
}

/// Forgets all that is known of a registry, apart from evidence.
pub(crate) fn forget(state: &dyn State, domain: &Domain) -> Result<(), Error> {
    for scheme in ["http", "https"] {
        state.remove(&discovery_key(domain, scheme)?)?;
    }
    monitor::forget(state, domain)?;
    Trust::of(state, domain).forget()
}
