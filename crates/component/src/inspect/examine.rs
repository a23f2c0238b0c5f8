//! All that can be said of a file without reading its interfaces: [`examine`].

use serde::{Deserialize, Serialize};
use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::TypesRef;
use wasmparser::{Encoding, Payload};

use super::anatomy::{Anatomy, Measure};
use super::embedded::{EMBEDDED_WORLD, EmbeddedWorld};
use super::targets::{Dependency, Wasi};
use super::walk::{Facts, Watch};
use super::{InspectError, Inspection, Limits, watched};
use crate::limits::EMBEDDED_WORLDS_MAX;
use crate::provenance::Provenance;

/// All that can be said of a file without reading its interfaces.
///
/// Its JSON form has the members of [`Inspection`], and those below.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Examination {
    /// What it says about itself.
    #[serde(flatten)]
    pub inspection: Inspection,
    /// Which WASI it is made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wasi: Option<Wasi>,
    /// The imports that are answered by certain content.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dependencies: Vec<Dependency>,
    /// The interfaces of a WIT package by their full names, as in `wasi:http/types@0.2.0`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interfaces: Vec<String>,
    /// The worlds of a WIT package, or those that a core module was made for, by their full names. A
    /// component does not say which world it was made for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worlds: Vec<String>,
    /// What it says that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// What takes the space.
    pub anatomy: Anatomy,
}

/// Inspects a file as [`inspect`](super::inspect()) does, and measures its parts.
///
/// # Errors
/// As [`inspect`](super::inspect()).
pub fn examine(bytes: &[u8], limits: &Limits) -> Result<Examination, InspectError> {
    let (mut found, embedded) = watched(bytes, *limits, || Examiner {
        facts: Facts::new(),
        measure: Measure::new(bytes.len()),
        embedded: Vec::new(),
        is_module: true,
    })?;
    for section in embedded {
        // What cannot be read as a world counts as no world, as in other custom sections.
        let world = EmbeddedWorld::new(section);
        let inner = watched(world.package, *limits, Contents::default);
        let names = inner.into_iter().flat_map(|contents| contents.worlds);
        found.worlds.extend(names.filter(|name| world.is(name)));
    }
    found.worlds.dedup();
    // What cannot be read counts as unsaid.
    found.provenance = Provenance::read(bytes).ok().flatten();
    Ok(found)
}

struct Examiner<'a> {
    facts: Facts<'a>,
    measure: Measure,
    embedded: Vec<&'a [u8]>,
    is_module: bool,
}

impl<'a> Watch<'a> for Examiner<'a> {
    type Kept = (Examination, Vec<&'a [u8]>);

    const CODE: bool = true;

    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError> {
        self.facts.see(depth, payload)?;
        self.measure.see(payload);
        match payload {
            Payload::Version { encoding, .. } if depth == 0 => {
                self.is_module = *encoding == Encoding::Module;
            }
            Payload::CustomSection(section)
                if self.is_module
                    && section.name().starts_with(EMBEDDED_WORLD)
                    && self.embedded.len() < EMBEDDED_WORLDS_MAX =>
            {
                self.embedded.push(section.data());
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, types: TypesRef<'_>) -> Result<Self::Kept, InspectError> {
        let inspection = self.facts.finish(types)?;
        let contents = match inspection.kind {
            super::Kind::WitPackage => Contents::of(types, &inspection),
            super::Kind::Component | super::Kind::CoreModule => Contents::default(),
        };
        let found = Examination {
            wasi: inspection.wasi(),
            dependencies: inspection.dependencies(),
            interfaces: contents.interfaces,
            worlds: contents.worlds,
            provenance: None,
            anatomy: self.measure.finish(),
            inspection,
        };
        Ok((found, self.embedded))
    }
}

/// The full names of what component types hold that stand for interfaces and worlds.
#[derive(Default)]
struct Contents {
    interfaces: Vec<String>,
    worlds: Vec<String>,
    exports: Vec<String>,
}

impl Contents {
    fn of(types: TypesRef<'_>, inspection: &Inspection) -> Self {
        let mut contents = Self::default();
        for export in &inspection.exports {
            contents.take(types, &export.name);
        }
        contents
    }

    /// Takes in what the component type holds that is exported under a name.
    fn take(&mut self, types: TypesRef<'_>, name: &str) {
        let Some(ComponentEntityType::Type { created: ComponentAnyTypeId::Component(id), .. }) =
            types.component_item_for_export(name).map(|item| item.ty)
        else {
            return;
        };
        for (name, item) in types.get(id).into_iter().flat_map(|component| &component.exports) {
            match item.ty {
                ComponentEntityType::Instance(_) => self.interfaces.push(name.clone()),
                ComponentEntityType::Component(_) => self.worlds.push(name.clone()),
                _ => {}
            }
        }
    }
}

impl<'a> Watch<'a> for Contents {
    type Kept = Self;

    const CODE: bool = false;

    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError> {
        if let Payload::ComponentExportSection(section) = payload
            && depth == 0
        {
            for export in section.clone() {
                self.exports.push(export?.name.name.to_owned());
            }
        }
        Ok(())
    }

    fn finish(mut self, types: TypesRef<'_>) -> Result<Self, InspectError> {
        for name in std::mem::take(&mut self.exports) {
            self.take(types, &name);
        }
        Ok(self)
    }
}
