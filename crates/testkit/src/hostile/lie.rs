//! What a lie is, and what whoever meets it must say.

use serde_json::Value;
use wargate_api::fetch::FetchLogsRequest;
use wargate_api::proof::{ConsistencyRequest, InclusionRequest};
use wargate_protocol::CheckpointError;
use wargate_protocol::verify::{self, Fault};

use super::reply::{Asked, Part, Reply};
use super::scene::Scene;
use super::story::{HELLO, History, OTHER};

/// One lie.
#[derive(Clone, Debug)]
pub struct Lie {
    /// Its name: words with hyphens.
    pub name: &'static str,
    /// What is told, in a sentence.
    pub about: &'static str,
    /// When a client meets it.
    pub phase: Phase,
    /// What a client does when it meets it.
    pub operation: Operation,
    /// Whether the client believes [`Story::true_checkpoint`](super::Story::true_checkpoint), which it
    /// has from another client, before it asks for anything.
    pub gossip: bool,
    /// What the client must say: one of these.
    pub expect: &'static [Verdict],
    /// Whom it must name.
    pub culprit: Culprit,
    pub(super) history: History,
    pub(super) tricks: Vec<Trick>,
}

/// When a client meets a lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// In its first request: it knows nothing of the registry but the operator's key.
    Cold,
    /// After it has done the same operation with an honest registry, some records ago. For an operation
    /// that changes something or is to be done once, an update of the packages comes first.
    Warm,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Brings these packages up to date.
    Update(&'static [&'static str]),
    /// Gets the content of a release.
    Get(&'static str, &'static str),
    /// Releases a version of [`HELLO`] with some content, as [`alice`](super::alice).
    Publish(&'static str),
    /// Finds the registry's API by its discovery document.
    Discover,
    /// Brings a package up to date that is in a namespace of another registry.
    Follow(&'static str),
    /// Looks up the names of the logs of [`HELLO`] and [`OTHER`].
    Names,
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// The registry, or something between, misbehaves in this way. Evidence is kept and can be
    /// exported.
    Misbehaviour(FaultKind),
    /// The answer has not the form that the protocol demands, or breaks a limit.
    BadAnswer,
    /// The content is not what its digest says.
    WrongContent,
    /// The registry cannot be reached.
    Unreachable,
    /// The registry answers with an error.
    Unavailable,
    /// There is no such package, namespace or release.
    NotFound,
    /// The registry refuses the record.
    Rejected,
    /// The record is not published in time.
    StillWaiting,
    /// Somebody has to decide something first.
    Undecided,
    /// It works, because what is wrong is of no consequence. What the registry says for people is free
    /// of control characters, and of a bearable length.
    Harmless,
}

/// A [`Fault`] without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "named as the faults")]
pub enum FaultKind {
    Rollback,
    Fork,
    Inconsistent,
    Stale,
    Early,
    EmptyLog,
    UntrustedOperator,
    CheckpointKeyUnknown,
    CheckpointKeyWithoutCommit,
    CheckpointSignature,
    Undecodable,
    InvalidRecord,
    Misplaced,
    Unrequested,
    MissingLog,
    NotInLog,
    NotInMap,
}

/// Who has to be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// The registry: the evidence convicts its key.
    Registry,
    /// Whoever answered.
    Server,
}

impl FaultKind {
    /// Which one it is.
    pub const fn of(fault: &Fault) -> Self {
        match fault {
            Fault::Rollback { .. } => Self::Rollback,
            Fault::Fork { .. } => Self::Fork,
            Fault::Inconsistent { .. } => Self::Inconsistent,
            Fault::Stale { .. } => Self::Stale,
            Fault::Early { .. } => Self::Early,
            Fault::EmptyLog => Self::EmptyLog,
            Fault::UntrustedOperator { .. } => Self::UntrustedOperator,
            Fault::Checkpoint(CheckpointError::UnknownKey) => Self::CheckpointKeyUnknown,
            Fault::Checkpoint(CheckpointError::NotPermitted) => Self::CheckpointKeyWithoutCommit,
            Fault::Checkpoint(CheckpointError::Signature(_) | CheckpointError::View(_)) => {
                Self::CheckpointSignature
            }
            Fault::Undecodable { .. } => Self::Undecodable,
            Fault::InvalidRecord { .. } => Self::InvalidRecord,
            Fault::Misplaced { .. } => Self::Misplaced,
            Fault::Unrequested { .. } => Self::Unrequested,
            Fault::MissingLog { .. } => Self::MissingLog,
            Fault::NotInLog(_) => Self::NotInLog,
            Fault::NotInMap(_) => Self::NotInMap,
        }
    }
}

impl Culprit {
    /// Which one it is.
    pub const fn of(culprit: &verify::Culprit) -> Self {
        match culprit {
            verify::Culprit::Registry { .. } => Self::Registry,
            verify::Culprit::Server => Self::Server,
        }
    }
}

/// A way to change what is answered.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trick {
    Checkpoint(fn(&Scene, &mut Value)),
    Logs(fn(&Scene, &FetchLogsRequest, &mut Value)),
    Inclusion(fn(&Scene, &InclusionRequest, &mut Value)),
    Consistency(fn(&Scene, &ConsistencyRequest, &mut Value)),
    /// The answer to requests about a part, however it came about. One for something that is also in a
    /// transcript applies to those, too.
    Reply(Part, fn(&Scene, &Asked, &mut Reply)),
}

impl Lie {
    /// A lie told to a client that comes again, for two packages.
    pub(super) fn new(name: &'static str, about: &'static str) -> Self {
        Self {
            name,
            about,
            phase: Phase::Warm,
            operation: Operation::Update(&[HELLO, OTHER]),
            gossip: false,
            expect: &[Verdict::BadAnswer],
            culprit: Culprit::Server,
            history: History::Now,
            tricks: Vec::new(),
        }
    }

    pub(super) fn cold(self) -> Self {
        Self { phase: Phase::Cold, ..self }
    }

    pub(super) fn when(self, operation: Operation) -> Self {
        Self { operation, ..self }
    }

    pub(super) fn expect(self, expect: &'static [Verdict]) -> Self {
        Self { expect, ..self }
    }

    pub(super) fn tells(self, history: History) -> Self {
        Self { history, ..self }
    }

    pub(super) fn convicts(self) -> Self {
        Self { culprit: Culprit::Registry, ..self }
    }

    pub(super) fn after_gossip(self) -> Self {
        Self { gossip: true, ..self }
    }

    fn trick(mut self, trick: Trick) -> Self {
        self.tricks.push(trick);
        self
    }

    pub(super) fn checkpoint(self, change: fn(&Scene, &mut Value)) -> Self {
        self.trick(Trick::Checkpoint(change))
    }

    pub(super) fn logs(self, change: fn(&Scene, &FetchLogsRequest, &mut Value)) -> Self {
        self.trick(Trick::Logs(change))
    }

    pub(super) fn inclusion(self, change: fn(&Scene, &InclusionRequest, &mut Value)) -> Self {
        self.trick(Trick::Inclusion(change))
    }

    pub(super) fn consistency(self, change: fn(&Scene, &ConsistencyRequest, &mut Value)) -> Self {
        self.trick(Trick::Consistency(change))
    }

    pub(super) fn reply(self, part: Part, change: fn(&Scene, &Asked, &mut Reply)) -> Self {
        self.trick(Trick::Reply(part, change))
    }
}
