//! All that a store answers, to compare two of them.

use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLeaf, LogLength, RecordId, RegistryIndex};
use wargate_registry::store::{
    Committed, ContentRow, LogQuery, LogRow, LogRows, LoggedRecord, PendingCounts, PendingRecord,
    PendingState, Store, StoreError, StoreHead, StoreResult,
};
use wargate_registry::usage::{Subject, Usage};
use wargate_transparency::log::{LogLength as TreeLength, Tile, TileId};
use wargate_transparency::map::PageId;

use super::history::{History, digest, held, item, log_id};

/// More of anything than a test has.
pub const ALL: usize = 100_000;

/// What to ask about, beside the history itself.
#[derive(Clone, Copy, Debug)]
pub struct Universe {
    /// Logs 0 to here, exclusive.
    pub logs: u64,
    /// Records with numbers 0 to here, exclusive, of every log.
    pub serials: u64,
    /// Contents 0 to here, exclusive.
    pub contents: u64,
}

/// All that a store answers about a history.
#[derive(Debug, PartialEq)]
pub struct Answers {
    head: Option<StoreHead>,
    commits: Vec<Committed>,
    commit_at: Vec<Option<Committed>>,
    records: Vec<LoggedRecord>,
    log_records: Vec<Vec<LoggedRecord>>,
    indices: Vec<Option<RegistryIndex>>,
    leaves: Vec<Option<LogLeaf>>,
    pending: Vec<Option<PendingRecord>>,
    ready: Vec<PendingRecord>,
    oldest: Vec<PendingRecord>,
    counts: PendingCounts,
    content: Vec<Option<ContentRow>>,
    contents: Vec<ContentRow>,
    tiles: Vec<Tile>,
    pages: Vec<(PageId, Option<Vec<u8>>)>,
    log_rows: Vec<LogRows>,
    all_log_rows: Vec<LogRows>,
    logs: Vec<LogRow>,
    usages: Vec<(Subject, Usage)>,
    usage: Vec<Usage>,
    counted: LogLength,
    sourcing_of: Vec<u64>,
    unnamed: Vec<Vec<Digest>>,
}

/// Asks a store everything, with limits that are never reached.
pub fn answers(store: &dyn Store, history: &History, universe: Universe) -> Answers {
    let Universe { logs, serials, contents } = universe;
    let logs: Vec<LogId> = (0..logs).map(log_id).collect();
    let ids: Vec<(LogId, RecordId)> = ids(history, universe);
    let digests: Vec<Digest> = (0..contents).map(digest).collect();
    let length = history.length();
    let whole = LogLength::new(u64::MAX);
    let places: Vec<_> = (0..length.get() + 2).map(RegistryIndex::new).collect();
    let of_all = |log: &LogId| store.log_records(log, None, whole, ALL).unwrap();
    let seconds = history.committed.iter().flat_map(|it| [it.seconds - 1, it.seconds]);
    Answers {
        head: store.head().unwrap(),
        commits: store.commits(LogLength::EMPTY, ALL).unwrap(),
        commit_at: seconds.map(|second| store.commit_at(second).unwrap()).collect(),
        records: store.records(RegistryIndex::FIRST, ALL).unwrap(),
        log_records: logs.iter().map(of_all).collect(),
        indices: ids.iter().map(|(log, it)| store.record_index(log, it).unwrap()).collect(),
        leaves: store.leaves(&places).unwrap(),
        pending: ids.iter().map(|(log, it)| store.pending(log, it).unwrap()).collect(),
        ready: store.ready(ALL).unwrap(),
        oldest: store.pending_until(u64::MAX, ALL).unwrap(),
        counts: store.counts().unwrap(),
        content: digests.iter().map(|it| store.content(it).unwrap()).collect(),
        contents: store.contents(None, ALL).unwrap(),
        tiles: tiles(store, length),
        pages: history.pages.iter().map(|id| (*id, page(store, id))).collect(),
        log_rows: store.log_rows(&queries(&logs, history, serials)).unwrap(),
        all_log_rows: logs.iter().map(|log| store.all_log_rows(log).unwrap()).collect(),
        logs: store.logs(None, ALL).unwrap(),
        usages: store.all_usages(None, ALL).unwrap(),
        usage: store.usages(&(0..5).map(subject).collect::<Vec<_>>()).unwrap(),
        counted: store.counted().unwrap(),
        sourcing_of: (0..3).map(|it| store.sourcing_of(&history.key(it).id()).unwrap()).collect(),
        unnamed: (0..contents + 2)
            .map(|it| store.unnamed_until(unnamed_second(it), ALL).unwrap())
            .collect(),
    }
}

