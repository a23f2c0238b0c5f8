//! Publishing many new packages over many connections, against any Warg server.
//!
//! All records are signed before the clock starts, and a package counts when the server says that it
//! is published. The clock stops when a signed checkpoint covers all of them; that they are in the log
//! and in the map of that checkpoint is then verified for a sample.

mod connection;
mod package;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use tokio::task::JoinSet;
use wargate_api::fetch::SignedCheckpoint;
use wargate_api::paths;
use wargate_api::proof::{InclusionRequest, InclusionResponse};
use wargate_protocol::{LogLeaf, MapLeaf, RegistryIndex};
use wargate_transparency::log::{LeafIndex, LogLength, LogProofBundle};
use wargate_transparency::map::MapProofBundle;

pub use self::connection::{Connection, Kind};
pub use self::package::{Package, Workload};
use crate::process::Process;

/// How many packages of a run have their proofs verified.
const SAMPLE: usize = 200;

/// How long a checkpoint may take to cover what was published.
const PATIENCE: Duration = Duration::from_mins(1);

/// The server under load.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Connections at the same time, each with one request at a time.
    pub connections: usize,
    /// Its process, if it is on this machine: for its share of the processor.
    pub process: Option<Process>,
}

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Packages that were sent.
    pub packages: usize,
    /// Packages that are published and covered by a checkpoint.
    pub published: usize,
    /// Why others are not, and how many.
    pub errors: BTreeMap<String, usize>,
    /// Size of each package's content.
    pub content_bytes: usize,
    /// Connections.
    pub connections: usize,
    /// From the first request to the checkpoint that covers all.
    pub seconds: f64,
    /// Published packages in a second.
    pub per_second: f64,
    /// From the record's first byte to the answer that it is published: the median.
    pub p50_ms: f64,
    /// One of a hundred takes longer.
    pub p99_ms: f64,
    /// Processors that the generator kept busy.
    pub generator_processors: f64,
    /// Processors that the server kept busy, if its process is known.
    pub server_processors: Option<f64>,
    /// Where the packages' records stand, in the order of the packages.
    #[serde(skip)]
    pub places: Vec<RegistryIndex>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { published, packages, seconds, per_second, p50_ms, p99_ms, .. } = self;
        writeln!(f, "published and provable  {published} of {packages} in {seconds:.1} s")?;
        writeln!(f, "rate                    {per_second:.0} packages/s")?;
        writeln!(f, "latency                 {p50_ms:.1} ms median, {p99_ms:.1} ms of 99 %")?;
        write!(f, "processors, generator   {:.2}", self.generator_processors)?;
        if let Some(server) = self.server_processors {
            write!(f, "\nprocessors, server      {server:.2}")?;
        }
        for (error, times) in &self.errors {
            write!(f, "\n{times:>6} times           {error}")?;
        }
        Ok(())
    }
}

/// A package and where it stands.
struct Done {
    package: usize,
    index: RegistryIndex,
    took: Duration,
}

#[derive(Default)]
struct Tally {
    done: Vec<Done>,
    errors: BTreeMap<String, usize>,
}

/// Publishes packages, telling on the way how many are done.
///
/// # Errors
/// If the server cannot be reached, no checkpoint covers what it called published, or a proof is wrong.
/// Single packages that fail are counted, not errors.
pub async fn run(
    target: Target,
    packages: Vec<Package>,
    progress: fn(done: usize, of: usize),
) -> Result<Report> {
    let (count, content_bytes) = (packages.len(), packages.first().map_or(0, Package::size));
    let mut connections = Vec::new();
    for _ in 0..target.connections {
        connections.push(Connection::open(target.address).await?);
    }
    let packages = Arc::new(packages);
    let next = Arc::new(AtomicUsize::new(0));
    let before = processors(target)?;
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for connection in connections {
        workers.spawn(work(connection, Arc::clone(&packages), Arc::clone(&next), progress));
    }
    let mut all = Tally::default();
    while let Some(tally) = workers.join_next().await {
        let Tally { done, errors } = tally?;
        all.done.extend(done);
        for (why, times) in errors {
            *all.errors.entry(why).or_default() += times;
        }
    }
    let mut connection = Connection::open(target.address).await?;
    let checkpoint = covering(&mut connection, &all.done).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = processors(target)?;
    verify(&mut connection, &checkpoint, &packages, &all.done).await?;
    all.done.sort_unstable_by_key(|done| done.package);
    let mut times: Vec<_> = all.done.iter().map(|done| done.took).collect();
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    let per_second = all.done.len() as f64 / seconds;
    let busy =
        |of: fn(&(f64, Option<f64>)) -> Option<f64>| Some((of(&after)? - of(&before)?) / seconds);
    Ok(Report {
        packages: count,
        published: all.done.len(),
        errors: all.errors,
        content_bytes,
        connections: target.connections,
        seconds,
        per_second,
        p50_ms: quantile(&times, 50),
        p99_ms: quantile(&times, 99),
        generator_processors: busy(|it| Some(it.0)).unwrap_or_default(),
        server_processors: busy(|it| it.1),
        places: all.done.iter().map(|done| done.index).collect(),
    })
}

