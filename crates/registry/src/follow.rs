//! Following the log: what an [`Index`](crate::index::Index) is made of.

use std::collections::{HashMap, HashSet};

use wargate_component::ImportName;
use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLength, PackageEnvelope, PackageName, RegistryIndex};

use crate::content::{dependencies_in, releases};
use crate::index::{IndexStep, IndexedImport, IndexedRelease, Through};
use crate::limits::{FOLLOWED_NAMES_BYTES_MAX, FOLLOWED_RECORDS_MAX};
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
    if records.is_empty() {
        return Err(StoreError::Damaged("records of the log are missing".into()));
    }
    let step = IndexStep { through, contents: Vec::new(), releases: Vec::new() };
    let mut found = Found { step, known: HashMap::new(), names: HashMap::new(), bytes: 0 };
    for record in &records {
        found.take_in(registry, record)?;
        if found.bytes >= FOLLOWED_NAMES_BYTES_MAX {
            break;
        }
    }
    index.apply(&found.step)?;
    Ok(found.step.through.length < newest)
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

/// What was found in some records.
struct Found {
    step: IndexStep,
    /// Whether content that was looked at has dependencies.
    known: HashMap<Digest, bool>,
    names: HashMap<LogId, PackageName>,
    /// How long the names of imports in the step are.
    bytes: usize,
}

impl Found {
    /// A record: its releases whose content depends on packages.
    fn take_in(&mut self, registry: &Registry, record: &LoggedRecord) -> StoreResult<()> {
        let length = LogLength::new(record.index.get() + 1);
        self.step.through = Through { length, last: Some(record.leaf.record_id) };
        let log = record.leaf.log_id;
        if log == LogId::operator() {
            return Ok(());
        }
        let damaged = |error| StoreError::Damaged(format!("a record of the log: {error}"));
        let envelope = PackageEnvelope::decode(record.envelope.clone()).map_err(damaged)?;
        for (version, digest) in releases(&envelope) {
            if !self.depends(registry, digest)? {
                continue;
            }
            let package = match self.names.get(&log) {
                Some(package) => package.clone(),
                None => self.names.entry(log).or_insert(name_of(registry, log)?).clone(),
            };
            let version = version.clone();
            self.step.releases.push(IndexedRelease { package, version, digest });
        }
        Ok(())
    }

    /// Whether content depends on packages. What it imports is taken in once.
    fn depends(&mut self, registry: &Registry, digest: Digest) -> StoreResult<bool> {
        if let Some(&depends) = self.known.get(&digest) {
            return Ok(depends);
        }
        let mut depends = registry.index().has_content(&digest)?;
        if !depends && let Some(row) = registry.store().content(&digest)? {
            let imports = imports_in(&row.facts);
            depends = !imports.is_empty();
            if depends {
                self.bytes += imports.iter().map(|(_, name)| name.len()).sum::<usize>();
                self.step.contents.push((digest, imports));
            }
        }
        self.known.insert(digest, depends);
        Ok(depends)
    }
}

/// The dependencies in the facts of content, each once. A name that nobody can read leads to no package;
/// whoever asks for the release's own dependencies is told of it.
fn imports_in(facts: &str) -> Vec<IndexedImport> {
    let mut seen = HashSet::new();
    let package = |import: String| {
        let package = import.parse::<ImportName>().ok()?.dependency()?.clone();
        seen.insert(import.clone()).then_some((package, import))
    };
    dependencies_in(facts).into_iter().filter_map(package).collect()
}

fn name_of(registry: &Registry, log: LogId) -> StoreResult<PackageName> {
    let rows = registry.store().log_rows(&[LogQuery::of_head(log)])?;
    let name = rows.into_iter().next().and_then(|rows| rows.name);
    name.ok_or_else(|| StoreError::Damaged(format!("the log {log} has no name")))
}
