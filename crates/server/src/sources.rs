//! Content that publishers have elsewhere: fetched, checked, and kept or referred to, in the background,
//! where the operator allows it.
//!
//! A record waits for its content as any other. What can be fetched for it is written down before its
//! publisher is answered; then each source is tried, several times if that may help. The bytes go the
//! way of an upload, with all its checks. When nothing helps, the record waits for an upload.

mod addresses;
mod fetch;
mod journal;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};
use url::Url;
use wargate_crypto::{Digest, KeyId};
use wargate_http::{Sources, Wanted};
use wargate_protocol::{LogId, RecordId};
use wargate_registry::content::Upload;
use wargate_registry::{RecordStatus, Registry, WriteError};

pub(crate) use self::addresses::Allowed;
use self::fetch::{PAUSE_TIME_MAX, Rules, System, Unfetched};
use self::journal::{JOBS_MAX, JOBS_PER_KEY_MAX, Job, Journal};

/// In the data directory.
const FOLDER: &str = "sources";

/// Contents that are fetched at the same time.
const FETCHES_MAX: usize = 8;
/// The same of those in records that one key has signed.
const FETCHES_PER_KEY_MAX: usize = 2;

/// How long one content may take.
const FETCH_TIME_MAX: Duration = Duration::from_mins(15);
/// How long a source may be slow, and how many bytes a second it must bring from then on.
const SLOW_TIME_MAX: Duration = Duration::from_secs(30);
const BYTES_PER_SECOND_MIN: u64 = 64 << 10;

/// How long a publisher waits for content whose sources have failed.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long to wait before each new attempt; then it is given up.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(20),
];

/// Fetches content from elsewhere.
pub(crate) struct Fetcher(Arc<Shared>);

struct Shared {
    registry: Arc<Registry>,
    rules: Rules,
    /// Whether clients are told of the place, and nothing is kept.
    refers: bool,
    journal: Journal,
    /// Records that have a job.
    live: Mutex<Jobs>,
    fetches: Semaphore,
    tasks: Handle,
    stop: watch::Receiver<bool>,
}

/// Jobs that are worked on, by their records.
#[derive(Default)]
struct Jobs(HashMap<(LogId, RecordId), Live>);

impl Jobs {
    fn of<'a>(&'a self, signer: Option<&'a KeyId>) -> impl Iterator<Item = &'a Live> {
        self.0.values().filter(move |live| live.signer.as_ref() == signer)
    }

    /// What the job's signer may do at the same time.
    fn insert(&mut self, job: &Job) -> Arc<Semaphore> {
        let known = self.of(job.signer.as_ref()).next().map(|live| Arc::clone(&live.share));
        let share = known.unwrap_or_else(|| Arc::new(Semaphore::new(FETCHES_PER_KEY_MAX)));
        let (signer, began) = (job.signer.clone(), Instant::now());
        let live = Live { signer, share: Arc::clone(&share), began, has_failed: false };
        self.0.insert((job.log, job.record), live);
        share
    }
}

/// A job that is worked on.
struct Live {
    signer: Option<KeyId>,
    /// What is shared by all jobs of the signer.
    share: Arc<Semaphore>,
    began: Instant,
    /// Each source was tried, and not all contents came.
    has_failed: bool,
}

/// What became of a content.
enum Outcome {
    /// It is there, or nobody waits for it any more.
    Settled,
    /// It is not.
    Not(Unfetched),
}

impl Fetcher {
    /// Begins to fetch, first what is left from before. In a tokio runtime.
    pub(crate) fn start(
        registry: Arc<Registry>,
        data_dir: &Path,
        allowed: Vec<Allowed>,
        refers: bool,
        stop: watch::Receiver<bool>,
    ) -> Result<Self> {
        let rules = Rules { allowed, resolver: Box::new(System::default()), pause: PAUSE_TIME_MAX };
        let folder = data_dir.join(FOLDER);
        let wrong = || format!("cannot use the folder {}", folder.display());
        let journal = Journal::open(&folder).with_context(wrong)?;
        let left = journal.jobs().with_context(wrong)?;
        let shared = Arc::new(Shared {
            registry,
            rules,
            refers,
            journal,
            live: Mutex::default(),
            fetches: Semaphore::new(FETCHES_MAX),
            tasks: Handle::current(),
            stop,
        });
        for job in left {
            let share = shared.live().insert(&job);
            shared.begin(job, share);
        }
        Ok(Self(shared))
    }
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fetcher").field(&self.0.live().0.len()).finish()
    }
}

