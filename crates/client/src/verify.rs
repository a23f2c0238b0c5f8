//! Deriving again what is otherwise believed from one checkpoint to the next, and saying what was proven.
//!
//! Nothing that was remembered is taken for true here but who operates a registry. What was believed
//! before is compared with what comes out, and stays what it is, whatever that is. A registry that
//! contradicts what it signed, or what it signed before, ends the call with an error and evidence;
//! what is only amiss, such as content that is not there, stands in the [`Report`].

mod audit;
mod compare;
mod contents;
mod file;
mod finding;
mod kept;
mod ledger;
mod package;
mod records;
mod report;
mod sources;
mod trees;
mod whole;

pub(crate) use self::audit::{Advance, Audit};
pub use self::compare::{Comparison, Relation};
pub use self::file::FileFacts;
pub use self::finding::Finding;
pub(crate) use self::finding::{Flaw, Scene};
pub(crate) use self::kept::{Keep, KeptLog};
pub(crate) use self::records::{OperatorStep, Tally};
pub(crate) use self::report::counted;
pub use self::report::{Fact, ReleaseFacts, Report};
pub(crate) use self::trees::Trees;

use crate::error::Error;
use crate::registry::Registry;
use crate::remote::Remote;
use crate::sync::{Sync, SyncError};
use crate::trust::Known;

/// How much is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Whether the content of every release is fetched and hashed. It is not kept.
    pub contents: bool,
}

/// One registry, about to be verified.
struct Subject<'a> {
    registry: &'a Registry,
    remote: &'a Remote,
}

impl<'a> Subject<'a> {
    fn sync(&self) -> Sync<'a> {
        let client = self.registry.client();
        let (state, settings) = (&*client.parts.state, &*client.settings);
        Sync { remote: self.remote, state, settings }
    }

    /// What to begin with: the checkpoints that are believed, and nothing else.
    fn before(&self) -> Result<Known, Error> {
        Ok(signed_only(self.registry.trust().load(&[])?))
    }

    /// A failure as an error; what shows a misbehaviour is kept.
    fn failed(&self, before: &Known, error: SyncError) -> Error {
        match self.sync().keep_evidence(before, error) {
            SyncError::Failed(error) => error,
            SyncError::NotFound { .. } => self.registry.bad_answer("it has no operator log"),
        }
    }
}

/// What was signed of what is known; the rest is derived again.
pub(crate) fn signed_only(known: Known) -> Known {
    let Known { checkpoint, believed, .. } = known;
    Known { checkpoint, believed, ..Known::default() }
}
