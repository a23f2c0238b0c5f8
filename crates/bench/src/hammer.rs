//! Publishing many new packages over many connections, against any Warg server, and asking for them.
//!
//! All records are signed before the clock starts, and a package counts when the server says that it
//! is published. The clock stops when a signed checkpoint covers all of them; that they are in the log
//! and in the map of that checkpoint is then verified for a sample.

mod connection;
mod drive;
mod package;
mod reading;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use wargate_api::fetch::SignedCheckpoint;
use wargate_api::paths;
use wargate_api::proof::{InclusionRequest, InclusionResponse};
use wargate_protocol::{LogLeaf, MapLeaf, RegistryIndex};
use wargate_transparency::log::{LeafIndex, LogLength, LogProofBundle};
use wargate_transparency::map::MapProofBundle;

pub use self::connection::{Connection, Kind};
pub use self::drive::{Amount, Busy, Target, Work, drive};
pub use self::package::{Content, Package, Workload};
pub use self::reading::{Published, Question, read};

/// How many packages of a run have their proofs verified.
const SAMPLE: usize = 200;

/// How long a checkpoint may take to cover what was published.
const PATIENCE: Duration = Duration::from_mins(1);

/// What came of a run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// What was done.
    pub what: String,
    /// How often it was tried.
    pub asked: usize,
    /// How often it was done. Packages are published then and covered by a checkpoint.
    pub done: usize,
    /// Why others were not, and how many.
    pub errors: BTreeMap<String, usize>,
    /// Size of each package's content that was sent.
    pub content_bytes: usize,
    /// Bytes of all answers, if they were counted.
    pub answer_bytes: usize,
    /// Connections.
    pub connections: usize,
    /// How many began in a second, if not as many as were answered.
    pub rate: Option<f64>,
    /// How often it was done in a second.
    pub per_second: f64,
    /// How long it took: the median. For packages, from the record's first byte to the answer that it is
    /// published.
    pub p50_ms: f64,
    /// One of a hundred takes longer.
    pub p99_ms: f64,
    /// From the first request to the last answer, or to the checkpoint that covers all packages.
    pub busy: Busy,
    /// Where the packages' records stand, in the order of the packages.
    #[serde(skip)]
    pub places: Vec<RegistryIndex>,
}

impl Report {
    fn new(what: &str, target: Target, asked: usize, done: usize, busy: Busy) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
        let per_second = done as f64 / busy.seconds;
        Self {
            what: what.to_owned(),
            asked,
            done,
            errors: BTreeMap::new(),
            content_bytes: 0,
            answer_bytes: 0,
            connections: target.connections,
            rate: target.rate,
            per_second,
            p50_ms: f64::NAN,
            p99_ms: f64::NAN,
            busy,
            places: Vec::new(),
        }
    }

    fn with_times(self, p50_ms: f64, p99_ms: f64) -> Self {
        Self { p50_ms, p99_ms, ..self }
    }

    fn with_bytes(self, answer_bytes: usize) -> Self {
        Self { answer_bytes, ..self }
    }

    fn with_errors(self, errors: BTreeMap<String, usize>) -> Self {
        Self { errors, ..self }
    }

    /// Bytes of answers in a second, in millions.
    pub fn megabytes_per_second(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
        let bytes = self.answer_bytes as f64;
        bytes / self.busy.seconds / 1e6
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, done, asked, connections, per_second, p50_ms, p99_ms, busy, .. } = self;
        writeln!(f, "{what:<24}{done} of {asked} in {:.1} s", busy.seconds)?;
        write!(f, "connections             {connections}")?;
        match self.rate {
            Some(rate) => writeln!(f, ", {rate:.0} begin in a second")?,
            None => writeln!(f, ", each with one at a time")?,
        }
        writeln!(f, "rate                    {per_second:.0} in a second")?;
        if self.answer_bytes > 0 {
            writeln!(f, "answers                 {:.1} MB/s", self.megabytes_per_second())?;
        }
        writeln!(f, "latency                 {p50_ms:.2} ms median, {p99_ms:.2} ms of 99 %")?;
        write!(f, "processors, generator   {:.2}", busy.generator)?;
        if let Some(server) = busy.server {
            write!(f, "\nprocessors, server      {server:.2}")?;
        }
        for (error, times) in &self.errors {
            write!(f, "\n{times:>6} times           {error}")?;
        }
        Ok(())
    }
}

/// When a package counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// The server says that it is published.
    Published,
    /// The server has taken its content. For one that publishes by a timer.
    Accepted,
}

/// Publishes packages, telling on the way how many are done.
///
/// # Errors
/// If the server cannot be reached, no checkpoint covers what it called published, or a proof is wrong.
/// Single packages that fail are counted, not errors.
pub async fn publish(
    target: Target,
    packages: Vec<Package>,
    until: Until,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Report> {
    let (count, content_bytes) = (packages.len(), packages.first().map_or(0, Package::size));
    let work = Arc::new(Publishing { packages, until });
    let mut driven = drive(target, Amount::Items(count), Arc::clone(&work), progress).await?;
    driven.done.sort_unstable_by_key(|(number, ..)| *number);
    let mut connection = Connection::open(target.address).await?;
    // Of one with a timer the clock stops before it.
    let mut busy = driven.busy(target)?;
    let mut done = Vec::with_capacity(driven.done.len());
    for (number, index, _) in &driven.done {
        let index = match index {
            Some(index) => *index,
            None => work.packages.get(*number).context("its own")?.wait(&mut connection).await?,
        };
        done.push(Done { package: *number, index });
    }
    let checkpoint = covering(&mut connection, &done).await?;
    if until == Until::Published {
        busy = driven.busy(target)?;
    }
    verify(&mut connection, &checkpoint, &work.packages, &done).await?;
    let [p50_ms, p99_ms] = driven.quantiles([50, 99]);
    let what = match until {
        Until::Published => "published and provable",
        Until::Accepted => "accepted",
    };
    let places = done.iter().map(|done| done.index).collect();
    let report = Report::new(what, target, count, done.len(), busy);
    let report = report.with_times(p50_ms, p99_ms).with_errors(driven.errors);
    Ok(Report { content_bytes, places, ..report })
}

/// Packages to publish, by their number.
struct Publishing {
    packages: Vec<Package>,
    until: Until,
}

impl Work for Publishing {
    /// Where it stands, if that is known.
    type Done = Option<RegistryIndex>;

    async fn once(
        &self,
        connection: &mut Connection,
        number: usize,
    ) -> Result<Option<RegistryIndex>> {
        let package = self.packages.get(number).context("no more than there are")?;
        package.publish(connection, self.until).await
    }
}

/// A package and where it stands.
struct Done {
    package: usize,
    index: RegistryIndex,
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
