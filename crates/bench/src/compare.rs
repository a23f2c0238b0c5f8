//! Our server beside others, in one run on one machine: the reference implementation's in memory and
//! over PostgreSQL, and nginx for downloads. The generator shares the processors with all of them.
//!
//! Ours answers that a package is published when it is on the disk and provable. The reference publishes
//! every five seconds; of it counts how many packages it accepts.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use crate::comparison::{Limit, Table};
use crate::hammer::{self, Content, Package, Published, Question, Report, Target, Until, Workload};
use crate::peers::Peer;
use crate::process::{Process, Serve, Server};

/// The namespace of all packages.
const NAMESPACE: &str = "load";
/// Connections that ask.
const READERS: usize = 32;
/// Connections that publish, of each round.
const PUBLISHERS: [usize; 2] = [32, 1000];
/// How often each publishes as fast as it can; the rate in the middle counts.
const ROUNDS: usize = 3;
/// Connections that publish at half the rate.
const PACED: usize = 64;
/// Connections that download, how large what they download is, and how much of it there is.
const DOWNLOADERS: usize = 8;
const DOWNLOAD_BYTES: usize = 10_000_000;
const DOWNLOADS: usize = 4;
/// What the rows must keep.
const TIMES_POSTGRES: f64 = 10.0;
const TIMES_MEMORY: f64 = 3.0;
const P50_MS_MAX: f64 = 30.0;
const P99_MS_MAX: f64 = 150.0;
const OF_NGINX: f64 = 0.8;
/// How much of a rate may be lost to noise where two are to be the same.
const SAME: f64 = 0.9;

/// What stands beside what.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Our server's program.
    pub ours: PathBuf,
    /// The reference implementation's.
    pub reference: Option<PathBuf>,
    /// The same, built for PostgreSQL, and where PostgreSQL's programs are.
    pub over_postgres: Option<(PathBuf, PathBuf)>,
    /// nginx.
    pub nginx: Option<PathBuf>,
    /// Where data goes.
    pub folder: PathBuf,
    /// Parts to run; all if none is named.
    pub parts: Vec<Part>,
    /// Packages that are published against the clock.
    pub published: usize,
    /// Packages of the registries that are read.
    pub packages: usize,
    /// Packages of the small registry and of the large one.
    pub sizes: [usize; 2],
    /// Bytes of each package's content.
    pub content_bytes: usize,
    /// How long each question is asked.
    pub time: Duration,
}

/// A part of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Publishing as fast as it goes, and at half of that.
    Publish,
    /// Checkpoints, logs and proofs.
    Read,
    /// The same of a large registry of ours beside a small one.
    Grow,
    /// Content.
    Download,
}

/// All that was measured.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// One for each peer and part.
    pub tables: Vec<Table>,
    /// What the tables were made of, in the order in which it was measured.
    pub reports: Vec<(String, Report)>,
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    Ours,
    Memory,
    Postgres,
}

/// A server of some kind. It ends with its value.
enum Running {
    Ours(Server),
    Peer(Peer),
}

/// The comparison, as it goes on.
struct Course<'a> {
    plan: &'a Plan,
    say: &'a dyn Fn(&str),
    progress: &'a (dyn Fn(&str, usize, usize) + Sync),
    runtime: tokio::runtime::Runtime,
    made: Comparison,
    /// Makes folders and packages of each server its own.
    starts: u64,
}

/// Runs all that was asked for.
///
/// # Errors
/// If a server does not start, or an answer is wrong.
pub fn compare(
    plan: &Plan,
    say: &dyn Fn(&str),
    progress: &(dyn Fn(&str, usize, usize) + Sync),
) -> Result<Comparison> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let made = Comparison::default();
    let mut course = Course { plan, say, progress, runtime, made, starts: 0 };
    let wanted = |part| plan.parts.is_empty() || plan.parts.contains(&part);
    if wanted(Part::Publish) {
        course.publishing()?;
    }
    if wanted(Part::Read) {
        course.reading()?;
    }
    if wanted(Part::Grow) {
        course.growing()?;
    }
    if wanted(Part::Download) {
        course.downloading()?;
    }
    Ok(course.made)
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Ours => "wargate",
            Self::Memory => "memory",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Running {
    fn address(&self) -> SocketAddr {
        match self {
            Self::Ours(server) => server.address,
            Self::Peer(peer) => peer.address,
        }
    }

    fn process(&self) -> Process {
        match self {
            Self::Ours(server) => server.process(),
            Self::Peer(peer) => peer.process(),
        }
    }

    fn target(&self, connections: usize) -> Target {
        let process = Some(self.process());
        Target { address: self.address(), connections, rate: None, process }
    }
}

/// The one in the middle.
fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}

