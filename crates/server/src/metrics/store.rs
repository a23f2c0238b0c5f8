//! A store in front of another one, which counts what is asked of it and how long commits take.

use std::sync::Arc;
use std::time::Instant;

use tracing::trace_span;
use wargate_crypto::{Digest, KeyId};
use wargate_http::TRACE_TARGET;
use wargate_protocol::{LogId, LogLeaf, LogLength, RecordId, RegistryIndex};
use wargate_registry::store::{
    Accounts, Batch, CommitError, Committed, ContentRow, Ledger, LogQuery, LogRow, LogRows,
    LoggedRecord, Nodes, Pending, PendingCounts, PendingRecord, Revision, Store, StoreError,
    StoreHead, StoreResult,
};
use wargate_registry::usage::{Subject, Usage};
use wargate_transparency::log::{Tile, TileRef};
use wargate_transparency::map::{MapVersion, Page, PageId};

use super::{DAMAGED, Metrics, UNAVAILABLE};

/// A store that is watched.
pub(crate) struct MeasuredStore {
    inner: Arc<dyn Store>,
    metrics: Arc<Metrics>,
}

impl MeasuredStore {
    pub(crate) fn new(inner: Arc<dyn Store>, metrics: Arc<Metrics>) -> Self {
        Self { inner, metrics }
    }

    fn seen<T>(&self, result: StoreResult<T>) -> StoreResult<T> {
        result.inspect_err(|error| {
            self.metrics.store_failed(match error {
                StoreError::Unavailable(_) => &UNAVAILABLE,
                StoreError::Damaged(_) => &DAMAGED,
            });
        })
    }
}

impl Ledger for MeasuredStore {
    fn head(&self) -> StoreResult<Option<StoreHead>> {
        self.seen(self.inner.head())
    }

    fn commits(&self, after: LogLength, limit: usize) -> StoreResult<Vec<Committed>> {
        self.seen(self.inner.commits(after, limit))
    }

    fn commit_of_length(&self, length: LogLength) -> StoreResult<Option<Committed>> {
        self.seen(self.inner.commit_of_length(length))
    }

    fn commit_at(&self, second: u64) -> StoreResult<Option<Committed>> {
        self.seen(self.inner.commit_at(second))
    }

    fn log_records(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
    ) -> StoreResult<Vec<LoggedRecord>> {
        self.seen(self.inner.log_records(log, after, below, limit))
    }

    fn record_index(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<RegistryIndex>> {
        self.seen(self.inner.record_index(log, record))
    }

    fn leaves(&self, indices: &[RegistryIndex]) -> StoreResult<Vec<Option<LogLeaf>>> {
        self.seen(self.inner.leaves(indices))
    }

    fn records(&self, from: RegistryIndex, limit: usize) -> StoreResult<Vec<LoggedRecord>> {
        self.seen(self.inner.records(from, limit))
    }
}

impl Pending for MeasuredStore {
    fn pending(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<PendingRecord>> {
        self.seen(self.inner.pending(log, record))
    }

    fn ready(&self, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        self.seen(self.inner.ready(limit))
    }

    fn pending_until(&self, second: u64, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        self.seen(self.inner.pending_until(second, limit))
    }

    fn counts(&self) -> StoreResult<PendingCounts> {
        self.seen(self.inner.counts())
    }

    fn content(&self, content: &Digest) -> StoreResult<Option<ContentRow>> {
        self.seen(self.inner.content(content))
    }

    fn contents(&self, after: Option<&Digest>, limit: usize) -> StoreResult<Vec<ContentRow>> {
        self.seen(self.inner.contents(after, limit))
    }
}

impl Nodes for MeasuredStore {
    fn tiles(&self, wanted: &[TileRef]) -> StoreResult<Vec<Arc<Tile>>> {
        self.seen(self.inner.tiles(wanted))
    }

    fn pages(&self, wanted: &[PageId]) -> StoreResult<Vec<Arc<Page>>> {
        self.seen(self.inner.pages(wanted))
    }

    fn log_rows(&self, wanted: &[LogQuery]) -> StoreResult<Vec<LogRows>> {
        self.seen(self.inner.log_rows(wanted))
    }

    fn all_log_rows(&self, log: &LogId) -> StoreResult<LogRows> {
        self.seen(self.inner.all_log_rows(log))
    }

    fn logs(&self, after: Option<&LogId>, limit: usize) -> StoreResult<Vec<LogRow>> {
        self.seen(self.inner.logs(after, limit))
    }

    fn prune(&self, oldest: MapVersion, limit: usize) -> StoreResult<usize> {
        self.seen(self.inner.prune(oldest, limit))
    }
}

impl Accounts for MeasuredStore {
    fn usages(&self, wanted: &[Subject]) -> StoreResult<Vec<Usage>> {
        self.seen(self.inner.usages(wanted))
    }

    fn all_usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>> {
        self.seen(self.inner.all_usages(after, limit))
    }

    fn counted(&self) -> StoreResult<LogLength> {
        self.seen(self.inner.counted())
    }

    fn sourcing_of(&self, signer: &KeyId) -> StoreResult<u64> {
        self.seen(self.inner.sourcing_of(signer))
    }

    fn unnamed_until(&self, second: u64, limit: usize) -> StoreResult<Vec<Digest>> {
        self.seen(self.inner.unnamed_until(second, limit))
    }
}

impl Store for MeasuredStore {
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError> {
        let appended = batch.append.as_ref().map_or(0, |append| append.records.len());
        let span = trace_span!(target: TRACE_TARGET, "commit", records = appended);
        let began = Instant::now();
        let result = span.in_scope(|| self.inner.commit(expected, batch));
        if let Err(error) = &result {
            self.metrics.commit_failed(error);
            return result;
        }
        let counted = &self.metrics.store;
        counted.commit_durations.observe(began.elapsed().as_secs_f64());
        counted.commit_records.observe(u32::try_from(appended).unwrap_or(u32::MAX).into());
        counted.published.inc_by(appended as u64);
        counted.admitted.inc_by(batch.admitted.len() as u64);
        counted.rejected.inc_by(batch.rejected.len() as u64);
        counted.expired.inc_by(batch.dropped.len() as u64);
        counted.content.inc_by(batch.content.len() as u64);
        counted.content_bytes.inc_by(batch.content.iter().map(|row| row.size).sum());
        result
    }
}
