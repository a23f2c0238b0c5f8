//! Programs that the commands need and that do not come with Rust.
//!
//! A tool on the search path is used as it is, in whatever version its owner chose. Otherwise the
//! version named here is built once and kept in a cache folder outside the tree, where every
//! checkout finds it.

use std::env::{self, consts};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::process;

/// A program that `cargo install` can build.
pub(crate) struct Tool {
    /// Both the crate and its binary.
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    /// What a person who waits for the first build should know.
    pub(crate) wait: &'static str,
}

impl Tool {
    /// The program's path, after it was built if need be.
    pub(crate) fn obtain(&self) -> Result<PathBuf> {
        if let Some(path) = on_path(self.name) {
            return Ok(path);
        }
        let folder = cache_folder("tools")?.join(format!("{}-{}", self.name, self.version));
        let program = folder.join("bin").join(format!("{}{}", self.name, consts::EXE_SUFFIX));
        if program.is_file() {
            return Ok(program);
        }
        let Self { name, version, wait } = self;
        println!("{name} is not installed: building {version} into {}", folder.display());
        println!("{wait}");
        fs::create_dir_all(&folder)?;
        let mut install = process::cargo();
        // Neither this workspace's settings nor its target directory concern the tool.
        install.current_dir(&folder).env_remove("CARGO_TARGET_DIR");
        install.args(["install", "--locked", "--quiet", "--root"]).arg(&folder);
        process::run(install.arg(format!("{name}@{version}")))?;
        ensure!(program.is_file(), "`cargo install {name}` left no {}", program.display());
        Ok(program)
    }
}

/// Where the search path has `name`, if it does.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let file = format!("{name}{}", consts::EXE_SUFFIX);
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(&file)).find(|p| p.is_file())
}

/// The folder `name` of this project's cache, outside the tree; it need not exist yet.
pub(crate) fn cache_folder(name: &str) -> Result<PathBuf> {
    let cache = match env::var_os("XDG_CACHE_HOME").map(PathBuf::from) {
        // The XDG specification has relative paths ignored.
        Some(cache) if cache.is_absolute() => cache,
        _ => env::home_dir().context("neither XDG_CACHE_HOME nor a home folder")?.join(".cache"),
    };
    Ok(cache.join("wargate").join(name))
}
