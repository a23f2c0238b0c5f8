//! The workspaces beside the main one, which `Cargo.toml` excludes: they need other targets, flags
//! or old dependencies.
//!
//! A satellite is a row of [`SATELLITES`]; a row whose folder does not exist yet does nothing.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{self, Metadata};
use crate::{process, wasm};

struct Satellite {
    folder: &'static str,
    kind: Kind,
}

/// What there is to do in a satellite when all tests run.
enum Kind {
    /// Components for this target, which tests of the main workspace load: they are built.
    Guests { target: &'static str },
    /// Tests of its own: they run.
    Tested,
    /// Programs for a person to run: they only have to compile and lint.
    Programs,
}

/// Guests come first, since what follows may load them.
const SATELLITES: &[Satellite] = &[
    Satellite { folder: "guests", kind: Kind::Guests { target: "wasm32-unknown-unknown" } },
    Satellite { folder: "oracle", kind: Kind::Tested },
    Satellite { folder: "fuzz", kind: Kind::Programs },
];

/// Builds the guests and runs the tests of the satellites.
pub(crate) fn test() -> Result<()> {
    for satellite in present() {
        match satellite.kind {
            Kind::Guests { .. } => process::run(satellite.cargo()?.args(["build", "--release"]))?,
            Kind::Tested => process::run(satellite.cargo()?.args(["test", "--workspace"]))?,
            Kind::Programs => {}
        }
    }
    Ok(())
}

/// Checks the format of the satellites.
pub(crate) fn format() -> Result<()> {
    for satellite in present() {
        let mut cargo = process::cargo();
        cargo.current_dir(workspace::root().join(satellite.folder));
        process::run(cargo.args(["fmt", "--all", "--check"]))?;
    }
    Ok(())
}

/// Lints the satellites.
pub(crate) fn clippy() -> Result<()> {
    for satellite in present() {
        let flags = ["clippy", "--workspace", "--", "-D", "warnings"];
        process::run(satellite.cargo()?.args(flags))?;
    }
    Ok(())
}

impl Satellite {
    /// A cargo in the satellite's folder, for its target. It shares what the main workspace has built,
    /// of which the most is the same.
    fn cargo(&self) -> Result<Command> {
        let mut cargo = match self.kind {
            Kind::Guests { target } => wasm::command(target)?,
            Kind::Tested | Kind::Programs => {
                let mut cargo = process::cargo();
                cargo.env("CARGO_TARGET_DIR", Metadata::read()?.target_directory);
                cargo
            }
        };
        cargo.current_dir(workspace::root().join(self.folder));
        Ok(cargo)
    }
}

fn present() -> impl Iterator<Item = &'static Satellite> {
    let exists = |folder| workspace::root().join(folder).join("Cargo.toml").is_file();
    SATELLITES.iter().filter(move |satellite| exists(satellite.folder))
}
