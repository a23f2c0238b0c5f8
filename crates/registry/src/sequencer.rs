//! The one place where a record becomes part of history.
//!
//! [`Sequencer::step`] takes what has arrived since the last step and makes one commit of it:
//!
//! 1. **drain**: what are these commands about? Records that are known already are answered from
//!    what the store says; new ones are admitted; content that came sets waiting records free.
//! 2. **sequence**: what misses nothing is checked against its log, in order, each record seeing the
//!    ones before it.
//! 3. **stage**: leaves, tiles, map pages, changed logs and the new roots are computed.
//! 4. **commit**: all of it in one transaction with a compare-and-swap on the revision.
//! 5. **publish**: a checkpoint is signed and shown to everybody.
//! 6. **acknowledge**: whoever waits is answered.
//!
//! A crash before 4 leaves nothing behind. A crash after 4 leaves a commit whose checkpoint was not
//! signed yet; [`Sequencer::open`] signs one like it. Records that are ready and were not sequenced,
//! because there were too many at once, are found by looking again, at start as at any other time.
//!
//! The step is a function of the store, the clock, the signer and its commands. A server calls it in
//! a loop, an instance without threads inside a request, a simulation by seed.

mod genesis;
mod intake;
mod operator;
mod packages;
mod stage;

use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::{
    LogId, LogLength, MapLeaf, OperatorEntry, PackageEnvelope, PackageName, RecordId,
    RegistryIndex, SignedCheckpoint, Timestamp, TimestampedCheckpoint,
};
use wargate_transparency::log::Edge;
use wargate_transparency::map::Stem;

use crate::error::{OpenError, WriteError};
use crate::limits::Limits;
use crate::namespaces::Namespaces;
use crate::policy::{ContentPolicy, RecordPolicy};
use crate::recent::Recent;
use crate::seams::{Clock, Signer};
use crate::store::{
    Append, CommitError, Committed, ContentArrived, ContentPlace, LogQuery, PendingCounts,
    Revision, Store, StoreError, StoreResult,
};
use crate::usage::{self, Quotas};

use self::intake::Intake;
use self::operator::OperatorDesk;
pub(crate) use self::operator::OperatorWork;
pub(crate) use self::packages::{PackageWork, Sequenced};
use self::stage::Staged;
pub(crate) use self::stage::{Before, stage, tree_length};

/// Something to do in the next step.
#[derive(Clone, Debug)]
pub enum Command {
    /// A record has come and was found to be in order by itself.
    Admit(Box<Admission>),
    /// Content has come and is kept, or is inline, or is only referred to.
    Content {
        /// The log of the record that it came for.
        log: LogId,
        /// The record that it came for, which the answer is about.
        record: RecordId,
        /// The content.
        content: Box<ContentArrived>,
    },
    /// The content of a pending record was refused.
    Refuse {
        /// The record's log.
        log: LogId,
        /// The record.
        record: RecordId,
        /// For the publisher.
        reason: String,
    },
    /// The operator wants these entries in the operator log.
    Operator(Vec<OperatorEntry>),
    /// Sign the newest checkpoint again with the time of now; forget what has waited too long.
    Tend,
    /// Sign the newest checkpoint again, and forget nothing.
    Renew,
}

/// A record that may become pending.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The package.
    pub name: PackageName,
    /// The log, which is the package's.
    pub log: LogId,
    /// The record; its signature was verified.
    pub envelope: PackageEnvelope,
    /// Digests of all releases in it, each once.
    pub contents: Vec<Digest>,
    /// What it will make of its log's slot in the map.
    pub stem: Stem,
    /// Whether it was counted for its key.
    pub counted: bool,
}

/// The slot of a log, with a record as its newest.
pub(crate) fn stem(log: &LogId, record: RecordId) -> Stem {
    Stem::new(log.map_path(), MapLeaf { record_id: record }.hash())
}

/// What became of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// How far the command's record is.
    Record(RecordStatus),
    /// The operator's record stands here.
    Operator(RegistryIndex),
    /// It was done.
    Done,
}

