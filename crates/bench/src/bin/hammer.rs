//! Publishes packages to a running server as fast as it takes them, and says how fast that is.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program speaks to a person"
)]

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use wargate_bench::hammer::{self, Report, Target, Workload};
use wargate_bench::process::Process;

/// Publish new packages over many connections
#[derive(Parser)]
struct Options {
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
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> Result<()> {
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
    if options.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    if report.published < report.packages {
        bail!("{} packages were not published", report.packages - report.published);
    }
    Ok(())
}

fn print(report: &Report) {
    let Report { published, packages, seconds, per_second, p50_ms, p99_ms, .. } = report;
    println!("published and provable  {published} of {packages} in {seconds:.1} s");
    println!("rate                    {per_second:.0} packages/s");
    println!("latency                 {p50_ms:.1} ms median, {p99_ms:.1} ms of 99 %");
    println!("processors, generator   {:.2}", report.generator_processors);
    if let Some(server) = report.server_processors {
        println!("processors, server      {server:.2}");
    }
    for (error, times) in &report.errors {
        println!("{times:>6} times           {error}");
    }
}
