//! `cargo xtask fuzz`: the fuzz targets under libFuzzer, two at a time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::tools::Tool;
use crate::workspace::{self, Metadata};

const CARGO_FUZZ: Tool =
    Tool { name: "cargo-fuzz", version: "0.13.2", wait: "this takes about two minutes, once" };

/// How long a target runs unless the caller says otherwise.
const SECONDS_DEFAULT: u32 = 120;

/// What libFuzzer sees as a fault: an allocation or a process of this size, an input of this time.
/// Inputs are as long as the largest seeds; longer ones would only slow the search down.
/// Threads that a scope has joined may still be ending when it looks for leaks, so that it does not; what
/// grows is seen by the limit of the process.
const LIMITS: [&str; 5] = [
    "-malloc_limit_mb=512",
    "-rss_limit_mb=2048",
    "-timeout=10",
    "-max_len=65536",
    "-detect_leaks=0",
];

/// What became of a target.
struct Outcome {
    target: String,
    runs: u64,
    runs_per_second: u64,
    peak_mb: u64,
    /// Inputs that are kept since each reaches something that the others do not.
    corpus: usize,
    /// The input that failed, relative to the root; nothing if none did.
    failed: Option<String>,
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (seconds, named) = match arguments.split_first() {
        Some((first, rest)) if first.parse::<u32>().is_ok() => (first.parse()?, rest),
        _ => (SECONDS_DEFAULT, arguments),
    };
    let folder = workspace::root().join("fuzz");
    let known = targets(&folder)?;
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        bail!("there is no fuzz target {unknown}; there are {}", known.join(", "));
    }
    let chosen = if named.is_empty() { known } else { named.to_vec() };
    seed(&folder)?;
    let programs = build(&folder)?;
    println!("{} targets, {seconds} s each, two at a time", chosen.len());
    let outcomes = fuzz(&folder, &programs, seconds, chosen)?;
    print(&outcomes);
    let failed: Vec<_> = outcomes.iter().filter_map(Outcome::advice).collect();
    if !failed.is_empty() {
        bail!("{} targets failed:\n{}", failed.len(), failed.join("\n"));
    }
    Ok(())
}

/// The names of the targets, which are those of their files.
fn targets(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder.join("fuzz_targets"))? {
        let path = file?.path();
        names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// Writes the seeds beside what earlier runs have found.
fn seed(folder: &Path) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["run", "--quiet", "--package", "wargate-testkit", "--bin", "fuzz-seeds", "--"]);
    process::run(cargo.arg(folder.join("corpus")))
}

/// Builds all targets. Returns the folder of the programs.
fn build(folder: &Path) -> Result<PathBuf> {
    let target_dir = Metadata::read()?.target_directory.join("fuzz");
    let mut fuzz = Command::new(CARGO_FUZZ.obtain()?);
    // Sanitizers are no part of stable Rust, so the compiler has to be told to trust us; only here.
    fuzz.env("RUSTC_BOOTSTRAP", "1").current_dir(folder);
    fuzz.args(["fuzz", "build", "--fuzz-dir"]).arg(folder).arg("--target-dir").arg(&target_dir);
    process::run(&mut fuzz)?;
    Ok(target_dir.join(workspace::rustc_field("host: ")?).join("release"))
}

fn fuzz(
    folder: &Path,
    programs: &Path,
    seconds: u32,
    targets: Vec<String>,
) -> Result<Vec<Outcome>> {
    let queue = Mutex::new(targets.into_iter());
    let work = || -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        loop {
            let next = queue.lock().ok().and_then(|mut queue| queue.next());
            let Some(target) = next else { return Ok(outcomes) };
            outcomes.push(fuzz_one(folder, programs, seconds, target)?);
        }
    };
    let mut outcomes = thread::scope(|scope| {
        let workers = [scope.spawn(work), scope.spawn(work)];
        let mut outcomes = Vec::new();
        for worker in workers {
            match worker.join() {
                Ok(done) => outcomes.extend(done?),
                Err(_) => bail!("a worker panicked"),
            }
        }
        Ok(outcomes)
    })?;
    outcomes.sort_by(|a, b| a.target.cmp(&b.target));
    Ok(outcomes)
}

fn fuzz_one(folder: &Path, programs: &Path, seconds: u32, target: String) -> Result<Outcome> {
    let artifacts = folder.join("artifacts").join(&target);
    fs::create_dir_all(&artifacts)?;
    let mut program = Command::new(programs.join(&target));
    program.arg(format!("-max_total_time={seconds}")).args(LIMITS).arg("-print_final_stats=1");
    program.arg(format!("-artifact_prefix={}/", artifacts.display()));
    program.arg(folder.join("corpus").join(&target));
    let output =
        program.output().with_context(|| format!("could not start the target {target}"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let failed = (!output.status.success()).then(|| artifact(&report));
    println!("{target}: {}", if failed.is_some() { "FAILED" } else { "clean" });
    if failed.is_some() {
        let first =
            report.lines().position(|line| line.contains("panicked") || line.contains("ERROR"));
        report.lines().skip(first.unwrap_or(0)).take(12).for_each(|line| eprintln!("  {line}"));
    }
    Ok(Outcome {
        runs: stat(&report, "stat::number_of_executed_units:"),
        runs_per_second: stat(&report, "stat::average_exec_per_sec:"),
        peak_mb: stat(&report, "stat::peak_rss_mb:"),
        corpus: fs::read_dir(folder.join("corpus").join(&target))?.count(),
        failed,
        target,
    })
}

/// The input that libFuzzer says it has written, relative to the root.
fn artifact(report: &str) -> String {
    let written = report.lines().find_map(|line| line.split_once("Test unit written to "));
    let Some((_, path)) = written else { return "no input".to_owned() };
    let path = Path::new(path.trim());
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

impl Outcome {
    /// What to do about a failure, if there is one.
    fn advice(&self) -> Option<String> {
        let (input, target) = (self.failed.as_ref()?, &self.target);
        Some(format!(
            "  {input}: mend the decoder, and add the input to testdata/fuzz/{target}/, where the \
             tests replay it"
        ))
    }
}

/// A number of libFuzzer's final report; 0 if it did not get that far.
fn stat(report: &str, name: &str) -> u64 {
    let value = report.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

fn print(outcomes: &[Outcome]) {
    let (runs, rate, corpus, peak) = ("runs", "runs/s", "corpus", "peak MB");
    println!("\n{:<18} {runs:>12} {rate:>10} {corpus:>7} {peak:>8}  result", "target");
    for Outcome { target, runs, runs_per_second, peak_mb, corpus, failed } in outcomes {
        let result = if failed.is_some() { "FAILED" } else { "clean" };
        println!(
            "{target:<18} {runs:>12} {runs_per_second:>10} {corpus:>7} {peak_mb:>8}  {result}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read() {
        let report = "INFO: Seed: 1\nstat::number_of_executed_units: 4096\n\
                      artifact_prefix='a/'; Test unit written to a/crash-0123\n";
        assert_eq!(stat(report, "stat::number_of_executed_units:"), 4096);
        assert_eq!(stat(report, "stat::peak_rss_mb:"), 0);
        assert_eq!(artifact(report), "a/crash-0123");
        let inside = workspace::root().join("fuzz/artifacts/name/oom-1");
        let report = format!("Test unit written to {}", inside.display());
        assert_eq!(artifact(&report), "fuzz/artifacts/name/oom-1");
        assert_eq!(artifact("SUMMARY: libFuzzer: deadly signal"), "no input");
    }
}