/// How far a record is (specification 14.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordStatus {
    /// Content is missing: these digests.
    Sourcing(Vec<Digest>),
    /// It misses nothing, and is not in the log yet.
    Processing,
    /// It was refused, for good.
    Rejected {
        /// For people.
        reason: String,
    },
    /// It is in the log, and in the newest checkpoint.
    Published {
        /// Where.
        index: RegistryIndex,
    },
}

impl Command {
    /// How much room it takes while it waits, in bytes, roughly.
    pub(crate) fn bytes(&self) -> usize {
        let payload = match self {
            Self::Admit(admission) => 2 * admission.envelope.signed().content_bytes().len(),
            Self::Content { content, .. } => {
                let place = match &content.place {
                    ContentPlace::Inline(bytes) => bytes.len(),
                    ContentPlace::Blob => 0,
                    ContentPlace::Url(url) => url.len(),
                };
                place + content.facts.len()
            }
            Self::Refuse { .. } | Self::Operator(_) | Self::Tend | Self::Renew => 0,
        };
        payload + 1024
    }
}

impl RecordStatus {
    /// Whether it will not change any more.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Rejected { .. } | Self::Published { .. })
    }
}

/// What everybody may see: the newest commit and its signed checkpoint.
#[derive(Clone, Debug)]
pub struct Published {
    /// The commit.
    pub committed: Committed,
    /// The checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The revision of the store.
    pub revision: Revision,
    /// The newest record of the operator log.
    pub operator_head: RecordId,
}

/// What the sequencer works with.
#[derive(Clone)]
pub struct Tools {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The operator's keys.
    pub signer: Arc<dyn Signer>,
    /// Which records are taken; asked in order, when a record comes and again when it has waited.
    pub record_policies: Vec<Arc<dyn RecordPolicy>>,
    /// What content is taken for a release; asked in order.
    pub content_policies: Vec<Arc<dyn ContentPolicy>>,
    /// Whether the first record of a package defines the package's namespace. For registries whose
    /// users trust each other.
    pub define_namespaces: bool,
    /// Limits.
    pub limits: Limits,
    /// How much namespaces and keys may use.
    pub quotas: Arc<Quotas>,
}

/// The writer of a registry. There is one for each process; two on one store do no harm, but one of
/// them has to begin again at every step.
pub struct Sequencer {
    tools: Tools,
    state: State,
    recent: Arc<Recent>,
    namespaces: Arc<Namespaces>,
    /// The state may be another than the store's: a commit failed.
    stale: bool,
    /// Records may be ready that were not looked at yet.
    backlog: bool,
    /// The length of the newest checkpoint that was handed out.
    shown: LogLength,
}

/// What is left to do after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfinished {
    /// Nothing.
    Nothing,
    /// More of the same, at once.
    Backlog,
    /// The step failed. Trying again in a while may help.
    Failed,
}

/// What is kept in memory between two steps. It does not grow with the registry.
struct State {
    revision: Revision,
    committed: Committed,
    checkpoint_seconds: u64,
    edge: Edge,
    /// The newest record of the operator log.
    operator_head: RecordId,
    /// What is pending.
    counts: PendingCounts,
}

/// How often a step begins again after another writer was faster.
const CONFLICTS_MAX: usize = 8;

