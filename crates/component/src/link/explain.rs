//! Why what was put together is not valid, in terms of imports.

use std::collections::{HashMap, HashSet};

use wasm_encoder::ComponentExportKind;
use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentFuncType,
    ComponentItem, ComponentValType, ResourceId,
};
use wasmparser::types::TypesRef;

use super::check::Failure;
use super::merge::{Merged, resources};
use super::plan::{Plan, Wire};
use super::surface::Parts;
use super::wrapper::{Item, Wrapper};
use super::{Chain, LinkError};
use crate::inspect::{InspectError, Limits, inspect, values};
use crate::limits::{CONFLICT_CHAINS_MAX, LINK_BYTES_MAX};

/// What was put together.
pub(super) struct Context<'c, 'a> {
    pub(super) parts: &'c Parts<'a>,
    pub(super) plan: &'c Plan,
    pub(super) merged: &'c Merged,
    pub(super) wrapper: &'c Wrapper<'a>,
}

/// Says which import is to blame.
pub(super) fn explain(failure: Failure, context: &Context<'_, '_>) -> LinkError {
    let Failure { error, part, validator } = failure;
    if error == InspectError::Defect {
        return LinkError::Defect;
    }
    if let Some(part) = part {
        return context.content(part, error);
    }
    let types = validator.as_ref().and_then(|validator| validator.types(0));
    let Some(types) = types else { return LinkError::Result { error } };
    if let Some(part) = context.wrapper.instances.get(&types.component_instance_count()) {
        return context.instance(types, *part, error);
    }
    if let Some((part, import)) = context.wrapper.mixed.get(&types.component_instance_count()) {
        let chain = context.parts.chain_to_import(*part, *import);
        return LinkError::Mismatch { chain, reason: reason(&error) };
    }
    let offset = error.offset().unwrap_or_default();
    let exports = context.parts[0].surface.exports.iter().zip(&context.wrapper.exports);
    match exports.rev().find(|(_, start)| **start <= offset) {
        Some((export, _)) => {
            LinkError::Export { export: export.name.clone(), reason: reason(&error) }
        }
        None => LinkError::Result { error },
    }
}

impl Context<'_, '_> {
    /// A content that is not valid, with the place in the content as it came.
    fn content(&self, part: usize, error: InspectError) -> LinkError {
        let limits = Limits { bytes_max: LINK_BYTES_MAX };
        match inspect(self.parts[part].bytes, &limits) {
            Err(error) => LinkError::Content { chain: self.parts.chain_to(part), error },
            Ok(_) => LinkError::Result { error },
        }
    }

    /// A part that cannot be instantiated.
    fn instance(&self, types: TypesRef<'_>, part: usize, error: InspectError) -> LinkError {
        if !matches!(error, InspectError::Invalid { .. }) {
            return LinkError::Result { error };
        }
        if let Some(error) = self.resource(types, part) {
            return error;
        }
        let reason = reason(&error);
        let imports = self.parts[part].surface.imports.iter().enumerate();
        let blamed = imports.rev().find_map(|(number, import)| {
            let renamed = super::rename::renamed(&import.name);
            let words = [import.name.as_str(), &renamed].into_iter().find_map(|name| {
                reason.strip_prefix(&format!("type mismatch for import `{name}`: "))
            });
            words.map(|words| (number, words.to_owned()))
        });
        let Some((number, reason)) = blamed else {
            return LinkError::Mismatch { chain: self.parts.chain_to(part), reason };
        };
        let chain = self.parts.chain_to_import(part, number);
        let group = self.merged.group_of.get(&(part, number));
        let open = self.plan.wires[part].get(number) == Some(&Wire::Open);
        match group.map(|group| &self.merged.groups[*group].views) {
            Some(views) if open && views.len() > 1 => {
                let (first, import) = views[0];
                let first = self.parts.chain_to_import(first, import);
                LinkError::Unmergeable { chains: vec![first, chain], reason }
            }
            _ => LinkError::Mismatch { chain, reason },
        }
    }

    /// A resource that a part imports several times, as one, and that is not one.
    fn resource(&self, types: TypesRef<'_>, part: usize) -> Option<LinkError> {
        let surface = &self.parts[part].surface;
        let mut names: HashMap<ResourceId, String> = HashMap::new();
        let mut given: HashMap<ResourceId, Vec<ResourceId>> = HashMap::new();
        let mut apart = None;
        for (number, import) in surface.imports.iter().enumerate() {
            resources(surface.types.as_ref(), &import.item, &mut |path, resource| {
                let name = path.last().unwrap_or(&import.name);
                names.entry(resource).or_insert_with(|| name.clone());
            });
            let argument = self.wrapper.arguments.get(&(part, number));
            let Some(found) = argument.and_then(|item| entity(types, *item)) else { continue };
            let mut pairs = Pairs::new(surface.types.as_ref(), types);
            pairs.entities(import.item.ty, found);
            for (asked, found) in pairs.resources {
                let known = given.entry(asked).or_default();
                if !known.contains(&found) {
                    known.push(found);
                }
                if known.len() > 1 && apart.is_none() {
                    apart = Some((number, asked));
                }
            }
        }
        let (number, asked) = apart?;
        let found = given.remove(&asked)?;
        let chains = found.into_iter().take(CONFLICT_CHAINS_MAX);
        let chains = chains.filter_map(|found| self.origin(types, found)).collect();
        let chain = self.parts.chain_to_import(part, number);
        Some(LinkError::Resource { chain, resource: names.remove(&asked)?, chains })
    }

