//! Following a registry for ever: whether it keeps to what it signed, whoever is looking.
//!
//! A [`Monitor`] recomputes the log's root and the map's root of every checkpoint that it meets from the
//! registry's ledger, validates every record of every log that has changed, and so sees what no single
//! client can see: history rewritten, records left out of a log, a map that is not that of the log, keys
//! that sign what they may not. What shows it is kept as evidence. It believes what it verified last,
//! whatever the registry says since, and goes on looking.
//!
//! What it needs to go on after a restart is in the [`State`](crate::seams::State): the last checkpoint,
//! the operator log, the ledger, 64 bytes for each record, and the states of long package logs, so that
//! only what is new of them is fetched. The map is in memory, some hundred bytes
//! for each package; when it begins again it is computed again, which takes seconds for a hundred
//! thousand packages.

mod event;
mod store;
mod webhook;

use std::time::Duration;

use wargate_protocol::verify::Followed;
use wargate_protocol::{LogId, LogLength, OperatorPermission, SignedCheckpoint};

pub use self::event::{Happening, MonitorEvent, OperatorChange};
pub(crate) use self::store::forget;
use self::store::{Loaded, Saved, Store};
pub use self::webhook::Webhook;
use crate::error::{Error, Kind};
use crate::registry::Registry;
use crate::remote::Remote;
use crate::settings::Settings;
use crate::sync::{Sync, SyncError};
use crate::trust::Known;
use crate::verify::{Advance, Audit, Finding, Flaw, Keep, Scene, Trees, signed_only};

/// How a monitor is to behave.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// A checkpoint that is believed, from somebody else say. The registry's log must extend it.
    pub trusted: Option<SignedCheckpoint>,
    /// How old the newest checkpoint may be; otherwise [`Settings::checkpoint_age_max`] counts.
    pub checkpoint_age_max: Option<Duration>,
    /// How many looks in a row may find no newer checkpoint; any number, if it is not said.
    pub still_max: Option<u32>,
}

/// Follows one registry.
pub struct Monitor {
    registry: Registry,
    settings: Settings,
    still_max: Option<u32>,
    /// What is believed.
    known: Known,
    trees: Trees,
    /// Signed states that the log must have had.
    stops: Vec<SignedCheckpoint>,
    /// How many looks in a row have found no newer checkpoint.
    still: u32,
    /// The code of what is wrong.
    alarm: Option<&'static str>,
    started: bool,
    /// What is to be told with the next look.
    notes: Vec<String>,
}

/// What a look at the registry found.
#[derive(Clone, Debug)]
pub struct Tick {
    /// What happened, in order.
    pub events: Vec<MonitorEvent>,
    /// What all of it amounts to.
    pub outcome: Outcome,
}

/// What a look amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well, and there are new records, or it is the first look.
    Advanced,
    /// All is well, and nothing is new.
    Unchanged,
    /// Something is wrong.
    Alarm,
    /// The registry could not be asked.
    Unavailable,
}

impl Registry {
    /// A monitor of this registry, which goes on from where one stopped before.
    ///
    /// # Errors
    /// [`Error::State`], [`Error::Damaged`]
    pub fn monitor(&self, options: Options) -> Result<Monitor, Error> {
        let mut settings = self.client().settings().clone();
        if options.checkpoint_age_max.is_some() {
            settings.checkpoint_age_max = options.checkpoint_age_max;
        }
        let mut monitor = Monitor {
            registry: self.clone(),
            settings,
            still_max: options.still_max,
            known: Known::default(),
            trees: Trees::default(),
            stops: options.trusted.iter().cloned().collect(),
            still: 0,
            alarm: None,
            started: false,
            notes: Vec::new(),
        };
        monitor.load()?;
        if let Some(trusted) = options.trusted {
            monitor.trust(trusted);
        }
        Ok(monitor)
    }
}

impl Monitor {
    /// The registry.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The newest checkpoint that was verified; before the first look one that the client believes.
    pub const fn checkpoint(&self) -> Option<&SignedCheckpoint> {
        self.known.checkpoint.as_ref()
    }

    /// Waits until the next look.
    pub async fn pause(&self, interval: Duration) {
        self.registry.client().parts.clock.wait(interval).await;
    }

