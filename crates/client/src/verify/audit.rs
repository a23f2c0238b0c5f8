//! A registry's whole log, or what is new of it, under a checkpoint that was verified.

use futures_util::StreamExt;
use wargate_protocol::{LogId, LogLeaf, SignedCheckpoint};

use super::finding::{Finding, Flaw};
use super::kept::Keep;
use super::ledger;
use super::records::{Course, Index, Records, Tally};
use super::trees::Trees;
use crate::remote::Remote;
use crate::seams::Event;
use crate::trust::Known;

/// Verifies all that a registry added to its log since an earlier length.
pub(crate) struct Audit<'a> {
    pub(crate) remote: &'a Remote,
    /// The checkpoint, and the operator log under it.
    pub(crate) known: &'a Known,
    pub(crate) checkpoint: &'a SignedCheckpoint,
    /// Earlier states that the registry signed, which must be states of this log too.
    pub(crate) stops: &'a [SignedCheckpoint],
    /// Whether the contents of releases are of interest.
    pub(crate) contents: bool,
    /// Where package logs were kept that need not be fetched from their starts; `None`: all are.
    pub(crate) kept: Option<&'a dyn Keep>,
}

/// What came of it.
pub(crate) struct Advance {
    pub(crate) trees: Trees,
    /// The leaves that are new.
    pub(crate) leaves: Vec<LogLeaf>,
    pub(crate) tally: Tally,
}

impl Audit<'_> {
    /// Fetches the ledger behind what is known, recomputes both roots, and validates every record of
    /// every log that has changed.
    pub(crate) async fn advance(&self, before: &Trees) -> Result<Advance, Flaw> {
        let (from, to) = (before.length(), self.checkpoint.contents.checkpoint.log_length);
        let leaves = if from < to { self.leaves(from.get(), to.get()).await? } else { Vec::new() };
        if from.get() == 0 && leaves.first().is_none_or(|leaf| leaf.log_id != LogId::operator()) {
            return Err(Finding::Beginning.into());
        }
        let trees = self.grow(before, &leaves)?;
        let tally = self.validate(before, &leaves).await?;
        Ok(Advance { trees, leaves, tally })
    }

    async fn leaves(&self, from: u64, to: u64) -> Result<Vec<LogLeaf>, Flaw> {
        let parts = ledger::fetch(self.remote, from..to).await?;
        let mut parts = std::pin::pin!(parts);
        let mut leaves = Vec::new();
        while let Some(part) = parts.next().await {
            leaves.extend(part?);
            let (registry, done, of) = (self.remote.domain(), leaves.len() as u64, to - from);
            let observer = &self.remote.exchange().observer;
            observer.event(Event::Auditing { registry, what: "ledger", done, of });
        }
        Ok(leaves)
    }

    /// Appends the leaves, and compares the roots wherever some are signed.
    fn grow(&self, before: &Trees, leaves: &[LogLeaf]) -> Result<Trees, Finding> {
        let from = before.length().get();
        let to = self.checkpoint.contents.checkpoint.log_length;
        let mut stops: Vec<_> = self.stops.iter().map(|stop| stop.contents.checkpoint).collect();
        stops.retain(|stop| stop.log_length.get() > from && stop.log_length < to);
        stops.sort_unstable_by_key(|stop| stop.log_length);
        stops.push(self.checkpoint.contents.checkpoint);
        let (mut trees, mut rest) = (before.clone(), leaves);
        for stop in stops {
            let more = stop.log_length.get().saturating_sub(trees.length().get());
            let more = usize::try_from(more).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(more);
            trees.extend(now)?;
            trees.compare(&stop)?;
            rest = later;
        }
        Ok(trees)
    }

    async fn validate(&self, before: &Trees, leaves: &[LogLeaf]) -> Result<Tally, Flaw> {
        let index = Index::new(leaves, before.length());
        let logs: Vec<LogId> = index.logs().map(|(log, _)| log).collect();
        let heads = before.heads(&logs)?;
        let records = Records {
            remote: self.remote,
            length: self.checkpoint.contents.checkpoint.log_length,
            operator: self.known.token(&LogId::operator()).cloned(),
            contents: self.contents,
            kept: self.kept,
        };
        let (mut operator, mut packages) = (None, Vec::new());
        for ((log, places), head) in index.logs().zip(heads) {
            if log == LogId::operator() {
                operator = Some(Course::new(log, places, head));
            } else {
                packages.push(Course::new(log, places, head));
            }
        }
        let operator = match operator {
            Some(course) => records.operator(course).await?,
            None => Tally::default(),
        };
        let mut tally = records.packages(packages).await?;
        tally.records += operator.records;
        tally.logs += operator.logs;
        tally.operator = operator.operator;
        Ok(tally)
    }
}
