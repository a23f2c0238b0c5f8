//! A store that fails on purpose.

use std::io;
use std::sync::Arc;

use wargate_crypto::{Digest, KeyId};
use wargate_protocol::{LogId, LogLeaf, LogLength, RecordId, RegistryIndex};
use wargate_registry::store::{
    Accounts, Batch, CommitError, Committed, ContentRow, Ledger, LogQuery, LogRow, LogRows,
    LoggedRecord, Nodes, Pending, PendingCounts, PendingRecord, Revision, Store, StoreError,
    StoreHead, StoreResult,
};
use wargate_registry::usage::{Subject, Usage};
use wargate_transparency::log::{Tile, TileRef};
use wargate_transparency::map::{MapVersion, Page, PageId};

use super::{Method, Plan};

/// A store in front of another one. What fails is [`StoreError::Unavailable`].
pub struct FaultyStore<S: ?Sized> {
    plan: Plan,
    inner: Arc<S>,
}

impl<S: Store + ?Sized> FaultyStore<S> {
    /// Puts a plan in front of a store.
    pub fn new(inner: Arc<S>, plan: &Plan) -> Self {
        Self { plan: plan.clone(), inner }
    }

    fn ledger<T>(&self, work: impl FnOnce(&S) -> StoreResult<T>) -> StoreResult<T> {
        self.plan.call(Method::Ledger, failure, || work(&self.inner))
    }

    fn pending<T>(&self, work: impl FnOnce(&S) -> StoreResult<T>) -> StoreResult<T> {
        self.plan.call(Method::Pending, failure, || work(&self.inner))
    }

    fn nodes<T>(&self, work: impl FnOnce(&S) -> StoreResult<T>) -> StoreResult<T> {
        self.plan.call(Method::Nodes, failure, || work(&self.inner))
    }
}

impl<S: Store + ?Sized> Ledger for FaultyStore<S> {
    fn head(&self) -> StoreResult<Option<StoreHead>> {
        self.ledger(S::head)
    }

    fn commits(&self, after: LogLength, limit: usize) -> StoreResult<Vec<Committed>> {
        self.ledger(|inner| inner.commits(after, limit))
    }

    fn commit_of_length(&self, length: LogLength) -> StoreResult<Option<Committed>> {
        self.ledger(|inner| inner.commit_of_length(length))
    }

    fn commit_at(&self, second: u64) -> StoreResult<Option<Committed>> {
        self.ledger(|inner| inner.commit_at(second))
    }

    fn log_records(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
    ) -> StoreResult<Vec<LoggedRecord>> {
        self.ledger(|inner| inner.log_records(log, after, below, limit))
    }

    fn record_index(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<RegistryIndex>> {
        self.ledger(|inner| inner.record_index(log, record))
    }

    fn leaves(&self, indices: &[RegistryIndex]) -> StoreResult<Vec<Option<LogLeaf>>> {
        self.ledger(|inner| inner.leaves(indices))
    }

    fn records(&self, from: RegistryIndex, limit: usize) -> StoreResult<Vec<LoggedRecord>> {
        self.ledger(|inner| inner.records(from, limit))
    }
}

impl<S: Store + ?Sized> Pending for FaultyStore<S> {
    fn pending(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<PendingRecord>> {
        self.pending(|inner| inner.pending(log, record))
    }

    fn ready(&self, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        self.pending(|inner| inner.ready(limit))
    }

    fn pending_until(&self, second: u64, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        self.pending(|inner| inner.pending_until(second, limit))
    }

    fn counts(&self) -> StoreResult<PendingCounts> {
        self.pending(S::counts)
    }

    fn content(&self, content: &Digest) -> StoreResult<Option<ContentRow>> {
        self.pending(|inner| inner.content(content))
    }

    fn contents(&self, after: Option<&Digest>, limit: usize) -> StoreResult<Vec<ContentRow>> {
        self.pending(|inner| inner.contents(after, limit))
    }
}

impl<S: Store + ?Sized> Accounts for FaultyStore<S> {
    fn usages(&self, wanted: &[Subject]) -> StoreResult<Vec<Usage>> {
        self.ledger(|inner| inner.usages(wanted))
    }

    fn all_usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>> {
        self.ledger(|inner| inner.all_usages(after, limit))
    }

    fn counted(&self) -> StoreResult<LogLength> {
        self.ledger(S::counted)
    }

    fn sourcing_of(&self, signer: &KeyId) -> StoreResult<u64> {
        self.pending(|inner| inner.sourcing_of(signer))
    }

    fn unnamed_until(&self, second: u64, limit: usize) -> StoreResult<Vec<Digest>> {
        self.pending(|inner| inner.unnamed_until(second, limit))
    }
}

impl<S: Store + ?Sized> Nodes for FaultyStore<S> {
    fn tiles(&self, wanted: &[TileRef]) -> StoreResult<Vec<Arc<Tile>>> {
        self.nodes(|inner| inner.tiles(wanted))
    }

    fn pages(&self, wanted: &[PageId]) -> StoreResult<Vec<Arc<Page>>> {
        self.nodes(|inner| inner.pages(wanted))
    }

    fn log_rows(&self, wanted: &[LogQuery]) -> StoreResult<Vec<LogRows>> {
        self.nodes(|inner| inner.log_rows(wanted))
    }

    fn all_log_rows(&self, log: &LogId) -> StoreResult<LogRows> {
        self.nodes(|inner| inner.all_log_rows(log))
    }

    fn logs(&self, after: Option<&LogId>, limit: usize) -> StoreResult<Vec<LogRow>> {
        self.nodes(|inner| inner.logs(after, limit))
    }

    fn prune(&self, oldest: MapVersion, limit: usize) -> StoreResult<usize> {
        self.plan.call(Method::Prune, failure, || self.inner.prune(oldest, limit))
    }
}

impl<S: Store + ?Sized> Store for FaultyStore<S> {
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError> {
        let work = || self.inner.commit(expected, batch);
        self.plan.call(Method::Commit, || failure().into(), work)
    }
}

fn failure() -> StoreError {
    StoreError::Unavailable(Box::new(io::Error::other("a failure on purpose")))
}
