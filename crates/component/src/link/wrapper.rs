//! The component around root and releases.

mod facade;
mod tail;

use std::collections::{BTreeSet, HashMap};

use wasm_encoder::{ComponentExportKind, ComponentExternName};
use wasmparser::component_types::{ComponentEntityType, ComponentItem};

use super::encode::Encoder;
use super::merge::{self, Merged};
use super::output::{Output, Segment};
use super::plan::{Plan, Source, Wire};
use super::surface::{Identity, Parts};
use super::{Chain, Form, LinkError, locked_name, rename};
pub(super) use tail::Tail;

/// What every component begins with: version 13 of layer 1.
const HEADER: [u8; 8] = *b"\0asm\x0d\0\x01\0";
/// The number of a section with a component.
const COMPONENT_SECTION: u8 = 4;

/// The component, and what stands where in it.
pub(super) struct Wrapper<'a> {
    pub(super) output: Output<'a>,
    /// The part of an instance, by the instance's index.
    pub(super) instances: HashMap<u32, usize>,
    /// Kind and index of each group of open imports.
    pub(super) imports: Vec<Item>,
    /// Kind and index of what an import of a part gets, by part and number.
    pub(super) arguments: HashMap<(usize, usize), Item>,
    /// The import that an instance was put together for, by part and number, by the instance's index.
    pub(super) mixed: HashMap<u32, (usize, usize)>,
    /// Where each export of the root is written, in bytes from the start.
    pub(super) exports: Vec<u64>,
}

/// The component for each import that gets items of several instances, by part and number, and the
/// imports that it needs, too.
type Facades = HashMap<(usize, usize), (u32, BTreeSet<usize>)>;

/// Kind and index.
pub(super) type Item = (ComponentExportKind, u32);

/// Writes the component. If it `ascribes`, exports have their types in terms of what is imported and
/// of the types that are exported before them.
pub(super) fn write<'a>(
    parts: &Parts<'a>,
    plan: &Plan,
    merged: &Merged,
    form: Form,
    ascribes: bool,
) -> Result<Wrapper<'a>, LinkError> {
    let mut output = Output::empty();
    output.push(Segment { bytes: HEADER.to_vec().into(), part: None });
    let mut components = HashMap::new();
    let mut inside = inside(parts, plan, form, &mut output, &mut components)?;
    let facades = facades(parts, plan, &mut inside, &mut output)?;
    let mut encoder = Encoder::new(parts, &merged.classes, form == Form::Bundle);
    if form == Form::Locked {
        import_releases(parts, plan, inside, &mut encoder, &mut components)?;
    }
    let imports = import_open(parts, merged, inside, &mut encoder)?;
    let front = encoder.end_imports(inside).map_err(|fault| fault.at(Chain::default()))?;
    let front = front[HEADER.len()..].to_vec();
    output.push(Segment { bytes: front.into(), part: None });
    let mut writer = Writer {
        parts,
        plan,
        merged,
        form,
        ascribes,
        components,
        facades,
        encoder,
        wrapper: Wrapper {
            output,
            instances: HashMap::new(),
            imports,
            arguments: HashMap::new(),
            mixed: HashMap::new(),
            exports: Vec::new(),
        },
        of_part: HashMap::new(),
    };
    writer.instantiate()?;
    writer.export()?;
    let tail = std::mem::take(writer.tail()?).finish();
    let mut wrapper = writer.wrapper;
    wrapper.output.push(Segment { bytes: tail.into(), part: None });
    Ok(wrapper)
}

/// Writes the parts that the component holds, and says how many. Equal contents are there once.
fn inside<'a>(
    parts: &Parts<'a>,
    plan: &Plan,
    form: Form,
    output: &mut Output<'a>,
    components: &mut HashMap<usize, u32>,
) -> Result<u32, LinkError> {
    let mut by_digest = HashMap::new();
    let mut count = 0;
    for number in &plan.components {
        let part = &parts[*number];
        if form == Form::Locked && part.release.is_some() {
            continue;
        }
        if let Some(release) = &part.release {
            let index = *by_digest.entry(release.digest).or_insert(count);
            components.insert(*number, index);
            if index < count {
                continue;
            }
        }
        components.insert(*number, count);
        count += 1;
        let (pieces, len) = match form {
            Form::Bundle => rename::pieces(part.bytes, *number),
            Form::Locked => {
                let bytes = part.bytes.into();
                Ok((vec![Segment { bytes, part: Some(*number) }], part.bytes.len()))
            }
        }
        .map_err(|error| LinkError::Content { chain: parts.chain_to(*number), error })?;
        output.push(Segment { bytes: head(len)?.into(), part: None });
        for piece in pieces {
            output.push(piece);
        }
    }
    Ok(count)
}

