//! Bringing logs up to date, and verifying them (specification 15.4).
//!
//! A registry that knows `fetch/transcript` is asked once; others for the checkpoint, for records page
//! by page, and for proofs. Either way the answers go through one
//! [`Session`](wargate_protocol::verify::Session), and what comes out is believed only when it was
//! saved: when no other process has come to believe something else meanwhile.

mod session;

use std::time::Duration;

use futures_util::future;
use wargate_api::fetch::FetchError;
use wargate_protocol::verify::{Fault, Misbehaviour, TrustAnchor};
use wargate_protocol::{LogId, LogLength, PackageName, SignedCheckpoint};

use crate::error::Error;
use crate::evidence;
use crate::origin::RegistryUrl;
use crate::remote::{self, CallError, Remote};
use crate::seams::{Event, State};
use crate::settings::Settings;
use crate::trust::{Known, Pin, Saved, Trust};

/// How often somebody else may come first.
const OVERTAKEN_MAX: u32 = 64;

/// How often to wait for a checkpoint that covers a log, and how long each time. The reference makes a
/// checkpoint every 5 seconds, and until then shows the logs of new packages empty (20.2, S6).
const UNCOVERED_MAX: u32 = 3;
const UNCOVERED_PAUSE: Duration = Duration::from_millis(2_500);

/// A package log that is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Want {
    pub(crate) log: LogId,
    pub(crate) name: Option<PackageName>,
}

impl Want {
    pub(crate) fn package(name: &PackageName) -> Self {
        Self { log: LogId::package(name), name: Some(name.clone()) }
    }
}

/// Why logs are not up to date.
#[derive(Debug)]
pub(crate) enum SyncError {
    /// The registry has no such log.
    NotFound {
        log: LogId,
        /// Where the registry says it may be: namespace and domain, both its own words.
        hint: Option<(String, String)>,
    },
    Failed(Error),
}

impl<E: Into<Error>> From<E> for SyncError {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Brings logs of one registry up to date.
pub(crate) struct Sync<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) state: &'a dyn State,
    pub(crate) settings: &'a Settings,
}

/// What came of one attempt.
pub(crate) struct Attempt {
    before: Known,
    outcome: Result<Known, SyncError>,
}

