//! Our client beside the reference implementation's, at the same server, over a long line; and beside
//! what a person notices, on one machine.
//!
//! Both are whole processes: what is measured is what somebody who types the command waits for. Serial
//! round trips are what the line adds to a command's time, in its own round-trip times.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use wargate_testkit::proxy::Proxy;

use crate::comparison::{Limit, Table, median};
use crate::graph;
use crate::hammer::{self, Content, Report, Target, Until, Workload};
use crate::process::{End, Process, Serve, Server};

/// Ours may take so much of the reference's time for one package.
const COLD_RATIO_MAX: f64 = 0.5;
/// Ours waits for the disk until it has what the registry said; theirs does not. In milliseconds.
const SYNC_MS: f64 = 50.0;
/// One command for many packages may take so much of the time of a command for each.
const MANY_RATIO_MAX: f64 = 0.1;
/// What is in the cache may take so long, in milliseconds.
const WARM_MS_MAX: f64 = 20.0;
/// What a command takes of a processor before it does anything, in milliseconds.
const START_MS_MAX: f64 = 5.0;
/// Packages that are got in one command.
const MANY: usize = 100;
/// Bytes of the package that is got out of the cache.
const LARGE_BYTES: usize = 1_000_000;
/// Packages of a registry of which some are locked.
const GRAPH: usize = 10_000;
/// Serial round trips of a lock on a machine that knows nothing yet.
const LOCK_TRIPS_MAX: f64 = 10.0;
/// Rounds of each measurement, alternating between the clients.
const ROUNDS: usize = 9;
/// Starts, of which the mean counts: Linux counts a process's time in hundredths of a second.
const STARTS: u32 = 400;

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's program.
    pub server: PathBuf,
    /// Our `warg`.
    pub ours: PathBuf,
    /// The reference implementation's `warg`.
    pub theirs: PathBuf,
    /// An empty folder for data and home directories.
    pub folder: PathBuf,
    /// Packages in the registry.
    pub packages: usize,
    /// How long the line takes in each direction.
    pub each_way: Duration,
}

/// All that was measured.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// Our client beside the other.
    pub table: Table,
    /// How the registry was filled.
    pub load: Report,
}

/// Fills a registry, and compares the clients at it.
///
/// # Errors
/// If a program cannot be started or fails.
pub fn compare(plan: &Plan, say: fn(&str)) -> Result<Comparison> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let data_dir = plan.folder.join("data");
    say(&format!("publishing {} packages", plan.packages));
    let (load, address) = runtime.block_on(fill(plan, &data_dir))?;
    let mut table = Table::new("warg", "warg 0.10.0");
    let mut cold = Vec::new();
    for (each_way, name) in [(Duration::ZERO, "no line"), (plan.each_way, "the line")] {
        say(&format!("getting one package over {name}"));
        let line = runtime.block_on(Line::open(plan, &data_dir, address, each_way))?;
        cold.push(one(plan, &line)?);
        line.server.end(End::Terminate)?;
    }
    let [near, far] = <[[f64; 2]; 2]>::try_from(cold).ok().context("two lines")?;
    let (limit, [ours, theirs]) = (Limit::Ratio(COLD_RATIO_MAX), far);
    table.beside("get one package, nothing known yet, ms", ours, theirs, limit);
    let trips = |client: usize| (far[client] - near[client]) / (2e3 * plan.each_way.as_secs_f64());
    table.beside("of it, serial round trips", trips(0), trips(1), Limit::Less);
    let limit = Limit::RatioOrMore(1.0, SYNC_MS);
    table.beside("the same without the line, ms", near[0], near[1], limit);
    say(&format!("getting {MANY} packages"));
    let line = runtime.block_on(Line::open(plan, &data_dir, address, plan.each_way))?;
    let (at_once, each) = many(plan, &line)?;
    let mut own = Table::new("one command", "one for each");
    own.beside(format!("get {MANY} packages, ms"), at_once, each, Limit::Ratio(MANY_RATIO_MAX));
    say("getting what is in the cache, and starting");
    table.within("get 1 MB that is in the cache, offline, ms", warm(plan, &line)?, WARM_MS_MAX);
    let start = start(plan, &line, &["--version"])?;
    table.within("processor to start, --version, ms", start, START_MS_MAX);
    let start = self::start(plan, &line, &["config", "show"])?;
    table.within("processor to read the configuration, ms", start, START_MS_MAX);
    line.server.end(End::Terminate)?;
    say(&format!("locking {} of {GRAPH} packages with 20 versions each", graph::NEEDED));
    let trips = lock(plan, &runtime, &data_dir, address)?;
    table.within("lock 500 packages, nothing known yet, serial round trips", trips, LOCK_TRIPS_MAX);
    let many = own.rows.into_iter().map(|mut row| {
        row.name.push_str("; one command beside one for each");
        row
    });
    table.rows.extend(many);
    Ok(Comparison { table, load })
}

