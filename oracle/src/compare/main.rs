//! The same work done by us and by the reference, in one run and in turns, and how long it takes:
//! `cargo xtask oracle`, with `--json` for programs.
//!
//! Every row builds its input once, the same for both, and then measures in rounds. Which side goes
//! first changes with every round; what is printed are medians over the rounds, for the ratio the
//! median of the rounds' ratios. Absolute numbers belong to the machine, the ratio mostly does not.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks to a person")]

mod logs;
mod maps;
mod measure;
mod memory;
mod packages;
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
    let json = match arguments[..] {
        [] => false,
        ["--json"] => true,
        [memory::ARGUMENT, side] => return memory::child(side),
        _ => bail!("usage: compare [--json]"),
    };
    let mut results = Vec::new();
    for rows in [signatures::rows, packages::rows, logs::rows, maps::rows] {
        for row in rows() {
            eprintln!("measuring: {}", row.name);
            results.push(row.measure());
        }
    }
    results.extend(memory::measure()?);
    if json {
        println!("{:#}", report::json(&results));
    } else {
        print!("{}", report::table(&results));
    }
    Ok(())
}
