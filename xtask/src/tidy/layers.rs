//! The layer table: which crate of the workspace may depend on which.

use std::path::Path;

use super::{Finding, WHOLE_FILE};
use crate::workspace::{self, Metadata, Package};

/// A crate and the crates that it may use. What only tests use is free.
struct Layer {
    /// The folder below `crates/`; the package is `wargate-` and that.
    name: &'static str,
    may_use: &'static [&'static str],
}

const fn layer(name: &'static str, may_use: &'static [&'static str]) -> Layer {
    Layer { name, may_use }
}

/// From the bottom up; a row uses only rows above it, so that the graph cannot have a cycle. Rows
/// of crates that do not exist yet are the plan of the architecture.
const LAYERS: &[Layer] = &[
    layer("crypto", &[]),
    layer("console", &[]),
    layer("transparency", &["crypto"]),
    layer("protocol", &["crypto", "transparency"]),
    layer("api", &["crypto", "protocol"]),
    layer("component", &["crypto", "protocol"]),
    layer("registry", &["crypto", "transparency", "protocol", "component"]),
    layer("store-sqlite", &["crypto", "transparency", "protocol", "registry"]),
    layer("store-postgres", &["crypto", "transparency", "protocol", "registry"]),
    layer("blobs", &["crypto", "registry"]),
    layer("plugins", &["crypto", "protocol", "component", "registry"]),
    layer("http", &["crypto", "transparency", "protocol", "api", "component", "registry"]),
    layer("client", &["crypto", "transparency", "protocol", "api", "component"]),
    layer(
        "server",
        &[
            "crypto",
            "console",
            "transparency",
            "protocol",
            "api",
            "component",
            "registry",
            "store-sqlite",
            "store-postgres",
            "blobs",
            "plugins",
            "http",
            "client",
        ],
    ),
    layer("cli", &["crypto", "console", "protocol", "api", "component", "client"]),
    layer("runner", &["console"]),
    layer(
        "testkit",
        &["crypto", "transparency", "protocol", "api", "component", "registry", "http"],
    ),
    layer("interop", EVERYTHING),
    layer("bench", EVERYTHING),
];

const EVERYTHING: &[&str] = &[
    "crypto",
    "console",
    "transparency",
    "protocol",
    "api",
    "component",
    "registry",
    "store-sqlite",
    "store-postgres",
    "blobs",
    "plugins",
    "http",
    "client",
    "server",
    "cli",
    "runner",
    "testkit",
];

pub(super) fn check(metadata: &Metadata, findings: &mut Vec<Finding>) {
    let graph = metadata.dependencies();
    for package in metadata.members() {
        let mut find = |advice| {
            let path = manifest(package);
            findings.push(Finding { path, line: WHOLE_FILE, rule: "layers", advice });
        };
        let name = short(package);
        let folder = package.manifest_path.parent().and_then(Path::file_name).unwrap_or_default();
        if folder != name {
            find("a crate `wargate-x` lives in the folder `crates/x`: rename one".to_owned());
        }
        let ids = graph.get(package.id.as_str()).map_or(&[][..], Vec::as_slice);
        let used = metadata.members().filter(|member| ids.contains(&member.id.as_str()));
        breaches(name, used.map(short)).into_iter().for_each(find);
    }
}

/// What is wrong with the crate `name` using the crates `used`.
fn breaches<'a>(name: &str, used: impl Iterator<Item = &'a str>) -> Vec<String> {
    let may_use = match LAYERS.iter().find(|layer| layer.name == name) {
        Some(layer) => layer.may_use,
        None if name == "xtask" => &[],
        None => return vec![format!("the layer table has no row for `{name}`: decide its place")],
    };
    used.filter(|used| !may_use.contains(used))
        .map(|used| format!("`{name}` may not use `{used}`: move the code, or argue for the edge"))
        .collect()
}

/// The crate's name in the table.
pub(super) fn short(package: &Package) -> &str {
    package.name.strip_prefix("wargate-").unwrap_or(&package.name)
}

/// The crate's `Cargo.toml`, relative to the root.
pub(super) fn manifest(package: &Package) -> String {
    let path = &package.manifest_path;
    let inside = path.strip_prefix(workspace::root()).unwrap_or(path);
    inside.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_use_only_rows_above_them() {
        for (number, layer) in LAYERS.iter().enumerate() {
            for used in layer.may_use {
                let above = LAYERS[..number].iter().any(|layer| layer.name == *used);
                assert!(above, "{} uses {used}, which stands below it", layer.name);
            }
        }
    }

    #[test]
    fn unknown_crates_and_edges_are_breaches() {
        assert!(breaches("transparency", ["crypto"].into_iter()).is_empty());
        assert_eq!(breaches("crypto", ["api", "testkit"].into_iter()).len(), 2);
        assert_eq!(breaches("xtask", ["crypto"].into_iter()).len(), 1);
        assert!(breaches("gadget", [].into_iter())[0].contains("no row for `gadget`"));
    }
}
