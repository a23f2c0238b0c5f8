//! The first commit of a registry (specification 9): one operator record, registry index 0.

use wargate_protocol::state::{LogState, validate};
use wargate_protocol::{
    Entry, LogId, LogLeaf, Operator, OperatorEntry, OperatorEnvelope, OperatorPermission,
    OperatorRecord,
};
use wargate_transparency::log::Edge;

use super::operator::OperatorWork;
use super::packages::{PackageWork, Sequenced};
use super::stage::{self, Before};
use super::{Tools, seconds};
use crate::error::{OpenError, WriteError};
use crate::store::{Batch, CommitError, Nodes, Store};
use crate::usage::Tally;
use crate::view::Changes;

/// Writes init with the operator's key, a grant for a checkpoint key of its own, and the given
/// entries. If another process is faster, its registry stands.
pub(super) fn create(tools: &Tools, entries: &[OperatorEntry]) -> Result<(), OpenError> {
    let now = tools.clock.now();
    let (operator, checkpoint) = (tools.signer.operator_key(), tools.signer.checkpoint_key());
    let mut all = vec![Entry::init(operator.clone())];
    if checkpoint != operator {
        all.push(Entry::grant(checkpoint, [OperatorPermission::Commit]));
    }
    all.extend_from_slice(entries);
    let record = OperatorRecord::new(None, now, all);
    let signed = tools.signer.sign_operator_record(record.encode()).map_err(WriteError::from)?;
    let invalid = |why: String| WriteError::BadRequest(why);
    let envelope = OperatorEnvelope::decode(signed).map_err(|error| invalid(error.to_string()))?;
    let delta = validate(&envelope, &LogState::<Operator>::new())
        .map_err(|error| invalid(error.to_string()))?;
    let mut changes = Changes::<Operator>::new(LogId::operator(), None);
    changes.add(&delta);
    let leaf = LogLeaf { log_id: LogId::operator(), record_id: envelope.record_id() };
    let record = Sequenced::new(leaf, envelope.into_signed());
    let work = OperatorWork::of_record(record, changes.finish());

    let before = Before { committed: None, edge: &Edge::empty() };
    let nodes: &dyn Nodes = &*tools.store;
    let staged = stage::stage(nodes, &before, seconds(now), work, PackageWork::default())
        .map_err(|error| WriteError::Unavailable(error.to_string()))?;
    let append = staged.map(|staged| staged.append);
    let counted = append.as_ref().map(|it| Tally::default().into_counted(it.committed.length()));
    let batch = Batch { checkpoint_seconds: seconds(now), append, counted, ..Batch::default() };
    let revision = tools.store.head()?.map(|head| head.revision);
    match Store::commit(&*tools.store, revision, &batch) {
        Ok(_) | Err(CommitError::Conflict) => Ok(()),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
