//! Compares a small registry with a large one, and fails if the large one takes more than it may.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program speaks to a person"
)]

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use wargate_bench::scale::{self, Comparison, Limit, Plan};

/// Compare a small registry with a large one
#[derive(Parser)]
struct Options {
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
    let plan = Plan {
        program: options.server,
        folder: options.folder,
        packages: [options.small, options.large],
        connections: options.connections,
        content_bytes: options.content_bytes,
    };
    let comparison = scale::compare(&plan, |step| eprintln!("{step}"))?;
    if options.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        print(&plan, &comparison);
    }
    let missed = comparison.rows.iter().filter(|row| !row.holds()).count();
    if missed > 0 {
        bail!("{missed} rows are beyond their limit; on a busy machine, run it again");
    }
    Ok(())
}

fn print(plan: &Plan, comparison: &Comparison) {
    let [small, large] = plan.packages;
    println!("{:44} {small:>9} {large:>9} {:>6}  at most", "packages", "ratio");
    for row in &comparison.rows {
        let limit = match row.limit {
            Limit::Ratio(most) => format!("ratio {most:.2}"),
            Limit::RatioOrMore(most, more) => format!("ratio {most:.2}, or {more} more"),
            Limit::Most(most) => format!("{most}"),
        };
        let verdict = if row.holds() { "" } else { "  BEYOND" };
        let (name, ratio) = (&row.name, row.ratio());
        println!("{name:44} {:>9.1} {:>9.1} {ratio:>6.2}  {limit}{verdict}", row.small, row.large);
    }
    for load in &comparison.loads {
        let server = load.server_processors.unwrap_or_default();
        println!(
            "{} packages came at {:.0}/s: {:.1} ms median, {:.1} ms of 99 %; processors: server \
             {server:.2}, generator {:.2}",
            load.published, load.per_second, load.p50_ms, load.p99_ms, load.generator_processors
        );
    }
}