/// Publishes small packages and a large one. Returns where the server listened.
async fn fill(plan: &Plan, data_dir: &Path) -> Result<(Report, SocketAddr)> {
    let server = Server::start(&plan.server, data_dir, &Serve::default())?;
    let address = server.address;
    let process = Some(server.process());
    let target = Target { address, connections: 32, rate: None, process };
    let workload = |packages, content_bytes, namespace: &str| {
        let (namespace, content) = (namespace.into(), Content::Bytes);
        Workload { packages, content_bytes, namespace, run: 1, content }.prepare()
    };
    let small = workload(plan.packages, 1000, "small")?;
    let load = hammer::publish(target, small, Until::Published, &|_| ()).await?;
    ensure!(load.done == plan.packages, "not all was published: {:?}", load.errors);
    let one = Target { connections: 1, ..target };
    let large = workload(1, LARGE_BYTES, "large")?;
    let large = hammer::publish(one, large, Until::Published, &|_| ()).await?;
    ensure!(large.done == 1, "the large package was not published: {:?}", large.errors);
    server.end(End::Terminate)?;
    Ok((load, address))
}

/// A registry behind a line.
struct Line {
    server: Server,
    url: String,
    _proxy: Proxy,
}

impl Line {
    async fn open(
        plan: &Plan,
        data_dir: &Path,
        address: SocketAddr,
        each_way: Duration,
    ) -> Result<Self> {
        let proxy = Proxy::distant(address, each_way).await?;
        let url = format!("http://{}/", proxy.address());
        let public_url = Some(url.clone());
        let serve = Serve { listen: Some(address), public_url, ..Serve::default() };
        let server = Server::start(&plan.server, data_dir, &serve)?;
        Ok(Self { server, url, _proxy: proxy })
    }
}

/// A person who has done nothing yet.
struct Person {
    home: PathBuf,
}

impl Person {
    fn new(plan: &Plan, name: &str) -> Result<Self> {
        let home = plan.folder.join(name);
        if home.exists() {
            fs::remove_dir_all(&home)?;
        }
        fs::create_dir_all(&home)?;
        Ok(Self { home })
    }

    /// Runs a program, and says how many milliseconds it took.
    fn run(&self, program: &Path, arguments: &[&str]) -> Result<f64> {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.home).env_clear().env("HOME", &self.home);
        command.stdin(Stdio::null());
        let began = Instant::now();
        let output =
            command.output().with_context(|| format!("{} cannot be started", program.display()))?;
        let took = began.elapsed().as_secs_f64() * 1e3;
        ensure!(
            output.status.success(),
            "{} {} failed: {}",
            program.display(),
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(took)
    }

    fn has(&self, file: &str) -> Result<()> {
        ensure!(self.home.join(file).is_file(), "no {file} was written");
        Ok(())
    }
}

/// A package of the load; no two that follow each other are neighbours in the log.
fn package(plan: &Plan, number: usize) -> String {
    format!("small:r1-p{}", number.wrapping_mul(7919) % plan.packages)
}

/// Milliseconds to get one package on a machine that knows nothing yet: ours, theirs.
fn one(plan: &Plan, line: &Line) -> Result<[f64; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..ROUNDS {
        let name = package(plan, round);
        let person = Person::new(plan, "ours")?;
        let get = ["get", "--registry", &line.url, &name, "--output", "out.wasm"];
        times[0].push(person.run(&plan.ours, &get)?);
        person.has("out.wasm")?;
        let person = Person::new(plan, "theirs")?;
        // It has no other way to learn of the registry and asks nobody for this.
        let config = ["config", "--registry", &line.url, "--keyring-backend", "flat-file"];
        person.run(&plan.theirs, &config)?;
        times[1].push(person.run(&plan.theirs, &["download", &name, "--output", "out.wasm"])?);
        person.has("out.wasm")?;
    }
    Ok(times.map(median))
}

