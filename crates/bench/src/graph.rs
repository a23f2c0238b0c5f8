//! A registry of components with 20 versions each, and a root that needs 500 of them.

use anyhow::Result;
use wargate_protocol::{PackageName, Version};
use wasm_encoder::{ComponentBuilder, ComponentTypeRef, InstanceType};

use crate::hammer::Package;

/// Versions of each package.
const VERSIONS: u64 = 20;
/// Packages that the root needs, in layers, so that they are as many imports deep.
pub const NEEDED: usize = 500;
const LAYERS: usize = 8;
const LAYER: usize = NEEDED.div_ceil(LAYERS);
/// Imports of each release that is not in the last layer.
const IMPORTS: usize = 4;

/// The component that needs them.
pub fn root() -> Vec<u8> {
    component(&(0..LAYER).map(|at| import(at, 1, 2)).collect::<Vec<_>>())
}

/// A package: each release of those that the root needs imports four packages of the next layer.
///
/// # Errors
/// Never; the names are fixed.
pub fn package(at: usize) -> Result<Package> {
    let first = (at / LAYER + 1) * LAYER;
    let end = (first + LAYER).min(NEEDED);
    let release = |minor: u64| {
        let mut imports = Vec::new();
        if first < end {
            let to = |step: usize| first + (at + step * 7) % (end - first);
            imports.extend((0..IMPORTS).map(|step| import(to(step), 1, 2 + minor)));
        }
        (Version::new(1, minor, 0), component(&imports))
    };
    Package::new(name(at).parse::<PackageName>()?, (0..VERSIONS).map(release).collect())
}

fn name(at: usize) -> String {
    format!("graph:p{at}")
}

fn import(to: usize, from: u64, below: u64) -> String {
    format!("unlocked-dep=<{}@{{>={from}.0.0 <{below}.0.0}}>", name(to))
}

/// A component that imports instances without anything in them.
fn component(imports: &[String]) -> Vec<u8> {
    let mut component = ComponentBuilder::default();
    let ty = component.type_instance(None, &InstanceType::new());
    let mut imports = imports.to_vec();
    imports.sort();
    imports.dedup();
    for import in &imports {
        component.import(import, ComponentTypeRef::Instance(ty));
    }
    component.finish()
}
