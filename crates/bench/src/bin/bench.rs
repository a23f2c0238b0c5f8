//! Measures whole processes: a server under load, a large registry beside a small one, our client
//! beside the reference implementation's. Fails if a row is beyond its limit.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program speaks to a person"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use wargate_bench::compare::Part;
use wargate_bench::comparison::Table;
use wargate_bench::hammer::{
    self, Content, Package, Published, Question, Report, Target, Until, Workload,
};
use wargate_bench::process::Process;
use wargate_bench::{client, compare, composing, peers, scale};

/// Measure whole processes
#[derive(Parser)]
struct Options {
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Publish new packages over many connections, as fast as a running server takes them
    Hammer(Hammer),
    /// Compare our server with the reference implementation's, and with nginx
    Compare(Compare),
    /// Compare a large registry with a small one
    Scale(Scale),
    /// Compare our client with the reference implementation's
    Client(Client),
    /// Compare our client with `wac`, and with the runtime that runs components
    Compose(Compose),
}

#[derive(Args)]
struct Compose {
    /// Our client
    #[arg(long, value_name = "FILE")]
    ours: PathBuf,
    /// `wac`
    #[arg(long, value_name = "FILE")]
    theirs: PathBuf,
    /// Our `warg-run`
    #[arg(long, value_name = "FILE")]
    runner: PathBuf,
    /// The runtime's own program [default: none; `warg-run` by itself]
    #[arg(long, value_name = "FILE")]
    wasmtime: Option<PathBuf>,
    /// The folder of test data
    #[arg(long, value_name = "FOLDER", default_value = "testdata")]
    testdata: PathBuf,
    /// An empty folder
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
}

#[derive(Args)]
struct Hammer {
    /// Where the server listens
    address: SocketAddr,
    /// What to do with the packages that are published first
    #[arg(long, value_enum, default_value_t = Then::Nothing)]
    then: Then,
    /// How many packages
    #[arg(long, default_value_t = 10_000)]
    packages: usize,
    /// Connections at the same time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// How many begin in a second, whatever is answered [default: as many as are answered]
    #[arg(long)]
    rate: Option<f64>,
    /// How long to ask, in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Bytes of each package's content
    #[arg(long, default_value_t = 1000)]
    content_bytes: usize,
    /// The namespace to publish into
    #[arg(long, default_value = "load")]
    namespace: String,
    /// A number of this run; packages of two runs differ [default: of the process]
    #[arg(long)]
    run: Option<u64>,
    /// Count packages that the server has taken, and not those that it has published
    #[arg(long)]
    accepted: bool,
    /// The server's process, if its share of the processor is to be told
    #[arg(long, value_name = "PID")]
    server: Option<u32>,
}

/// What follows the publishing.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Then {
    Nothing,
    Checkpoint,
    Logs,
    Inclusion,
    Consistency,
    Download,
}

