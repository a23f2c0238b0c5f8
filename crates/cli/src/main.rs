//! The program `warg`: what a person types, and what they read. Everything else is `wargate-client`'s.

#![expect(clippy::format_push_string, reason = "texts for people, a few a command")]

mod args;
mod commands;
mod config_file;
mod context;
mod credentials;
mod dirs;
mod failure;
mod files;
mod interrupt;
mod near_misses;
mod notices;
mod output;
mod progress;
mod prompt;
mod worker;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};

use crate::args::Arguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::notices::Notices;
use crate::output::{Output, Report, tame};

fn main() -> ExitCode {
    if let Some(exit) = worker::serve() {
        return exit;
    }
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
    interrupt::tell_in_json(json);
    let notices = Arc::new(Notices::default());
    if let Some(done) = commands::run_alone(&arguments.command) {
        return end(output, done, &notices);
    }
    let done = Context::new(&arguments.globals, Arc::clone(&notices)).and_then(|context| {
        output.set_color(context.config.color);
        context.warn();
        commands::run(&context, arguments.command)
    });
    end(output, done, &notices)
}

/// Says what came of it.
fn end(output: Output, done: Result<Report, Failure>, notices: &Notices) -> ExitCode {
    match done.and_then(|report| output.report(&report, notices).map(|()| report.exit)) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => output.failure(&failure, notices),
    }
}

/// Help, the version, or a command line that cannot be understood.
fn refuse(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // The reader of the help may have gone.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let failure = Failure::of_command_line(error);
    if asks_for_json() {
        return Output::new(true).failure(&failure, &Notices::default());
    }
    // It repeats the command line, in which a shell may have put names of files.
    let text = error.render().to_string();
    let tamed = tame(&text);
    let _ = if tamed == text { error.print() } else { io::stderr().write_all(tamed.as_bytes()) };
    ExitCode::from(failure.exit())
}

/// Whether a command line that cannot be understood asks for JSON.
fn asks_for_json() -> bool {
    std::env::args_os().skip(1).take_while(|word| word != "--").any(|word| word == "--json")
}