impl Sources for Fetcher {
    fn check(&self, url: &str) -> Result<(), String> {
        self.0.rules.read(url).map(drop)
    }

    fn take(
        &self,
        log: LogId,
        record: RecordId,
        signer: KeyId,
        wanted: Wanted,
    ) -> Result<(), WriteError> {
        let shared = &self.0;
        let job = Job { log, record, signer: Some(signer), wanted };
        let share = {
            let mut live = shared.live();
            if live.0.contains_key(&(log, record)) {
                return Ok(());
            }
            if live.0.len() >= JOBS_MAX {
                return Err(WriteError::Busy("too much content is to be fetched"));
            }
            if live.of(job.signer.as_ref()).count() >= JOBS_PER_KEY_MAX {
                return Err(WriteError::Busy("too much content of this key is to be fetched"));
            }
            live.insert(&job)
        };
        if let Err(error) = shared.journal.put(&job) {
            shared.live().0.remove(&(log, record));
            return Err(WriteError::Unavailable(error.to_string()));
        }
        shared.begin(job, share);
        Ok(())
    }

    fn is_fetching(&self, log: &LogId, record: &RecordId) -> bool {
        self.0
            .live()
            .0
            .get(&(*log, *record))
            .is_some_and(|live| !live.has_failed || live.began.elapsed() < PATIENCE)
    }
}

