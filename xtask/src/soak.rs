//! `cargo xtask soak`: a real server under a mixed load, well-behaved and hostile at once.

use std::process::Command;

use anyhow::Result;

use crate::api_fuzz::{Folder, seconds};
use crate::process;
use crate::workspace::Metadata;

/// For how long if nobody says, in seconds.
const SECONDS: u64 = 3600;

/// The command. `crates/bench/src/bin/soak.rs` does it, and says what must hold.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let seconds = seconds(arguments, SECONDS)?;
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--package", "wargate-server", "--package", "wargate-bench"]);
    process::run(cargo.args(["--bin", "wargate", "--bin", "soak"]))?;
    let built = Metadata::read()?.target_directory.join("debug");
    let folder = Folder::new("soak")?;
    let mut soak = Command::new(built.join("soak"));
    soak.arg("--server").arg(built.join("wargate")).arg("--folder").arg(folder.path());
    process::run(soak.args(["--seconds", &seconds.to_string()]))
}
