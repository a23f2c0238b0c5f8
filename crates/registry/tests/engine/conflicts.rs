//! Many publishers at once, and two writers on one store.

use std::sync::{Arc, Mutex};

use wargate_protocol::{Entry, LogLength, PackagePermission};
use wargate_registry::store::{
    Accounts, Batch, CommitError, Committed, ContentRow, Ledger, LogQuery, LogRow, LogRows,
    LoggedRecord, Nodes, Pending, PendingCounts, PendingRecord, Revision, Store, StoreHead,
    StoreResult,
};
use wargate_registry::{Driver, RecordStatus, Registry};
use wargate_testkit::memory_store::MemoryStore;

use wargate_testkit::world::{World, init, key, publish, published, record, release, submit};

/// Runs a registry's sequencer on a thread until the value is dropped.
struct Driven(Arc<Registry>, Option<std::thread::JoinHandle<()>>);

impl Driven {
    fn new(registry: &Arc<Registry>) -> Self {
        let driver = Arc::clone(registry);
        Self(Arc::clone(registry), Some(std::thread::spawn(move || driver.drive())))
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        self.0.close();
        self.1.take().unwrap().join().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_publishers_on_sixty_four_packages() {
    let mut world = World::new();
    world.driver = Driver::Thread;
    let registry = world.open();
    {
        let _driven = Driven::new(&registry);
        let publisher = |number: u8| {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move {
                let (author, package) = (key(number + 1), format!("test:p{number}"));
                let mut prev = None;
                for version in 0..4 {
                    let content = format!("{number} {version}").into_bytes();
                    let first = (version == 0).then(|| init(&author));
                    let release = release(&format!("1.0.{version}"), &content);
                    let record = record(&author, prev, first.into_iter().chain([release]));
                    published(&publish(&registry, &package, &record, &content).await);
                    prev = Some(record.record_id());
                }
            })
        };
        for task in (0..64).map(publisher).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    }
    assert_eq!(registry.newest().committed.length().get(), 1 + 64 * 4);
    world.check();
}

/// Every record names the same predecessor, so one of them is published and 63 are told why not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_publishers_on_one_package() {
    let mut world = World::new();
    world.driver = Driver::Thread;
    let registry = world.open();
    {
        let _driven = Driven::new(&registry);
        let owner = key(200);
        let permissions = [PackagePermission::Release];
        let grants = (0..64).map(|n| Entry::grant(key(n + 1).public_key(), permissions));
        let first = record(&owner, None, [init(&owner)].into_iter().chain(grants));
        published(&submit(&registry, "test:a", &first).await.unwrap());
        let mut prev = first.record_id();
        for round in 0..10 {
            let publisher = |number: u8| {
                let registry = Arc::clone(&registry);
                tokio::spawn(async move {
                    let content = format!("{round} {number}").into_bytes();
                    let release = release(&format!("{round}.0.{number}"), &content);
                    let record = record(&key(number + 1), Some(prev), [release]);
                    let status = publish(&registry, "test:a", &record, &content).await;
                    (record.record_id(), status)
                })
            };
            let mut winners = Vec::new();
            for task in (0..64).map(publisher).collect::<Vec<_>>() {
                match task.await.unwrap() {
                    (record, RecordStatus::Published { .. }) => winners.push(record),
                    (_, RecordStatus::Rejected { reason }) => {
                        assert!(reason.contains("does not follow"), "{reason}");
                    }
                    (_, status) => panic!("{status:?}"),
                }
            }
            assert_eq!(winners.len(), 1, "round {round}");
            prev = winners[0];
        }
    }
    assert_eq!(registry.newest().committed.length().get(), 2 + 10);
    world.check();
}