#[derive(Args)]
struct Compare {
    /// Our server's program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// The reference implementation's
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// The same, built for PostgreSQL
    #[arg(long, value_name = "FILE")]
    reference_postgres: Option<PathBuf>,
    /// nginx
    #[arg(long, value_name = "FILE")]
    nginx: Option<PathBuf>,
    /// An empty folder for the data
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Parts to run [default: all]
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// Packages that are published against the clock
    #[arg(long, default_value_t = 20_000)]
    published: usize,
    /// Packages of the registries that are read
    #[arg(long, default_value_t = 50_000)]
    packages: usize,
    /// Packages of the small registry
    #[arg(long, default_value_t = 5_000)]
    small: usize,
    /// Packages of the large registry
    #[arg(long, default_value_t = 500_000)]
    large: usize,
    /// Bytes of each package's content
    #[arg(long, default_value_t = 1000)]
    content_bytes: usize,
    /// How long each question is asked, in seconds
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

#[derive(Args)]
struct Scale {
    /// The server's program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// An empty folder for the data
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Packages of the small registry
    #[arg(long, default_value_t = 2_000)]
    small: usize,
    /// Packages of the large registry
    #[arg(long, default_value_t = 50_000)]
    large: usize,
    /// Connections that publish
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Bytes of each package's content
    #[arg(long, default_value_t = 1000)]
    content_bytes: usize,
}

#[derive(Args)]
struct Client {
    /// The server's program
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
    /// Our client
    #[arg(long, value_name = "FILE")]
    ours: PathBuf,
    /// The reference implementation's client
    #[arg(long, value_name = "FILE")]
    theirs: PathBuf,
    /// An empty folder for the data
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Packages in the registry
    #[arg(long, default_value_t = 50_000)]
    packages: usize,
    /// The line's round trip, in milliseconds
    #[arg(long, default_value_t = 50)]
    round_trip: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.what {
        What::Hammer(hammer) => load(hammer, options.json),
        What::Compare(compare) => compare_servers(compare, options.json),
        What::Scale(scale) => compare_sizes(scale, options.json),
        What::Client(client) => compare_clients(client, options.json),
        What::Compose(compose) => compare_composers(compose, options.json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn load(options: Hammer, json: bool) -> Result<()> {
    let workload = Workload {
        packages: options.packages,
        content_bytes: options.content_bytes,
        namespace: options.namespace,
        run: options.run.unwrap_or_else(|| std::process::id().into()),
        content: Content::Module,
    };
    eprintln!("signing {} records", workload.packages);
    let packages = workload.prepare()?;
    let (address, connections) = (options.address, options.connections);
    let process = options.server.map(Process);
    let target = Target { address, connections, rate: options.rate, process };
    let question = match options.then {
        Then::Nothing => None,
        Then::Checkpoint => Some(Question::Checkpoint),
        Then::Logs => Some(Question::Logs),
        Then::Inclusion => Some(Question::Inclusion),
        Then::Consistency => Some(Question::Consistency),
        Then::Download => Some(Question::Download),
    };
    let logs = packages.iter().map(|package| package.ids().0).collect();
    let contents = packages.iter().map(Package::digest).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let until = if options.accepted { Until::Accepted } else { Until::Published };
    let bar = Bar::default();
    let (count, name) = (packages.len(), "publishing");
    let progress = |done| bar.show(name, done, count);
    // Whoever asks at a rate has something to ask for as soon as that can be.
    let first = Target { rate: target.rate.filter(|_| question.is_none()), ..target };
    let mut report = runtime.block_on(hammer::publish(first, packages, until, &progress))?;
    let missing = report.asked - report.done;
    if let Some(question) = question {
        let places = std::mem::take(&mut report.places);
        let progress = |done| bar.show(question.name(), done, 0);
        report = runtime.block_on(async {
            let published = Published::find(address, logs, contents, places).await?;
            let time = Duration::from_secs(options.seconds);
            hammer::read(target, time, question, &published, &progress).await
        })?;
    }
    drop(bar);
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    match missing {
        0 => Ok(()),
        missing => bail!("{missing} packages were not published"),
    }
}

fn compare_servers(options: Compare, json: bool) -> Result<()> {
    let over_postgres = options.reference_postgres.zip(peers::postgres_programs());
    let plan = compare::Plan {
        ours: options.server,
        reference: options.reference,
        over_postgres,
        nginx: options.nginx,
        folder: options.folder,
        parts: options.part,
        published: options.published,
        packages: options.packages,
        sizes: [options.small, options.large],
        content_bytes: options.content_bytes,
        time: Duration::from_secs(options.seconds),
    };
    let bar = Bar::default();
    let say = |step: &str| bar.say(step);
    let progress = |what: &str, done, of| bar.show(what, done, of);
    let comparison = compare::compare(&plan, &say, &progress)?;
    drop(bar);
    if json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        for (who, report) in &comparison.reports {
            println!("--- {who}\n{report}");
        }
        for table in &comparison.tables {
            println!("\n{table}");
        }
    }
    judge(comparison.tables.iter().map(Table::missed).sum())
}

/// A line on the terminal that says how far it is.
struct Bar(ProgressBar);

impl Default for Bar {
    fn default() -> Self {
        let bar = ProgressBar::new(0);
        bar.enable_steady_tick(Duration::from_millis(250));
        Self(bar)
    }
}

impl Bar {
    fn show(&self, what: &str, done: usize, of: usize) {
        let style = if of > 0 { "{msg} {bar:30} {pos}/{len}" } else { "{msg} {pos}" };
        if let Ok(style) = ProgressStyle::with_template(style) {
            self.0.set_style(style);
        }
        self.0.set_message(what.to_owned());
        self.0.set_length(of as u64);
        self.0.set_position(done.min(of.max(done)) as u64);
    }

    fn say(&self, step: &str) {
        self.0.suspend(|| eprintln!("{step}"));
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

fn compare_sizes(options: Scale, json: bool) -> Result<()> {
    let plan = scale::Plan {
        program: options.server,
        folder: options.folder,
        packages: [options.small, options.large],
        connections: options.connections,
        content_bytes: options.content_bytes,
    };
    let comparison = scale::compare(&plan, |step| eprintln!("{step}"))?;
    tell(&comparison, &comparison.table, &comparison.loads, json)
}

fn compare_clients(options: Client, json: bool) -> Result<()> {
    let plan = client::Plan {
        server: options.server,
        ours: options.ours,
        theirs: options.theirs,
        folder: options.folder,
        packages: options.packages,
        each_way: Duration::from_millis(options.round_trip) / 2,
    };
    let comparison = client::compare(&plan, |step| eprintln!("{step}"))?;
    tell(&comparison, &comparison.table, std::slice::from_ref(&comparison.load), json)
}

fn compare_composers(options: Compose, json: bool) -> Result<()> {
    let plan = composing::Plan {
        ours: options.ours,
        theirs: options.theirs,
        runner: options.runner,
        wasmtime: options.wasmtime,
        testdata: options.testdata,
        folder: options.folder,
    };
    let table = composing::compare(&plan, |step| eprintln!("{step}"))?;
    tell(&table, &table, &[], json)
}

/// Prints what was measured, and fails if a row is beyond its limit.
fn tell(all: &impl Serialize, table: &Table, loads: &[Report], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(all)?);
    } else {
        print!("{table}");
        for load in loads {
            println!("{load}");
        }
    }
    judge(table.missed())
}

fn judge(missed: usize) -> Result<()> {
    match missed {
        0 => Ok(()),
        missed => bail!("{missed} rows are beyond their limit; on a busy machine, run it again"),
    }
}