    /// Looks once.
    ///
    /// # Errors
    /// [`Error`] if this machine fails. What is wrong with the registry is no error but an event.
    pub async fn tick(&mut self) -> Result<Tick, Error> {
        let mut events = Vec::new();
        for message in std::mem::take(&mut self.notes) {
            events.push(self.event(Happening::Warning { message }));
        }
        let outcome = match self.look(&mut events).await {
            Ok(outcome) => outcome,
            Err(error) => self.failed(error, &mut events)?,
        };
        Ok(Tick { events, outcome })
    }

    async fn look(&mut self, events: &mut Vec<MonitorEvent>) -> Result<Outcome, Error> {
        let remote = self.registry.remote().await?;
        let known = self.follow(&remote).await?;
        let Some(checkpoint) = known.verified.checkpoint().cloned() else {
            return Err(self.registry.bad_answer("it has no checkpoint"));
        };
        let advance = self.advance(&remote, &known, &checkpoint).await?;
        let from = self.trees.length();
        if !self.save(from, &known, &advance)? {
            // Another monitor of the same registry has come further; the next look goes on from there.
            return Ok(Outcome::Unchanged);
        }
        let newer = self.known.checkpoint.as_ref().is_none_or(|before| {
            before.contents.timestamp_seconds < checkpoint.contents.timestamp_seconds
        });
        self.still = if newer { 0 } else { self.still.saturating_add(1) };
        self.known = known;
        self.trees = advance.trees;
        // They are states of what is believed now.
        self.stops.clear();
        let Advance { tally, .. } = advance;
        let mut outcome = Outcome::Unchanged;
        if !std::mem::replace(&mut self.started, true) {
            outcome = Outcome::Advanced;
            events.push(self.event(self.start(from)));
        }
        if from > LogLength::EMPTY {
            for change in tally.operator.iter().flat_map(event::operator_changes) {
                events.push(self.event(change));
            }
        }
        let length = checkpoint.contents.checkpoint.log_length;
        if length > from {
            outcome = Outcome::Advanced;
            events.push(self.event(event::verified(checkpoint, &tally)));
        } else {
            let timestamp = checkpoint.contents.timestamp_seconds;
            events.push(self.event(Happening::Unchanged { length, timestamp }));
        }
        if let Some(ticks) =
            self.still_max.map(|_| self.still).filter(|it| Some(*it) >= self.still_max)
        {
            return Err(self.stands_still(&remote, ticks));
        }
        if let Some(code) = self.alarm.take() {
            events.push(self.event(Happening::Recovered { code: code.into() }));
        }
        Ok(outcome)
    }

    /// Verifies the newest checkpoint and brings the operator log up to it.
    async fn follow(&self, remote: &Remote) -> Result<Known, Error> {
        let error = match self.sync(remote).check(&self.known, &[]).await {
            Ok(known) => return Ok(known),
            Err(error) => error,
        };
        let is_new = match &error {
            SyncError::Failed(error) => self.alarm != Some(error.code()),
            SyncError::NotFound { .. } => false,
        };
        let kept = if is_new { self.sync(remote).keep_evidence(&self.known, error) } else { error };
        Err(match kept {
            SyncError::Failed(error) => error,
            SyncError::NotFound { .. } => self.registry.bad_answer("it has no operator log"),
        })
    }

    async fn advance(
        &self,
        remote: &Remote,
        known: &Known,
        checkpoint: &SignedCheckpoint,
    ) -> Result<Advance, Error> {
        let (stops, contents, store) = (&self.stops[..], false, self.store());
        let kept: Option<&dyn Keep> = Some(&store);
        let audit = Audit { remote, known, checkpoint, stops, contents, kept };
        let flaw = match audit.advance(&self.trees).await {
            Ok(advance) => return Ok(advance),
            Err(flaw) => flaw,
        };
        Err(self.flawed(remote, checkpoint, flaw))
    }

    /// A flaw as an error. What shows it is kept, unless it was seen the last time.
    fn flawed(&self, remote: &Remote, offered: &SignedCheckpoint, flaw: Flaw) -> Error {
        let scene = Scene {
            remote,
            state: &*self.registry.client().parts.state,
            offered,
            seen: self.known.checkpoint.as_ref(),
            operator_key: self.known.verified.operator_key(),
        };
        if self.alarm == Some(flaw.code()) { scene.bare(flaw) } else { scene.keep(flaw) }
    }