    /// How the root comes to what has a resource of its own.
    fn origin(&self, types: TypesRef<'_>, resource: ResourceId) -> Option<Chain> {
        let has = |argument: Item| {
            let mut found = false;
            each_resource(types, argument, &mut |other| found |= other == resource);
            found
        };
        let open = self.merged.groups.iter().zip(&self.wrapper.imports);
        let import = open.into_iter().find(|(_, item)| has(**item)).map(|(group, _)| {
            let (part, number) = group.views[0];
            self.parts.chain_to_import(part, number)
        });
        import.or_else(|| {
            let mut instances: Vec<(u32, usize)> =
                self.wrapper.instances.iter().map(|(index, part)| (*index, *part)).collect();
            instances.sort_unstable();
            let known = |index: u32| index < types.component_instance_count();
            let mut instances = instances.into_iter().filter(|(index, _)| known(*index));
            let first = instances.find(|(index, _)| has((ComponentExportKind::Instance, *index)));
            first.map(|(_, part)| self.parts.chain_to(part))
        })
    }
}

/// The validator's words, in one line.
fn reason(error: &InspectError) -> String {
    match error {
        InspectError::Invalid { reason, .. } => reason.clone(),
        other => other.to_string(),
    }
}

/// A walk over two types side by side, for the resources that stand in the same places.
struct Pairs<'t> {
    asked: TypesRef<'t>,
    found: TypesRef<'t>,
    seen: HashSet<(ComponentAnyTypeId, ComponentAnyTypeId)>,
    resources: Vec<(ResourceId, ResourceId)>,
}

impl<'t> Pairs<'t> {
    fn new(asked: TypesRef<'t>, found: TypesRef<'t>) -> Self {
        Self { asked, found, seen: HashSet::new(), resources: Vec::new() }
    }

    fn entities(&mut self, asked: ComponentEntityType, found: ComponentEntityType) {
        use ComponentEntityType::{Func, Instance, Type};
        match (asked, found) {
            (Type { created: asked, .. }, Type { created: found, .. }) => self.types(asked, found),
            (Func(asked), Func(found)) => self.types(asked.into(), found.into()),
            (Instance(asked), Instance(found)) => {
                let found = &self.found[found].exports;
                let both: Vec<_> = self.asked[asked]
                    .exports
                    .iter()
                    .filter_map(|(name, asked)| Some((asked.ty, found.get(name)?.ty)))
                    .collect();
                for (asked, found) in both {
                    self.entities(asked, found);
                }
            }
            _ => {}
        }
    }

    fn types(&mut self, asked: ComponentAnyTypeId, found: ComponentAnyTypeId) {
        use ComponentAnyTypeId::{Defined, Func, Resource};
        if !self.seen.insert((asked, found)) {
            return;
        }
        match (asked, found) {
            (Resource(asked), Resource(found)) => {
                self.resources.push((asked.resource(), found.resource()));
            }
            (Func(asked), Func(found)) => {
                let of = |ty: &ComponentFuncType| {
                    ty.params.iter().map(|(_, value)| *value).chain(ty.result).collect::<Vec<_>>()
                };
                let (asked, found) = (of(&self.asked[asked]), of(&self.found[found]));
                self.values(&asked, &found);
            }
            (Defined(asked), Defined(found)) => match (&self.asked[asked], &self.found[found]) {
                (ComponentDefinedType::Own(asked), ComponentDefinedType::Own(found))
                | (ComponentDefinedType::Borrow(asked), ComponentDefinedType::Borrow(found)) => {
                    self.types(Resource(*asked), Resource(*found));
                }
                (asked, found) => {
                    let (mut of_asked, mut of_found) = (Vec::new(), Vec::new());
                    values(asked, |value| of_asked.push(value));
                    values(found, |value| of_found.push(value));
                    self.values(&of_asked, &of_found);
                }
            },
            _ => {}
        }
    }

    fn values(&mut self, asked: &[ComponentValType], found: &[ComponentValType]) {
        for pair in asked.iter().zip(found) {
            if let (ComponentValType::Type(asked), ComponentValType::Type(found)) = pair {
                self.types((*asked).into(), (*found).into());
            }
        }
    }
}

fn each_resource(types: TypesRef<'_>, item: Item, each: &mut impl FnMut(ResourceId)) {
    let Some(ty) = entity(types, item) else { return };
    let item = ComponentItem { ty, implements: None, version_suffix: None, external_id: None };
    resources(types, &item, &mut |_, resource| each(resource));
}

/// The type of an instance or of a type of the component around the parts.
fn entity(types: TypesRef<'_>, (kind, index): Item) -> Option<ComponentEntityType> {
    match kind {
        ComponentExportKind::Instance if index < types.component_instance_count() => {
            Some(ComponentEntityType::Instance(types.component_instance_at(index)))
        }
        ComponentExportKind::Type if index < types.component_type_count() => {
            let id = types.component_any_type_at(index);
            Some(ComponentEntityType::Type { referenced: id, created: id })
        }
        _ => None,
    }
}
