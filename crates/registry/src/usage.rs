//! What namespaces and keys use of a registry, and how much of it they may.
//!
//! Everything follows from the log: a package counts for its namespace and for the key that began it, a
//! release, with the size of its content, for the namespace and the key that signed it. Content that
//! several releases share counts for each of them, and a release that was yanked still does, because
//! both stay. The numbers are kept by the commit that makes a record history, so a crash changes
//! nothing; a registry from before there were any counts its log once, when it is opened.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use wargate_crypto::{Digest, KeyId};
use wargate_protocol::{
    Entry, LogId, LogLength, Namespace, PackageAction, PackageEnvelope, PackageName,
};

use crate::content::releases;
use crate::store::{Batch, Counted, LogQuery, Store, StoreError, StoreResult};

/// Whose use it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A namespace.
    Namespace(String),
    /// A key, by its id.
    Key(String),
}

/// How much is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Packages that were begun.
    pub packages: u64,
    /// Releases.
    pub releases: u64,
    /// Bytes of the content of all releases.
    pub bytes: u64,
}

/// How much may be used; `None` is without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Packages.
    pub packages: Option<u64>,
    /// Releases.
    pub releases: Option<u64>,
    /// Bytes of the content of all releases.
    pub bytes: Option<u64>,
}

/// The quotas of a registry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Of every namespace that has none of its own.
    pub namespace: Quota,
    /// Of every key that has none of its own.
    pub key: Quota,
    /// Of some.
    pub own: HashMap<Subject, Quota>,
}

impl Subject {
    /// Those whom a record counts for.
    pub fn of(name: &PackageName, signer: &KeyId) -> [Self; 2] {
        [Self::namespace(name.namespace()), Self::Key(signer.to_string())]
    }

    fn namespace(namespace: &Namespace) -> Self {
        Self::Namespace(namespace.to_string())
    }

