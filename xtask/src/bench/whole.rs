//! `cargo xtask bench compare`, `scale` and `client`: whole processes. What they are given goes to the program
//! that measures; `--help` says what that knows.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::Metadata;
use crate::{debian, interop, process};

/// A large registry beside a small one, in memory, time and restarts.
pub(super) fn scale(arguments: &[String]) -> Result<()> {
    let Built { mut bench, server, folder, .. } = build("scale", &[])?;
    bench.arg("--server").arg(server).arg("--folder").arg(folder);
    process::run(bench.args(arguments))
}

/// Our server beside the reference implementation's, in memory and over PostgreSQL, and beside nginx.
pub(super) fn compare(arguments: &[String]) -> Result<()> {
    debian::provide(&[
        ("/usr/sbin/nginx", "nginx-light"),
        ("/usr/lib/postgresql", "postgresql"),
        ("/usr/include/postgresql/libpq-fe.h", "libpq-dev"),
    ])?;
    let [memory, postgres] = interop::reference_servers()?;
    let Built { mut bench, server, folder, .. } = build("compare", &[])?;
    bench.arg("--server").arg(server).arg("--folder").arg(folder);
    bench.arg("--reference").arg(memory).arg("--reference-postgres").arg(postgres);
    bench.args(["--nginx", "/usr/sbin/nginx"]);
    process::run(bench.args(arguments))
}

/// Our client beside the reference implementation's.
pub(super) fn client(arguments: &[String]) -> Result<()> {
    let theirs = interop::reference_client()?;
    let Built { mut bench, server, folder, programs } =
        build("client", &[("wargate-cli", "warg")])?;
    bench.arg("--server").arg(server).arg("--folder").arg(folder);
    bench.arg("--ours").arg(programs.join("warg")).arg("--theirs").arg(theirs);
    process::run(bench.args(arguments))
}

/// Our client beside `wac`, and beside the runtime.
pub(super) fn compose(arguments: &[String]) -> Result<()> {
    let theirs = interop::composer()?;
    let more = [("wargate-cli", "warg"), ("wargate-runner", "warg-run")];
    let Built { mut bench, folder, programs, .. } = build("compose", &more)?;
    bench.arg("--folder").arg(folder).arg("--theirs").arg(theirs);
    bench.arg("--ours").arg(programs.join("warg")).arg("--runner").arg(programs.join("warg-run"));
    process::run(bench.args(arguments))
}

struct Built {
    /// What measures.
    bench: Command,
    server: PathBuf,
    /// An empty folder.
    folder: PathBuf,
    /// Where all programs are.
    programs: PathBuf,
}

/// What is always needed, and further packages with the program of each.
fn build(what: &str, more: &[(&str, &str)]) -> Result<Built> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--release"]);
    let always = [("wargate-bench", "bench"), ("wargate-server", "wargate")];
    for (package, program) in always.iter().chain(more) {
        cargo.args(["--package", package, "--bin", program]);
    }
    process::run(&mut cargo)?;
    let target = Metadata::read()?.target_directory;
    let (programs, folder) = (target.join("release"), target.join("bench").join(what));
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    let mut bench = Command::new(programs.join("bench"));
    bench.arg(what);
    Ok(Built { bench, server: programs.join("wargate"), folder, programs })
}