impl Sequencer {
    /// Takes up the registry in a store, or begins one with these entries behind the first.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(tools: Tools, entries: &[OperatorEntry]) -> Result<(Self, Published), OpenError> {
        if tools.store.head()?.is_none_or(|head| head.committed.is_none()) {
            genesis::create(&tools, entries)?;
        }
        usage::catch_up(&*tools.store)?;
        let state = State::load(&*tools.store)?;
        operator::check_keys(&tools)?;
        let (recent, namespaces) = Default::default();
        let shown = LogLength::EMPTY;
        let mut sequencer =
            Self { tools, state, recent, namespaces, stale: false, backlog: true, shown };
        let published = sequencer.tend()?;
        Ok((sequencer, published))
    }

    /// Makes one commit of what has arrived, and says what became of each command, in their order.
    ///
    /// The second part is the new public state if there is one. It is to be shown before anybody is
    /// answered.
    pub fn step(
        &mut self,
        commands: &[Command],
    ) -> (Vec<Result<Outcome, WriteError>>, Option<Published>) {
        let mut conflicts = 0;
        loop {
            match self.attempt(commands) {
                Ok((outcomes, published)) => return (outcomes, published),
                Err(StepError::Conflict) if conflicts < CONFLICTS_MAX => {
                    conflicts += 1;
                }
                Err(error) => {
                    let error = error.into_write_error();
                    return (commands.iter().map(|_| Err(error.clone())).collect(), None);
                }
            }
        }
    }

    /// What is kept of records to answer sooner.
    pub(crate) fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }

    /// Namespaces that were read from the store.
    pub(crate) fn namespaces(&self) -> Arc<Namespaces> {
        Arc::clone(&self.namespaces)
    }

    /// What there is to do although nothing arrives.
    pub const fn unfinished(&self) -> Unfinished {
        match (self.stale, self.backlog) {
            (true, _) => Unfinished::Failed,
            (false, true) => Unfinished::Backlog,
            (false, false) => Unfinished::Nothing,
        }
    }

    fn attempt(&mut self, commands: &[Command]) -> Result<StepResult, StepError> {
        if self.stale {
            self.recent.clear();
            self.state = State::load(&*self.tools.store)?;
            self.backlog = true;
        }
        // Until the step has ended well, nothing here is to be relied on, a panic included.
        self.stale = true;
        let Self { tools, state, recent, namespaces, .. } = &*self;
        let now = tools.clock.now();
        // Drain.
        let mut intake = Intake::new(tools, recent, state.counts, now);
        for (number, command) in commands.iter().enumerate() {
            intake.take(number, command)?;
        }
        if self.backlog {
            intake.take_backlog()?;
        }
        let backlog = intake.has_more();
        let tends = commands.iter().any(|command| matches!(command, Command::Tend));
        if tends {
            intake.expire()?;
        }
        let signs = tends || commands.iter().any(|command| matches!(command, Command::Renew));
        // Sequence.
        let (operator, mut packages) = sequence(tools, namespaces, now, &mut intake)?;
        let tally = std::mem::take(&mut packages.tally);
        let of_command = operator.indices(state.committed.length());
        // Stage.
        let before = Before { committed: Some(state.committed), edge: &state.edge };
        let staged = stage(&*tools.store, &before, seconds(now), operator, packages)?;
        let (append, edge) = match staged {
            Some(Staged { append, edge }) => (Some(append), Some(edge)),
            None => (None, None),
        };
        let outcomes = intake.outcomes(append.as_ref(), &of_command);
        // What another writer has committed, or a step that failed after its commit, must be shown
        // before anybody is told of it.
        let shows = state.committed.length() == self.shown;
        let checkpoint_seconds = state.checkpoint_seconds.max(seconds(now));
        let batch = intake.batch(append, checkpoint_seconds, tally);
        if batch.is_empty() && !signs && shows {
            (self.stale, self.backlog) = (false, backlog);
            return Ok((outcomes, None));
        }
        // Commit. A crash before this line leaves no trace.
        let revision = tools.store.commit(Some(state.revision), &batch)?;
        // A crash behind it loses nothing: the commit stands, and `open` signs it.
        let committed = batch.append.as_ref().map_or(state.committed, |it| it.committed);
        let edge = edge.unwrap_or_else(|| state.edge.clone());
        let operator_head =
            batch.append.as_ref().and_then(operator_head).unwrap_or(state.operator_head);
        recent.update(intake.changes(batch));
        // Content may have set more records free than those that this step has looked at.
        let counts = tools.store.counts()?;
        if counts.ready > 0 {
            recent.clear();
        }
        self.backlog = backlog || counts.ready > 0;
        self.state = State { revision, committed, checkpoint_seconds, edge, operator_head, counts };
        // Publish; the caller acknowledges.
        let published = self.sign()?;
        self.shown = committed.length();
        self.stale = false;
        Ok((outcomes, Some(published)))
    }

    /// The first step of a process.
    fn tend(&mut self) -> Result<Published, OpenError> {
        let (outcomes, published) = self.step(&[Command::Tend]);
        outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
        published.ok_or_else(|| {
            OpenError::Create(WriteError::Unavailable("no checkpoint was signed".into()))
        })
    }

    fn sign(&self) -> Result<Published, StepError> {
        let State { committed, checkpoint_seconds, revision, operator_head, .. } = self.state;
        let contents = TimestampedCheckpoint {
            checkpoint: committed.checkpoint,
            timestamp_seconds: checkpoint_seconds,
        };
        let checkpoint = self.tools.signer.sign_checkpoint(contents);
        let checkpoint = checkpoint.map_err(|error| StepError::Signer(error.to_string()))?;
        Ok(Published { committed, checkpoint, revision, operator_head })
    }
}

