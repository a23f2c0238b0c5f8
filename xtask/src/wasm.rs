//! `cargo xtask wasm`: the pure crates must compile for `wasm32-unknown-unknown` and the engine with
//! its front for `wasm32-wasip2`, and the guest that `component` has as bytes must be what its source
//! builds; and [`command`], the cargo for every other Wasm build.

mod guest;
mod library;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::process;
use crate::workspace::Metadata;
use library::Library;

/// The crates without clock, randomness, files and network. Others belong here once the layer
/// table calls them pure.
pub(crate) const PURE: &[&str] = &["crypto", "transparency", "protocol", "api", "component"];

/// The crates that must run in a component: the engine and its front.
const ENGINE: &[&str] = &["registry", "http"];

/// The command. The default features count too: those that are native must do nothing here. With
/// `--keep-guest` it only builds the guest, and keeps it.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    match arguments {
        [] => {}
        [flag] if flag == "--keep-guest" => return guest::run(true),
        _ => bail!("usage: cargo xtask wasm [--keep-guest]"),
    }
    let engine = [&["--no-default-features"][..], &[]];
    let pure = [engine[0], engine[1], &["--features=wargate-component/wit"]];
    for (target, crates, features) in
        [("wasm32-unknown-unknown", PURE, &pure[..]), ("wasm32-wasip2", ENGINE, &engine)]
    {
        for features in features {
            let mut check = command(target)?;
            check.args(["check", "--lib"]).args(*features);
            check.args(crates.iter().map(|name| format!("--package=wargate-{name}")));
            process::run(&mut check)?;
        }
    }
    guest::run(false)
}

/// A cargo that builds for `target` with the right standard library, into [`target_dir`].
///
/// Everything is said through the environment, so that the caller may add any subcommand. The
/// variables stay with this one process: some of them change what cargo calls fresh, and must
/// never reach a native build.
pub(crate) fn command(target: &str) -> Result<Command> {
    let mut cargo = process::cargo();
    cargo.env("CARGO_BUILD_TARGET", target).env("CARGO_TARGET_DIR", target_dir()?);
    cargo.envs(environment(target)?);
    Ok(cargo)
}

/// What tells cargo where the standard library for `target` is: nothing, if it is installed.
pub(crate) fn environment(target: &str) -> Result<Vec<(String, OsString)>> {
    let Library::Sources { folder, native } = Library::obtain(target)? else {
        return Ok(Vec::new());
    };
    let mut variables = vec![
        // A stable compiler builds its own standard library only when told to trust us.
        ("RUSTC_BOOTSTRAP".to_owned(), "1".into()),
        ("CARGO_UNSTABLE_BUILD_STD".to_owned(), "std,panic_abort".into()),
        ("__CARGO_TESTS_ONLY_SRC_ROOT".to_owned(), folder.into()),
    ];
    if let Some(native) = native {
        let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", target.replace('-', "_"));
        let flags = format!("-Lnative={}", native.display());
        variables.push((variable.to_uppercase(), flags.into()));
    }
    Ok(variables)
}

/// Where Wasm builds go: beside the native ones, never among them.
pub(crate) fn target_dir() -> Result<PathBuf> {
    Ok(Metadata::read()?.target_directory.join("wasm"))
}
