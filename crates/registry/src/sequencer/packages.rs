//! Records of packages: each is checked against its log, seeing those before it in the same step.

use std::collections::{BTreeSet, HashMap};

use indexmap::IndexMap;
use wargate_protocol::state::{Overlay, Prefetched, ReadSet};
use wargate_protocol::{
    Delta, LogId, LogLeaf, LogView, Package, PackageName, SignedEnvelope, ValidationError, state,
};
use wargate_transparency::map::Stem;

use super::intake::{Candidate, Intake};
use super::operator::{OperatorDesk, bug};
use super::{StepError, Tools};
use crate::store::LogChange;
use crate::usage::{Subject, Tally, Usage};
use crate::view::{self, Changes};

/// A record that becomes history.
pub(crate) struct Sequenced {
    pub(crate) leaf: LogLeaf,
    pub(crate) envelope: SignedEnvelope,
    /// What it makes of its log's slot in the map.
    pub(crate) stem: Stem,
}

impl Sequenced {
    /// A record of which nothing was computed before.
    pub(crate) fn new(leaf: LogLeaf, envelope: SignedEnvelope) -> Self {
        let stem = super::stem(&leaf.log_id, leaf.record_id);
        Self { leaf, envelope, stem }
    }
}

/// Records of packages to append.
#[derive(Default)]
pub(crate) struct PackageWork {
    /// The records, in order.
    pub(crate) records: Vec<Sequenced>,
    /// What becomes of their logs.
    pub(crate) changes: Vec<LogChange>,
    /// What they add to what is used.
    pub(crate) tally: Tally,
}

type View = Overlay<Package, Prefetched<Package>>;

/// Checks the step's candidates. Those that do not fit are rejected in the intake.
pub(super) fn sequence(
    tools: &Tools,
    candidates: Vec<Candidate>,
    operator: &mut OperatorDesk<'_>,
    intake: &mut Intake<'_>,
) -> Result<PackageWork, StepError> {
    let mut reads: IndexMap<LogId, (PackageName, ReadSet<Package>)> = IndexMap::new();
    for candidate in &candidates {
        let new = || (candidate.name.clone(), ReadSet::new());
        reads.entry(candidate.log).or_insert_with(new).1.merge(candidate.envelope.reads());
    }
    let mut views = load(tools, reads)?;
    let mut accounts = Accounts::load(tools, &candidates)?;
    let mut work = PackageWork::default();
    for candidate in candidates {
        let Some((view, changes)) = views.get_mut(&candidate.log) else { continue };
        let refused = accounts.refusal(tools, &candidate);
        let checked = match refused {
            Some(why) => Err(why),
            None => check(&candidate, view, operator)?,
        };
        match checked {
            Ok(delta) => {
                accounts.add(&candidate);
                work.tally.add(&candidate.name, &candidate.envelope, candidate.bytes);
                changes.add(&delta);
                view.push(delta).map_err(bug)?.map_err(bug)?;
                let record_id = candidate.envelope.record_id();
                let leaf = LogLeaf { log_id: candidate.log, record_id };
                let (envelope, stem) = (candidate.envelope.into_signed(), candidate.stem);
                work.records.push(Sequenced { leaf, envelope, stem });
            }
            Err(reason) => intake.reject(&candidate, reason),
        }
    }
    let mut changes: Vec<_> =
        views.into_values().filter_map(|(_, changes)| changes.finish()).collect();
    changes.sort_by_key(|change| change.log);
    work.changes = changes;
    Ok(work)
}

/// What those use who have a quota, with what this step adds.
struct Accounts(HashMap<Subject, Usage>);

impl Accounts {
    fn load(tools: &Tools, candidates: &[Candidate]) -> Result<Self, StepError> {
        if tools.quotas.are_none() {
            return Ok(Self(HashMap::new()));
        }
        let subjects = candidates.iter().flat_map(Candidate::subjects);
        let subjects: Vec<_> = subjects.collect::<BTreeSet<_>>().into_iter().collect();
        let usages = tools.store.usages(&subjects)?;
        Ok(Self(subjects.into_iter().zip(usages).collect()))
    }

    fn refusal(&self, tools: &Tools, candidate: &Candidate) -> Option<String> {
        let more = candidate.usage();
        if self.0.is_empty() || more.is_nothing() {
            return None;
        }
        candidate.subjects().iter().find_map(|subject| {
            let used = self.0.get(subject).copied().unwrap_or_default();
            tools.quotas.check(subject, used, more).err()
        })
    }

    fn add(&mut self, candidate: &Candidate) {
        for subject in candidate.subjects() {
            if let Some(used) = self.0.get_mut(&subject) {
                *used = used.plus(candidate.usage());
            }
        }
    }
}

/// Whether a record fits onto its log, and its package into its namespace. The inner error is for the
/// publisher. A namespace is defined only for a record that fits.
fn check(
    candidate: &Candidate,
    view: &View,
    operator: &mut OperatorDesk<'_>,
) -> Result<Result<Delta<Package>, String>, StepError> {
    let delta = match state::validate(&candidate.envelope, view) {
        Ok(delta) => delta,
        Err(ValidationError::Invalid(why)) => {
            return Ok(Err(format!("the package record was invalid: {why}")));
        }
        Err(ValidationError::View(error)) => return Err(bug(error)),
    };
    // The state machine lets a key that has lost all permissions go on signing records that do
    // nothing, each of which would take the place of somebody's next one (specification 5.2).
    let signer = candidate.envelope.key_id();
    let begins = view.head().map_err(bug)?.is_none();
    if !begins && view.permissions(signer).map_err(bug)?.is_empty() {
        let why = format!("the key {signer} holds no permission in this package");
        return Ok(Err(format!("the package record was refused: {why}")));
    }
    let namespace = candidate.name.namespace();
    Ok(operator.admit(namespace)?.map(|()| delta).map_err(|error| error.to_string()))
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
