//! The same work done by us and by the reference, or by `wac`, in one run and in turns, and how long it takes:
//! `cargo xtask oracle`, with `--json` for programs, and with words for the rows whose names have one.
//!
//! Every row builds its input once, the same for both, and then measures in rounds. Which side goes
//! first changes with every round; what is printed are medians over the rounds, for the ratio the
//! median of the rounds' ratios. Absolute numbers belong to the machine, the ratio mostly does not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to a person")]

mod bundles;
mod logs;
mod maps;
mod measure;
mod packages;
mod process;
mod report;
mod signatures;
mod sizes;

use std::process::ExitCode;

use anyhow::{Result, bail};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (json, words) = match &arguments[..] {
        [process::ARGUMENT, name, side] => return process::child(name, side),
        ["--json", words @ ..] => (true, words),
        words => (false, words),
    };
    if words.iter().any(|word| word.starts_with('-')) {
        bail!("usage: compare [--json] [WORD...]");
    }
    let is_wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let mut results = Vec::new();
    for rows in [signatures::rows, packages::rows, logs::rows, maps::rows, bundles::rows] {
        for row in rows().into_iter().filter(|row| is_wanted(&row.name)) {
            eprintln!("measuring: {}", row.name);
            results.push(row.measure());
        }
    }
    results.extend(process::measure(is_wanted)?);
    if json {
        println!("{:#}", report::json(&results));
    } else {
        print!("{}", report::table(&results));
    }
    Ok(())
}
