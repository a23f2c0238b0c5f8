//! Where a guide is followed: a machine on which nothing was set up, as far as programs can see.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::document::{Document, Step, agrees};
use super::toolchain::Toolchain;
use crate::{tools, workspace};

/// The registry that the guides speak of, which runs elsewhere here.
const REGISTRY: &str = "127.0.0.1:8090";

/// The folders of this tree that guides use beside their examples.
const TEST_DATA: &[&str] = &["testdata/components", "testdata/guides"];

/// A home folder, and a copy of what guides use of this tree.
pub(super) struct Desk {
    folder: PathBuf,
    /// The example, relative to the tree.
    example: PathBuf,
    environment: Vec<(OsString, OsString)>,
    registry: String,
}

impl Desk {
    /// Makes `folder` anew, for the guide of this name.
    pub(super) fn new(folder: PathBuf, name: &str) -> Result<Self> {
        if folder.is_dir() {
            fs::remove_dir_all(&folder).context("removing what the last run left")?;
        }
        let example = Path::new("examples").join(name);
        let root = workspace::root();
        for part in TEST_DATA.iter().map(Path::new).chain([example.as_path()]) {
            copy(&root.join(part), &folder.join("tree").join(part))?;
        }
        fs::create_dir_all(folder.join("home"))?;
        Ok(Self { folder, example, environment: Vec::new(), registry: String::new() })
    }

    /// Where the registry keeps its data.
    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("registry")
    }

    /// Puts tools and our programs on the search path, and says where the registry is.
    pub(super) fn with(
        mut self,
        toolchain: Toolchain,
        programs: &Path,
        registry: &str,
    ) -> Result<Self> {
        registry.clone_into(&mut self.registry);
        let search = env::var_os("PATH").unwrap_or_default();
        let folders = [programs.to_owned()].into_iter().chain(toolchain.path);
        let path = env::join_paths(folders.chain(env::split_paths(&search)))?;
        let cache = tools::cache_folder("guides")?;
        let real = env::home_dir().context("there is no home folder")?;
        let cargo = env::var_os("CARGO_HOME").unwrap_or_else(|| real.join(".cargo").into());
        let rustup = env::var_os("RUSTUP_HOME").unwrap_or_else(|| real.join(".rustup").into());
        let data = self.data();
        let mut set = |name: &str, value: OsString| self.environment.push((name.into(), value));
        set("PATH", path);
        set("HOME", self.folder.join("home").into());
        // What the registry's owner does beside it.
        set("WARGATE_DATA_DIR", data.into());
        // The compilers and what was downloaded belong to the surroundings.
        set("CARGO_HOME", cargo);
        set("RUSTUP_HOME", rustup);
        set("CARGO_BUILD_BUILD_DIR", cache.join("build").into());
        set("npm_config_cache", cache.join("npm").into());
        set("GOPATH", cache.join("go").into());
        set("GOCACHE", cache.join("go/build").into());
        set("NO_PROXY", "127.0.0.1".into());
        set("NO_COLOR", "1".into());
        for (name, value) in toolchain.environment {
            set(&name, value);
        }
        Ok(self)
    }

    /// Removes everything. After a failure it stays, for whoever wants to look.
    pub(super) fn clear(self) -> Result<()> {
        fs::remove_dir_all(&self.folder).context("clearing the desk")
    }

    /// The folder of the copied tree.
    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    /// The folder of the copied example.
    pub(super) fn example(&self) -> PathBuf {
        self.tree().join(&self.example)
    }

    /// Runs the commands of a guide in `place`, and compares what they print.
    pub(super) fn follow(&self, document: &Document, place: &Path) -> Result<()> {
        for step in &document.steps {
            step.script.lines().for_each(|line| println!("$ {line}"));
            let name = &document.name;
            self.take(step, place).with_context(|| format!("{name}.md, line {}", step.line))?;
        }
        Ok(())
    }

    /// Everything in the tree's copy is done from its root.
    pub(super) fn follow_first(&self, document: &Document) -> Result<()> {
        self.follow(document, &self.tree())
    }

    fn take(&self, step: &Step, place: &Path) -> Result<()> {
        let script = step.script.replace(REGISTRY, &self.registry);
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", &script]).current_dir(place).stdin(Stdio::null());
        // What whoever runs this has set up for himself does not concern the reader.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if ["WARG", "XDG_", "CARGO_TARGET_DIR"].iter().any(|it| text.starts_with(it)) {
                shell.env_remove(&name);
            }
        }
        shell.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let output = shell.output().context("starting sh")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            bail!("{}\n{printed}{}", output.status, told.trim_end());
        }
        if let Some(expected) = &step.output {
            ensure!(
                agrees(expected, &printed),
                "the guide says\n{expected}and it printed\n{printed}"
            );
        }
        Ok(())
    }
}

/// Copies a folder, but for what building it left there.
fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    let entries = fs::read_dir(from).with_context(|| format!("reading {}", from.display()))?;
    for entry in entries {
        let entry = entry?;
        let (name, to) = (entry.file_name(), to.join(entry.file_name()));
        if name == "target" || name == "node_modules" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), &to)?;
        }
    }
    Ok(())
}
