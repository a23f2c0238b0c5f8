//! A store in memory: the reference of what the seam means, and the store of the engine's tests.
//!
//! It is as plain as the contract allows: maps behind one lock, and one function for each thing that
//! a batch can say. What it answers is right by definition; the
//! [conformance suite](mod@crate::conformance) holds other stores against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use wargate_crypto::{Digest, KeyId, PublicKey};
use wargate_protocol::{
    LogId, LogLeaf, LogLength, PackageName, RecordId, RegistryIndex, state::Head,
};
use wargate_registry::store::{
    Accounts, Append, Batch, CommitError, Committed, ContentRow, Counted, Ledger, LogChange,
    LogQuery, LogRow, LogRows, LoggedRecord, Nodes, Pending, PendingCounts, PendingRecord,
    PendingState, Referral, Rejection, Revision, Store, StoreError, StoreHead, StoreResult,
};
use wargate_registry::usage::{Subject, Usage};
use wargate_transparency::log::{Tile, TileId, TileRef};
use wargate_transparency::map::{MapVersion, Page, PageId};

/// A store that lasts as long as its value.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    head: Option<StoreHead>,
    /// By length.
    commits: BTreeMap<u64, Committed>,
    /// By position.
    records: BTreeMap<u64, LoggedRecord>,
    of_log: BTreeSet<(LogId, u64)>,
    index: BTreeMap<(LogId, RecordId), u64>,
    /// By the number of their admission.
    pending: BTreeMap<u64, PendingRecord>,
    admissions: BTreeMap<(LogId, RecordId), u64>,
    admitted: u64,
    contents: BTreeMap<Digest, ContentRow>,
    logs: BTreeMap<LogId, Log>,
    tiles: BTreeMap<TileId, Arc<Tile>>,
    pages: BTreeMap<PageId, Arc<Page>>,
    superseded: BTreeSet<(MapVersion, PageId)>,
    usages: BTreeMap<Subject, Usage>,
    counted: u64,
    /// With the time of each.
    unnamed: BTreeMap<Digest, u64>,
}

#[derive(Debug)]
struct Log {
    head: Head,
    name: Option<PackageName>,
    keys: BTreeMap<KeyId, PublicKey>,
    permissions: BTreeMap<KeyId, String>,
    items: BTreeMap<String, String>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many pages of the map are kept.
    pub fn page_count(&self) -> usize {
        self.state().pages.len()
    }

