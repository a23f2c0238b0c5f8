//! `cargo xtask guides`: every guide in `docs/guides`, done as its reader would do it.
//!
//! A guide is a text whose `sh guide` blocks are commands. They run here in the order of the text, in a
//! fresh copy of the guide's example, on a machine on which nothing was set up, and against a registry of
//! its own. A block `output` behind them is what the last ones print. So no guide can go stale.

mod desk;
mod document;
mod registry;
mod toolchain;

use std::env::consts;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use self::desk::Desk;
use self::document::Document;
use self::registry::Registry;
use self::toolchain::{Need, Toolchain};
use crate::workspace::{self, Metadata};
use crate::{process, tools};

/// A guide: `docs/guides/NAME.md` about `examples/NAME`.
struct Guide {
    name: &'static str,
    /// What its reader has installed.
    needs: &'static [Need],
}

/// In the order in which one may want to read them.
const GUIDES: &[Guide] = &[
    Guide { name: "rust", needs: &[Need::Target("wasm32-wasip2")] },
    Guide {
        name: "cargo-component",
        needs: &[Need::Target("wasm32-wasip1"), toolchain::CARGO_COMPONENT],
    },
    Guide { name: "javascript", needs: &[Need::Program("npm", "Node 20 or newer")] },
    Guide { name: "python", needs: &[toolchain::COMPONENTIZE_PY] },
    Guide { name: "c", needs: &[toolchain::CLANG, toolchain::WIT_BINDGEN] },
    Guide {
        name: "go",
        needs: &[
            toolchain::GO,
            toolchain::WIT_BINDGEN,
            toolchain::GO_RUNTIME,
            toolchain::WASM_TOOLS,
        ],
    },
    Guide { name: "claw", needs: &[toolchain::CLAW] },
    Guide { name: "core-module", needs: &[Need::Target("wasm32-wasip1")] },
    Guide { name: "tower", needs: &[toolchain::WAC] },
];

/// What every reader does first.
const FIRST: &str = "README";

/// The guides' small results, which tests read.
const KEPT: &str = "testdata/guides";

/// What was typed.
#[derive(Default)]
struct Options {
    /// A guide that cannot be tried is a failure.
    is_strict: bool,
    is_listed: bool,
    /// Put the results into [`KEPT`].
    is_kept: bool,
    /// A folder with `warg` and `wargate`, instead of those of this tree.
    programs: Option<PathBuf>,
    names: Vec<String>,
}

/// The command.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let options = Options::read(arguments)?;
    let chosen = GUIDES.iter().filter(|guide| {
        options.names.is_empty() || options.names.iter().any(|name| name == guide.name)
    });
    let chosen: Vec<_> = chosen.collect();
    if options.is_listed {
        chosen.iter().for_each(|guide| println!("{}", guide.name));
        return Ok(());
    }
    let programs = match &options.programs {
        Some(programs) => fs::canonicalize(programs).context("the folder of --programs")?,
        None => build()?,
    };
    let (mut failed, mut skipped) = (Vec::new(), Vec::new());
    for guide in &chosen {
        println!("\n== {} ==", guide.name);
        let start = Instant::now();
        let toolchain = match toolchain::obtain(guide.needs) {
            Ok(toolchain) => toolchain,
            Err(reason) => {
                println!("{}: skipped: {reason:#}", guide.name);
                skipped.push(guide.name);
                continue;
            }
        };
        match follow(guide, &programs, toolchain, &options) {
            Ok(()) => println!("{}: ok after {:.1} s", guide.name, start.elapsed().as_secs_f64()),
            Err(error) => {
                println!("{}: FAILED: {error:#}", guide.name);
                failed.push(guide.name);
            }
        }
    }
    let well = chosen.len() - failed.len() - skipped.len();
    println!("\n{well} of {} guides hold; skipped: {}", chosen.len(), list(&skipped));
    ensure!(failed.is_empty(), "these guides do not hold: {}", list(&failed));
    ensure!(!options.is_strict || skipped.is_empty(), "not tried: {}", list(&skipped));
    Ok(())
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--all" => options.is_strict = true,
                "--list" => options.is_listed = true,
                "--keep" => options.is_kept = true,
                "--programs" => {
                    let folder = rest.next().context("--programs needs a folder")?;
                    options.programs = Some(PathBuf::from(folder));
                }
                name if GUIDES.iter().any(|guide| guide.name == name) => {
                    options.names.push(name.to_owned());
                }
                other => bail!("there is no guide `{other}`; `--list` names them"),
            }
        }
        Ok(options)
    }
}

/// Builds our programs, and returns where they are.
fn build() -> Result<PathBuf> {
    let mut cargo = process::cargo();
    process::run(cargo.args(["build", "-p", "wargate-cli", "-p", "wargate-server"]))?;
    Ok(Metadata::read()?.target_directory.join("debug"))
}

/// Does what the first page and the guide say.
fn follow(guide: &Guide, programs: &Path, toolchain: Toolchain, options: &Options) -> Result<()> {
    let desk = Desk::new(tools::cache_folder("guides")?.join("desks").join(guide.name), guide.name)?;
    let server = programs.join(format!("wargate{}", consts::EXE_SUFFIX));
    let registry = Registry::start(&server, &desk.folder("server")?)?;
    let desk = desk.with(toolchain, programs, registry.address())?;
    desk.follow_first(&Document::read(FIRST)?)?;
    desk.follow(&Document::read(guide.name)?, &desk.example())?;
    if options.is_kept {
        keep(guide.name, &desk)?;
    }
    Ok(())
}

/// A guide's result that is test data, and the file that it is in its example's folder.
const RESULTS: &[(&str, &str, &str)] = &[
    ("rust", "target/wasm32-wasip2/release/tower_rust.wasm", "tower-rust"),
    ("cargo-component", "target/wasm32-wasip1/release/hello.wasm", "hello"),
    ("c", "core.wasm", "tower-c-core"),
    ("c", "tower.wasm", "tower-c"),
    ("claw", "greet.wasm", "greet-claw"),
    ("claw", "tower.wasm", "tower-claw"),
    ("core-module", "target/wasm32-wasip1/release/tower_module.wasm", "tower-module-core"),
    ("core-module", "tower.wasm", "tower-module"),
];

fn keep(guide: &str, desk: &Desk) -> Result<()> {
    let folder = workspace::root().join(KEPT);
    for (_, from, to) in RESULTS.iter().filter(|(it, ..)| *it == guide) {
        let to = folder.join(format!("{to}.wasm"));
        fs::copy(desk.example().join(from), &to).with_context(|| format!("keeping {from}"))?;
        println!("kept {}", to.display());
    }
    Ok(())
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
