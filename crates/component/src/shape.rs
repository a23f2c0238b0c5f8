//! The shape of a file: all that it imports and exports, with types as texts, so that two shapes can be
//! compared and one can be shown.
//!
//! A type that has a name is told by its name wherever it is used, and by its structure where it is
//! named. So two interfaces are the same exactly if the texts of their members are.

mod core;
mod names;
mod text;

pub(crate) use self::names::{Name, track};
pub(crate) use text::{Signature, limits};

use serde::{Deserialize, Serialize};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentItem, ComponentType, ComponentTypeId,
};
use wasmparser::types::TypesRef;
use wasmparser::{Encoding, Payload};

use crate::inspect::embedded::{EMBEDDED_WORLD, EmbeddedWorld};
use crate::inspect::walk::{Facts, Watch};
use crate::inspect::{InspectError, Inspection, Kind, Limits, watched};
use crate::limits::EMBEDDED_WORLDS_MAX;
use text::Writer;

/// The custom section in which WIT packages keep their documentation.
pub(crate) const DOCUMENTATION: &str = "package-docs";

/// What something is that can be added, removed or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum What {
    /// The file itself: a component, a core module or a WIT package.
    File,
    /// A world of a WIT package or of a core module.
    World,
    /// An interface, or an instance under a plain name.
    Interface,
    /// A function, a method or a constructor, of a component or of a core module.
    Function,
    /// A type that is no resource.
    Type,
    /// A resource.
    Resource,
    /// A component.
    Component,
    /// A core module, or the module from which a core module imports.
    Module,
    /// A value.
    Value,
    /// A table of a core module.
    Table,
    /// A memory of a core module.
    Memory,
    /// A global of a core module.
    Global,
    /// An exception tag of a core module.
    Tag,
    /// Documentation and marks of stability in a WIT package.
    Documentation,
    /// What a custom section says, such as the licence.
    Metadata,
}

/// All that a file imports and exports.
pub(crate) struct Shape<'a> {
    pub(crate) inspection: Inspection,
    pub(crate) imports: Vec<Entry>,
    /// Those of a WIT package are in `interfaces` and `worlds` instead.
    pub(crate) exports: Vec<Entry>,
    /// Of a WIT package.
    pub(crate) interfaces: Vec<Entry>,
    /// Of a WIT package, or those that a core module was made for.
    pub(crate) worlds: Vec<World>,
    /// The section of documentation.
    pub(crate) documentation: Option<&'a [u8]>,
    /// The sections of a core module that have its worlds.
    pub(crate) sections: Vec<&'a [u8]>,
    /// How many sections stand in a core module that look like worlds and cannot be read as ones.
    pub(crate) unreadable_worlds: usize,
}

/// A world by its full name.
pub(crate) struct World {
    pub(crate) name: String,
    pub(crate) imports: Vec<Entry>,
    pub(crate) exports: Vec<Entry>,
}

/// Something that is imported or exported, or an interface of a WIT package.
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) what: What,
    pub(crate) signature: Signature,
    /// What an interface or a component has.
    pub(crate) members: Vec<Member>,
}

/// A member of an interface.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) what: What,
    pub(crate) signature: Signature,
}

impl<'a> Shape<'a> {
    /// Reads the shape of a file that may be anything. Bodies of functions are not validated.
    pub(crate) fn read(bytes: &'a [u8], limits: Limits) -> Result<Self, InspectError> {
        let (mut shape, embedded) = watched(bytes, limits, || Outline::new(false))?;
        for section in embedded {
            let world = EmbeddedWorld::new(section);
            let inner = watched(world.package, limits, || Outline::new(true));
            let worlds = inner.into_iter().flat_map(|(inner, _)| inner.worlds);
            let mut worlds: Vec<_> = worlds.filter(|each| world.is(&each.name)).collect();
            if worlds.len() == 1 {
                shape.worlds.append(&mut worlds);
                shape.sections.push(section);
            } else {
                shape.unreadable_worlds += 1;
            }
        }
        Ok(shape)
    }
}

struct Outline<'a> {
    facts: Facts<'a>,
    encoding: Encoding,
    documentation: Option<&'a [u8]>,
    /// Whether this is a section of a core module.
    is_embedded: bool,
    embedded: Vec<&'a [u8]>,
    omitted: usize,
}

impl Outline<'_> {
    const fn new(is_embedded: bool) -> Self {
        Self {
            facts: Facts::new(),
            encoding: Encoding::Module,
            documentation: None,
            is_embedded,
            embedded: Vec::new(),
            omitted: 0,
        }
    }
}

