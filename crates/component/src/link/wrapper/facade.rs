//! An interface put together of items of several instances.
//!
//! Only what a component exports may be called `[method]…`, and only where the resource has its name.
//! So there is a component for it, which imports every item under another name and exports it as it is
//! to be called.

use std::collections::{BTreeSet, HashSet};

use wasm_encoder::{ComponentExportKind, ComponentExternName};
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentItem, ResourceId,
};

use super::super::encode::{Encoder, Fault};
use super::super::merge::Classes;
use super::super::surface::Parts;
use super::kind;

/// Writes the component for an import of a part, which is an interface. It imports the interfaces whose
/// types this one makes use of, too, which are imports of the part.
pub(super) fn write(
    parts: &Parts<'_>,
    part: usize,
    import: usize,
    uses: &BTreeSet<usize>,
) -> Result<Vec<u8>, Fault> {
    let classes = Classes::default();
    // It is the root whose items can be exported.
    let mut encoder = Encoder::new(parts, &classes, false);
    for used in uses {
        let item = &parts[part].surface.imports[*used].item;
        encoder.import(&called_used(*used), &[(part, item)])?;
    }
    let items = items(parts, part, import);
    let mut indexes = Vec::with_capacity(items.len());
    for (number, (_, item)) in items.iter().enumerate() {
        indexes.push(encoder.import(&called(number), &[(part, item)])?);
    }
    let mut bytes = encoder.end_imports(0)?;
    encoder.forget_unnamed();
    let mut resources = HashSet::new();
    for ((name, item), index) in items.into_iter().zip(indexes) {
        let (ty, within) = encoder.ascription(item)?;
        let name_there = ComponentExternName::from(name);
        let (_, index) = encoder.tail()?.export(name_there, (kind(&item.ty), index), Some(ty));
        // Methods are those of the first name that a resource has.
        let is_again = resource(item).is_some_and(|resource| !resources.insert(resource));
        if !is_again {
            encoder.exported(index, name, item, within);
        }
    }
    bytes.extend(std::mem::take(encoder.tail()?).finish());
    Ok(bytes)
}

/// What an item is called as an import of the component, by its number.
pub(super) fn called(item: usize) -> String {
    format!("item{item}")
}

/// What an interface is called whose types are used, by the number of the import.
pub(super) fn called_used(import: usize) -> String {
    format!("interface{import}")
}

/// Kind of an item of an import.
pub(super) fn kind_of(
    parts: &Parts<'_>,
    part: usize,
    import: usize,
    name: &str,
) -> Option<ComponentExportKind> {
    let items = items(parts, part, import);
    items.into_iter().find(|(it, _)| *it == name).map(|(_, item)| kind(&item.ty))
}

fn resource(item: &ComponentItem) -> Option<ResourceId> {
    match item.ty {
        ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
            Some(id.resource())
        }
        _ => None,
    }
}

fn items<'p>(
    parts: &'p Parts<'_>,
    part: usize,
    import: usize,
) -> Vec<(&'p str, &'p ComponentItem)> {
    let surface = &parts[part].surface;
    match surface.imports.get(import).map(|import| import.item.ty) {
        Some(ComponentEntityType::Instance(id)) => {
            surface.types[id].exports.iter().map(|(name, item)| (name.as_str(), item)).collect()
        }
        _ => Vec::new(),
    }
}
