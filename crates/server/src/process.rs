//! What the engine does not own, for a process with threads; and the engine with all its parts.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use wargate_protocol::{OperatorEntry, Timestamp};
use wargate_registry::blobs::Blobs;
use wargate_registry::limits::Limits;
use wargate_registry::policy::{ContentPolicy, RecordPolicy};
use wargate_registry::seams::{Clock, InPlace, Offload};
use wargate_registry::store::Store;
use wargate_registry::usage::Quotas;
use wargate_registry::{Driver, Parts, Registry, Tools};
use wargate_store_sqlite::{SqliteIndex, SqliteStore};

use crate::content_store;
use crate::data_dir::DataDir;
use crate::keys::{KeyFiles, KeyRing};
use crate::metrics::{MeasuredStore, Metrics};
use crate::pause::Switch;

/// The clock of the machine.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Timestamp::new(seconds, since.subsec_nanos()).unwrap_or(Timestamp::EPOCH)
    }
}

/// Blocking work goes to tokio's threads for it.
#[derive(Clone, Debug)]
pub(crate) struct BlockingThreads(tokio::runtime::Handle);

impl BlockingThreads {
    /// Those of the runtime that this is called in.
    pub(crate) fn current() -> Self {
        Self(tokio::runtime::Handle::current())
    }
}

impl Offload for BlockingThreads {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        // What it logs belongs to whoever asked.
        let span = tracing::Span::current();
        // Whoever asked waits for the answer, not for the task.
        drop(self.0.spawn_blocking(move || span.in_scope(work)));
    }
}

/// What the registry is opened with.
pub(crate) struct Setup {
    pub(crate) limits: Limits,
    pub(crate) quotas: Quotas,
    pub(crate) record_policies: Vec<Arc<dyn RecordPolicy>>,
    pub(crate) content_policies: Vec<Arc<dyn ContentPolicy>>,
    pub(crate) define_namespaces: bool,
    /// Entries of the first record, if the registry is new.
    pub(crate) entries: Vec<OperatorEntry>,
}

/// A registry with what belongs to its process.
pub(crate) struct Opened {
    pub(crate) registry: Arc<Registry>,
    pub(crate) keys: Arc<KeyRing>,
    /// Pauses it.
    pub(crate) switch: Switch,
    /// Whether the operator's key was made just now.
    pub(crate) new_key: bool,
}

/// Opens the stores of a data directory.
pub(crate) fn stores(data_dir: &DataDir) -> Result<(Arc<SqliteStore>, Arc<dyn Blobs>)> {
    Ok((Arc::new(open_store(data_dir)?), content_store::open(data_dir)?))
}

/// Opens the stores of a data directory that a server may use at the same time. A database of an older
/// format is left as it is, and an error.
pub(crate) fn stores_beside(data_dir: &DataDir) -> Result<(Arc<SqliteStore>, Arc<dyn Blobs>)> {
    let database = data_dir.database();
    let store = SqliteStore::open_as_it_is(&database)
        .with_context(|| format!("cannot open the database {}", database.display()))?;
    Ok((Arc::new(store), content_store::open(data_dir)?))
}

/// The time, in seconds of the Unix epoch.
pub(crate) fn now_seconds() -> u64 {
    u64::try_from(SystemClock.now().seconds()).unwrap_or(0)
}

fn open_store(data_dir: &DataDir) -> Result<SqliteStore> {
    let database = data_dir.database();
    SqliteStore::open(&database)
        .with_context(|| format!("cannot open the database {}", database.display()))
}

fn open_index(data_dir: &DataDir) -> Result<SqliteIndex> {
    let path = data_dir.index();
    SqliteIndex::open(&path).with_context(|| {
        format!(
            "cannot open the index {}\nhint: it can be removed while no server runs, and is made again",
            path.display()
        )
    })
}

/// Opens the registry, or begins one.
pub(crate) fn open(
    data_dir: &DataDir,
    files: KeyFiles,
    setup: Setup,
    offload: Option<Arc<dyn Offload>>,
    metrics: Option<&Arc<Metrics>>,
) -> Result<Opened> {
    let is_new = !data_dir.database().exists();
    let (keys, new_key) = KeyRing::load(files, is_new)?;
    let keys = Arc::new(keys);
    let (readers, blobs) = stores(data_dir)?;
    // The writer has a connection of its own, and waits for none of those who read.
    let database = data_dir.database();
    let writer = SqliteStore::open_for_one(&database)
        .with_context(|| format!("cannot open the database {}", database.display()))?;
    let (writer, readers) = (measured(Arc::new(writer), metrics), measured(readers, metrics));
    let tools = Tools {
        store: writer,
        clock: Arc::new(SystemClock),
        signer: Arc::<KeyRing>::clone(&keys),
        record_policies: setup.record_policies,
        content_policies: setup.content_policies,
        define_namespaces: setup.define_namespaces,
        limits: setup.limits,
        quotas: Arc::new(setup.quotas),
    };
    let driver = if offload.is_some() { Driver::Thread } else { Driver::Caller };
    let parts = Parts {
        tools,
        blobs,
        offload: offload.unwrap_or_else(|| Arc::new(InPlace)),
        readers,
        index: Arc::new(open_index(data_dir)?),
        driver,
    };
    let registry = Registry::open(parts, &setup.entries)?;
    let switch = Switch::new(data_dir.path());
    switch.apply(&registry)?;
    Ok(Opened { registry, keys, switch, new_key })
}

/// Opens the registry for a command that only the operator's machine runs, without a server.
pub(crate) fn open_alone(data_dir: &DataDir, files: KeyFiles) -> Result<Opened> {
    let setup = Setup {
        limits: Limits::default(),
        quotas: Quotas::default(),
        record_policies: Vec::new(),
        content_policies: Vec::new(),
        define_namespaces: false,
        entries: Vec::new(),
    };
    open(data_dir, files, setup, None, None)
}

fn measured(store: Arc<dyn Store>, metrics: Option<&Arc<Metrics>>) -> Arc<dyn Store> {
    match metrics {
        Some(metrics) => Arc::new(MeasuredStore::new(store, Arc::clone(metrics))),
        None => store,
    }
}
