//! The project's own commands, run as `cargo xtask <command>`.
//!
//! Each command is a row of [`COMMANDS`] and a module with a `run` function. What CI does, anyone
//! can do: `.ci/run` calls `cargo xtask ci` and nothing else.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line program speaks to a person"
)]

mod api_fuzz;
mod bench;
mod ci;
mod codegen;
mod debian;
mod deny;
mod fuzz;
mod guides;
mod interop;
mod oracle;
mod process;
mod satellites;
mod soak;
mod test;
mod tidy;
mod tools;
mod wasm;
mod workspace;

use std::env;
use std::process::ExitCode;

use anyhow::{Result, bail};

/// One command: what a person types, what it says of itself, and what it does.
struct Subcommand {
    name: &'static str,
    arguments: &'static str,
    about: &'static str,
    run: fn(&[String]) -> Result<()>,
}

/// In the order of the help text.
const COMMANDS: &[Subcommand] = &[
    Subcommand {
        name: "ci",
        arguments: "",
        about: "everything that must hold before a change lands, the tests last",
        run: ci::run,
    },
    Subcommand {
        name: "test",
        arguments: "[-- FILTER…]",
        about: "all tests; with a filter, those of the main workspace that match",
        run: test::run,
    },
    Subcommand {
        name: "tidy",
        arguments: "",
        about: "the house rules: layers, dependency budgets, file shape, banned calls",
        run: tidy::run,
    },
    Subcommand {
        name: "wasm",
        arguments: "[--keep-guest]",
        about: "check that the pure crates, the engine and its front compile for WebAssembly",
        run: wasm::run,
    },
    Subcommand {
        name: "deny",
        arguments: "",
        about: "licences, sources, duplicates and advisories of the dependencies",
        run: deny::run,
    },
    Subcommand {
        name: "bench",
        arguments: "[core|scale|client]",
        about: "speed and memory, each thing beside its limit or its peer in one run",
        run: bench::run,
    },
    Subcommand {
        name: "codegen",
        arguments: "[--check]",
        about: "write the Rust types of the protobuf messages, or check that they are fresh",
        run: codegen::run,
    },
    Subcommand {
        name: "oracle",
        arguments: "[--json] [WORD…]",
        about: "how fast we are beside the reference implementation's crates and `wac`",
        run: oracle::run,
    },
    Subcommand {
        name: "interop",
        arguments: "[NAME…]",
        about: "released clients and ours against both servers (--list, --record, --reference)",
        run: interop::run,
    },
    Subcommand {
        name: "guides",
        arguments: "[NAME…]",
        about: "do what the guides say, against a registry (--list, --all, --keep, --programs DIR)",
        run: guides::run,
    },
    Subcommand {
        name: "api-fuzz",
        arguments: "[--time TIME]",
        about: "a generic fuzzer over the OpenAPI document, against a real server (300s, 10min)",
        run: api_fuzz::run,
    },
    Subcommand {
        name: "soak",
        arguments: "[--time TIME]",
        about: "publishers, readers and hostile clients for an hour, or as long as you say",
        run: soak::run,
    },
    Subcommand {
        name: "fuzz",
        arguments: "[SECONDS] [TARGET…]",
        about: "run the fuzz targets, 120 seconds each or as long as you say",
        run: fuzz::run,
    },
    Subcommand {
        name: "help",
        arguments: "",
        about: "this table",
        run: |_| {
            help();
            Ok(())
        },
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Result<()> {
    let Some((name, rest)) = arguments.split_first() else {
        help();
        return Ok(());
    };
    let name = if matches!(name.as_str(), "-h" | "--help") { "help" } else { name };
    let Some(command) = COMMANDS.iter().find(|command| command.name == name) else {
        bail!("there is no command `{name}`; `cargo xtask help` lists them");
    };
    if command.arguments.is_empty() && !rest.is_empty() && name != "help" {
        bail!("`cargo xtask {name}` takes no arguments, but got `{}`", rest.join(" "));
    }
    (command.run)(rest)
}

fn help() {
    println!("usage: cargo xtask COMMAND\n");
    for command in COMMANDS {
        let usage = format!("{} {}", command.name, command.arguments);
        println!("  {usage:<20} {}", command.about);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_command_names_the_help() {
        let error = dispatch(&["publish".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("cargo xtask help"));
    }

    #[test]
    fn a_command_without_arguments_refuses_them() {
        let error = dispatch(&["tidy".to_owned(), "--fix".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("takes no arguments"));
    }
}
