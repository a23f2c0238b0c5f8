//! The lock of `wkg`, which has the same digests: of content.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::text::Quoted;
use super::{Lock, Origin};

impl Lock {
    /// The packages that come from registries, as `wkg.lock` has them (wasm-pkg-tools, version 1 of the
    /// file). Its requirements are the exact versions, since several imports may share one.
    ///
    /// `wkg` knows a registry by its host, and its port if it has one, and passes over what is locked
    /// to another: `host` says that of the name that a registry has here.
    pub fn to_wkg(&self, host: impl Fn(&str) -> String) -> String {
        let mut packages: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (id, locked) in &self.packages {
            if let Origin::Registry(registry) = &locked.origin {
                packages
                    .entry((&id.package, host(registry)))
                    .or_default()
                    .push((&id.version, locked.digest));
            }
        }
        let mut text = String::from("# Made by `warg lock --export-wkg`.\nversion = 1\n");
        // Writing into a text does not fail.
        for ((package, registry), versions) in packages {
            let registry = Quoted(&registry);
            let _ = write!(text, "\n[[packages]]\nname = \"{package}\"\nregistry = {registry}\n");
            for (version, digest) in versions {
                let _ = write!(
                    text,
                    "\n[[packages.versions]]\nrequirement = \"={version}\"\nversion = \"{version}\"\n\
                     digest = \"{digest}\"\n"
                );
            }
        }
        text
    }
}
