//! `cargo xtask bench core`: the verified core beside its limits, and how many instructions it takes.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::workspace::Metadata;
use crate::{process, tools};

/// One line of the table, as the benchmark program writes it.
#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
    ours_ns: f64,
    limit: String,
    limit_ns: f64,
    ratio: f64,
    ratio_max: f64,
}

/// Instructions of one pass of a workload.
#[derive(Serialize)]
struct Count {
    workload: String,
    instructions: u64,
}

#[derive(Serialize)]
struct Report {
    rows: Vec<Row>,
    instructions: Vec<Count>,
}

/// The command. `--quick` leaves out the map of ten million keys, which takes minutes to build the
/// first time; `--json` prints JSON in place of the tables.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    if let Some(unknown) =
        arguments.iter().find(|flag| !["--quick", "--json"].contains(&flag.as_str()))
    {
        bail!("`cargo xtask bench core` does not know {unknown}; it takes --quick and --json");
    }
    let target = Metadata::read()?.target_directory;
    let report =
        Report { rows: times(&target, !flag("--quick"))?, instructions: instructions(&target)? };
    if flag("--json") {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&report);
    }
    let missed = report.rows.iter().filter(|row| row.ratio > row.ratio_max).count();
    if missed > 0 {
        bail!("{missed} rows are beyond their limit; on a busy machine, run it again");
    }
    Ok(())
}

fn times(target: &Path, large: bool) -> Result<Vec<Row>> {
    let out = target.join("bench-core.json");
    let mut cargo = process::cargo();
    cargo.args(["bench", "--quiet", "--package", "wargate-bench", "--bench", "core"]);
    cargo.env("WARGATE_BENCH_OUT", &out);
    if large {
        cargo.env("WARGATE_BENCH_CACHE", tools::cache_folder("bench")?);
    }
    // What criterion says on the way is progress, not the result.
    process::run(cargo.stdout(std::io::stderr()))?;
    let text = std::fs::read_to_string(&out)
        .with_context(|| format!("the benchmark left no {}", out.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Counts by valgrind, if it is there. A workload runs once and eleven times, so that the difference
/// is ten passes without the preparation.
fn instructions(target: &Path) -> Result<Vec<Count>> {
    if tools::on_path("valgrind").is_none() {
        eprintln!("valgrind is not installed: no instruction counts");
        return Ok(Vec::new());
    }
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--release", "--package", "wargate-bench"]);
    process::run(cargo.args(["--bin", "instructions"]))?;
    let program = target.join("release/instructions");
    let mut counts = Vec::new();
    for workload in process::output(&mut Command::new(&program))?.lines() {
        let one = count(&program, workload, "1")?;
        let eleven = count(&program, workload, "11")?;
        let instructions = eleven.saturating_sub(one) / 10;
        counts.push(Count { workload: workload.to_owned(), instructions });
    }
    Ok(counts)
}

fn count(program: &PathBuf, workload: &str, times: &str) -> Result<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = valgrind.args([workload, times]).output().context("could not start valgrind")?;
    let text = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        bail!("valgrind failed over {workload}: {}", text.lines().last().unwrap_or_default());
    }
    let total =
        text.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count);
    total
        .context("valgrind counted nothing")?
        .trim()
        .parse()
        .context("valgrind's count is no number")
}

fn print(report: &Report) {
    let width = report.rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    println!(
        "{:width$}  {:>10}  {:>10}  {:>6}  {:>6}  limit",
        "", "ours", "limit", "ratio", "most"
    );
    for row in &report.rows {
        let verdict = if row.ratio <= row.ratio_max { "" } else { "  BEYOND" };
        println!(
            "{:width$}  {:>10}  {:>10}  {:>6.3}  {:>6.1}  {}{verdict}",
            row.name,
            time(row.ours_ns),
            time(row.limit_ns),
            row.ratio,
            row.ratio_max,
            row.limit,
        );
    }
    if report.instructions.is_empty() {
        return;
    }
    println!("\n{:width$}  {:>14}", "", "instructions");
    for count in &report.instructions {
        println!("{:width$}  {:>14}", count.workload, count.instructions);
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.2} us", ns / 1e3),
        ns if ns < 1e9 => format!("{:.2} ms", ns / 1e6),
        ns => format!("{:.2} s", ns / 1e9),
    }
}
