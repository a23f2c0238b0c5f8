//! A registry of packages with 20 versions each, and a root that needs 500 of them.

#![expect(clippy::unwrap_used, reason = "tests and benchmarks")]

use std::collections::BTreeMap;

use wargate_component::ImportName;
use wargate_component::solve::Release;
use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

const VERSIONS: u64 = 20;
/// What the root needs stands in layers, so that it takes some rounds to see all of it.
const NEEDED: usize = 500;
const LAYERS: usize = 8;
const LAYER: usize = NEEDED.div_ceil(LAYERS);
const IMPORTS: usize = 4;

/// The root's imports, and the registry. Every release imports four packages of the next layer; those
/// that nobody needs import each other. Some releases are yanked, some are pre-releases, and the
/// highest of some cannot be taken beside the others.
pub(crate) fn registry(packages: usize) -> (Vec<ImportName>, BTreeMap<PackageName, Vec<Release>>) {
    let name = |at: usize| format!("large:p{at}");
    let import = |at: usize, bounds: &str| -> ImportName {
        format!("unlocked-dep=<{}@{bounds}>", name(at)).parse().unwrap()
    };
    let roots = (0..LAYER).map(|at| import(at, "{>=1.0.0 <2.0.0}")).collect();
    let mut registry = BTreeMap::new();
    for at in 0..packages {
        let first = if at < NEEDED { (at / LAYER + 1) * LAYER } else { NEEDED };
        let end = if at < NEEDED { (first + LAYER).min(NEEDED) } else { packages };
        let mut releases = Vec::new();
        for minor in 0..VERSIONS {
            let to = |import: usize| first + (at + import * 7) % (end - first);
            let mut imports = Vec::new();
            if first < end && at + 7 * IMPORTS < packages {
                let lower = minor / 2;
                imports.extend((0..IMPORTS).map(to).filter(|to| *to != at).map(|to| {
                    let upper = if to % 5 == 0 { 15 } else { VERSIONS };
                    import(to, &format!("{{>=1.{lower}.0 <1.{upper}.0}}"))
                }));
            }
            // The newest releases of some ask for what the others do not have in range.
            if at < NEEDED && at % 50 == 3 && first < end && minor + 1 == VERSIONS {
                imports.push(import(to(0), "{>=1.0.0 <1.1.0}"));
            }
            let version = match (at % 4, minor) {
                (1, 19) => "1.19.0-rc.1".parse().unwrap(),
                _ => Version::new(1, minor, 0),
            };
            let digest = Digest::of(format!("{at} {version}").as_bytes());
            let yanked = at % 6 == 0 && minor == VERSIONS - 1;
            releases.push(Release { version, digest, yanked, imports: imports.into() });
        }
        registry.insert(name(at).parse().unwrap(), releases);
    }
    (roots, registry)
}
