//! `cargo xtask bench`: what is measured, each thing beside its limit or its peer in one run.

mod core;
mod whole;

use anyhow::{Result, bail};

/// The command. The first argument says what to measure, the verified core if there is none; the rest
/// is for what measures it.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (what, rest) = match arguments.split_first() {
        Some((what, rest)) if !what.starts_with('-') => (what.as_str(), rest),
        _ => ("core", arguments),
    };
    match what {
        "core" => core::run(rest),
        "compare" => whole::compare(rest),
        "scale" => whole::scale(rest),
        "client" => whole::client(rest),
        "compose" => whole::compose(rest),
        _ => {
            bail!(
                "`cargo xtask bench` knows `core`, `compare`, `scale`, `client` and `compose`, not `{what}`"
            )
        }
    }
}
