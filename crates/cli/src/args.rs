//! What a person types.

mod components;
mod composing;
mod dependencies;
mod publish;
mod running;
mod verify;
mod virtualize;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use wargate_client::config::BACKENDS;
use wargate_protocol::{PackageName, Version};

pub(crate) use self::components::{Diff, Inspect, Wit};
pub(crate) use self::composing::{Adapt, Bounds, Compose, Composing, PlugArguments, Targets};
pub(crate) use self::dependencies::{
    Add, Bundle, Dependencies, Fetch, LockArguments, LockPlace, Outdated, Remove, Roots, Update,
};
pub(crate) use self::publish::{Publish, PublishCommand, PublishFiles, PublishOptions, Release};
pub(crate) use self::running::{Grants, Run, Serve, What};
pub(crate) use self::verify::{Monitor, Verify};
pub(crate) use self::virtualize::Virtualize;

/// Publish and fetch WebAssembly components, and verify every answer of their registry.
#[derive(Debug, Parser)]
#[command(name = "warg", version, propagate_version = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) globals: Globals,
}

/// The command line, as clap knows it.
pub(crate) fn command() -> clap::Command {
    Arguments::command()
}

/// What every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of every command")]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Globals {
    /// The home registry
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) registry: Option<String>,
    /// A configuration file instead of the usual ones, JSON or TOML [env: WARG_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON document instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say what happens on the way
    #[arg(long, global = true)]
    pub(crate) verbose: bool,
    /// Do without the network
    #[arg(long, global = true)]
    pub(crate) offline: bool,
    /// When to colour
    #[arg(long, global = true, value_name = "WHEN", value_parser = ["auto", "always", "never"])]
    pub(crate) color: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Get packages, as files
    Get(Get),
    /// Publish components, or change a package
    Publish(Box<Publish>),
    /// Show a package: its releases, who may change it, what covers it
    Show(Show),
    /// List the versions of a package
    Versions(PackageOnly),
    /// Show the records of a package, newest first
    Log(PackageOnly),
    /// Bring what is known of packages up to date, and take newer releases into `warg.lock`
    Update(Update),
    /// Show what a component is: what it needs and offers, who made it, what takes its space
    Inspect(Inspect),
    /// Show the interfaces of a component as WIT, or write them as a folder for build tools
    Wit(Wit),
    /// Show what changed between two components, and whether the later can replace the earlier
    Diff(Diff),
    /// Show what components depend on: as a tree, a picture, or the reasons for one package
    Dependencies(Dependencies),
    /// Write down in `warg.lock` which releases answer what components depend on
    Lock(LockArguments),
    /// Show which locked packages have newer releases
    Outdated(Outdated),
    /// Put a component and all that it depends on into one, which needs no registry to run
    Bundle(Bundle),
    /// Make a component of a WAC document: packages by their names, and how they are wired
    Compose(Compose),
    /// Plug components into one that imports what they export
    Plug(PlugArguments),
    /// Show whether a component fits a world, and on which hosts it runs
    Targets(Targets),
    /// Make a component of a core module
    Adapt(Adapt),
    /// Run a command with all that it depends on, and grant it only what is asked for
    Run(Box<Run>),
    /// Answer HTTP requests with a component, and grant it only what is asked for
    Serve(Box<Serve>),
    /// Seal environment variables and files in a component, in the place of the host's
    Virtualize(Virtualize),
    /// Download what `warg.lock` names, as files
    Fetch(Fetch),
    /// Add packages to `[dependencies]` of `warg.toml`, and lock them
    Add(Add),
    /// Remove packages from `[dependencies]` of `warg.toml`, and from the lock
    Remove(Remove),
    /// Download one package into the cache, or into a file
    #[command(disable_version_flag = true)]
    Download(Download),
    /// Verify a file, a package or a whole registry from its first record on, and say what was proven
    Verify(Verify),
    /// Follow a registry for ever: recompute what it signs, check every signature, tell what is wrong
    Monitor(Monitor),
    /// Show which registries are believed, or believe one
    Trust(Trust),
    /// Show on this machine how it all works: publish, fetch, verify, and catch a registry that lies
    Demo(Demo),
    /// Show what is known without asking a registry
    Info(Info),
    /// Store a token, and make a key if there is none
    Login(Login),
    /// Remove the token
    Logout(LogoutOf),
    /// Show who you are to a registry: your key and your token
    Whoami,
    /// Make, show, set and delete keys that sign
    #[command(subcommand)]
    Key(KeyCommand),
    /// Write a configuration, or show the one that counts
    #[command(override_usage = "warg config [OPTIONS] [PATH]\n       warg config <COMMAND>")]
    Config(Box<ConfigArguments>),
    /// Delete downloaded content
    Clear,
    /// Forget all that is known of registries
    Reset,
    /// Print what completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Write manual pages
    Man {
        /// The directory for them; without it, the main page is printed
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Print all commands, flags and exit codes as one page of Markdown
        #[arg(long, conflicts_with = "out")]
        markdown: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Get {
    /// Packages: NAMESPACE:NAME, with @VERSION or @REQUIREMENT behind it if not the newest is wanted
    #[arg(required = true, value_name = "PACKAGE[@VERSION]")]
    pub(crate) packages: Vec<String>,
    /// The file to write, a directory, or - for standard output [default: NAME.wasm, here]
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
    /// Leave a file alone that is there
    #[arg(long)]
    pub(crate) no_clobber: bool,
    /// Also get a version that was yanked, if it is named exactly
    #[arg(long)]
    pub(crate) yanked: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Download {
    /// The package
    pub(crate) package: PackageName,
    /// The version, exactly [default: the newest]
    #[arg(short, long, value_name = "VERSION")]
    pub(crate) version: Option<Version>,
    /// The file to write; `.wasm` is added unless it ends so
    #[arg(short, long, value_name = "PATH")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The package, with @VERSION behind it for one release
    #[arg(value_name = "PACKAGE[@VERSION]")]
    pub(crate) package: String,
    /// Fetch the release's content if it is not in the cache, to show what it needs and offers
    #[arg(long)]
    pub(crate) interfaces: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PackageOnly {
    /// The package
    pub(crate) package: PackageName,
}

#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// A registry to ask first [default: none; what is known is shown]
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Believe that this operator key (fingerprint) is the registry's
    #[arg(long, value_name = "KEY_ID", requires = "url")]
    pub(crate) confirm: Option<String>,
    /// Forget what is known of the registry
    #[arg(long, requires = "url", conflicts_with = "confirm")]
    pub(crate) forget: bool,
    /// Print evidence that was kept, as JSON
    #[arg(long, value_name = "REGISTRY/NAME", conflicts_with_all = ["url", "confirm", "forget"])]
    pub(crate) evidence: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "It needs no network and leaves your configuration, keys and cache alone. All that is \
                  made is in a temporary directory, which is removed at the end."
)]
pub(crate) struct Demo {
    /// Write all that is shown to this file, as Markdown
    #[arg(long, value_name = "FILE")]
    pub(crate) transcript: Option<PathBuf>,
    /// Keep the temporary directory, with the transcript in it, and say where it is
    #[arg(long)]
    pub(crate) keep: bool,
    /// The registry's program [default: `wargate` beside this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) server: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Info {
    /// Only this package
    pub(crate) package: Option<PackageName>,
    /// Only the registries of namespaces
    #[arg(short, long)]
    pub(crate) namespaces: bool,
}

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags")]
pub(crate) struct Login {
    /// The registry, as `--registry`
    #[arg(hide = true)]
    pub(crate) url: Option<String>,
    /// Read the token from standard input
    #[arg(long)]
    pub(crate) token_stdin: bool,
    /// Store no token, only see to it that there is a key
    #[arg(long, conflicts_with = "token_stdin")]
    pub(crate) no_token: bool,
    /// Replace the token that the API has, where the registry says that its API has another name
    #[arg(long, conflicts_with = "no_token")]
    pub(crate) overwrite: bool,
    /// Ignore hints at other registries from now on
    #[arg(long)]
    pub(crate) ignore_federation_hints: bool,
    /// Ask before following hints at other registries from now on
    #[arg(long)]
    pub(crate) disable_auto_accept_federation_hints: bool,
    /// Ask before creating packages from now on
    #[arg(long)]
    pub(crate) disable_auto_package_init: bool,
    /// The keyring from now on
    #[arg(long, value_name = "BACKEND", value_parser = BACKENDS.to_vec())]
    pub(crate) keyring_backend: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct LogoutOf {
    /// The registry, as `--registry`
    #[arg(hide = true)]
    pub(crate) url: Option<String>,
    /// Do not ask before the token of an API of another name is removed
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and store it
    New {
        /// Replace the key that is there
        #[arg(long)]
        overwrite: bool,
    },
    /// Show the key's fingerprint and its public half
    Info,
    /// Store a key that you have: from standard input, or typed unseen
    Set {
        /// Replace the key that is there
        #[arg(long)]
        overwrite: bool,
    },
    /// Delete the key
    Delete {
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    pub(crate) command: Option<ConfigCommand>,
    /// The file to write [default: yours]
    pub(crate) path: Option<PathBuf>,
    /// Where the reference client keeps logs; left alone by this one
    #[arg(long, value_name = "DIR")]
    pub(crate) registries_dir: Option<PathBuf>,
    /// Where the reference client keeps content; left alone by this one
    #[arg(long, value_name = "DIR")]
    pub(crate) content_dir: Option<PathBuf>,
    /// Where the reference client keeps its map of namespaces; left alone by this one
    #[arg(long, value_name = "FILE")]
    pub(crate) namespace_path: Option<PathBuf>,
    /// Ignore hints at other registries
    #[arg(long, value_name = "BOOL")]
    pub(crate) ignore_federation_hints: Option<bool>,
    /// Ask before following hints at other registries
    #[arg(long, value_name = "BOOL")]
    pub(crate) disable_auto_accept_federation_hints: Option<bool>,
    /// Ask before creating packages
    #[arg(long, value_name = "BOOL")]
    pub(crate) disable_auto_package_init: Option<bool>,
    /// The keyring
    #[arg(long, value_name = "BACKEND", value_parser = BACKENDS.to_vec())]
    pub(crate) keyring_backend: Option<String>,
    /// Change a file that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
}

impl ConfigArguments {
    /// What stands before a verb and has no meaning for it.
    pub(crate) fn misplaced(&self) -> Option<&'static str> {
        self.command.as_ref()?;
        let paths = [&self.path, &self.registries_dir, &self.content_dir, &self.namespace_path];
        let flags = [
            self.ignore_federation_hints,
            self.disable_auto_accept_federation_hints,
            self.disable_auto_package_init,
        ];
        let changes = paths.into_iter().any(Option::is_some)
            || flags.iter().any(Option::is_some)
            || self.keyring_backend.is_some()
            || self.overwrite;
        changes.then_some("what changes the configuration")
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the settings that count
    Show {
        /// Also show where each comes from
        #[arg(long)]
        origin: bool,
        /// Only this one
        key: Option<String>,
    },
}

/// A permission of a package's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PermissionName {
    /// Release versions
    Release,
    /// Yank versions
    Yank,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(command: &clap::Command, path: &str) {
        let path = format!("{path} {}", command.get_name());
        assert!(command.get_about().is_some(), "`{path}` says nothing");
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "`{path}` does not explain {argument}");
        }
        for below in command.get_subcommands() {
            check(below, &path);
        }
    }

    /// What a command line does, or what is misplaced in it.
    fn parse(line: &str) -> Result<Command, String> {
        let words = line.split_whitespace();
        let arguments = Arguments::try_parse_from(words).map_err(|error| error.to_string())?;
        let misplaced = match &arguments.command {
            Command::Publish(options) => options.misplaced(),
            Command::Config(options) => options.misplaced(),
            _ => None,
        };
        misplaced.map_or(Ok(arguments.command), |misplaced| Err(misplaced.to_owned()))
    }

    #[test]
    fn what_stands_before_a_verb_means_the_same_or_is_refused() {
        for line in [
            "warg publish --registry r.example abort",
            "warg publish abort --registry r.example",
            "warg publish --quiet release a.wasm --name a:b --version 1.0.0",
            "warg publish --no-wait init a:b",
        ] {
            let Ok(Command::Publish(options)) = parse(line) else { panic!("{line}") };
            assert!(options.command.is_some() && options.files.files.is_empty(), "{line}");
        }
        let Ok(Command::Config(options)) = parse("warg config --registry r.example show") else {
            panic!("`show` is taken for a file");
        };
        assert!(options.command.is_some() && options.path.is_none());
        for (line, said) in [
            ("warg publish --dry-run init a:b", "--dry-run"),
            ("warg publish --name a:b init a:b", "--name"),
            ("warg publish --release 1.0.0 list", "--release"),
            ("warg publish --no-wait list", "--no-wait"),
            ("warg publish --name a:b release a.wasm --version 1.0.0", "--name"),
            ("warg config --overwrite show", "what changes"),
        ] {
            let error = parse(line).unwrap_err();
            assert!(error.contains(said), "{line}: {error}");
        }
        // Behind a file, a word is a file.
        let Ok(Command::Publish(options)) = parse("warg publish a.wasm list") else { panic!() };
        assert_eq!(options.files.files.len(), 2);
    }

    #[test]
    fn every_flag_is_explained() {
        command().debug_assert();
        check(&command(), "");
    }
}