/// Checks what may be sequenced: the operator's commands first, then records of packages, which may
/// need a namespace.
fn sequence(
    tools: &Tools,
    known: &Namespaces,
    now: Timestamp,
    intake: &mut Intake<'_>,
) -> Result<(OperatorWork, PackageWork), StepError> {
    let (commands, candidates) = (intake.take_operator(), intake.take_candidates());
    let mut namespaces: Vec<_> =
        candidates.iter().map(|candidate| candidate.name.namespace().clone()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let mut operator = OperatorDesk::open(tools, known, now, &commands, namespaces)?;
    for (number, entries) in commands {
        if let Err(error) = operator.command(number, entries)? {
            intake.fail(number, error);
        }
    }
    let packages = packages::sequence(tools, candidates, &mut operator, intake)?;
    Ok((operator.close(), packages))
}

type StepResult = (Vec<Result<Outcome, WriteError>>, Option<Published>);

impl State {
    /// What the store says now. The tiles at the log's edge are compared with its root.
    fn load(store: &dyn Store) -> StoreResult<Self> {
        let damaged = |what: String| StoreError::Damaged(what);
        let head = store.head()?.ok_or_else(|| damaged("there is no head".into()))?;
        let committed = head.committed.ok_or_else(|| damaged("nothing is committed".into()))?;
        let length = tree_length(committed.length())?;
        let tiles = store.tiles(&Edge::wanted(length))?;
        let edge = Edge::from_tiles(length, &tiles, &committed.checkpoint.log_root)
            .map_err(|error| damaged(error.to_string()))?;
        let rows = store.log_rows(&[LogQuery::of_head(LogId::operator())])?;
        let operator = rows.into_iter().next().and_then(|rows| rows.head);
        let operator = operator.ok_or_else(|| damaged("there is no operator log".into()))?;
        Ok(Self {
            revision: head.revision,
            committed,
            checkpoint_seconds: head.checkpoint_seconds,
            edge,
            operator_head: operator.record_id,
            counts: store.counts()?,
        })
    }
}

/// The newest record of the operator log, if something is appended to it.
fn operator_head(append: &Append) -> Option<RecordId> {
    let change = append.logs.iter().find(|change| change.log == LogId::operator())?;
    Some(change.rows.head.as_ref()?.record_id)
}

/// Why a step did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("another writer is working on this registry")]
    Conflict,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Signer(String),
}

impl From<CommitError> for StepError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Conflict => Self::Conflict,
            CommitError::Store(error) => Self::Store(error),
        }
    }
}

impl StepError {
    fn into_write_error(self) -> WriteError {
        tracing::error!(error = %self, "a step of the sequencer failed");
        WriteError::Unavailable(self.to_string())
    }
}

/// Whole seconds of the Unix epoch, 0 before it.
pub(crate) fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.seconds()).unwrap_or(0)
}
