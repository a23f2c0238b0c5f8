//! Our client beside `wac`, on the same local files; and what `warg run` adds to the program that runs.
//!
//! All are whole processes: what is measured is what somebody who types the command waits for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::comparison::{Limit, Table, median};

/// Rounds of each measurement, alternating between the programs.
const ROUNDS: usize = 15;

/// What `warg run` may take longer than the runtime by itself, in milliseconds.
const RUN_MS: f64 = 30.0;

/// The tower of languages, without what needs a host.
const TOWER: &str = "package bench:tower;\n\n\
    let go = new bench:go { ... };\nlet c = new bench:c { ...go, ... };\n\
    let script = new bench:script { ...c, ... };\nlet rust = new bench:rust { ...script, ... };\n\n\
    export rust...;\n";

/// Its links, and the files that they are.
const LINKS: [(&str, &str); 4] = [
    ("rust", "tower-rust"),
    ("script", "tower-qjs"),
    ("c", "tower-c-wasip2"),
    ("go", "greeter-go"),
];

/// What is to be compared.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Our `warg`.
    pub ours: PathBuf,
    /// `wac`.
    pub theirs: PathBuf,
    /// Our `warg-run`.
    pub runner: PathBuf,
    /// The runtime's own program, if there is one.
    pub wasmtime: Option<PathBuf>,
    /// The test data.
    pub testdata: PathBuf,
    /// An empty folder.
    pub folder: PathBuf,
}

/// Compares.
///
/// # Errors
/// If a program cannot be started or fails.
pub fn compare(plan: &Plan, say: fn(&str)) -> Result<Table> {
    let deps = plan.folder.join("deps/bench");
    fs::create_dir_all(&deps)?;
    for (name, file) in LINKS {
        let from = plan.testdata.join(format!("components/{file}.wasm"));
        fs::copy(&from, deps.join(format!("{name}.wasm")))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    fs::write(plan.folder.join("tower.wac"), TOWER)?;
    let mut table = Table::new("warg", "wac 0.12.0");
    say("composing a tower of four languages");
    let ours = ["compose", "tower.wac", "--deps-dir", "deps", "--offline", "-o", "ours.wasm"];
    let theirs = ["compose", "tower.wac", "--deps-dir", "deps", "-o", "theirs.wasm"];
    let [ours, theirs] = beside(plan, &ours, &theirs)?;
    table.beside("compose the tower, ms", ours, theirs, Limit::Ratio(1.0));
    say("plugging Go into Rust");
    let (socket, plug) = ("deps/bench/rust.wasm", "deps/bench/go.wasm");
    let ours = ["plug", socket, "--plug", plug, "--offline", "-o", "ours.wasm"];
    let theirs = ["plug", socket, "--plug", plug, "-o", "theirs.wasm"];
    let [ours, theirs] = beside(plan, &ours, &theirs)?;
    table.beside("plug Go into Rust, ms", ours, theirs, Limit::Ratio(1.0));
    say("running a small command that is cached");
    run(plan, &mut table)?;
    Ok(table)
}

/// Milliseconds of a command of either: ours, theirs.
fn beside(plan: &Plan, ours: &[&str], theirs: &[&str]) -> Result<[f64; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        times[0].push(took(plan, &plan.ours, ours)?);
        times[1].push(took(plan, &plan.theirs, theirs)?);
    }
    Ok(times.map(median))
}

/// `warg run` of a small command, beside the runtime with compiled code.
fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    let command = plan.testdata.join("runner/command.wasm");
    fs::copy(&command, plan.folder.join("command.wasm"))?;
    let ours = ["run", "command.wasm", "--offline"];
    let (program, theirs): (_, Vec<&str>) = match &plan.wasmtime {
        Some(wasmtime) => {
            let compile = ["compile", "command.wasm", "-o", "command.cwasm"];
            took(plan, wasmtime, &compile)?;
            (wasmtime, vec!["run", "--allow-precompiled", "command.cwasm"])
        }
        None => (&plan.runner, vec!["run", "command.wasm", "--cache", "cache"]),
    };
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let took = [took(plan, &plan.ours, &ours)?, took(plan, program, &theirs)?];
        // The first compiles.
        if round > 0 {
            times[0].push(took[0]);
            times[1].push(took[1]);
        }
    }
    let [ours, theirs] = times.map(median);
    let base = if plan.wasmtime.is_some() { "wasmtime, precompiled" } else { "warg-run alone" };
    let name = format!("run a small command, beside {base}, ms");
    table.beside(name, ours, theirs, Limit::RatioOrMore(1.0, RUN_MS));
    Ok(())
}

/// Milliseconds that a program takes.
fn took(plan: &Plan, program: &Path, arguments: &[&str]) -> Result<f64> {
    let home = plan.folder.join("home");
    fs::create_dir_all(&home)?;
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&plan.folder).env_clear().env("HOME", &home);
    command.env("WARG_RUNNER", &plan.runner).stdin(Stdio::null());
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
