//! `cargo xtask oracle`: how fast we are beside the reference and `wac`, measured in turns in one run.

use anyhow::Result;

use crate::{process, workspace};

/// The command. The program is a satellite's, which has the reference's crates among its
/// dependencies; whether the answers agree is a matter of its tests.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let mut cargo = process::cargo();
    cargo.current_dir(workspace::root().join("oracle"));
    cargo.args(["run", "--release", "--quiet", "--"]).args(arguments);
    process::run(&mut cargo)
}
