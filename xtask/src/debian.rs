//! Debian's packages, for what the commands need and Rust does not bring.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;

/// Sees to it that files are there, each of which comes with a package. The administrator has the
/// packages installed; others are told which.
pub(crate) fn provide(wanted: &[(&str, &str)]) -> Result<()> {
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    let is_root = process::output(Command::new("id").arg("-u"))?.trim() == "0";
    if !is_root {
        bail!("this needs programs that are not here: `sudo apt-get install {names}`");
    }
    println!("installing {names}");
    let apt = || {
        let mut apt = Command::new("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        apt
    };
    process::run(apt().arg("update"))?;
    process::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(missing))
}
