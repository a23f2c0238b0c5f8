//! Records of packages: each is checked against its log, seeing those before it in the same step.

use std::collections::HashMap;

use indexmap::IndexMap;
use wargate_protocol::state::{Overlay, ReadSet};
use wargate_protocol::{
    LogId, LogLeaf, Package, PackageName, SignedEnvelope, ValidationError, state,
};

use super::intake::Intake;
use super::{StepError, Tools};
use crate::store::{LogChange, StoreError};
use crate::view::{self, Changes};

/// A record that becomes history.
pub(super) struct Sequenced {
    pub(super) leaf: LogLeaf,
    pub(super) envelope: SignedEnvelope,
}

/// Records of packages to append.
#[derive(Default)]
pub(super) struct PackageWork {
    /// The records, in order.
    pub(super) records: Vec<Sequenced>,
    /// What becomes of their logs.
    pub(super) changes: Vec<LogChange>,
}

type View = Overlay<Package, state::Prefetched<Package>>;

/// Checks the step's candidates. Those that do not fit are rejected in the intake.
pub(super) fn sequence(tools: &Tools, intake: &mut Intake<'_>) -> Result<PackageWork, StepError> {
    let candidates = intake.take_candidates();
    let mut reads: IndexMap<LogId, (PackageName, ReadSet<Package>)> = IndexMap::new();
    for candidate in &candidates {
        let new = || (candidate.name.clone(), ReadSet::new());
        reads.entry(candidate.log).or_insert_with(new).1.merge(candidate.envelope.reads());
    }
    let mut views = load(tools, reads)?;
    let mut work = PackageWork::default();
    for candidate in candidates {
        let Some((view, changes)) = views.get_mut(&candidate.log) else { continue };
        match state::validate(&candidate.envelope, view) {
            Ok(delta) => {
                changes.add(&delta);
                view.push(delta).map_err(bug)?.map_err(bug)?;
                let record_id = candidate.envelope.record_id();
                let leaf = LogLeaf { log_id: candidate.log, record_id };
                let envelope = candidate.envelope.into_signed();
                work.records.push(Sequenced { leaf, envelope });
            }
            Err(ValidationError::Invalid(why)) => intake.reject_invalid(candidate, &why),
            Err(ValidationError::View(error)) => return Err(bug(error)),
        }
    }
    let mut changes: Vec<_> =
        views.into_values().filter_map(|(_, changes)| changes.finish()).collect();
    changes.sort_by_key(|change| change.log);
    work.changes = changes;
    Ok(work)
}

/// One read for all logs.
fn load(
    tools: &Tools,
    reads: IndexMap<LogId, (PackageName, ReadSet<Package>)>,
) -> Result<HashMap<LogId, (View, Changes<Package>)>, StepError> {
    let queries: Vec<_> = reads.iter().map(|(log, (_, reads))| view::query(*log, reads)).collect();
    let rows = if queries.is_empty() { Vec::new() } else { tools.store.log_rows(&queries)? };
    if rows.len() != queries.len() {
        return Err(bug("another number of logs than asked for"));
    }
    let view = |((log, (name, reads)), rows): (_, &_)| {
        let overlay = Overlay::new(view::prefetched(reads, rows)?);
        Ok((log, (overlay, Changes::new(log, Some(name)))))
    };
    reads.into_iter().zip(&rows).map(view).collect()
}

/// What was read ahead is what validation reads; otherwise this module has a bug.
fn bug(error: impl std::fmt::Display) -> StepError {
    StepError::Store(StoreError::Damaged(error.to_string()))
}
