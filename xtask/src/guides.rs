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
use serde::Deserialize;

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
    Guide { name: "go", needs: &[toolchain::GO, toolchain::WIT_BINDGEN, toolchain::GO_RUNTIME] },
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
        for guide in chosen {
            println!("{}", guide.name);
        }
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

/// The crates of the programs that guides speak of.
const PROGRAMS: &[&str] = &["cli", "runner", "server"];

/// Builds our programs, and returns where they are.
fn build() -> Result<PathBuf> {
    let mut cargo = process::cargo();
    cargo.arg("build");
    cargo.args(PROGRAMS.iter().map(|name| format!("--package=wargate-{name}")));
    process::run(&mut cargo)?;
    Ok(Metadata::read()?.target_directory.join("debug"))
}

/// Does what the first page and the guide say.
fn follow(guide: &Guide, programs: &Path, toolchain: Toolchain, options: &Options) -> Result<()> {
    let desk =
        Desk::new(tools::cache_folder("guides")?.join("desks").join(guide.name), guide.name)?;
    let server = programs.join(format!("wargate{}", consts::EXE_SUFFIX));
    let registry = Registry::start(&server, &desk.data())?;
    let desk = desk.with(toolchain, programs, registry.address())?;
    desk.follow_first(&Document::read(FIRST)?)?;
    desk.follow(&Document::read(guide.name)?, &desk.example())?;
    if options.is_kept {
        keep(guide.name, &desk)?;
    }
    drop(registry);
    desk.clear()
}

/// A file in [`KEPT`].
#[derive(Deserialize)]
struct Kept {
    file: String,
    /// The guide that makes it. What no guide makes is made by hand.
    guide: Option<String>,
    /// Where it is in the example's folder.
    from: Option<String>,
}

impl Kept {
    fn read() -> Result<Vec<Self>> {
        #[derive(Deserialize)]
        struct Manifest {
            files: Vec<Kept>,
        }
        let path = workspace::root().join(KEPT).join("manifest.json");
        let Manifest { files } = serde_json::from_str(&fs::read_to_string(&path)?)?;
        Ok(files)
    }
}

/// Puts what the guide made into [`KEPT`].
fn keep(guide: &str, desk: &Desk) -> Result<()> {
    for Kept { file, guide: of, from } in Kept::read()? {
        if let (Some(of), Some(from)) = (of, from)
            && of == guide
        {
            let bytes = fs::read(desk.example().join(&from)).context(from)?;
            fs::write(workspace::root().join(KEPT).join(&file), bytes)?;
            println!("kept {KEPT}/{file}");
        }
    }
    Ok(())
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests;
