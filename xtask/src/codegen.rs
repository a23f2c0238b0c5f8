//! `cargo xtask codegen`: the Rust types of the protobuf messages.
//!
//! The generated code is committed, so that building the project needs no protobuf compiler. The
//! generator is a program of its own, since it takes longer to build than the rest of xtask.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process;
use crate::workspace::{self, Metadata};

/// A crate, its `.proto` file, and the file of generated code.
struct Messages {
    folder: &'static str,
    source: &'static str,
    generated: &'static str,
}

const MESSAGES: &[Messages] = &[
    Messages {
        folder: "crates/transparency",
        source: "proto/transparency.proto",
        generated: "src/proto/warg.transparency.rs",
    },
    Messages {
        folder: "crates/protocol",
        source: "proto/protocol.proto",
        generated: "src/proto/warg.protocol.rs",
    },
];

/// The command. With `--check` it writes nothing, and fails if anything would change.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let check = match arguments {
        [] => false,
        [flag] if flag == "--check" => true,
        _ => bail!("usage: cargo xtask codegen [--check]"),
    };
    let fresh = Metadata::read()?.target_directory.join("codegen");
    fs::create_dir_all(&fresh)?;
    for messages in MESSAGES {
        let folder = workspace::root().join(messages.folder);
        generate(&folder.join(messages.source), &fresh)?;
        let committed = folder.join(messages.generated);
        let name = committed.file_name().context("a generated file has a name")?;
        let text = fs::read(fresh.join(name))?;
        if fs::read(&committed).is_ok_and(|committed| committed == text) {
            continue;
        }
        if check {
            let path = Path::new(messages.folder).join(messages.generated);
            bail!("{} is not what its messages say; run `cargo xtask codegen`", path.display());
        }
        fs::write(&committed, text)?;
    }
    Ok(())
}

fn generate(source: &Path, folder: &Path) -> Result<()> {
    let manifest = workspace::root().join("xtask/codegen/Cargo.toml");
    let mut cargo = process::cargo();
    cargo.args(["run", "--quiet", "--manifest-path"]).arg(manifest).arg("--");
    process::run(cargo.arg(source).arg(folder))
}