    /// `namespace` or `key`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Namespace(_) => "namespace",
            Self::Key(_) => "key",
        }
    }

    /// Its name, or its id.
    pub fn name(&self) -> &str {
        match self {
            Self::Namespace(name) | Self::Key(name) => name,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}

impl Usage {
    /// What a record adds, once it is in the log. `bytes` is the size of the content of all of its
    /// releases.
    pub fn of(record: &PackageEnvelope, bytes: u64) -> Self {
        let entries = &record.record().entries;
        let count = |such: &dyn Fn(&Entry<_>) -> bool| {
            entries.iter().filter(|entry| such(entry)).count() as u64
        };
        Self {
            packages: count(&|entry| matches!(entry, Entry::Init { .. })),
            releases: count(&|entry| matches!(entry, Entry::Action(PackageAction::Release { .. }))),
            bytes,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, more: Self) -> Self {
        Self {
            packages: self.packages.saturating_add(more.packages),
            releases: self.releases.saturating_add(more.releases),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }

    /// Whether there is nothing of it.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

impl Quotas {
    /// Whether nobody has any.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// How much somebody may use.
    pub fn of(&self, subject: &Subject) -> Quota {
        let own = self.own.get(subject).copied();
        own.unwrap_or(match subject {
            Subject::Namespace(_) => self.namespace,
            Subject::Key(_) => self.key,
        })
    }

    /// Whether somebody may use so much more.
    ///
    /// # Errors
    /// Which quota forbids it, for the publisher.
    pub fn check(&self, subject: &Subject, used: Usage, more: Usage) -> Result<(), String> {
        let quota = self.of(subject);
        let parts = [
            ("packages", quota.packages, used.packages, more.packages),
            ("releases", quota.releases, used.releases, more.releases),
            ("bytes of content", quota.bytes, used.bytes, more.bytes),
        ];
        for (what, most, used, more) in parts {
            if let Some(most) = most.filter(|most| more > 0 && used.saturating_add(more) > *most) {
                return Err(format!(
                    "the {subject} has a quota of {most} {what}, of which {used} are used, and this \
                     takes {more} more: ask the operator of this registry for a larger one"
                ));
            }
        }
        Ok(())
    }
}

/// What the records of a commit add.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) added: BTreeMap<Subject, Usage>,
    pub(crate) named: Vec<Digest>,
}

impl Tally {
    pub(crate) fn add(&mut self, name: &PackageName, record: &PackageEnvelope, bytes: u64) {
        let usage = Usage::of(record, bytes);
        if usage.is_nothing() {
            return;
        }
        for subject in Subject::of(name, record.key_id()) {
            let sum = self.added.entry(subject).or_default();
            *sum = sum.plus(usage);
        }
        self.named.extend(releases(record).map(|(_, digest)| digest));
    }

    pub(crate) fn into_counted(mut self, until: LogLength) -> Counted {
        self.named.sort_unstable();
        self.named.dedup();
        Counted { until, added: self.added.into_iter().collect(), named: self.named }
    }
}

/// Records that are counted in one commit.
const CHUNK: usize = 1000;

/// Counts what the log has and was not counted yet, a commit at a time. It goes on where it stopped.
pub(crate) fn catch_up(store: &dyn Store) -> StoreResult<()> {
    let mut said = false;
    loop {
        let Some(head) = store.head()? else { return Ok(()) };
        let length = head.committed.map_or(LogLength::EMPTY, |committed| committed.length());
        let counted = store.counted()?;
        if counted >= length {
            return Ok(());
        }
        if !said {
            tracing::info!(records = length.get(), "counting what namespaces and keys use");
            said = true;
        }
        let (tally, until) = count(store, counted, length)?;
        let batch = Batch {
            checkpoint_seconds: head.checkpoint_seconds,
            counted: Some(tally.into_counted(until)),
            ..Batch::default()
        };
        match store.commit(Some(head.revision), &batch) {
            // Another writer was faster: look again.
            Ok(_) | Err(crate::store::CommitError::Conflict) => {}
            Err(crate::store::CommitError::Store(error)) => return Err(error),
        }
    }
}

fn count(store: &dyn Store, from: LogLength, length: LogLength) -> StoreResult<(Tally, LogLength)> {
    let left = usize::try_from(length.get() - from.get()).unwrap_or(CHUNK).min(CHUNK);
    let (mut tally, mut until) = (Tally::default(), from);
    let mut names: HashMap<LogId, Option<PackageName>> = HashMap::new();
    for logged in store.records(from.next_index(), left)? {
        until = LogLength::new(logged.index.get() + 1);
        let log = logged.leaf.log_id;
        if log == LogId::operator() {
            continue;
        }
        let name = if let Some(name) = names.get(&log) {
            name.clone()
        } else {
            let name = store.log_rows(&[LogQuery::of_head(log)])?.pop().and_then(|rows| rows.name);
            names.insert(log, name.clone());
            name
        };
        let damaged = |what: String| StoreError::Damaged(what);
        let name = name.ok_or_else(|| damaged(format!("the log {log} has no name")))?;
        let record = PackageEnvelope::decode(logged.envelope)
            .map_err(|error| damaged(format!("the record {}: {error}", logged.index)))?;
        let bytes = bytes(store, &record)?;
        tally.add(&name, &record, bytes);
    }
    if until == from {
        return Err(StoreError::Damaged(format!("the record {from} is missing")));
    }
    Ok((tally, until))
}

/// The size of the content of a record's releases, as far as it is there.
pub(crate) fn bytes(store: &dyn Store, record: &PackageEnvelope) -> StoreResult<u64> {
    let mut bytes = 0_u64;
    for (_, digest) in releases(record) {
        bytes = bytes.saturating_add(store.content(&digest)?.map_or(0, |row| row.size));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_forbids_what_goes_beyond_it_and_nothing_else() {
        let acme = Subject::Namespace("acme".into());
        let quota = |packages| Quota { packages: Some(packages), ..Quota::default() };
        let own = HashMap::from([(acme.clone(), quota(3))]);
        let quotas = Quotas { namespace: quota(1), own, ..Quotas::default() };
        let packages = |packages| Usage { packages, ..Usage::default() };
        assert!(quotas.check(&acme, packages(2), packages(1)).is_ok());
        let error = quotas.check(&acme, packages(3), packages(1)).unwrap_err();
        assert!(error.contains("namespace acme has a quota of 3 packages"), "{error}");
        // A quota that was made smaller keeps nobody from what takes nothing.
        assert!(quotas.check(&acme, packages(9), Usage { bytes: 1, ..Usage::default() }).is_ok());
        let other = Subject::Namespace("other".into());
        assert!(quotas.check(&other, packages(1), packages(1)).is_err());
        assert!(quotas.check(&Subject::Key("acme".into()), packages(9), packages(9)).is_ok());
        assert!(quotas.check(&acme, packages(u64::MAX), packages(1)).is_err());
    }
}
