//! `cargo xtask interop`: released clients, unmodified, against our server, and our client against
//! ours and the reference implementation's.

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::workspace::{self, Metadata};
use crate::{process, tools};

/// A released program.
struct Release {
    /// The crate that has it.
    package: &'static str,
    version: &'static str,
    program: &'static str,
    /// Beside the default ones.
    features: &'static [&'static str],
}

impl Release {
    const fn new(package: &'static str, version: &'static str, program: &'static str) -> Self {
        Self { package, version, program, features: &[] }
    }
}

/// The reference implementation's client.
const REFERENCE_CLIENT: Release = Release::new("warg-cli", "0.10.0", "warg");

/// What composes.
const WAC: Release = Release::new("wac-cli", "0.12.0", "wac");

/// The newest releases that speak Warg. `crates/interop/src/lab.rs` looks for them by these names.
const CLIENTS: &[Release] = &[
    REFERENCE_CLIENT,
    Release::new("wkg", "0.15.1", "wkg"),
    // It has lost Warg, and reads locks and folders.
    Release::new("wkg", "0.16.1", "wkg"),
    WAC,
    Release::new("cargo-component", "0.21.1", "cargo-component"),
];

/// The reference implementation's server.
const REFERENCE: Release = Release::new("warg-server", "0.10.0", "warg-server");

/// The same with a database behind it.
const REFERENCE_OVER_POSTGRES: Release = Release { features: &["postgres"], ..REFERENCE };

/// Recordings, which the tests of `wargate-interop` replay.
const RECORDINGS: &str = "testdata/interop";

/// The command. `--record` writes down what was said; `--reference` puts the reference's server in
/// the place of ours; everything else is for the program (`--list`, or parts of scenarios' names).
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let flag = |name: &str| arguments.iter().any(|argument| argument == name);
    let (is_recorded, is_reference) = (flag("--record"), flag("--reference"));
    ensure!(!(is_recorded && is_reference), "only our own server's answers are recorded");
    let clients = tools::cache_folder("interop")?;
    if !flag("--list") {
        install(&clients, CLIENTS.iter().chain([&REFERENCE]))?;
    }
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet"]);
    cargo.args(
        ["wargate-cli", "wargate-interop", "wargate-server"]
            .map(|it| ["--package", it])
            .as_flattened(),
    );
    process::run(&mut cargo)?;
    let built = Metadata::read()?.target_directory.join("debug");
    let ours = |name: &str| built.join(format!("{name}{}", consts::EXE_SUFFIX));
    let mut interop = Command::new(ours("interop"));
    interop.arg("--clients").arg(&clients).arg("--warg").arg(ours("warg"));
    interop.arg("--server").arg(ours("wargate"));
    interop.arg("--reference-server").arg(program(&clients, &REFERENCE));
    if is_recorded {
        interop.arg("--record").arg(workspace::root().join(RECORDINGS));
    }
    let rest = arguments.iter().filter(|argument| *argument != "--record");
    process::run(interop.args(rest))
}

/// The reference implementation's client, after it was built if need be.
pub(crate) fn reference_client() -> Result<PathBuf> {
    let cache = tools::cache_folder("interop")?;
    install(&cache, [&REFERENCE_CLIENT])?;
    Ok(program(&cache, &REFERENCE_CLIENT))
}

/// `wac`, after it was built if need be.
pub(crate) fn composer() -> Result<PathBuf> {
    let cache = tools::cache_folder("interop")?;
    install(&cache, [&WAC])?;
    Ok(program(&cache, &WAC))
}

/// The reference implementation's server, after it was built if need be: as it comes, and with
/// PostgreSQL's client in it.
pub(crate) fn reference_servers() -> Result<[PathBuf; 2]> {
    let cache = tools::cache_folder("interop")?;
    install(&cache, [&REFERENCE, &REFERENCE_OVER_POSTGRES])?;
    Ok([program(&cache, &REFERENCE), program(&cache, &REFERENCE_OVER_POSTGRES)])
}

/// One of the [`CLIENTS`] by its program's name, after it was built if need be.
pub(crate) fn released(name: &str) -> Result<PathBuf> {
    let release = CLIENTS.iter().find(|release| release.program == name);
    let release = release.with_context(|| format!("{name} is none of the clients"))?;
    let cache = tools::cache_folder("interop")?;
    install(&cache, [release])?;
    Ok(program(&cache, release))
}

/// Builds the programs that are not in the cache yet.
fn install<'a>(cache: &Path, wanted: impl IntoIterator<Item = &'a Release>) -> Result<()> {
    let missing: Vec<_> =
        wanted.into_iter().filter(|release| !program(cache, release).is_file()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    println!("building {} released programs into {}", missing.len(), cache.display());
    println!("this takes some ten minutes for each on two cores, once: each has 300 to 500 crates");
    fs::create_dir_all(cache)?;
    for release in missing {
        let Release { package, version, features, .. } = release;
        println!("building {package} {version} {}", features.join(" "));
        let mut install = process::cargo();
        // Neither this workspace's settings nor its target directory concern the programs, which
        // share many crates with each other.
        install.current_dir(cache).env("CARGO_TARGET_DIR", cache.join("target"));
        install.args(["install", "--locked", "--quiet", "--root"]).arg(folder(cache, release));
        install.args(["--features", &features.join(",")]);
        process::run(install.args([package, "--version", version]))?;
        let program = program(cache, release);
        ensure!(program.is_file(), "`cargo install {package}` left no {}", program.display());
    }
    Ok(())
}

fn folder(cache: &Path, release: &Release) -> PathBuf {
    let mut parts = vec![release.package];
    parts.extend(release.features);
    parts.push(release.version);
    cache.join(parts.join("-"))
}

fn program(cache: &Path, release: &Release) -> PathBuf {
    folder(cache, release).join("bin").join(format!("{}{}", release.program, consts::EXE_SUFFIX))
}
