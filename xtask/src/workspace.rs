//! What cargo knows of this workspace: its root, members and resolved dependencies.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// The folder that holds the workspace's `Cargo.toml`.
pub(crate) fn root() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// The part of `cargo metadata` that this program reads.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) target_directory: PathBuf,
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: Vec<String>,
}

/// One package of the dependency graph.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<NodeDependency>,
}

#[derive(Deserialize)]
struct NodeDependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// Nothing for a normal dependency, else `dev` or `build`.
    kind: Option<String>,
}

impl Metadata {
    /// Asks cargo. The graph holds the dependencies for every platform.
    pub(crate) fn read() -> Result<Self> {
        let mut cargo = process::cargo();
        let text = process::output(cargo.args(["metadata", "--format-version=1"]))?;
        serde_json::from_str(&text).context("cargo metadata has another form than expected")
    }

    /// The packages of this workspace.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// For each package the packages that it needs to be built and to run, by id; what only its
    /// tests need is left out.
    pub(crate) fn dependencies(&self) -> HashMap<&str, Vec<&str>> {
        let needed = |dependency: &&NodeDependency| {
            dependency.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
        };
        self.resolve
            .nodes
            .iter()
            .map(|node| {
                let ids = node.deps.iter().filter(needed).map(|dependency| dependency.pkg.as_str());
                (node.id.as_str(), ids.collect())
            })
            .collect()
    }
}

/// The value after `label` in `rustc -vV`, such as the host's name after `host: `.
pub(crate) fn rustc_field(label: &str) -> Result<String> {
    let text = process::output(rustc().arg("-vV"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(label));
    value.map(str::to_owned).with_context(|| format!("`rustc -vV` has no line `{label}…`"))
}

/// The rustc that cargo uses.
pub(crate) fn rustc() -> std::process::Command {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    std::process::Command::new(program)
}
