//! `cargo xtask ci`: every check in one run, the cheap ones first, the tests last.

use std::time::Instant;

use anyhow::{Result, anyhow};

use crate::{codegen, deny, process, satellites, test, tidy, wasm};

struct Step {
    name: &'static str,
    /// How a person repeats this step alone.
    alone: &'static str,
    run: fn() -> Result<()>,
}

/// `test` comes last and prints nothing after its runner, so that the whole run ends with the
/// runner's summary.
const STEPS: &[Step] = &[
    Step { name: "format", alone: "cargo fmt --all --check", run: format },
    Step {
        name: "clippy",
        alone: "cargo clippy --workspace --all-targets --features wargate-cli/os-keyring -- -D warnings",
        run: clippy,
    },
    Step { name: "tidy", alone: "cargo xtask tidy", run: || tidy::run(&[]) },
    Step {
        name: "codegen",
        alone: "cargo xtask codegen --check",
        run: || codegen::run(&["--check".to_owned()]),
    },
    Step { name: "wasm", alone: "cargo xtask wasm", run: || wasm::run(&[]) },
    Step {
        name: "docs",
        alone: "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace",
        run: docs,
    },
    Step { name: "deny", alone: "cargo xtask deny", run: || deny::run(&[]) },
    Step { name: "test", alone: "cargo xtask test", run: || test::run(&[]) },
];

/// The command. It stops at the first step that fails.
pub(crate) fn run(_: &[String]) -> Result<()> {
    for (number, step) in (1..).zip(STEPS) {
        println!("\n== {number}/{} {} ==", STEPS.len(), step.name);
        let start = Instant::now();
        (step.run)().map_err(|error| {
            anyhow!("step `{}` failed: {error:#}\nto repeat it alone: {}", step.name, step.alone)
        })?;
        if number < STEPS.len() {
            println!("{}: ok after {:.1} s", step.name, start.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

fn format() -> Result<()> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    satellites::format()
}

/// With the keyrings of operating systems, which no other step compiles: the tests are built without.
fn clippy() -> Result<()> {
    let what = ["clippy", "--workspace", "--all-targets", "--features", "wargate-cli/os-keyring"];
    process::run(process::cargo().args(what).args(["--", "-D", "warnings"]))?;
    satellites::clippy()
}

fn docs() -> Result<()> {
    let mut doc = process::cargo();
    process::run(doc.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--no-deps", "--workspace"]))
}
