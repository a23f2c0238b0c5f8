//! A small registry beside a large one: memory, times of single requests, and how long a restart takes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use serde::Serialize;
use tokio::task::JoinSet;
use wargate_api::fetch::{FetchLogsRequest, SignedCheckpoint};
use wargate_api::paths;
use wargate_api::proof::{ConsistencyRequest, InclusionRequest};
use wargate_protocol::{LogId, LogLength};

use crate::comparison::{Limit, Table, median};
use crate::hammer::{self, Connection, Content, Kind, Report, Target, Until, Workload};
use crate::process::{End, Memory, Serve, Server};

/// How much more a registry may take that is larger: memory, and time for a request.
const RATIO_MAX: f64 = 1.2;
/// What a request may take longer in any case, in microseconds: a few pages that the database's own
/// memory has of a small file, and only the system's of a large one.
const CACHED_MICROS: f64 = 50.0;
/// How long it may take until a process that was started answers, in milliseconds.
const RESTART_MS_MAX: f64 = 200.0;
/// Requests of each kind before memory is looked at and times are taken.
const WARMING: usize = 2000;
/// Requests of each kind that are timed, in alternating rounds.
const ROUNDS: usize = 20;
const REQUESTS_PER_ROUND: usize = 50;
/// Connections that ask at once before times are taken.
const CROWD: usize = 64;
/// Restarts of each kind.
const RESTARTS: usize = 5;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's program.
    pub program: PathBuf,
    /// Where data goes.
    pub folder: PathBuf,
    /// Packages of the small registry and of the large one.
    pub packages: [usize; 2],
    /// Connections that publish.
    pub connections: usize,
    /// Bytes of each package's content.
    pub content_bytes: usize,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// The large registry beside the small one.
    pub table: Table,
    /// How the registries were filled.
    pub loads: [Report; 2],
    /// What the processes kept in memory after that.
    pub memory: [Memory; 2],
}

/// A registry with its packages in it.
struct Size {
    server: Server,
    data_dir: PathBuf,
    load: Report,
    memory: Memory,
    logs: Vec<LogId>,
    checkpoint: SignedCheckpoint,
    connection: Connection,
}

/// Requests that are timed.
#[derive(Clone, Copy, Debug)]
enum Question {
    Page,
    Inclusion,
    Consistency,
}

const QUESTIONS: &[(Question, &str)] = &[
    (Question::Page, "a page of a log"),
    (Question::Inclusion, "a proof of inclusion, 2 leaves"),
    (Question::Consistency, "a proof of consistency"),
];

/// Fills both registries and compares them.
///
/// # Errors
/// If a server does not start, or an answer is wrong.
pub fn compare(plan: &Plan, say: fn(&str)) -> Result<Comparison> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let fill = |packages| {
        say(&format!("publishing {packages} packages"));
        runtime.block_on(fill(plan, packages))
    };
    let [small, large] = plan.packages;
    let mut sizes = [fill(small)?, fill(large)?];
    let loads = sizes.each_ref().map(|size| size.load.clone());
    let memory = sizes.each_ref().map(|size| size.memory);
    let mut table = Table::new(large.to_string(), small.to_string());
    memory_rows(&mut table, &memory);
    for (question, name) in QUESTIONS {
        say(&format!("timing {name}"));
        let [(small, short), (large, long)] = runtime.block_on(time(&mut sizes, *question))?;
        // A proof grows with the logarithm of the tree, and what it takes to make it with it.
        let growth = (long / short).max(1.0);
        let limit = Limit::RatioOrMore(RATIO_MAX * growth, CACHED_MICROS);
        table.beside(format!("{name}, µs"), large, small, limit);
    }
    let mut servers = sizes.map(|size| (size.server, size.data_dir));
    for (end, name) in [(End::Kill, "kill"), (End::Terminate, "stop")] {
        say(&format!("restarting after a {name}"));
        let mut times = Vec::new();
        for (server, data_dir) in servers {
            times.push(runtime.block_on(restart(&plan.program, server, data_dir, end))?);
        }
        let [small, large] = <[Restarts; 2]>::try_from(times).ok().context("two sizes")?;
        let limit = Limit::Most(RESTART_MS_MAX);
        let name = |what| format!("first answer after a {name}, {what}, ms");
        table.beside(name("median"), large.median_ms, small.median_ms, limit);
        table.beside(name("slowest"), large.slowest_ms, small.slowest_ms, limit);
        servers = [small, large].map(|restarts| (restarts.server, restarts.data_dir));
    }
    Ok(Comparison { table, loads, memory })
}

fn memory_rows(table: &mut Table, [small, large]: &[Memory; 2]) {
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^53")]
    let mut row = |name: &str, of: fn(&Memory) -> u64| {
        let (small, large) = (of(small) as f64 / 1024.0, of(large) as f64 / 1024.0);
        table.beside(name, large, small, Limit::Ratio(RATIO_MAX));
    };
    row("memory, MiB", |it| it.resident_kib);
    row("of it, heaps and stacks, MiB", |it| it.anonymous_kib);
    row("the most memory, MiB", |it| it.peak_kib);
}