impl Sync<'_> {
    /// Brings these logs, and the operator log, up to date. What comes out is saved.
    pub(crate) async fn run(&self, wants: &[Want]) -> Result<Known, SyncError> {
        let first = self.attempt(wants).await?;
        self.finish(wants, first).await
    }

    /// Asks once. Nothing is saved.
    pub(crate) async fn attempt(&self, wants: &[Want]) -> Result<Attempt, Error> {
        let logs: Vec<_> = wants.iter().map(|want| want.log).collect();
        let mut before = self.trust().load(&logs)?;
        before.names.extend(wants.iter().filter_map(|want| Some((want.log, want.name.clone()?))));
        let outcome = self.verify(&before, &logs).await;
        Ok(Attempt { before, outcome })
    }

    /// Saves what came of an attempt, or makes more of them.
    pub(crate) async fn finish(&self, wants: &[Want], first: Attempt) -> Result<Known, SyncError> {
        let (mut attempt, mut overtaken, mut uncovered) = (first, 0, 0);
        loop {
            match attempt.outcome {
                Ok(known) => match self.save(&attempt.before, &known)? {
                    Saved::Yes => return Ok(known),
                    Saved::Overtaken if overtaken < OVERTAKEN_MAX => overtaken += 1,
                    Saved::Overtaken => {
                        let message = "other processes change it all the time".to_owned();
                        return Err(crate::seams::StateError { message }.into());
                    }
                },
                Err(SyncError::Failed(error)) if uncovered < UNCOVERED_MAX && is_empty(&error) => {
                    uncovered += 1;
                    self.remote.exchange().clock.wait(UNCOVERED_PAUSE).await;
                }
                Err(error) => return Err(self.keep_evidence(&attempt.before, error)),
            }
            attempt = self.attempt(wants).await?;
        }
    }

    /// Verifies the newest checkpoint, and these logs under it, against what is given. Nothing is saved,
    /// and no evidence kept.
    pub(crate) async fn check(&self, before: &Known, logs: &[LogId]) -> Result<Known, SyncError> {
        let mut uncovered = 0;
        loop {
            match self.verify(before, logs).await {
                Err(SyncError::Failed(error)) if uncovered < UNCOVERED_MAX && is_empty(&error) => {
                    uncovered += 1;
                    self.remote.exchange().clock.wait(UNCOVERED_PAUSE).await;
                }
                done => return done,
            }
        }
    }

    /// Verifies a checkpoint that came another way, as [`Self::check`] does the newest.
    pub(crate) async fn check_offered(
        &self,
        before: &Known,
        offered: SignedCheckpoint,
    ) -> Result<Known, SyncError> {
        self.verify_offered(before, offered).await
    }

    fn trust(&self) -> Trust<'_> {
        Trust::of(self.state, self.remote.domain())
    }

    fn save(&self, before: &Known, known: &Known) -> Result<Saved, Error> {
        let Some(operator_key) = known.verified.operator_key() else { return Ok(Saved::Yes) };
        let (registry, exchange) = (self.remote.domain(), self.remote.exchange());
        let pin = Pin {
            operator_key: operator_key.clone(),
            url: self.remote.named().to_string(),
            since: exchange.clock.now(),
            confirmed: self.settings.confirm(registry),
        };
        let first_use = before.checkpoint.is_none() && self.trust().pin()?.is_none();
        let saved = self.trust().save(before, known, &pin)?;
        if let Saved::Yes = saved {
            if first_use && !pin.confirmed {
                exchange.observer.event(Event::FirstUse { registry, operator_key });
            }
            let checkpoint = known.verified.checkpoint();
            let length =
                checkpoint.map_or(LogLength::EMPTY, |it| it.contents.checkpoint.log_length);
            exchange.observer.event(Event::Verified { registry, length });
        }
        Ok(saved)
    }

    /// What is believed without proof: who operates the registry, and what time it is.
    fn anchor(&self, before: &Known) -> Result<TrustAnchor, Error> {
        let configured = self.settings.operator_keys.get(self.remote.domain());
        // A pin is never widened by a configuration, which may be a project's.
        let operator_keys = match (self.trust().pin()?, configured) {
            (Some(pin), Some(keys)) if !keys.contains(&pin.operator_key) => {
                let registry = self.remote.domain();
                return Err(Error::Usage(format!(
                    "the configuration believes in other operator keys of {registry} than the one \
                     that is pinned, {}",
                    pin.operator_key
                )));
            }
            (Some(pin), _) => vec![pin.operator_key],
            (None, keys) => keys.cloned().unwrap_or_default(),
        };
        let now = u64::try_from(self.remote.exchange().clock.now().seconds()).unwrap_or_default();
        let not_before =
            self.settings.checkpoint_age_max.map(|age| now.saturating_sub(age.as_secs()));
        let not_after = now.saturating_add(self.settings.clock_skew_max.as_secs());
        // What the verifier goes on from it sees anyway; the other is what somebody else has seen.
        let lost = before.checkpoint.clone().filter(|_| before.verified.checkpoint().is_none());
        let length = |seen: &SignedCheckpoint| seen.contents.checkpoint.log_length;
        let checkpoint = lost.into_iter().chain(before.believed.clone()).max_by_key(length);
        Ok(TrustAnchor {
            operator_keys,
            checkpoint,
            not_before_seconds: not_before,
            not_after_seconds: Some(not_after),
        })
    }

    /// Turns a misbehaviour into evidence that stays.
    pub(crate) fn keep_evidence(&self, before: &Known, error: SyncError) -> SyncError {
        let SyncError::Failed(Error::Misbehaviour { registry, source, .. }) = error else {
            return error;
        };
        let operator_key = before.verified.operator_key().cloned();
        let now = self.remote.exchange().clock.now();
        let kept = evidence::keep(self.state, self.remote.named(), operator_key, now, &source);
        let evidence = kept.unwrap_or_else(|error| {
            let message = format!("the evidence could not be kept: {error}");
            self.remote.exchange().observer.event(Event::Warning { message: &message });
            None
        });
        SyncError::Failed(Error::Misbehaviour { registry, source, evidence })
    }

    fn misbehaviour(&self, source: Box<Misbehaviour>) -> Error {
        Error::Misbehaviour { registry: self.remote.domain().clone(), source, evidence: None }
    }

    /// What a failed call for records means.
    fn refused(&self, error: CallError<FetchError>) -> SyncError {
        let refusal = match error {
            CallError::Failed(error) => return SyncError::Failed(*error),
            CallError::Refused(refusal) => refusal,
        };
        match refusal.error {
            FetchError::LogNotFound(log) => {
                SyncError::NotFound { log, hint: remote::hint(&refusal.headers) }
            }
            other => SyncError::Failed(Error::BadAnswer {
                registry: self.remote.domain().clone(),
                what: "the records",
                reason: other.to_string(),
            }),
        }
    }
}

/// Whether a log came without records that was not known before.
fn is_empty(error: &Error) -> bool {
    matches!(error, Error::Misbehaviour { source, .. } if matches!(source.fault, Fault::MissingLog { .. }))
}

/// Runs discovery and a first attempt at the URL at hand, side by side.
pub(crate) async fn guess<T>(
    discovery: impl Future<Output = Result<Option<RegistryUrl>, Error>>,
    attempt: impl Future<Output = T>,
) -> (Result<Option<RegistryUrl>, Error>, T) {
    future::join(discovery, attempt).await
}
