//! What content may be released: kinds of Wasm, and whose name it bears.

use wargate_component::inspect::Kind;

use super::{ContentPolicy, ReleaseFacts};

/// Kinds of content that a registry takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentKinds {
    /// Components.
    pub components: bool,
    /// Core modules.
    pub modules: bool,
    /// WIT packages.
    pub wit_packages: bool,
}

impl ContentKinds {
    /// All three.
    pub const ALL: Self = Self { components: true, modules: true, wit_packages: true };

    const fn takes(self, kind: Kind) -> bool {
        match kind {
            Kind::Component => self.components,
            Kind::CoreModule => self.modules,
            Kind::WitPackage => self.wit_packages,
        }
    }
}

/// Content must be valid Wasm of a kind that is taken. If it says which package it is, that must be
/// the package that it is released as, and likewise the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRules {
    /// What is taken.
    pub kinds: ContentKinds,
    /// Whether names are compared.
    pub compare_names: bool,
}

impl Default for ContentRules {
    fn default() -> Self {
        Self { kinds: ContentKinds::ALL, compare_names: true }
    }
}

impl ContentPolicy for ContentRules {
    fn check(&self, release: &ReleaseFacts<'_>) -> Result<(), String> {
        let inspection = release
            .inspection
            .map_err(|why| format!("it is not a valid WebAssembly file: {why}"))?;
        if !self.kinds.takes(inspection.kind) {
            let kind = match inspection.kind {
                Kind::Component => "components",
                Kind::CoreModule => "core modules",
                Kind::WitPackage => "WIT packages",
            };
            return Err(format!("this registry does not take {kind}"));
        }
        let Some(package) = inspection.package.as_ref().filter(|_| self.compare_names) else {
            return Ok(());
        };
        let (name, version) = (release.name.as_str(), release.version);
        if package.name != name {
            return Err(format!(
                "the file says that it is {}, not {name}: publish it under that name, or build it \
                 with the right one",
                package.name
            ));
        }
        match &package.version {
            Some(inside) if inside != version => Err(format!(
                "the file says that it is version {inside}, not {version}: publish it as that \
                 version, or build it with the right one"
            )),
            _ => Ok(()),
        }
    }
}