/// Milliseconds to get many packages: in one command, and in one for each, which may use what the
/// first ones have learned.
fn many(plan: &Plan, line: &Line) -> Result<(f64, f64)> {
    let names: Vec<_> = (0..MANY).map(|number| package(plan, number)).collect();
    let get = ["get", "--registry", line.url.as_str(), "--output", "."];
    let mut at_once = Vec::new();
    for _ in 0..3 {
        let person = Person::new(plan, "at-once")?;
        let names = names.iter().map(String::as_str);
        at_once.push(person.run(&plan.ours, &get.into_iter().chain(names).collect::<Vec<_>>())?);
    }
    let person = Person::new(plan, "each")?;
    let each = names.iter().map(|name| {
        person.run(&plan.ours, &get.into_iter().chain([name.as_str()]).collect::<Vec<_>>())
    });
    Ok((median(at_once), each.sum::<Result<f64>>()?))
}

/// Serial round trips of locking a component that needs 500 packages.
fn lock(
    plan: &Plan,
    runtime: &tokio::runtime::Runtime,
    data_dir: &Path,
    address: SocketAddr,
) -> Result<f64> {
    let mut times = Vec::new();
    let data_dir = data_dir.with_file_name("graph");
    let serve = Serve { listen: Some(address), ..Serve::default() };
    let server = Server::start(&plan.server, &data_dir, &serve)?;
    let packages = (0..GRAPH).map(graph::package).collect::<Result<Vec<_>>>()?;
    let process = Some(server.process());
    let target = Target { address, connections: 32, rate: None, process };
    let load = hammer::publish(target, packages, Until::Published, &|_| ());
    let load = runtime.block_on(load)?;
    ensure!(load.done == GRAPH, "not all was published: {:?}", load.errors);
    server.end(End::Terminate)?;
    for each_way in [Duration::ZERO, plan.each_way] {
        let line = runtime.block_on(Line::open(plan, &data_dir, address, each_way))?;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let person = Person::new(plan, "lock")?;
            fs::write(person.home.join("app.wasm"), graph::root())?;
            rounds.push(person.run(&plan.ours, &["lock", "app.wasm", "--registry", &line.url])?);
            let lock = fs::read_to_string(person.home.join("warg.lock"))?;
            let count = lock.matches("[[package]]").count();
            ensure!(count >= graph::NEEDED, "only {count} packages were locked");
        }
        times.push(median(rounds));
        line.server.end(End::Terminate)?;
    }
    Ok((times[1] - times[0]) / (2e3 * plan.each_way.as_secs_f64()))
}

/// Milliseconds to get a large package that is in the cache, without a network.
fn warm(plan: &Plan, line: &Line) -> Result<f64> {
    let person = Person::new(plan, "warm")?;
    let get = ["get", "--registry", &line.url, "large:r1-p0", "--output", "out.wasm"];
    person.run(&plan.ours, &get)?;
    let offline: Vec<_> = get.into_iter().chain(["--offline"]).collect();
    let times = (0..2 * ROUNDS).map(|_| person.run(&plan.ours, &offline));
    let times = times.collect::<Result<_>>()?;
    let length = fs::metadata(person.home.join("out.wasm"))?.len();
    ensure!(length == LARGE_BYTES as u64, "another content came");
    Ok(median(times))
}

/// Milliseconds of a processor that a command takes which asks no registry.
fn start(plan: &Plan, line: &Line, arguments: &[&str]) -> Result<f64> {
    let person = Person::new(plan, "start")?;
    person.run(&plan.ours, &["config", "--registry", &line.url])?;
    let before = Process::this().ended_seconds()?;
    for _ in 0..STARTS {
        person.run(&plan.ours, arguments)?;
    }
    Ok((Process::this().ended_seconds()? - before) * 1e3 / f64::from(STARTS))
}