impl Shared {
    fn live(&self) -> MutexGuard<'_, Jobs> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(self: &Arc<Self>, job: Job, share: Arc<Semaphore>) {
        let shared = Arc::clone(self);
        self.tasks.spawn(async move {
            let mut stop = shared.stop.clone();
            let is_done = tokio::select! {
                // What is not done is in the journal.
                _ = stop.wait_for(|stop| *stop) => false,
                () = shared.work(&job, &share) => true,
            };
            if is_done {
                shared.end(job).await;
            }
        });
    }

    /// From now on the record's state says what it waits for, if it does.
    async fn end(self: Arc<Self>, job: Job) {
        let shared = Arc::clone(&self);
        let key = (job.log, job.record);
        let removed = self.registry.offload(move || shared.journal.remove(&job)).await;
        if let Err(error) = removed {
            tracing::warn!(%error, "a note of what was to be fetched stays behind");
        }
        self.live().0.remove(&key);
    }

    async fn work(self: &Arc<Self>, job: &Job, share: &Semaphore) {
        let mut left = job.wanted.clone();
        let mut pauses = PAUSES.iter();
        loop {
            let mut next = Vec::new();
            for (digest, urls) in left {
                let urls = self.try_all(job, share, digest, urls).await;
                if !urls.is_empty() {
                    next.push((digest, urls));
                }
            }
            left = next;
            if let Some(live) = self.live().0.get_mut(&(job.log, job.record)) {
                live.has_failed = true;
            }
            let Some(pause) = pauses.next().filter(|_| !left.is_empty()) else { break };
            // Waits for nothing, for that long.
            let _ = timeout(*pause, std::future::pending::<()>()).await;
        }
        for (digest, _) in left {
            tracing::warn!(record = %job.record, %digest, "content is not fetched any more");
        }
    }

    /// Tries the sources of a content; those that may be tried again.
    async fn try_all(
        self: &Arc<Self>,
        job: &Job,
        share: &Semaphore,
        digest: Digest,
        urls: Vec<String>,
    ) -> Vec<String> {
        let mut again = Vec::new();
        for url in urls {
            let Ok(_mine) = share.acquire().await else { return Vec::new() };
            let Ok(_permit) = self.fetches.acquire().await else { return Vec::new() };
            let outcome = timeout(FETCH_TIME_MAX, self.fetch(job, digest, &url)).await;
            let slow = || Outcome::Not(Unfetched::Now("the source is too slow".into()));
            match outcome.unwrap_or_else(|_| slow()) {
                Outcome::Settled => return Vec::new(),
                Outcome::Not(why) => {
                    tracing::warn!(record = %job.record, %digest, %why, "content was not fetched");
                    if matches!(why, Unfetched::Now(_)) {
                        again.push(url);
                    }
                }
            }
        }
        again
    }

    async fn fetch(self: &Arc<Self>, job: &Job, digest: Digest, url: &str) -> Outcome {
        match self.take(job, digest, url).await {
            Ok(()) => Outcome::Settled,
            Err(Stopped::Source(why)) => Outcome::Not(why),
            Err(Stopped::Registry(error)) => settle(&error),
        }
    }

    /// The bytes go the way of an upload.
    async fn take(self: &Arc<Self>, job: &Job, digest: Digest, url: &str) -> Result<(), Stopped> {
        let (registry, log, record) = (Arc::clone(&self.registry), job.log, job.record);
        match self.registry.status(&log, &record)? {
            Some(RecordStatus::Sourcing(missing)) if missing.contains(&digest) => {}
            // It came another way, or nobody waits for it any more.
            _ => return Ok(()),
        }
        let begun = self.registry.offload(move || registry.begin_upload(&log, &record, &digest));
        let mut upload = begun.await?;
        let mut fetched = self.rules.get(url).await?;
        let announced = fetched.size();
        let (start, mut came) = (Instant::now(), 0_u64);
        while let Some(bytes) = fetched.next().await? {
            came = came.saturating_add(bytes.len() as u64);
            upload = self.write(upload, bytes).await?;
            let slow = start.elapsed().saturating_sub(SLOW_TIME_MAX).as_secs();
            if slow.saturating_mul(BYTES_PER_SECOND_MIN) > came {
                return Err(Unfetched::Now("the source is too slow".into()).into());
            }
        }
        if announced.is_some_and(|announced| announced != came) {
            return Err(Unfetched::Now("the source's answer broke off".into()).into());
        }
        let status = match Url::parse(url) {
            // What stands behind a `#` is not sent.
            Ok(mut url) if self.refers && self.rules.may_refer(&url) => {
                url.set_fragment(None);
                upload.finish_by_referring(url.into()).await?
            }
            _ => upload.finish().await?,
        };
        if matches!(status, RecordStatus::Sourcing(missing) if missing.contains(&digest)) {
            // It is kept then, since two publishers have it at two places.
            return Err(Unfetched::Now("somebody else named another place meanwhile".into()).into());
        }
        tracing::info!(%record, %digest, bytes = came, "fetched content");
        Ok(())
    }

    async fn write(&self, mut upload: Upload, bytes: axum::body::Bytes) -> Result<Upload, Stopped> {
        if !upload.may_block(bytes.len()) {
            upload.write(&bytes)?;
            return Ok(upload);
        }
        let write = move || upload.write(&bytes).map(|()| upload);
        Ok(self.registry.offload(write).await?)
    }
}

/// Why content was not taken.
enum Stopped {
    Source(Unfetched),
    Registry(WriteError),
}

impl From<Unfetched> for Stopped {
    fn from(why: Unfetched) -> Self {
        Self::Source(why)
    }
}

impl From<WriteError> for Stopped {
    fn from(error: WriteError) -> Self {
        Self::Registry(error)
    }
}

/// What the registry's refusal of fetched content means for its source.
fn settle(error: &WriteError) -> Outcome {
    match error {
        WriteError::Busy(_) | WriteError::Unavailable(_) => {
            Outcome::Not(Unfetched::Now(error.to_string()))
        }
        // Other bytes, or too many: another source may have the right ones.
        WriteError::BadRequest(_) | WriteError::ContentTooLarge { .. } => {
            Outcome::Not(Unfetched::Ever(error.to_string()))
        }
        // A policy has refused the record, or it has waited too long.
        _ => Outcome::Settled,
    }
}
