//! The components of `testdata` travel: our `warg` publishes, gets and verifies them, and watches our
//! `wargate`. `cargo xtask interop` does the same with released programs in their places.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::env::{self, consts};
use std::path::PathBuf;
use std::process::Command;

/// A program of the workspace, beside this test's. It is built if it is not there.
fn program(package: &str, name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let folder = test.parent().and_then(|deps| deps.parent()).unwrap();
    let path = folder.join(format!("{name}{}", consts::EXE_SUFFIX));
    if !path.is_file() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--package", package, "--bin", name]);
        assert!(build.status().unwrap().success(), "{name} cannot be built");
    }
    path
}

#[test]
fn real_components_are_published_fetched_verified_and_watched() {
    let warg = program("wargate-cli", "warg");
    let wargate = program("wargate-server", "wargate");
    if let Err(error) = wargate_interop::play_components(&warg, &wargate) {
        panic!("{error:#}");
    }
}
