//! `wargate`: the registry's process.
//!
//! `wargate serve` (or no command at all) runs it; the other commands look after what it keeps.

#![expect(clippy::print_stderr, reason = "a command line program speaks to a person")]

mod abuse;
mod admin;
mod args;
mod config;
mod content_store;
mod data_dir;
mod doctor;
mod fsck;
mod health;
mod key;
mod keys;
mod listener;
mod metrics;
mod operator;
mod output;
mod pause;
mod process;
mod recovery;
mod restore;
mod seed;
mod serve;
mod snapshot;
mod sockets;
mod sources;
mod telemetry;
mod tls;
mod usage;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::args::{Arguments, Command};

/// A request takes and gives back some hundred pieces of memory, many of them in another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<ExitCode> {
    let Arguments { command, serve, common } = arguments;
    match command {
        None => serve::run(&common, &serve),
        Some(Command::Serve(serve)) => serve::run(&common, &serve),
        Some(Command::Fsck(options)) => return fsck::run(&common, &options),
        Some(Command::Doctor(options)) => return doctor::run(&common, &options),
        Some(Command::Health(options)) => return health::run(&common, &options),
        Some(Command::Key(command)) => key::run(&common, &command),
        Some(Command::Operator(command)) => operator::run(&common, &command),
        Some(Command::Seed) => seed::run(&common),
        Some(Command::Rebuild) => operator::rebuild(&common),
        Some(Command::Snapshot(options)) => return snapshot::run(&common, &options),
        Some(Command::Restore(options)) => return restore::run(&common, &options),
        Some(Command::Pause { reason }) => pause::pause(&common, reason.as_deref()),
        Some(Command::Resume) => pause::resume(&common),
    }?;
    Ok(ExitCode::SUCCESS)
}
