//! `cargo xtask deny`: what the dependencies may be, checked by cargo-deny against `deny.toml`.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::process;
use crate::tools::Tool;
use crate::workspace;

const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    wait: "this takes two to three minutes on two cores, once: it is a program of 300 crates",
};

/// How long the advisory database may take to arrive.
const FETCH_SECONDS_MAX: u64 = 120;

/// The command. What needs no network comes first, so that its verdict is always seen.
pub(crate) fn run(_: &[String]) -> Result<()> {
    let program = CARGO_DENY.obtain()?;
    process::run(cargo_deny(&program).args(["check", "bans", "licenses", "sources"]))?;
    let mut fetch = cargo_deny(&program);
    match process::attempt(fetch.args(["fetch", "db"]), Duration::from_secs(FETCH_SECONDS_MAX)) {
        Ok(()) => {
            process::run(cargo_deny(&program).args(["check", "--disable-fetch", "advisories"]))
        }
        Err(error) => {
            println!("advisories not checked, their database cannot be fetched: {error:#}");
            Ok(())
        }
    }
}

fn cargo_deny(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace::root());
    command
}