/// Writes the components for imports that get items of several instances, and counts them to those that
/// are `inside`.
fn facades(
    parts: &Parts<'_>,
    plan: &Plan,
    inside: &mut u32,
    output: &mut Output<'_>,
) -> Result<Facades, LinkError> {
    let mut facades = HashMap::new();
    for (part, wires) in plan.wires.iter().enumerate() {
        let is_mixed = |wire: &Wire| matches!(wire, Wire::Mixed(_));
        if !wires.iter().any(is_mixed) {
            continue;
        }
        let uses = merge::uses(parts, part)?;
        for (import, _) in wires.iter().enumerate().filter(|(_, wire)| is_mixed(wire)) {
            let bytes = facade::write(parts, part, import, &uses[import])
                .map_err(|fault| fault.at(parts.chain_to_import(part, import)))?;
            let bytes = [head(bytes.len())?, bytes].concat();
            output.push(Segment { bytes: bytes.into(), part: None });
            facades.insert((part, import), (*inside, uses[import].clone()));
            *inside += 1;
        }
    }
    Ok(facades)
}

/// What stands before a component of so many bytes.
fn head(len: usize) -> Result<Vec<u8>, LinkError> {
    let size = rename::number(len).map_err(|_| LinkError::Defect)?;
    Ok([&[COMPONENT_SECTION], size.as_slice()].concat())
}

/// Imports the releases behind the `inside` components that are there already.
fn import_releases<'p>(
    parts: &'p Parts<'p>,
    plan: &Plan,
    inside: u32,
    encoder: &mut Encoder<'p>,
    components: &mut HashMap<usize, u32>,
) -> Result<(), LinkError> {
    let mut by_name = HashMap::new();
    for number in &plan.components {
        let Some(Identity { package, version, digest }) = &parts[*number].release else { continue };
        let name = locked_name(package, version, digest);
        let index = if let Some(index) = by_name.get(&name) {
            *index
        } else {
            let index = encoder.import_part(&name, *number);
            inside + index.map_err(|fault| fault.at(parts.chain_to(*number)))?
        };
        by_name.insert(name, index);
        components.insert(*number, index);
    }
    Ok(())
}

/// Imports what stays open.
fn import_open<'p>(
    parts: &'p Parts<'p>,
    merged: &Merged,
    inside: u32,
    encoder: &mut Encoder<'p>,
) -> Result<Vec<Item>, LinkError> {
    let mut imports = Vec::with_capacity(merged.groups.len());
    for group in &merged.groups {
        let views = group.views.iter();
        let same: Vec<(usize, &ComponentItem)> = views
            .map(|(part, number)| (*part, &parts[*part].surface.imports[*number].item))
            .collect();
        let (part, number) = group.views[0];
        let kind = kind(&same[0].1.ty);
        let index = encoder
            .import(&group.name, &same)
            .map_err(|fault| fault.at(parts.chain_to_import(part, number)))?;
        let before = if kind == ComponentExportKind::Component { inside } else { 0 };
        imports.push((kind, before + index));
    }
    Ok(imports)
}

/// What is written behind the imports.
struct Writer<'w, 'a> {
    parts: &'w Parts<'a>,
    plan: &'w Plan,
    merged: &'w Merged,
    form: Form,
    ascribes: bool,
    /// The index of a part's component.
    components: HashMap<usize, u32>,
    /// The index of the component for an import that gets items of several instances.
    facades: Facades,
    encoder: Encoder<'w>,
    wrapper: Wrapper<'a>,
    /// The index of a part's instance.
    of_part: HashMap<usize, u32>,
}

impl Writer<'_, '_> {
    fn tail(&mut self) -> Result<&mut Tail, LinkError> {
        self.encoder.tail().map_err(|fault| fault.at(Chain::default()))
    }

    fn instantiate(&mut self) -> Result<(), LinkError> {
        for part in &self.plan.instances {
            let mut arguments = Vec::new();
            for (number, import) in self.parts[*part].surface.imports.iter().enumerate() {
                let item = self.argument(*part, number)?;
                self.wrapper.arguments.insert((*part, number), item);
                let name = match self.form {
                    Form::Bundle => rename::renamed(&import.name),
                    Form::Locked => import.name.as_str().into(),
                };
                arguments.push((name, item.0, item.1));
            }
            let component = *self.components.get(part).ok_or(LinkError::Defect)?;
            let instance = self.tail()?.instantiate(component, arguments);
            self.of_part.insert(*part, instance);
            self.wrapper.instances.insert(instance, *part);
        }
        Ok(())
    }