/// Records that miss this content, in the order of their admission.
pub fn waiting_for(store: &dyn Store, content: &Digest) -> Vec<PendingRecord> {
    let misses = |record: &PendingRecord| matches!(&record.state, PendingState::Sourcing(missing) if missing.contains(content));
    let pending = store.pending_until(u64::MAX, ALL).unwrap();
    pending.into_iter().filter(misses).collect()
}

/// One of a few who use something.
pub fn subject(number: u64) -> Subject {
    let name = format!("some-{number}");
    if number.is_multiple_of(2) { Subject::Namespace(name) } else { Subject::Key(name) }
}

/// A second at which some content may be unnamed and some may not.
pub fn unnamed_second(number: u64) -> u64 {
    super::history::FIRST_SECOND - 1 + number
}

/// The pages that the store still has, out of all that were written.
pub fn kept_pages(store: &dyn Store, history: &History) -> Vec<PageId> {
    history.pages.iter().filter(|id| page(store, id).is_some()).copied().collect()
}

/// Whether an answer is damage; any other failure fails the test.
pub fn damaged<T>(answer: StoreResult<T>) -> Option<T> {
    match answer {
        Ok(answer) => Some(answer),
        Err(StoreError::Damaged(_)) => None,
        Err(error @ StoreError::Unavailable(_)) => panic!("the store is not there: {error}"),
    }
}

fn page(store: &dyn Store, id: &PageId) -> Option<Vec<u8>> {
    let pages = damaged(store.pages(&[*id]))?;
    assert_eq!(pages.len(), 1);
    Some(pages[0].encode(id))
}

/// All tiles of a log of this length, each exactly as wide as asked.
fn tiles(store: &dyn Store, length: LogLength) -> Vec<Tile> {
    let length = TreeLength::new(length.get()).unwrap();
    let of_level = |level| {
        let ids = (0..).map_while(move |index| TileId::new(level, index));
        ids.map_while(move |id| id.at_length(length))
    };
    let wanted: Vec<_> = (0..8).flat_map(of_level).collect();
    let found = store.tiles(&wanted).unwrap();
    assert_eq!(found.len(), wanted.len());
    found.iter().map(|tile| Tile::clone(tile)).collect()
}

fn ids(history: &History, universe: Universe) -> Vec<(LogId, RecordId)> {
    let serials = |log| (0..universe.serials).map(move |serial| (log, serial));
    let samples = (0..universe.logs).flat_map(serials);
    let leaf = |(log, serial)| history.sample(log, serial).leaf;
    samples.map(leaf).map(|leaf| (leaf.log_id, leaf.record_id)).collect()
}

fn queries(logs: &[LogId], history: &History, serials: u64) -> Vec<LogQuery> {
    let queries = logs.iter().zip(1..).map(|(log, step)| LogQuery {
        log: *log,
        keys: (0..serials).step_by(step).map(|it| history.key(it).id()).collect(),
        permissions: (1..serials).step_by(step).map(|it| history.key(it).id()).collect(),
        items: (0..serials).rev().step_by(step).map(item).chain([held(0)]).collect(),
    });
    queries.collect()
}