/// Starts a registry and publishes into it.
async fn fill(plan: &Plan, packages: usize) -> Result<Size> {
    let data_dir = plan.folder.join(packages.to_string());
    let server = Server::start(&plan.program, &data_dir, &Serve::default())?;
    let namespace = "scale".to_owned();
    let workload = Workload {
        packages,
        content_bytes: plan.content_bytes,
        namespace,
        run: 1,
        content: Content::Module,
    };
    let prepared = workload.prepare()?;
    let logs = prepared.iter().map(|package| package.ids().0).collect();
    let (address, process) = (server.address, Some(server.process()));
    let target = Target { address, connections: plan.connections, rate: None, process };
    let load = hammer::publish(target, prepared, Until::Published, &|_| ()).await?;
    ensure!(load.done == packages, "not all was published: {:?}", load.errors);
    let mut connection = Connection::open(address).await?;
    let checkpoint = connection.fetch(paths::FETCH_CHECKPOINT).await?;
    let memory = server.process().memory()?;
    let mut size = Size { server, data_dir, load, memory, logs, checkpoint, connection };
    // As after some use: all that is kept for reading is there, and nothing is under way.
    for number in 0..WARMING {
        for (question, _) in QUESTIONS {
            size.ask(*question, number).await?;
        }
    }
    size.memory = size.server.process().memory()?;
    Ok(size)
}

impl Size {
    /// Asks and returns the size of the answer.
    async fn ask(&mut self, question: Question, number: usize) -> Result<usize> {
        let (path, body) = self.request(question, number)?;
        send(&mut self.connection, path, body).await
    }

    /// Asks over many connections at once, so that the server has all the threads that it may have. One
    /// that was busy a moment ago has more of them than one that was idle, and is slower for it.
    async fn crowd(&self) -> Result<()> {
        let mut asked = JoinSet::new();
        for number in 0..CROWD {
            let (path, body) = self.request(Question::Inclusion, number)?;
            let mut connection = Connection::open(self.server.address).await?;
            asked.spawn(async move {
                for _ in 0..CROWD {
                    send(&mut connection, path, body.clone()).await?;
                }
                Ok::<_, anyhow::Error>(())
            });
        }
        asked.join_all().await.into_iter().collect()
    }

    /// A request that depends on a number; no two that follow each other are alike.
    fn request(&self, question: Question, number: usize) -> Result<(&'static str, Bytes)> {
        let places = &self.load.places;
        let at = |number: usize| number.wrapping_mul(7919) % places.len();
        let (one, other) = (at(number), at(number + 1));
        let log_length = self.checkpoint.contents.checkpoint.log_length;
        Ok(match question {
            Question::Page => {
                let packages = self.logs.get(one).map(|log| (*log, None)).into_iter().collect();
                let request =
                    FetchLogsRequest { log_length, limit: None, operator: None, packages };
                (paths::FETCH_LOGS, serde_json::to_vec(&request)?.into())
            }
            Question::Inclusion => {
                let leafs = [one, other].iter().filter_map(|at| places.get(*at)).copied().collect();
                let request = InclusionRequest { log_length, leafs };
                (paths::PROVE_INCLUSION, serde_json::to_vec(&request)?.into())
            }
            Question::Consistency => {
                let from = LogLength::new(places.get(one).map_or(1, |place| place.get()));
                let request = ConsistencyRequest { from, to: log_length };
                (paths::PROVE_CONSISTENCY, serde_json::to_vec(&request)?.into())
            }
        })
    }
}

async fn send(connection: &mut Connection, path: &str, body: Bytes) -> Result<usize> {
    let (status, answer) = connection.send(Method::POST, path, Some((Kind::Json, body))).await?;
    ensure!(status == StatusCode::OK, "{path} was answered {status}");
    Ok(answer.len())
}

/// Median time of a request in microseconds, and how many bytes all answers have. The rounds alternate, so that a machine that slows down
/// does so for both.
async fn time(sizes: &mut [Size; 2], question: Question) -> Result<[(f64, f64); 2]> {
    for size in &*sizes {
        size.crowd().await?;
    }
    let mut times = [(Vec::new(), 0.0), (Vec::new(), 0.0)];
    for round in 0..ROUNDS {
        for (size, (times, bytes)) in sizes.iter_mut().zip(&mut times) {
            for number in 0..REQUESTS_PER_ROUND {
                let began = Instant::now();
                let answer = size.ask(question, round * REQUESTS_PER_ROUND + number).await?;
                *bytes += f64::from(u32::try_from(answer)?);
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
        }
    }
    Ok(times.map(|(times, bytes)| (median(times), bytes)))
}

/// A server that was started again, and how long that took.
struct Restarts {
    server: Server,
    data_dir: PathBuf,
    median_ms: f64,
    slowest_ms: f64,
}

/// From the start of the process to the answer that has its newest checkpoint.
async fn restart(
    program: &Path,
    mut server: Server,
    data_dir: PathBuf,
    end: End,
) -> Result<Restarts> {
    let mut times = Vec::new();
    for _ in 0..RESTARTS {
        server.end(end)?;
        let began = Instant::now();
        server = Server::start(program, &data_dir, &Serve::default())?;
        let mut connection = Connection::open(server.address).await?;
        let _: SignedCheckpoint = connection.fetch(paths::FETCH_CHECKPOINT).await?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    let slowest_ms = times.iter().copied().fold(0.0, f64::max);
    Ok(Restarts { server, data_dir, median_ms: median(times), slowest_ms })
}