    /// What an import gets.
    fn argument(&mut self, part: usize, number: usize) -> Result<Item, LinkError> {
        let wire = self.plan.wires[part].get(number).ok_or(LinkError::Defect)?;
        let instance = ComponentExportKind::Instance;
        Ok(match wire {
            Wire::Open => {
                let group = self.merged.group_of.get(&(part, number));
                group
                    .and_then(|group| self.wrapper.imports.get(*group))
                    .copied()
                    .ok_or(LinkError::Defect)?
            }
            Wire::Component(part) => {
                let index = self.components.get(part).ok_or(LinkError::Defect)?;
                (ComponentExportKind::Component, *index)
            }
            Wire::Instance(part) => (instance, *self.of_part.get(part).ok_or(LinkError::Defect)?),
            Wire::Export(part, name) => self.export_of(*part, name)?,
            Wire::Renamed(part, names) => {
                let items = names.iter().map(|(called, name)| {
                    let (kind, index) = self.export_of(*part, name)?;
                    Ok((called.as_str(), kind, index))
                });
                let items = items.collect::<Result<Vec<_>, LinkError>>()?;
                (instance, self.tail()?.gather(items))
            }
            Wire::Mixed(items) => (instance, self.mixed(part, number, items)?),
        })
    }

    /// An instance of items of several, for an import.
    fn mixed(
        &mut self,
        part: usize,
        import: usize,
        items: &[(String, Source)],
    ) -> Result<u32, LinkError> {
        let mut arguments = Vec::with_capacity(items.len());
        for (number, (_, source)) in items.iter().enumerate() {
            let (kind, index) = match source {
                Source::Export(part, name) => self.export_of(*part, name)?,
                Source::Open(import, name) => self.item_of(part, *import, name)?,
            };
            arguments.push((facade::called(number), kind, index));
        }
        let (component, uses) =
            self.facades.get(&(part, import)).cloned().ok_or(LinkError::Defect)?;
        for used in uses {
            let given = self.wrapper.arguments.get(&(part, used));
            let (kind, index) = *given.ok_or(LinkError::Defect)?;
            arguments.push((facade::called_used(used), kind, index));
        }
        let instance = self.tail()?.instantiate(component, arguments);
        self.wrapper.mixed.insert(instance, (part, import));
        Ok(instance)
    }

    /// An item of the instance that an import of a part became that stays open.
    fn item_of(&mut self, part: usize, import: usize, name: &str) -> Result<Item, LinkError> {
        let kind = facade::kind_of(self.parts, part, import, name).ok_or(LinkError::Defect)?;
        let group = self.merged.group_of.get(&(part, import));
        let instance = group.and_then(|group| self.wrapper.imports.get(*group));
        let (_, instance) = *instance.ok_or(LinkError::Defect)?;
        Ok((kind, self.tail()?.alias(instance, kind, name)))
    }

    /// An export of the instance of a part.
    fn export_of(&mut self, part: usize, name: &str) -> Result<Item, LinkError> {
        let exports = &self.parts[part].surface.exports;
        let export = exports.iter().find(|export| export.name == name);
        let kind = kind(&export.ok_or(LinkError::Defect)?.item.ty);
        let instance = *self.of_part.get(&part).ok_or(LinkError::Defect)?;
        Ok((kind, self.tail()?.alias(instance, kind, name)))
    }

    /// Exports what the root exports.
    fn export(&mut self) -> Result<(), LinkError> {
        for export in &self.parts[0].surface.exports {
            let (kind, index) = self.export_of(0, &export.name)?;
            let item = &export.item;
            // What cannot be ascribed is left for the validator to refuse.
            let described = if self.ascribes { self.encoder.ascription(item).ok() } else { None };
            let (ty, within) = described.unzip();
            let name = ComponentExternName {
                name: export.name.as_str().into(),
                implements: item.implements.as_deref().map(Into::into),
                version_suffix: item.version_suffix.as_deref().map(Into::into),
                external_id: item.external_id.as_deref().map(Into::into),
            };
            let (before, index) = self.tail()?.export(name, (kind, index), ty);
            self.wrapper.exports.push(self.wrapper.output.len() + before);
            if self.ascribes {
                let within = within.unwrap_or_default();
                self.encoder.exported(index, &export.name, item, within);
            }
        }
        Ok(())
    }
}

fn kind(ty: &ComponentEntityType) -> ComponentExportKind {
    match ty {
        ComponentEntityType::Module(_) => ComponentExportKind::Module,
        ComponentEntityType::Func(_) => ComponentExportKind::Func,
        ComponentEntityType::Value(_) => ComponentExportKind::Value,
        ComponentEntityType::Type { .. } => ComponentExportKind::Type,
        ComponentEntityType::Instance(_) => ComponentExportKind::Instance,
        ComponentEntityType::Component(_) => ComponentExportKind::Component,
    }
}
