//! `cargo xtask test`: all tests, from whatever state the tree is in.

use anyhow::Result;

use crate::{process, satellites, tools};

/// The command. Without a filter: first the workspaces beside the main one (guests are built
/// there, which tests of the main one may load), then the examples in the documentation, then
/// everything else, so that the last lines are that runner's summary. With a filter only the last.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let filter = match arguments.split_first() {
        Some((first, rest)) if first == "--" => rest,
        _ => arguments,
    };
    if filter.is_empty() {
        satellites::test()?;
        process::run(process::cargo().args(["test", "--quiet", "--doc", "--workspace"]))?;
    }
    let mut runner = process::cargo();
    if tools::on_path("cargo-nextest").is_some() {
        runner.args(["nextest", "run", "--workspace"]);
    } else {
        println!("cargo-nextest is not installed: `cargo test` runs the tests, with less order");
        runner.args(["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests"]);
    }
    process::run(runner.args(filter))
}
