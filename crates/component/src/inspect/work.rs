//! Validation of a component within a budget of work.
//!
//! Whoever instantiates a component, or imports an instance, gets fresh copies of the resources in its
//! type and of every type that mentions them. That makes a few bytes stand for as much memory as the
//! type takes, again and again: a file of 100 KB can take gigabytes. So the items of the sections
//! that do this go to the validator one by one, and each is paid for before.

use std::collections::HashMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentItem, ComponentValType,
};
use wasmparser::types::TypesRef;
use wasmparser::{
    BinaryReader, ComponentExternalKind, ComponentInstance, ComponentTypeRef, FromReader, Payload,
    SectionLimited, ValidPayload, Validator,
};

use super::InspectError;
use super::nesting::{Part, Types};
use crate::limits::ITEMS_MAX;

/// What is left of [`ITEMS_MAX`], and what types weigh that have been looked at.
pub(crate) struct Work {
    left: u64,
    weights: HashMap<ComponentAnyTypeId, u64>,
}

impl Work {
    pub(crate) fn new() -> Self {
        Self { left: ITEMS_MAX, weights: HashMap::new() }
    }

    /// Validates what comes next in a file, of which `part` holds at least that.
    pub(crate) fn validate<'a>(
        &mut self,
        validator: &mut Validator,
        part: Part<'_>,
        payload: &Payload<'a>,
    ) -> Result<ValidPayload<'a>, InspectError> {
        match payload {
            Payload::ComponentTypeSection(section) if section.count() > 0 => {
                self.types(validator, part, Types::new(part, section)?)?;
            }
            Payload::ComponentImportSection(section) if section.count() > 0 => {
                each(part, section, |offset, import, one| {
                    let weight = match import.ty {
                        ComponentTypeRef::Instance(index) | ComponentTypeRef::Component(index) => {
                            self.type_at(validator, 0, index)
                        }
                        _ => 0,
                    };
                    self.charge(offset, 1 + weight)?;
                    Ok(validator.component_import_section(&SectionLimited::new(one)?)?)
                })?;
            }
            Payload::ComponentExportSection(section) if section.count() > 0 => {
                each(part, section, |offset, export, one| {
                    let weight = self.item(validator, export.kind, export.index);
                    self.charge(offset, 1 + weight)?;
                    Ok(validator.component_export_section(&SectionLimited::new(one)?)?)
                })?;
            }
            Payload::ComponentInstanceSection(section) if section.count() > 0 => {
                each(part, section, |offset, instance, one| {
                    let weight = self.instance(validator, &instance);
                    self.charge(offset, 1 + weight)?;
                    Ok(validator.component_instance_section(&SectionLimited::new(one)?)?)
                })?;
            }
            _ => {
                self.core(payload)?;
                return Ok(validator.payload(payload)?);
            }
        }
        Ok(ValidPayload::Ok)
    }

    /// Pays for what a section of a core module declares.
    fn core(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::TypeSection(section) => {
                self.charge(section.range().start, section.count().into())
            }
            Payload::ExportSection(section) => {
                self.charge(section.range().start, section.count().into())
            }
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports_with_offsets() {
                    self.charge(import?.0, 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn charge(&mut self, offset: u64, weight: u64) -> Result<(), InspectError> {
        self.left = self.left.checked_sub(weight).ok_or(InspectError::too_complex(offset))?;
        Ok(())
    }

    fn types(
        &mut self,
        validator: &mut Validator,
        part: Part<'_>,
        mut types: Types<'_>,
    ) -> Result<(), InspectError> {
        while let Some(ty) = types.next(|level, index| self.type_at(validator, level, index))? {
            self.charge(ty.range.start, ty.items)?;
            let one = single(part, ty.range.start, ty.range.end)?;
            let one = BinaryReader::new(&one, ty.range.start - 1);
            validator.component_type_section(&SectionLimited::new(one)?)?;
        }
        Ok(())
    }

    /// What the type at an index weighs, of the component that is being read or of one around it. An
    /// index without a type weighs nothing: the validator will refuse it.
    fn type_at(&mut self, validator: &Validator, level: u32, index: u32) -> u64 {
        let Some(types) = validator.types(level as usize) else { return 0 };
        if index < types.component_type_count() {
            self.weigh(types, types.component_any_type_at(index))
        } else {
            0
        }
    }

    /// What a thing weighs that is instantiated, exported or put into an instance.
    fn item(&mut self, validator: &Validator, kind: ComponentExternalKind, index: u32) -> u64 {
        let Some(types) = validator.types(0) else { return 0 };
        let id = match kind {
            ComponentExternalKind::Instance if index < types.component_instance_count() => {
                ComponentAnyTypeId::Instance(types.component_instance_at(index))
            }
            ComponentExternalKind::Component if index < types.component_count() => {
                ComponentAnyTypeId::Component(types.component_at(index))
            }
            _ => return 0,
        };
        self.weigh(types, id)
    }

    fn instance(&mut self, validator: &Validator, instance: &ComponentInstance<'_>) -> u64 {
        match instance {
            ComponentInstance::Instantiate { component_index, .. } => {
                self.item(validator, ComponentExternalKind::Component, *component_index)
            }
            ComponentInstance::FromExports(exports) => exports
                .iter()
                .map(|export| self.item(validator, export.kind, export.index))
                .fold(0, u64::saturating_add),
        }
    }

    /// How many types a type is made of, those counted again that stand in it more than once. The
    /// validator has limited the depth, and so that of this recursion, to 100.
    fn weigh(&mut self, types: TypesRef<'_>, id: ComponentAnyTypeId) -> u64 {
        if let Some(weight) = self.weights.get(&id) {
            return *weight;
        }
        let mut weight: u64 = 1;
        let mut add = |more: u64| weight = weight.saturating_add(more);
        match id {
            ComponentAnyTypeId::Resource(_) => {}
            ComponentAnyTypeId::Defined(id) => {
                values(&types[id], |value| add(self.weigh_value(types, value)));
            }
            ComponentAnyTypeId::Func(id) => {
                let values = types[id].params.iter().map(|(_, value)| value);
                values.chain(&types[id].result).for_each(|value| {
                    add(self.weigh_value(types, *value));
                });
            }
            ComponentAnyTypeId::Instance(id) => {
                types[id].exports.values().for_each(|item| add(self.weigh_item(types, item)));
            }
            ComponentAnyTypeId::Component(id) => {
                let items = types[id].imports.values().chain(types[id].exports.values());
                items.for_each(|item| add(self.weigh_item(types, item)));
            }
        }
        self.weights.insert(id, weight);
        weight
    }

    fn weigh_item(&mut self, types: TypesRef<'_>, item: &ComponentItem) -> u64 {
        match item.ty {
            ComponentEntityType::Module(_) => 1,
            ComponentEntityType::Func(id) => self.weigh(types, ComponentAnyTypeId::Func(id)),
            ComponentEntityType::Value(value) => self.weigh_value(types, value),
            ComponentEntityType::Type { created, .. } => self.weigh(types, created),
            ComponentEntityType::Instance(id) => {
                self.weigh(types, ComponentAnyTypeId::Instance(id))
            }
            ComponentEntityType::Component(id) => {
                self.weigh(types, ComponentAnyTypeId::Component(id))
            }
        }
    }

    fn weigh_value(&mut self, types: TypesRef<'_>, value: ComponentValType) -> u64 {
        match value {
            ComponentValType::Primitive(_) => 1,
            ComponentValType::Type(id) => self.weigh(types, ComponentAnyTypeId::Defined(id)),
        }
    }
}

/// The values that a type is made of.
pub(crate) fn values(ty: &ComponentDefinedType, mut each: impl FnMut(ComponentValType)) {
    use ComponentDefinedType as Type;
    match ty {
        Type::Primitive(_) | Type::Flags(_) | Type::Enum(_) | Type::Own(_) | Type::Borrow(_) => {}
        Type::Record(record) => record.fields.values().for_each(|value| each(*value)),
        Type::Variant(variant) => {
            variant.cases.values().filter_map(|case| case.ty).for_each(each);
        }
        Type::Tuple(tuple) => tuple.types.iter().for_each(|value| each(*value)),
        Type::List { element, .. } | Type::FixedLengthList { element, .. } => each(*element),
        Type::Map { key, value, .. } => {
            each(*key);
            each(*value);
        }
        Type::Option { ty, .. } => each(*ty),
        Type::Result { ok, err, .. } => ok.iter().chain(err).for_each(|value| each(*value)),
        Type::Future { ty, .. } | Type::Stream { ty, .. } => {
            ty.iter().copied().for_each(each);
        }
    }
}

/// Hands each item of a section on: where it stands, the item, and a section that holds it alone.
fn each<'a, T: FromReader<'a>>(
    part: Part<'_>,
    section: &SectionLimited<'a, T>,
    mut step: impl FnMut(u64, T, BinaryReader<'_>) -> Result<(), InspectError>,
) -> Result<(), InspectError> {
    let mut items = section.clone().into_iter_with_offsets();
    let mut next = items.next().transpose()?;
    while let Some((start, item)) = next {
        next = items.next().transpose()?;
        let end = next.as_ref().map_or(section.range().end, |(start, _)| *start);
        let one = single(part, start, end)?;
        step(start, item, BinaryReader::new(&one, start - 1))?;
    }
    Ok(())
}

/// A section's contents that hold one item: the number one, and the item as it stands in the file.
/// Read as if it began one byte before the item, it has the offsets of the file.
fn single(part: Part<'_>, start: u64, end: u64) -> Result<Vec<u8>, InspectError> {
    let item = part.slice(&(start..end)).ok_or(InspectError::Defect)?;
    Ok([&[1], item].concat())
}