impl Course<'_> {
    fn peers(&self) -> Vec<Who> {
        let memory = self.plan.reference.as_ref().map(|_| Who::Memory);
        let postgres = self.plan.over_postgres.as_ref().map(|_| Who::Postgres);
        memory.into_iter().chain(postgres).collect()
    }

    fn publishing(&mut self) -> Result<()> {
        let all: Vec<Who> = [Who::Ours].into_iter().chain(self.peers()).collect();
        let mut tables: Vec<Table> =
            all.iter().skip(1).map(|peer| Table::new(Who::Ours.name(), peer.name())).collect();
        let mut peak = 0.0_f64;
        for connections in PUBLISHERS {
            // One after the other and again, because a machine is not as fast in one minute as in the
            // next.
            let mut rates = vec![Vec::new(); all.len()];
            for _ in 0..ROUNDS {
                for (who, rates) in all.iter().zip(&mut rates) {
                    // One that takes ten times as long shows with fewer packages how fast it is.
                    let part = if *who == Who::Postgres { 5 } else { 1 };
                    let (_, report) = self.fill(*who, self.plan.published / part, connections)?;
                    rates.push(report.per_second);
                }
            }
            let rates: Vec<f64> = rates.into_iter().map(median).collect();
            let Some((ours, theirs)) = rates.split_first() else { continue };
            peak = peak.max(*ours);
            for ((peer, table), rate) in all.iter().skip(1).zip(&mut tables).zip(theirs) {
                let least = if *peer == Who::Postgres { TIMES_POSTGRES } else { TIMES_MEMORY };
                let name = format!("packages/s, {connections} publishers");
                table.beside(name, *ours, *rate, Limit::AtLeast(least));
            }
        }
        self.made.tables.append(&mut tables);
        self.paced(peak / 2.0)
    }

    /// How long publishing takes where there is time.
    fn paced(&mut self, rate: f64) -> Result<()> {
        let running = self.start(Who::Ours)?;
        let target = Target { rate: Some(rate), ..running.target(PACED) };
        let packages = self.packages(self.plan.published, self.plan.content_bytes)?;
        let report = self.publish(Who::Ours, target, packages, Until::Published)?;
        let mut table = Table::new(Who::Ours.name(), "");
        let name = |what| format!("published and provable at {rate:.0} packages/s, {what}, ms");
        table.within(name("median"), report.p50_ms, P50_MS_MAX);
        table.within(name("of 99 %"), report.p99_ms, P99_MS_MAX);
        self.made.tables.push(table);
        Ok(())
    }

    fn reading(&mut self) -> Result<()> {
        let questions =
            [Question::Checkpoint, Question::Logs, Question::Inclusion, Question::Consistency];
        let ours = self.rates(Who::Ours, self.plan.packages, &questions)?;
        for peer in self.peers() {
            let mut table = Table::new(Who::Ours.name(), peer.name());
            let rates = self.rates(peer, self.plan.packages, &questions)?;
            for ((question, ours), rate) in questions.iter().zip(&ours).zip(rates) {
                let least = match (peer, question) {
                    (Who::Postgres, Question::Logs) => TIMES_POSTGRES,
                    _ => 1.0,
                };
                let name = format!("{}/s of {} packages", question.name(), self.plan.packages);
                table.beside(name, *ours, rate, Limit::AtLeast(least));
            }
            self.made.tables.push(table);
        }
        Ok(())
    }

    fn growing(&mut self) -> Result<()> {
        let questions = [Question::Logs, Question::Inclusion, Question::Consistency];
        let [small, large] = self.plan.sizes;
        let few = self.rates(Who::Ours, small, &questions)?;
        let many = self.rates(Who::Ours, large, &questions)?;
        let mut table = Table::new(large.to_string(), small.to_string());
        for ((question, few), many) in questions.iter().zip(few).zip(many) {
            let name = format!("{}/s", question.name());
            table.beside(name, many, few, Limit::AtLeast(SAME));
        }
        self.made.tables.push(table);
        Ok(())
    }

    /// Questions answered in a second by a server with so many packages.
    fn rates(&mut self, who: Who, packages: usize, questions: &[Question]) -> Result<Vec<f64>> {
        let (running, published) = self.filled(who, packages, self.plan.content_bytes)?;
        let mut rates = Vec::new();
        for question in questions {
            let report = self.ask(who, running.target(READERS), *question, &published)?;
            rates.push(report.per_second);
        }
        Ok(rates)
    }

    fn downloading(&mut self) -> Result<()> {
        let (running, published) = self.filled(Who::Ours, DOWNLOADS, DOWNLOAD_BYTES)?;
        let target = running.target(DOWNLOADERS);
        let ours = self.ask(Who::Ours, target, Question::Download, &published)?;
        let ours = ours.megabytes_per_second();
        drop(running);
        let name = "10 MB of content, MB/s";
        if self.plan.reference.is_some() {
            let (running, published) = self.filled(Who::Memory, DOWNLOADS, DOWNLOAD_BYTES)?;
            let target = running.target(DOWNLOADERS);
            let theirs = self.ask(Who::Memory, target, Question::Download, &published)?;
            let mut table = Table::new(Who::Ours.name(), Who::Memory.name());
            table.beside(name, ours, theirs.megabytes_per_second(), Limit::AtLeast(1.0));
            self.made.tables.push(table);
        }
        let Some(nginx) = &self.plan.nginx else { return Ok(()) };
        let mut table = Table::new(Who::Ours.name(), "nginx");
        let files = self.plan.folder.join("files");
        let packages = self.packages(DOWNLOADS, DOWNLOAD_BYTES)?;
        fs::create_dir_all(files.join("content"))?;
        let mut contents = Vec::new();
        for package in &packages {
            let file = package.digest().to_string().replace(':', "-");
            fs::write(files.join("content").join(file), package.content())?;
            contents.push(package.digest());
        }
        let published = Published { contents, ..published };
        for (sendfile, limit) in [("off", Limit::AtLeast(OF_NGINX)), ("on", Limit::Told)] {
            let folder = self.plan.folder.join(format!("nginx-{sendfile}"));
            let peer = Running::Peer(Peer::nginx(nginx, &files, &folder, sendfile)?);
            let target = peer.target(DOWNLOADERS);
            let theirs = self.ask(Who::Memory, target, Question::Download, &published)?;
            let name = format!("{name}, sendfile {sendfile}");
            table.beside(name, ours, theirs.megabytes_per_second(), limit);
        }
        self.made.tables.push(table);
        Ok(())
    }

    fn start(&mut self, who: Who) -> Result<Running> {
        self.starts += 1;
        let folder = self.plan.folder.join(format!("{}-{}", who.name(), self.starts));
        (self.say)(&format!("starting {} in {}", who.name(), folder.display()));
        fs::create_dir_all(&folder)?;
        let plan = self.plan;
        Ok(match who {
            Who::Ours => Running::Ours(Server::start(
                &plan.ours,
                &folder.join("data"),
                &Serve { flags: flags(), ..Serve::default() },
            )?),
            Who::Memory => {
                let program = plan.reference.as_ref().context("the reference's program")?;
                Running::Peer(Peer::reference(program, &folder, NAMESPACE)?)
            }
            Who::Postgres => {
                let (program, postgres) =
                    plan.over_postgres.as_ref().context("the reference's program")?;
                Running::Peer(Peer::reference_over_postgres(program, postgres, &folder, NAMESPACE)?)
            }
        })
    }

    fn packages(&self, packages: usize, content_bytes: usize) -> Result<Vec<Package>> {
        (self.say)(&format!("signing {packages} records"));
        let (namespace, content) = (NAMESPACE.to_owned(), Content::Module);
        Workload { packages, content_bytes, namespace, run: self.starts, content }.prepare()
    }

    /// A server with packages that were published against the clock.
    fn fill(&mut self, who: Who, packages: usize, connections: usize) -> Result<(Running, Report)> {
        let running = self.start(who)?;
        let packages = self.packages(packages, self.plan.content_bytes)?;
        let until = if who == Who::Ours { Until::Published } else { Until::Accepted };
        let report = self.publish(who, running.target(connections), packages, until)?;
        Ok((running, report))
    }

    /// A server with packages, and what to ask it for.
    fn filled(
        &mut self,
        who: Who,
        packages: usize,
        content_bytes: usize,
    ) -> Result<(Running, Published)> {
        let running = self.start(who)?;
        let packages = self.packages(packages, content_bytes)?;
        let logs = packages.iter().map(|package| package.ids().0).collect();
        let contents = packages.iter().map(Package::digest).collect();
        let connections = if content_bytes == DOWNLOAD_BYTES { DOWNLOADS } else { READERS };
        let until = if who == Who::Ours { Until::Published } else { Until::Accepted };
        let report = self.publish(who, running.target(connections), packages, until)?;
        let address = running.address();
        let find = Published::find(address, logs, contents, report.places);
        let published = self.runtime.block_on(find)?;
        Ok((running, published))
    }

    fn publish(
        &mut self,
        who: Who,
        target: Target,
        packages: Vec<Package>,
        until: Until,
    ) -> Result<Report> {
        let count = packages.len();
        let what = format!("{}: publishing, {} connections", who.name(), target.connections);
        let progress = |done: usize| (self.progress)(&what, done, count);
        let run = hammer::publish(target, packages, until, &progress);
        let report = self.runtime.block_on(run)?;
        ensure!(report.done == count, "{what}: not all was done: {:?}", report.errors);
        self.made.reports.push((who.name().to_owned(), report.clone()));
        Ok(report)
    }

    fn ask(
        &mut self,
        who: Who,
        target: Target,
        question: Question,
        published: &Published,
    ) -> Result<Report> {
        let what = format!("{}: {}", who.name(), question.name());
        let progress = |done: usize| (self.progress)(&what, done, 0);
        let run = hammer::read(target, self.plan.time, question, published, &progress);
        let report = self.runtime.block_on(run)?;
        ensure!(report.errors.is_empty(), "{what}: {:?}", report.errors);
        self.made.reports.push((who.name().to_owned(), report.clone()));
        Ok(report)
    }
}

/// Nothing that is measured is to be refused.
fn flags() -> Vec<String> {
    ["--connections-max", "2048"].map(str::to_owned).to_vec()
}
