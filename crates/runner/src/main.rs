//! The program `warg-run`: runs a component, with nothing granted that was not asked for.
//!
//! It is the helper of `warg run` and `warg serve`, which find, verify and link what is run. It is a program
//! of its own so that `warg` stays small, and knows nothing of registries: it is given a file.

#![expect(clippy::format_push_string, reason = "texts for people, a few a command")]

mod arguments;
mod engine;
mod failure;
mod grants;
mod host;
mod limits;
mod missing;
mod network;
mod run;
mod serve;
mod trap;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (done, json) = match arguments.command {
        Command::Run(options) => (run::run(&options), None),
        Command::Serve(options) => {
            (serve::serve(&options).map(|()| ExitCode::SUCCESS), options.json)
        }
    };
    done.unwrap_or_else(|failure: Failure| failure.tell(json))
}