impl<'a> Watch<'a> for Outline<'a> {
    type Kept = (Shape<'a>, Vec<&'a [u8]>);

    const CODE: bool = false;

    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError> {
        self.facts.see(depth, payload)?;
        match payload {
            _ if depth > 0 => {}
            Payload::Version { encoding, .. } => self.encoding = *encoding,
            Payload::CustomSection(section) if section.name() == DOCUMENTATION => {
                self.documentation = Some(section.data());
            }
            Payload::CustomSection(section)
                if self.encoding == Encoding::Module
                    && section.name().starts_with(EMBEDDED_WORLD) =>
            {
                if self.embedded.len() < EMBEDDED_WORLDS_MAX {
                    self.embedded.push(section.data());
                } else {
                    self.omitted += 1;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, types: TypesRef<'_>) -> Result<Self::Kept, InspectError> {
        let inspection = self.facts.finish(types)?;
        let mut shape = Shape {
            inspection,
            imports: Vec::new(),
            exports: Vec::new(),
            interfaces: Vec::new(),
            worlds: Vec::new(),
            documentation: self.documentation,
            sections: Vec::new(),
            unreadable_worlds: self.omitted,
        };
        let mut writer = Writer::new(types, None);
        match shape.inspection.kind {
            Kind::CoreModule => {
                shape.imports = self::core::imports(&mut writer)?;
                shape.exports = self::core::exports(&mut writer)?;
            }
            Kind::Component => {
                for import in &shape.inspection.imports {
                    let item = types.component_item_for_import(&import.name);
                    shape.imports.extend(entry(&mut writer, &import.name, item)?);
                }
                for export in &shape.inspection.exports {
                    let item = types.component_item_for_export(&export.name);
                    shape.exports.extend(entry(&mut writer, &export.name, item)?);
                }
            }
            Kind::WitPackage => {
                let own = shape.inspection.package.as_ref().map(|package| package.name.clone());
                let own = own.filter(|_| !self.is_embedded);
                package(&mut shape, &mut Writer::new(types, own))?;
            }
        }
        Ok((shape, self.embedded))
    }
}

/// The interfaces and worlds of a WIT package, in either encoding.
fn package(shape: &mut Shape<'_>, writer: &mut Writer<'_>) -> Result<(), InspectError> {
    let types = writer.types;
    for export in &shape.inspection.exports {
        let item = types.component_item_for_export(&export.name);
        let Some(component) = item.and_then(|item| component(types, item)) else { continue };
        // What the interfaces use of others.
        entries(writer, &component.imports)?;
        for (name, item) in &component.exports {
            match item.ty {
                ComponentEntityType::Component(id) => {
                    let Some(world) = types.get(id) else { continue };
                    let imports = entries(writer, &world.imports)?;
                    let exports = entries(writer, &world.exports)?;
                    shape.worlds.push(World { name: name.clone(), imports, exports });
                }
                _ => shape.interfaces.extend(entry(writer, name, Some(item))?),
            }
        }
    }
    Ok(())
}

fn component<'t>(types: TypesRef<'t>, item: &ComponentItem) -> Option<&'t ComponentType> {
    match item.ty {
        ComponentEntityType::Type { created: ComponentAnyTypeId::Component(id), .. } => {
            types.get::<ComponentTypeId>(id)
        }
        _ => None,
    }
}

fn entries<'a>(
    writer: &mut Writer<'_>,
    items: impl IntoIterator<Item = (&'a String, &'a ComponentItem)>,
) -> Result<Vec<Entry>, InspectError> {
    let mut list = Vec::new();
    for (name, item) in items {
        list.extend(entry(writer, name, Some(item))?);
    }
    Ok(list)
}

fn entry(
    writer: &mut Writer<'_>,
    name: &str,
    item: Option<&ComponentItem>,
) -> Result<Option<Entry>, InspectError> {
    let Some(item) = item else { return Ok(None) };
    let mut members = Vec::new();
    let mut signature = Signature::default();
    let what = match item.ty {
        ComponentEntityType::Instance(id) => {
            writer.instance(name, "", id, &mut members)?;
            if let Some(implements) = &item.implements {
                writer.put(&mut signature, "implements ")?;
                writer.owner(&mut signature, implements)?;
            }
            What::Interface
        }
        ComponentEntityType::Component(id) => {
            writer.component(name, id, &mut members)?;
            What::Component
        }
        _ => {
            signature = writer.item("", name, item)?;
            text::what(item)
        }
    };
    Ok(Some(Entry { name: Name::new(name, writer.own()), what, signature, members }))
}
