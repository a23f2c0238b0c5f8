//! Following the log: what an [`Index`](crate::index::Index) is made of.

use std::collections::HashMap;

use wargate_protocol::{LogId, LogLength, PackageEnvelope, PackageName, RegistryIndex};

use crate::content::{dependencies_in, releases};
use crate::index::{Dependent, IndexStep, Through};
use crate::limits::FOLLOWED_RECORDS_MAX;
use crate::registry::Registry;
use crate::store::{LogQuery, LoggedRecord, StoreError, StoreResult};

/// Takes the registry's index some records further, at most [`FOLLOWED_RECORDS_MAX`], and says whether there are
/// more. An index of another history begins anew. Blocks.
///
/// Doing so twice with the same records changes nothing, and stopping anywhere loses nothing.
///
/// # Errors
/// [`StoreError`]; the index is where it was then.
pub fn step(registry: &Registry) -> StoreResult<bool> {
    let index = registry.index();
    let newest = registry.newest().committed.length();
    let mut through = index.through()?;
    if !is_of_this_log(registry, through, newest)? {
        tracing::warn!(length = %through.length, "the index is of another log, and begins anew");
        index.clear()?;
        through = Through::START;
    }
    let room = newest.get().saturating_sub(through.length.get());
    let count = usize::try_from(room).unwrap_or(usize::MAX).min(FOLLOWED_RECORDS_MAX);
    if count == 0 {
        return Ok(false);
    }
    let first = RegistryIndex::new(through.length.get());
    let records = registry.store().records(first, count)?;
    let Some(last) = records.last() else {
        return Err(StoreError::Damaged("records of the log are missing".into()));
    };
    let through =
        Through { length: LogLength::new(last.index.get() + 1), last: Some(last.leaf.record_id) };
    let mut names = HashMap::new();
    let mut dependents = Vec::new();
    for record in &records {
        dependents.extend(of_record(registry, record, &mut names)?);
    }
    index.apply(&IndexStep { through, dependents })?;
    Ok(through.length < newest)
}

/// Whether an index may go on where it is. A registry that was restored may have another record there,
/// or none.
fn is_of_this_log(registry: &Registry, through: Through, newest: LogLength) -> StoreResult<bool> {
    let Some(last) = through.last else { return Ok(true) };
    if through.length > newest {
        return Ok(false);
    }
    let at = RegistryIndex::new(through.length.get().saturating_sub(1));
    let leaf = registry.store().leaves(&[at])?.pop().flatten();
    Ok(leaf.is_some_and(|leaf| leaf.record_id == last))
}

/// The dependencies of the releases in a record, each with the package that is depended on.
fn of_record(
    registry: &Registry,
    record: &LoggedRecord,
    names: &mut HashMap<LogId, PackageName>,
) -> StoreResult<Vec<(PackageName, Dependent)>> {
    let log = record.leaf.log_id;
    let mut found = Vec::new();
    if log == LogId::operator() {
        return Ok(found);
    }
    let damaged = |error| StoreError::Damaged(format!("a record of the log: {error}"));
    let envelope = PackageEnvelope::decode(record.envelope.clone()).map_err(damaged)?;
    for (version, digest) in releases(&envelope) {
        let Some(row) = registry.store().content(&digest)? else { continue };
        for import in dependencies_in(&row.facts) {
            // A name that nobody can read leads to no package; whoever asks for the release's own
            // dependencies is told of it.
            let Ok(name) = import.parse::<wargate_component::ImportName>() else { continue };
            let Some(target) = name.dependency().cloned() else { continue };
            let package = if let Some(package) = names.get(&log) {
                package.clone()
            } else {
                let package = name_of(registry, log)?;
                names.insert(log, package.clone());
                package
            };
            found.push((target, Dependent { package, version: version.clone(), digest, import }));
        }
    }
    Ok(found)
}

fn name_of(registry: &Registry, log: LogId) -> StoreResult<PackageName> {
    let rows = registry.store().log_rows(&[LogQuery::of_head(log)])?;
    let name = rows.into_iter().next().and_then(|rows| rows.name);
    name.ok_or_else(|| StoreError::Damaged(format!("the log {log} has no name")))
}
