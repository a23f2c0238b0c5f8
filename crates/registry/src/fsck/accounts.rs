//! What is counted beside the log, against what the log says.

use std::collections::{BTreeMap, HashSet};

use wargate_crypto::Digest;
use wargate_protocol::{PackageEnvelope, PackageName};

use super::{CHUNK, Report};
use crate::content::releases;
use crate::store::{Committed, Store, StoreResult};
use crate::usage::{self, Subject, Usage};

/// Content that is said to be named by nobody, at most as much as is looked at.
const UNNAMED_MAX: usize = 1_000_000;

/// What follows from the records so far.
pub(super) struct Accounts {
    used: BTreeMap<Subject, Usage>,
    unnamed: HashSet<Digest>,
    /// Content that a record names and that is to be forgotten.
    endangered: Vec<Digest>,
}

impl Accounts {
    pub(super) fn open(store: &dyn Store) -> StoreResult<Self> {
        let unnamed = store.unnamed_until(u64::MAX, UNNAMED_MAX)?.into_iter().collect();
        Ok(Self { used: BTreeMap::new(), unnamed, endangered: Vec::new() })
    }

    pub(super) fn add(
        &mut self,
        store: &dyn Store,
        name: &PackageName,
        record: &PackageEnvelope,
    ) -> StoreResult<()> {
        let more = Usage::of(record, usage::bytes(store, record)?);
        for (_, digest) in releases(record).filter(|(_, digest)| self.unnamed.contains(digest)) {
            self.endangered.push(digest);
        }
        if !more.is_nothing() {
            for subject in Subject::of(name, record.key_id()) {
                let used = self.used.entry(subject).or_default();
                *used = used.plus(more);
            }
        }
        Ok(())
    }

    /// Compares.
    pub(super) fn check(
        mut self,
        store: &dyn Store,
        newest: &Committed,
        report: &mut Report,
    ) -> StoreResult<()> {
        let counted = store.counted()?;
        if counted < newest.length() {
            let why = "what namespaces and keys use is counted when the registry starts";
            report.notes.push(why.into());
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = store.all_usages(after.as_ref(), CHUNK)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (subject, kept) in page {
                let used = self.used.remove(&subject).unwrap_or_default();
                let wrong = (used != kept)
                    .then(|| format!("the {subject} uses {used:?}, and {kept:?} is kept"));
                report.verdict("usage", wrong);
            }
        }
        for (subject, used) in self.used {
            report.verdict(
                "usage",
                Some(format!("the {subject} uses {used:?}, and nothing is kept")),
            );
        }
        for digest in self.endangered {
            let why = format!("{digest} is named by a record and kept as if nobody did");
            report.verdict("named content", Some(why));
        }
        Ok(())
    }
}
