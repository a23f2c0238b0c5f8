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
use serde::Serialize;
use wargate_bench::comparison::Table;
use wargate_bench::hammer::{self, Report, Target, Workload};
use wargate_bench::process::Process;
use wargate_bench::{client, scale};

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
    /// Compare a large registry with a small one
    Scale(Scale),
    /// Compare our client with the reference implementation's
    Client(Client),
}

#[derive(Args)]
struct Hammer {
    /// Where the server listens
    address: SocketAddr,
    /// How many packages
    #[arg(long, default_value_t = 10_000)]
    packages: usize,
    /// Connections at the same time
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// Bytes of each package's content
    #[arg(long, default_value_t = 1000)]
    content_bytes: usize,
    /// The namespace to publish into
    #[arg(long, default_value = "load")]
    namespace: String,
    /// A number of this run; packages of two runs differ [default: of the process]
    #[arg(long)]
    run: Option<u64>,
    /// The server's process, if its share of the processor is to be told
    #[arg(long, value_name = "PID")]
    server: Option<u32>,
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
        What::Hammer(hammer) => publish(hammer, options.json),
        What::Scale(scale) => compare_sizes(scale, options.json),
        What::Client(client) => compare_clients(client, options.json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn publish(options: Hammer, json: bool) -> Result<()> {
    let workload = Workload {
        packages: options.packages,
        content_bytes: options.content_bytes,
        namespace: options.namespace,
        run: options.run.unwrap_or_else(|| std::process::id().into()),
    };
    eprintln!("signing {} records", workload.packages);
    let packages = workload.prepare()?;
    let target = Target {
        address: options.address,
        connections: options.connections,
        process: options.server.map(Process),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_io().build()?;
    let progress = |done, of| eprintln!("{done} of {of}");
    let report = runtime.block_on(hammer::run(target, packages, progress))?;
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    if report.published < report.packages {
        bail!("{} packages were not published", report.packages - report.published);
    }
    Ok(())
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
    match table.missed() {
        0 => Ok(()),
        missed => bail!("{missed} rows are beyond their limit; on a busy machine, run it again"),
    }
}
