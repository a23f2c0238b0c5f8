//! Where the standard library for a Wasm target comes from.
//!
//! Rust brings it ready-made through rustup. Where rustup is missing or reaches no server, cargo
//! can build it along from its sources, which must be exactly those of the compiler.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::{process, tools, workspace};

/// The compiler whose sources lie in `recipes/fallback`.
const KEPT_VERSION: &str = "1.95.0";
const KEPT_SOURCES: &str = "recipes/fallback/rust-1.95.0-library-full.tar.xz";
const KEPT_LIBC: &str = "recipes/fallback/wasi-libc-20240708.tar.xz";
const DEBIAN_RECIPE: &str = "recipes/debian-rust-src.sh";

/// A target's archive is some 20 MB; whoever has not got it by then builds from sources.
const RUSTUP_SECONDS_MAX: u64 = 90;

/// A target's standard library.
pub(crate) enum Library {
    /// Ready-made, beside the compiler.
    Installed,
    /// To be built along.
    Sources {
        /// The folder `library` of Rust's sources.
        folder: PathBuf,
        /// For WASI the folder with `libc.a`, which rustup's ready-made library contains.
        native: Option<PathBuf>,
    },
}

impl Library {
    /// The first of: what is installed, what rustup can add, sources. Sources that an earlier run
    /// unpacked mean that rustup could not, so it is not asked again.
    pub(crate) fn obtain(target: &str) -> Result<Self> {
        let sysroot = process::output(workspace::rustc().args(["--print", "sysroot"]))?;
        let rustlib = Path::new(sysroot.trim()).join("lib/rustlib");
        let cached = cached_sources()?.join("library");
        // Looked for again after rustup's success, which may concern another compiler than ours.
        let installed = || rustlib.join(target).join("lib").is_dir();
        if installed() || !cached.is_dir() && rustup_adds(target) && installed() {
            return Ok(Self::Installed);
        }
        let folder = if cached.is_dir() {
            cached
        } else {
            sources(&rustlib.join("src/rust/library"), target)?
        };
        let native = wasi_libc(target)?;
        println!("the standard library for {target} is built from {}", folder.display());
        Ok(Self::Sources { folder, native })
    }
}

fn rustup_adds(target: &str) -> bool {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", target]);
    match process::attempt(&mut rustup, Duration::from_secs(RUSTUP_SECONDS_MAX)) {
        Ok(()) => true,
        Err(error) => {
            println!("rustup cannot add {target}: {error:#}");
            false
        }
    }
}

/// Where the sources for this compiler are, or would be, unpacked.
fn cached_sources() -> Result<PathBuf> {
    Ok(tools::cache_folder("std")?.join(workspace::rustc_field("release: ")?))
}

/// The first of: rustup's `rust-src`, the kept copy, Debian. The kept copy goes before Debian
/// because it needs no network, and after `rust-src` because that cannot be of another version.
fn sources(installed: &Path, target: &str) -> Result<PathBuf> {
    if installed.join("Cargo.toml").is_file() {
        return Ok(installed.to_owned());
    }
    let version = workspace::rustc_field("release: ")?;
    let folder = cached_sources()?;
    let library = folder.join("library");
    if version == KEPT_VERSION {
        unpack(KEPT_SOURCES, &folder)?;
        return Ok(library);
    }
    println!("asking Debian for the sources of Rust {version}");
    let script = workspace::root().join(DEBIAN_RECIPE);
    let recipe =
        |partial: &Path| process::run(Command::new("bash").arg(script).arg(&version).arg(partial));
    fill(&folder, recipe).map_err(|error| {
        anyhow!(
            "no standard library for {target}: rustup could not add it, the kept sources are those \
             of Rust {KEPT_VERSION} and the compiler is {version}; {error:#}\n\
             hint: run `rustup target add {target}` where its server can be reached"
        )
    })?;
    Ok(library)
}

/// The folder with `libc.a` for a WASI target, nothing for another target.
fn wasi_libc(target: &str) -> Result<Option<PathBuf>> {
    let name = match target {
        "wasm32-wasip1" => "wasm32-wasi",
        "wasm32-wasip2" => "wasm32-wasip2",
        _ => return Ok(None),
    };
    let folder = tools::cache_folder("std")?.join("wasi-libc-20240708");
    if !folder.is_dir() {
        unpack(KEPT_LIBC, &folder)?;
    }
    Ok(Some(folder.join(name)))
}

fn unpack(archive: &str, folder: &Path) -> Result<()> {
    let archive = workspace::root().join(archive);
    fill(folder, |partial| {
        let mut tar = Command::new("tar");
        process::run(tar.arg("-xJf").arg(&archive).arg("-C").arg(partial))
            .context("unpacking needs the programs tar and xz")
    })
}

/// Makes `folder` by filling a neighbour of it and renaming that, so that a folder under its final
/// name is always complete, also after a crash or with two builds at a time.
fn fill(folder: &Path, with: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let partial = folder.with_added_extension(format!("partial-{}", std::process::id()));
    fs::create_dir_all(&partial)?;
    let filled = with(&partial).and_then(|()| match fs::rename(&partial, folder) {
        Err(error) if !folder.is_dir() => Err(error.into()),
        // Another build may have been first; what it left is as good.
        _ => Ok(()),
    });
    if partial.is_dir() {
        fs::remove_dir_all(&partial)?;
    }
    filled
}