    fn stands_still(&self, remote: &Remote, ticks: u32) -> Error {
        let Some(checkpoint) = &self.known.checkpoint else {
            return self.registry.bad_answer("it has no checkpoint");
        };
        let timestamp = checkpoint.contents.timestamp_seconds;
        self.flawed(remote, checkpoint, Finding::Still { timestamp, ticks }.into())
    }

    /// What a failure is: something to tell, or this machine's.
    fn failed(&mut self, error: Error, events: &mut Vec<MonitorEvent>) -> Result<Outcome, Error> {
        let (code, message) = (error.code().to_owned(), error.to_string());
        match error.kind() {
            Kind::Untrusted => {
                let is_new = self.alarm.replace(error.code()) != Some(error.code());
                events.push(self.event(if is_new {
                    event::alarm(&error)
                } else {
                    Happening::Persisting { code, message }
                }));
                Ok(Outcome::Alarm)
            }
            Kind::Unavailable | Kind::Denied | Kind::NotFound => {
                events.push(self.event(Happening::Unavailable { code, message }));
                Ok(Outcome::Unavailable)
            }
            Kind::Usage | Kind::Local | Kind::Rejected => Err(error),
        }
    }

    /// Who operates the registry, and whose checkpoints are believed.
    fn start(&self, from: LogLength) -> Happening {
        let operator = self.known.verified.operator().map(Followed::state);
        let commits = |id: &&wargate_crypto::KeyId| {
            let held = operator.map(|state| state.permissions().get(*id));
            held.flatten().is_some_and(|held| held.contains(OperatorPermission::Commit))
        };
        let keys = operator.into_iter().flat_map(|state| state.keys().keys());
        Happening::Started {
            operator_key: self.known.verified.operator_key().cloned(),
            checkpoint_keys: keys.filter(commits).cloned().collect(),
            known_length: from,
        }
    }

    fn event(&self, what: Happening) -> MonitorEvent {
        let time = self.registry.client().parts.clock.now().seconds();
        MonitorEvent { registry: self.registry.domain().clone(), time, what }
    }

    fn sync<'a>(&'a self, remote: &'a Remote) -> Sync<'a> {
        let state = &*self.registry.client().parts.state;
        Sync { remote, state, settings: &self.settings }
    }

    fn store(&self) -> Store<'_> {
        Store::of(&*self.registry.client().parts.state, self.registry.domain())
    }

    /// Takes up what was stored, or what the client believes.
    fn load(&mut self) -> Result<(), Error> {
        match self.store().load()? {
            Loaded::Nothing => {
                self.known = signed_only(self.registry.trust().load(&[])?);
                let signed = self.known.checkpoint.iter().chain(&self.known.believed);
                self.stops.extend(signed.cloned());
                self.trees = Trees::default();
            }
            Loaded::Whole { known, trees } => (self.known, self.trees) = (*known, *trees),
            Loaded::WithoutLedger { known } => {
                self.notes
                    .push("what was kept of the ledger is damaged; it is fetched again".into());
                self.stops.extend(known.checkpoint.clone());
                (self.known, self.trees) = (*known, Trees::default());
            }
        }
        Ok(())
    }

    /// Believes one more checkpoint: the log is derived from its beginning again, and must have had its
    /// state.
    fn trust(&mut self, trusted: SignedCheckpoint) {
        let length = |checkpoint: &SignedCheckpoint| checkpoint.contents.checkpoint.log_length;
        self.stops.extend(self.known.checkpoint.clone());
        self.trees = Trees::default();
        if self.known.checkpoint.as_ref().is_none_or(|known| length(known) < length(&trusted)) {
            self.known = Known { checkpoint: Some(trusted), ..Known::default() };
        }
    }

    /// Stores what was verified. Whether nobody else has come further meanwhile.
    fn save(&mut self, from: LogLength, known: &Known, advance: &Advance) -> Result<bool, Error> {
        match self.store().save(&self.known, known, from, &advance.leaves)? {
            Saved::Yes => Ok(true),
            Saved::Overtaken => {
                self.load()?;
                Ok(false)
            }
        }
    }
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("registry", self.registry.domain())
            .field("length", &self.trees.length())
            .field("operator", &self.known.token(&LogId::operator()))
            .finish_non_exhaustive()
    }
}