/// A store that lets somebody else go first at the moment of a commit.
struct Interloped {
    inner: Arc<MemoryStore>,
    first: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Store for Interloped {
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError> {
        let first = self.first.lock().unwrap().take();
        if let Some(first) = first {
            first();
        }
        self.inner.commit(expected, batch)
    }
}

macro_rules! forward {
    ($seam:ident { $(fn $name:ident(&self $(, $argument:ident: $type:ty)*) -> $answer:ty;)* }) => {
        impl $seam for Interloped {
            $(fn $name(&self $(, $argument: $type)*) -> StoreResult<$answer> {
                self.inner.$name($($argument),*)
            })*
        }
    };
}

type Subject = wargate_registry::usage::Subject;
type Usage = wargate_registry::usage::Usage;
type Key = wargate_crypto::KeyId;

forward!(Accounts {
    fn usages(&self, wanted: &[Subject]) -> Vec<Usage>;
    fn all_usages(&self, after: Option<&Subject>, limit: usize) -> Vec<(Subject, Usage)>;
    fn counted(&self) -> wargate_protocol::LogLength;
    fn sourcing_of(&self, signer: &Key) -> u64;
    fn unnamed_until(&self, second: u64, limit: usize) -> Vec<Hash>;
});

type Log = wargate_protocol::LogId;
type Index = wargate_protocol::RegistryIndex;
type Id = wargate_protocol::RecordId;
type Hash = wargate_crypto::Digest;
type Tiles = Vec<Arc<wargate_transparency::log::Tile>>;
type Pages = Vec<Arc<wargate_transparency::map::Page>>;

forward!(Ledger {
    fn head(&self) -> Option<StoreHead>;
    fn commits(&self, after: LogLength, limit: usize) -> Vec<Committed>;
    fn commit_of_length(&self, length: LogLength) -> Option<Committed>;
    fn commit_at(&self, second: u64) -> Option<Committed>;
    fn log_records(&self, log: &Log, after: Option<Index>, below: LogLength, limit: usize) -> Vec<LoggedRecord>;
    fn record_index(&self, log: &Log, record: &Id) -> Option<Index>;
    fn leaves(&self, indices: &[Index]) -> Vec<Option<wargate_protocol::LogLeaf>>;
    fn records(&self, from: Index, limit: usize) -> Vec<LoggedRecord>;
});

forward!(Pending {
    fn pending(&self, log: &Log, record: &Id) -> Option<PendingRecord>;
    fn ready(&self, limit: usize) -> Vec<PendingRecord>;
    fn pending_until(&self, second: u64, limit: usize) -> Vec<PendingRecord>;
    fn counts(&self) -> PendingCounts;
    fn content(&self, content: &Hash) -> Option<ContentRow>;
    fn contents(&self, after: Option<&Hash>, limit: usize) -> Vec<ContentRow>;
});

forward!(Nodes {
    fn tiles(&self, wanted: &[wargate_transparency::log::TileRef]) -> Tiles;
    fn pages(&self, wanted: &[wargate_transparency::map::PageId]) -> Pages;
    fn log_rows(&self, wanted: &[LogQuery]) -> Vec<LogRows>;
    fn all_log_rows(&self, log: &Log) -> LogRows;
    fn logs(&self, after: Option<&Log>, limit: usize) -> Vec<LogRow>;
    fn prune(&self, oldest: wargate_transparency::map::MapVersion, limit: usize) -> usize;
});

/// Two sequencers on one store: whoever comes second loses the comparison, looks again and goes on
/// from there. Neither can fork the log, whatever the order.
#[tokio::test]
async fn two_sequencers_cannot_fork_the_log() {
    for seed in 0..1000_u64 {
        let shared = Arc::new(MemoryStore::new());
        let interloped =
            Arc::new(Interloped { inner: Arc::clone(&shared), first: Mutex::new(None) });
        let world = World::over(Arc::<Interloped>::clone(&interloped));
        let mut other = World::over(Arc::<MemoryStore>::clone(&shared));
        other.blobs = Arc::clone(&world.blobs);
        let (one, two) = (world.open(), other.open());
        let mut bits = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut heads = [None, None];
        for step in 0..6_usize {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            // Both write to one package or each to its own, and one may cut in on the other.
            let package = usize::from(bits & 1 == 0);
            let (name, author) = (["test:a", "test:b"][package], key(2));
            let make = |head: Option<_>, version: usize| {
                let first = head.is_none().then(|| init(&author));
                let release = release(&format!("{version}.0.0"), b"x");
                record(&author, head, first.into_iter().chain([release]))
            };
            let mine = make(heads[package], 2 * step);
            let theirs = make(heads[package], 2 * step + 1);
            let theirs_id = theirs.record_id();
            let outcome = Arc::new(Mutex::new(None));
            if bits & 2 == 0 {
                let (two, outcome) = (Arc::clone(&two), Arc::clone(&outcome));
                *interloped.first.lock().unwrap() = Some(Box::new(move || {
                    let status = block_on(publish(&two, name, &theirs, b"x"));
                    *outcome.lock().unwrap() = Some(status);
                }));
            }
            let status = publish(&one, name, &mine, b"x").await;
            let theirs = outcome.lock().unwrap().take();
            heads[package] = match (&status, &theirs) {
                (RecordStatus::Published { .. }, None | Some(RecordStatus::Rejected { .. })) => {
                    Some(mine.record_id())
                }
                (RecordStatus::Rejected { .. }, Some(RecordStatus::Published { .. })) => {
                    Some(theirs_id)
                }
                other => panic!("seed {seed}, step {step}: {other:?}"),
            };
        }
        world.check();
    }
}

/// Everything here is in memory and never waits for long.
fn block_on<T: Send + 'static>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let run = || tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work);
        scope.spawn(run).join().unwrap()
    })
}
