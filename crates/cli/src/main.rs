//! The program `warg`: what a person types, and what they read. Everything else is `wargate-client`'s.

#![expect(clippy::format_push_string, reason = "texts for people, a few a command")]

mod args;
mod commands;
mod config_file;
mod context;
mod credentials;
mod dirs;
mod failure;
mod output;
mod progress;
mod prompt;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use crate::args::Arguments;
use crate::context::Context;
use crate::failure::EXIT_USAGE;
use crate::output::Output;

fn main() -> ExitCode {
    let matches = match args::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return refuse(&error),
    };
    let arguments = match Arguments::from_arg_matches(&matches) {
        Ok(arguments) => arguments,
        Err(error) => return refuse(&error.format(&mut Arguments::command())),
    };
    let json = arguments.globals.json;
    let mut output = Output::new(json);
    let done = Context::new(&arguments.globals).and_then(|context| {
        output.set_color(context.config.color);
        context.warn();
        commands::run(&context, arguments.command)
    });
    match done.and_then(|report| output.report(&report).map(|()| report.exit)) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => output.failure(&failure),
    }
}

/// Help, the version, or a command line that cannot be understood.
fn refuse(error: &clap::Error) -> ExitCode {
    // The reader of the help may have gone.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}
