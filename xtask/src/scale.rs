//! `cargo xtask scale`: a large registry beside a small one, in memory, time and restarts.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;
use crate::workspace::Metadata;

/// The command. What it is given goes to the program that measures; `--help` says what that knows.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.args(["build", "--quiet", "--release", "--package=wargate-server", "--bin=wargate"]);
    process::run(cargo.args(["--package=wargate-bench", "--bin=scale"]))?;
    let target = Metadata::read()?.target_directory;
    let (programs, folder) = (target.join("release"), target.join("scale"));
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("{} cannot be removed", folder.display()))?;
    }
    let mut scale = Command::new(programs.join("scale"));
    scale.arg("--server").arg(programs.join("wargate")).arg("--folder").arg(&folder);
    process::run(scale.args(arguments))
}