    /// Makes it one that was written before there were accounts.
    pub fn forget_accounts(&self) {
        let mut state = self.state();
        state.usages.clear();
        state.counted = 0;
        let contents = state.contents.values();
        let unnamed = contents.map(|row| (row.digest, row.arrived_seconds)).collect();
        state.unnamed = unnamed;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger for MemoryStore {
    fn head(&self) -> StoreResult<Option<StoreHead>> {
        Ok(self.state().head)
    }

    fn commits(&self, after: LogLength, limit: usize) -> StoreResult<Vec<Committed>> {
        let state = self.state();
        let behind = state.commits.values().filter(|commit| commit.length() > after);
        Ok(behind.take(limit).copied().collect())
    }

    fn commit_of_length(&self, length: LogLength) -> StoreResult<Option<Committed>> {
        Ok(self.state().commits.get(&length.get()).copied())
    }

    fn commit_at(&self, second: u64) -> StoreResult<Option<Committed>> {
        let state = self.state();
        let mut until = state.commits.values().filter(|commit| commit.seconds <= second);
        Ok(until.next_back().copied())
    }

    fn log_records(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
    ) -> StoreResult<Vec<LoggedRecord>> {
        let state = self.state();
        let from = after.map_or(0, |after| after.get().saturating_add(1));
        let places = state.of_log.range((*log, from)..=(*log, u64::MAX));
        let places = places.map(|(_, place)| place).take_while(|place| **place < below.get());
        Ok(places.take(limit).filter_map(|place| state.records.get(place)).cloned().collect())
    }

    fn record_index(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<RegistryIndex>> {
        Ok(self.state().index.get(&(*log, *record)).copied().map(RegistryIndex::new))
    }

    fn leaves(&self, indices: &[RegistryIndex]) -> StoreResult<Vec<Option<LogLeaf>>> {
        let state = self.state();
        let leaf = |index: &RegistryIndex| Some(state.records.get(&index.get())?.leaf);
        Ok(indices.iter().map(leaf).collect())
    }

    fn records(&self, from: RegistryIndex, limit: usize) -> StoreResult<Vec<LoggedRecord>> {
        let state = self.state();
        Ok(state.records.range(from.get()..).take(limit).map(|(_, it)| it.clone()).collect())
    }
}

impl Pending for MemoryStore {
    fn pending(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<PendingRecord>> {
        let state = self.state();
        let number = state.admissions.get(&(*log, *record));
        Ok(number.and_then(|number| state.pending.get(number)).cloned())
    }

    fn ready(&self, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        let is_ready = |record: &&PendingRecord| record.state == PendingState::Ready;
        Ok(self.state().pending.values().filter(is_ready).take(limit).cloned().collect())
    }

    fn pending_until(&self, second: u64, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        let state = self.state();
        let until = state.pending.values().filter(|record| record.admitted_seconds <= second);
        let mut until: Vec<_> = until.cloned().collect();
        // Stable: of one second in the order of admission.
        until.sort_by_key(|record| record.admitted_seconds);
        until.truncate(limit);
        Ok(until)
    }

    fn counts(&self) -> StoreResult<PendingCounts> {
        let mut counts = PendingCounts::default();
        for record in self.state().pending.values() {
            match record.state {
                PendingState::Sourcing(_) => counts.sourcing += 1,
                PendingState::Ready => counts.ready += 1,
                PendingState::Rejected { .. } => counts.rejected += 1,
            }
        }
        Ok(counts)
    }

    fn content(&self, content: &Digest) -> StoreResult<Option<ContentRow>> {
        Ok(self.state().contents.get(content).cloned())
    }

    fn contents(&self, after: Option<&Digest>, limit: usize) -> StoreResult<Vec<ContentRow>> {
        let state = self.state();
        let above = state.contents.values().filter(|row| after.is_none_or(|it| row.digest > *it));
        Ok(above.take(limit).cloned().collect())
    }
}

impl Accounts for MemoryStore {
    fn usages(&self, wanted: &[Subject]) -> StoreResult<Vec<Usage>> {
        let state = self.state();
        Ok(wanted.iter().map(|it| state.usages.get(it).copied().unwrap_or_default()).collect())
    }

    fn all_usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>> {
        let state = self.state();
        let behind = state.usages.iter().filter(|(it, _)| after.is_none_or(|after| *it > after));
        Ok(behind.take(limit).map(|(subject, usage)| (subject.clone(), *usage)).collect())
    }

    fn counted(&self) -> StoreResult<LogLength> {
        Ok(LogLength::new(self.state().counted))
    }

    fn sourcing_of(&self, signer: &KeyId) -> StoreResult<u64> {
        let waits = |record: &&PendingRecord| {
            let sourcing = matches!(record.state, PendingState::Sourcing(_));
            sourcing && record.envelope.key_id() == signer
        };
        Ok(self.state().pending.values().filter(waits).count() as u64)
    }

    fn unnamed_until(&self, second: u64, limit: usize) -> StoreResult<Vec<Digest>> {
        let state = self.state();
        let until = state.unnamed.iter().filter(|(_, seconds)| **seconds <= second);
        let mut until: Vec<_> = until.map(|(digest, seconds)| (*seconds, *digest)).collect();
        until.sort_unstable();
        Ok(until.into_iter().take(limit).map(|(_, digest)| digest).collect())
    }
}

impl Nodes for MemoryStore {
    fn tiles(&self, wanted: &[TileRef]) -> StoreResult<Vec<Arc<Tile>>> {
        let state = self.state();
        let tile = |wanted: &TileRef| {
            let tile = state.tiles.get(&wanted.id).filter(|tile| tile.width() >= wanted.width);
            tile.cloned().ok_or_else(|| StoreError::Damaged(format!("{wanted} is missing")))
        };
        wanted.iter().map(tile).collect()
    }

    fn pages(&self, wanted: &[PageId]) -> StoreResult<Vec<Arc<Page>>> {
        let state = self.state();
        let page = |wanted: &PageId| {
            let page = state.pages.get(wanted).cloned();
            page.ok_or_else(|| StoreError::Damaged(format!("the page {wanted:?} is missing")))
        };
        wanted.iter().map(page).collect()
    }

    fn log_rows(&self, wanted: &[LogQuery]) -> StoreResult<Vec<LogRows>> {
        let state = self.state();
        let rows = |wanted: &LogQuery| {
            let mut rows = state.logs.get(&wanted.log).map(Log::rows).unwrap_or_default();
            rows.keys.retain(|key| wanted.keys.contains(&key.id()));
            rows.permissions.retain(|(key, _)| wanted.permissions.contains(key));
            rows.items.retain(|(item, _)| wanted.items.contains(item));
            rows
        };
        Ok(wanted.iter().map(rows).collect())
    }

    fn all_log_rows(&self, log: &LogId) -> StoreResult<LogRows> {
        Ok(self.state().logs.get(log).map(Log::rows).unwrap_or_default())
    }

    fn logs(&self, after: Option<&LogId>, limit: usize) -> StoreResult<Vec<LogRow>> {
        let state = self.state();
        let above = state.logs.iter().filter(|(log, _)| after.is_none_or(|after| *log > after));
        let row =
            |(log, it): (&LogId, &Log)| LogRow { log: *log, name: it.name.clone(), head: it.head };
        Ok(above.take(limit).map(row).collect())
    }

    fn prune(&self, oldest: MapVersion, limit: usize) -> StoreResult<usize> {
        let mut state = self.state();
        let unused = state.superseded.iter().filter(|(version, _)| *version <= oldest);
        let unused: Vec<_> = unused.take(limit).copied().collect();
        for row in &unused {
            state.superseded.remove(row);
            state.pages.remove(&row.1);
        }
        Ok(unused.len())
    }
}

impl Store for MemoryStore {
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError> {
        let mut state = self.state();
        if state.head.map(|head| head.revision) != expected {
            return Err(CommitError::Conflict);
        }
        if let Some(append) = &batch.append {
            state.check(append)?;
        }
        batch.rejected.iter().for_each(|rejection| state.reject(rejection));
        batch.dropped.iter().for_each(|(log, record)| state.forget(log, record));
        batch.admitted.iter().for_each(|admitted| state.admit(admitted));
        batch.content.iter().for_each(|content| state.arrive(content));
        batch.referred.iter().for_each(|referral| state.refer(referral));
        batch.append.iter().for_each(|append| state.append(append));
        for (digest, seconds) in &batch.wanted {
            if let Some(known) = state.unnamed.get_mut(digest) {
                *known = *seconds;
            }
        }
        batch.counted.iter().for_each(|counted| state.count(counted));
        for digest in &batch.discarded {
            if state.unnamed.remove(digest).is_some() {
                state.contents.remove(digest);
            }
        }
        let revision = Revision(expected.map_or(1, |revision| revision.0 + 1));
        state.head = Some(StoreHead {
            revision,
            committed: state.commits.values().next_back().copied(),
            checkpoint_seconds: batch.checkpoint_seconds,
        });
        Ok(revision)
    }

    fn moment(&self, each: &mut dyn FnMut(PendingRecord)) -> StoreResult<Option<StoreHead>> {
        let (head, pending): (_, Vec<_>) = {
            let state = self.state();
            (state.head, state.pending.values().cloned().collect())
        };
        pending.into_iter().for_each(each);
        Ok(head)
    }
}

impl State {
    /// Refuses what contradicts history, before anything has changed.
    fn check(&self, append: &Append) -> Result<(), StoreError> {
        let changes: BTreeSet<_> = append.logs.iter().map(|change| change.log).collect();
        let fits = append.records.iter().all(|record| {
            !self.records.contains_key(&record.index.get()) && changes.contains(&record.leaf.log_id)
        });
        let is_new = !self.commits.contains_key(&append.committed.length().get())
            && append.pages.iter().all(|(id, _)| !self.pages.contains_key(id))
            && append.logs.iter().all(|change| change.rows.head.is_some());
        let damaged = || StoreError::Damaged("the append contradicts what is there".into());
        if fits && is_new { Ok(()) } else { Err(damaged()) }
    }

    fn reject(&mut self, rejection: &Rejection) {
        let number = self.admissions.get(&(rejection.log, rejection.record));
        let Some(record) = number.and_then(|number| self.pending.get_mut(number)) else { return };
        if !matches!(record.state, PendingState::Rejected { .. }) {
            record.state = PendingState::Rejected { reason: rejection.reason.clone() };
        }
    }

    fn forget(&mut self, log: &LogId, record: &RecordId) {
        if let Some(number) = self.admissions.remove(&(*log, *record)) {
            self.pending.remove(&number);
        }
    }

    fn admit(&mut self, admitted: &PendingRecord) {
        let id = (admitted.log, admitted.record);
        if self.admissions.contains_key(&id) {
            return;
        }
        let mut record = admitted.clone();
        if let PendingState::Sourcing(missing) = &mut record.state {
            let mut seen = BTreeSet::new();
            missing.retain(|content| seen.insert(*content));
            if missing.is_empty() {
                record.state = PendingState::Ready;
            }
        }
        self.admitted += 1;
        self.admissions.insert(id, self.admitted);
        self.pending.insert(self.admitted, record);
    }

    fn count(&mut self, counted: &Counted) {
        self.counted = counted.until.get();
        for (subject, more) in &counted.added {
            let used = self.usages.entry(subject.clone()).or_default();
            *used = used.plus(*more);
        }
        for digest in &counted.named {
            self.unnamed.remove(digest);
        }
    }

    fn arrive(&mut self, content: &ContentRow) {
        if let Some(seconds) = self.unnamed.get_mut(&content.digest) {
            *seconds = content.arrived_seconds;
        }
        match self.contents.get_mut(&content.digest) {
            Some(known) if known.is_kept() => {}
            Some(referred) => *referred = content.clone(),
            None => {
                self.unnamed.insert(content.digest, content.arrived_seconds);
                self.contents.insert(content.digest, content.clone());
            }
        }
        if !content.is_kept() {
            return;
        }
        for record in self.pending.values_mut() {
            if let PendingState::Sourcing(missing) = &mut record.state {
                missing.retain(|digest| *digest != content.digest);
                if missing.is_empty() {
                    record.state = PendingState::Ready;
                }
            }
        }
    }

    fn refer(&mut self, referral: &Referral) {
        let number = self.admissions.get(&(referral.log, referral.record));
        let Some(record) = number.and_then(|number| self.pending.get_mut(number)) else { return };
        if let PendingState::Sourcing(missing) = &mut record.state {
            missing.retain(|digest| *digest != referral.content);
            if missing.is_empty() {
                record.state = PendingState::Ready;
            }
        }
    }

    fn append(&mut self, append: &Append) {
        for record in &append.records {
            let LogLeaf { log_id, record_id } = record.leaf;
            self.forget(&log_id, &record_id);
            self.of_log.insert((log_id, record.index.get()));
            self.index.entry((log_id, record_id)).or_insert(record.index.get());
            self.records.insert(record.index.get(), record.clone());
        }
        append.logs.iter().for_each(|change| self.change_log(change));
        for stored in &append.tiles {
            let kept = self.tiles.entry(stored.at.id).or_insert_with(|| Arc::clone(&stored.tile));
            if stored.tile.width() > kept.width() {
                *kept = Arc::clone(&stored.tile);
            }
        }
        self.pages.extend(append.pages.iter().cloned());
        let version = append.committed.map_head().version;
        self.superseded.extend(append.superseded.iter().map(|page| (version, *page)));
        for committed in append.earlier.iter().chain([&append.committed]) {
            self.commits.insert(committed.length().get(), *committed);
        }
    }

    fn change_log(&mut self, change: &LogChange) {
        let LogChange { log, rows } = change;
        let Some(head) = rows.head else { return };
        let row = self.logs.entry(*log).or_insert_with(|| Log::new(head));
        row.head = head;
        row.name.clone_from(&rows.name);
        row.keys.extend(rows.keys.iter().map(|key| (key.id(), key.clone())));
        row.permissions.extend(rows.permissions.iter().cloned());
        row.items.extend(rows.items.iter().cloned());
    }
}

impl Log {
    fn new(head: Head) -> Self {
        Self {
            head,
            name: None,
            keys: BTreeMap::new(),
            permissions: BTreeMap::new(),
            items: BTreeMap::new(),
        }
    }

    fn rows(&self) -> LogRows {
        let owned = |(key, value): (&KeyId, &String)| (key.clone(), value.clone());
        LogRows {
            head: Some(self.head),
            name: self.name.clone(),
            keys: self.keys.values().cloned().collect(),
            permissions: self.permissions.iter().map(owned).collect(),
            items: self.items.iter().map(|(item, state)| (item.clone(), state.clone())).collect(),
        }
    }
}