/// Seconds on a processor: of this process and of the server's.
fn processors(target: Target) -> Result<(f64, Option<f64>)> {
    let server = target.process.map(Process::busy_seconds).transpose()?;
    Ok((Process::this().busy_seconds()?, server))
}

async fn work(
    mut connection: Connection,
    packages: Arc<Vec<Package>>,
    next: Arc<AtomicUsize>,
    progress: fn(usize, usize),
) -> Tally {
    let mut tally = Tally::default();
    let step = (packages.len() / 20).max(1);
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(package) = packages.get(number) else { return tally };
        if number.is_multiple_of(step) {
            progress(number, packages.len());
        }
        let began = Instant::now();
        match package.publish(&mut connection).await {
            Ok(index) => tally.done.push(Done { package: number, index, took: began.elapsed() }),
            Err(error) => *tally.errors.entry(format!("{error:#}")).or_default() += 1,
        }
    }
}

/// A checkpoint that covers all that is done.
async fn covering(connection: &mut Connection, done: &[Done]) -> Result<SignedCheckpoint> {
    let last = done.iter().map(|done| done.index).max().context("nothing was published")?;
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        let checkpoint: SignedCheckpoint = connection.fetch(paths::FETCH_CHECKPOINT).await?;
        if checkpoint.contents.checkpoint.log_length.contains(last) {
            return Ok(checkpoint);
        }
    }
    bail!("no checkpoint covers the record at {last}, which is said to be published");
}

async fn verify(
    connection: &mut Connection,
    checkpoint: &SignedCheckpoint,
    packages: &[Package],
    done: &[Done],
) -> Result<()> {
    let checkpoint = &checkpoint.contents.checkpoint;
    let sample: Vec<_> = done.iter().step_by(done.len().div_ceil(SAMPLE).max(1)).collect();
    let request = InclusionRequest {
        log_length: checkpoint.log_length,
        leafs: sample.iter().map(|done| done.index).collect(),
    };
    let proofs: InclusionResponse = connection.ask(paths::PROVE_INCLUSION, &request).await?;
    let (mut in_log, mut in_map) = (Vec::new(), Vec::new());
    for done in sample {
        let (log_id, record_id) = packages.get(done.package).context("a package of the run")?.ids();
        let index = LeafIndex::new(done.index.get()).context("a place in a log")?;
        in_log.push((index, LogLeaf { log_id, record_id }.hash()));
        in_map.push((log_id.map_path(), MapLeaf { record_id }.hash()));
    }
    let length = LogLength::new(checkpoint.log_length.get()).context("the length of a log")?;
    let log = LogProofBundle::decode(&proofs.log)?;
    log.verify_inclusion(length, &in_log, &checkpoint.log_root).context("a proof is wrong")?;
    let map = MapProofBundle::decode(&proofs.map)?;
    map.verify(&in_map, checkpoint.map_root).context("a proof of the map is wrong")?;
    ensure!(!in_log.is_empty(), "nothing was published");
    Ok(())
}

/// The time that so many of a hundred are below, in milliseconds.
fn quantile(sorted: &[Duration], percent: usize) -> f64 {
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}
