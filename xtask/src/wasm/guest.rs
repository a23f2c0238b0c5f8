//! The guest that `component` has as bytes: it must be what its source builds.

use std::fs;

use anyhow::{Context, Result, bail};

use super::library::Library;
use super::{command, target_dir};
use crate::{process, workspace};

const TARGET: &str = "wasm32-unknown-unknown";
const PACKAGE: &str = "wargate-virtual";

/// The bytes, and the compiler that built them.
const BYTES: &str = "crates/component/src/virtualize/guest.wasm";
const COMPILER: &str = "crates/component/src/virtualize/guest.txt";

/// Builds the guest. Either keeps what came out, or compares it with what is kept; another compiler
/// builds other bytes, which is no error.
pub(super) fn run(keep: bool) -> Result<()> {
    let mut cargo = command(TARGET)?;
    cargo.current_dir(workspace::root().join("guests"));
    process::run(cargo.args(["build", "--release", "--package", PACKAGE]))?;
    let name = format!("{}.wasm", PACKAGE.replace('-', "_"));
    let path = target_dir()?.join(TARGET).join("release").join(name);
    let built = fs::read(&path).with_context(|| path.display().to_string())?;
    let compiler = process::output(workspace::rustc().arg("--version"))?;
    let [bytes, of_compiler] = [BYTES, COMPILER].map(|path| workspace::root().join(path));
    if keep {
        fs::write(bytes, built)?;
        fs::write(of_compiler, compiler)?;
        return Ok(());
    }
    if fs::read(bytes)? == built {
        return Ok(());
    }
    let known = fs::read_to_string(of_compiler)?;
    if known == compiler && matches!(Library::obtain(TARGET)?, Library::Installed) {
        bail!("{BYTES} is not what guests/virtual builds; run `cargo xtask wasm --keep-guest`");
    }
    println!("{BYTES} was built by {}, and {} builds other bytes", known.trim(), compiler.trim());
    Ok(())
}
