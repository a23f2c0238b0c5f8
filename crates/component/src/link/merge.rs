//! The imports that stay open, and which of them become one.

use std::collections::{BTreeSet, HashMap, HashSet};

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentDefinedType, ComponentEntityType, ComponentItem, ComponentValType,
    ResourceId,
};
use wasmparser::types::{Types, TypesRef};

use wargate_protocol::{PackageName, Version};

use super::plan::Plan;
use super::surface::{Import, Parts};
use super::{Chain, LinkError};
use crate::limits::{LINK_ITEMS_MAX, LINK_STEPS_MAX};
use crate::names::ImportName;
use crate::solve::track;

/// The imports of the result.
pub(super) struct Merged {
    /// Each behind those whose types it makes use of; else by name.
    pub(super) groups: Vec<Group>,
    /// The number of the group of an import, by part and number.
    pub(super) group_of: HashMap<(usize, usize), usize>,
    pub(super) classes: Classes,
}

/// Imports that become one.
pub(super) struct Group {
    /// What it is called: the name with the highest version.
    pub(super) name: String,
    /// The imports, by part and number, those of the highest version first.
    pub(super) views: Vec<(usize, usize)>,
}

/// Which resources of the parts are the same because open imports that become one have them.
#[derive(Default)]
pub(super) struct Classes {
    numbers: HashMap<(usize, ResourceId), usize>,
    parents: Vec<usize>,
}

impl Classes {
    /// The class of a part's resource, if an open import has it.
    pub(super) fn of(&self, part: usize, resource: ResourceId) -> Option<usize> {
        self.numbers.get(&(part, resource)).map(|number| self.root(*number))
    }

    fn number(&mut self, part: usize, resource: ResourceId) -> usize {
        *self.numbers.entry((part, resource)).or_insert_with(|| {
            self.parents.push(self.parents.len());
            self.parents.len() - 1
        })
    }

    fn unite(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        self.parents[one.max(other)] = one.min(other);
    }

    fn root(&self, mut number: usize) -> usize {
        while self.parents[number] != number {
            number = self.parents[number];
        }
        number
    }
}

/// Finds the imports that stay open and puts those together that mean the same.
pub(super) fn merge(parts: &Parts<'_>, plan: &Plan) -> Result<Merged, LinkError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_key: HashMap<Key, usize> = HashMap::new();
    for part in &plan.instances {
        for (number, wire) in plan.wires[*part].iter().enumerate() {
            if !wire.is_open(number) {
                continue;
            }
            let import = &parts[*part].surface.imports[number];
            let group = *by_key.entry(Key::of(import)).or_insert_with(|| {
                groups.push(Group { name: import.name.clone(), views: Vec::new() });
                groups.len() - 1
            });
            groups[group].views.push((*part, number));
        }
    }
    for group in &mut groups {
        let import = |(part, number): (usize, usize)| &parts[part].surface.imports[number];
        group.views.sort_by_key(|view| std::cmp::Reverse(version(import(*view))));
        group.name.clone_from(&import(group.views[0]).name);
        same_kind(parts, group)?;
    }
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    let needs = needs(parts, &groups)?;
    let groups = in_order(parts, groups, needs)?;
    let classes = classes(parts, &groups);
    let group_of = groups
        .iter()
        .enumerate()
        .flat_map(|(number, group)| group.views.iter().map(move |view| (*view, number)))
        .collect();
    Ok(Merged { groups, group_of, classes })
}

/// What imports have in common that become one.
#[derive(PartialEq, Eq, Hash)]
enum Key<'p> {
    /// Those of an interface at compatible versions.
    Track(&'p PackageName, &'p str, (u64, u64, u64)),
    /// Those of a name.
    Name(&'p str),
}

impl<'p> Key<'p> {
    fn of(import: &'p Import) -> Self {
        match (&import.reading, version(import)) {
            (ImportName::Interface(name), Some(version)) if !version.is_prerelease() => {
                Self::Track(&name.package, &name.interface, track(version))
            }
            _ => Self::Name(&import.name),
        }
    }
}

fn version(import: &Import) -> Option<&Version> {
    match &import.reading {
        ImportName::Interface(name) => name.version.as_ref(),
        _ => None,
    }
}

/// Checks that imports that become one are of one kind.
fn same_kind(parts: &Parts<'_>, group: &Group) -> Result<(), LinkError> {
    let item = |(part, number): (usize, usize)| &parts[part].surface.imports[number].item;
    let first = item(group.views[0]);
    let differs = group.views.iter().find(|view| {
        let item = item(**view);
        std::mem::discriminant(&item.ty) != std::mem::discriminant(&first.ty)
            || item.implements != first.implements
    });
    differs.map_or(Ok(()), |view| {
        let chains =
            [group.views[0], *view].map(|(part, import)| parts.chain_to_import(part, import));
        let reason = "they are not of one kind, or implement different interfaces".to_owned();
        Err(LinkError::Unmergeable { chains: chains.to_vec(), reason })
    })
}

/// For each import of a part the imports whose types it makes use of.
pub(super) fn uses(parts: &Parts<'_>, part: usize) -> Result<Vec<BTreeSet<usize>>, LinkError> {
    let imports = parts[part].surface.imports.iter().enumerate();
    let alone = |(number, import): (usize, &Import)| Group {
        name: import.name.clone(),
        views: vec![(part, number)],
    };
    needs(parts, &imports.map(alone).collect::<Vec<_>>())
}

/// For each group those whose types it makes use of.
fn needs(parts: &Parts<'_>, groups: &[Group]) -> Result<Vec<BTreeSet<usize>>, LinkError> {
    let mut left = LINK_STEPS_MAX;
    let mut views: Vec<((usize, usize), usize)> = groups
        .iter()
        .enumerate()
        .flat_map(|(number, group)| group.views.iter().map(move |view| (*view, number)))
        .collect();
    views.sort_unstable();
    let mut needs = vec![BTreeSet::new(); groups.len()];
    for of_part in views.chunk_by(|one, other| one.0.0 == other.0.0) {
        let part = of_part[0].0.0;
        let types = &parts[part].surface.types;
        let mut first: HashMap<ComponentAnyTypeId, usize> = HashMap::new();
        let mut resources: HashMap<ResourceId, usize> = HashMap::new();
        for ((_, number), group) in of_part {
            let item = &parts[part].surface.imports[*number].item;
            let mut reach = Reach { types, seen: HashSet::new(), left: &mut left };
            reach.item(item, &mut |id, named| {
                let known = match (id, named) {
                    (ComponentAnyTypeId::Resource(id), true) => {
                        *resources.entry(id.resource()).or_insert(*group)
                    }
                    (ComponentAnyTypeId::Resource(id), false) => {
                        resources.get(&id.resource()).copied().unwrap_or(*group)
                    }
                    (id, true) => *first.entry(id).or_insert(*group),
                    (id, false) => first.get(&id).copied().unwrap_or(*group),
                };
                if known != *group {
                    needs[*group].insert(known);
                }
            });
        }
    }
    if left == 0 {
        return Err(LinkError::TooComplex { items_max: LINK_ITEMS_MAX });
    }
    Ok(needs)
}

/// The groups in the order in which they can be imported.
fn in_order(
    parts: &Parts<'_>,
    groups: Vec<Group>,
    mut needs: Vec<BTreeSet<usize>>,
) -> Result<Vec<Group>, LinkError> {
    let mut ready: BTreeSet<usize> =
        (0..groups.len()).filter(|group| needs[*group].is_empty()).collect();
    let mut needed_by = vec![Vec::new(); groups.len()];
    for (group, needs) in needs.iter().enumerate() {
        for needed in needs {
            needed_by[*needed].push(group);
        }
    }
    let mut order = Vec::with_capacity(groups.len());
    while let Some(group) = ready.pop_first() {
        order.push(group);
        for waiting in &needed_by[group] {
            needs[*waiting].remove(&group);
            if needs[*waiting].is_empty() {
                ready.insert(*waiting);
            }
        }
    }
    let stuck: Vec<Chain> = (0..groups.len())
        .filter(|group| !needs[*group].is_empty())
        .map(|group| parts.chain_to_import(groups[group].views[0].0, groups[group].views[0].1))
        .collect();
    if !stuck.is_empty() {
        let reason = "each makes use of a type of the other".to_owned();
        return Err(LinkError::Unmergeable { chains: stuck, reason });
    }
    let mut groups: Vec<Option<Group>> = groups.into_iter().map(Some).collect();
    Ok(order.into_iter().filter_map(|group| groups[group].take()).collect())
}

/// Which resources are the same.
fn classes(parts: &Parts<'_>, groups: &[Group]) -> Classes {
    let mut classes = Classes::default();
    for group in groups {
        let mut places: HashMap<Vec<String>, usize> = HashMap::new();
        for (part, number) in &group.views {
            let surface = &parts[*part].surface;
            resources(
                surface.types.as_ref(),
                &surface.imports[*number].item,
                &mut |path, resource| {
                    let class = classes.number(*part, resource);
                    let known = *places.entry(path.to_vec()).or_insert(class);
                    classes.unite(known, class);
                },
            );
        }
    }
    classes
}

/// The resources that an item exports, and the names of the exports that lead there.
pub(super) fn resources(
    types: TypesRef<'_>,
    item: &ComponentItem,
    each: &mut impl FnMut(&[String], ResourceId),
) {
    fn walk(
        types: TypesRef<'_>,
        item: &ComponentItem,
        path: &mut Vec<String>,
        each: &mut impl FnMut(&[String], ResourceId),
    ) {
        match item.ty {
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                each(path, id.resource());
            }
            ComponentEntityType::Instance(id) => {
                for (name, item) in &types[id].exports {
                    path.push(name.clone());
                    walk(types, item, path, each);
                    path.pop();
                }
            }
            _ => {}
        }
    }
    walk(types, item, &mut Vec::new(), each);
}

/// A search for what makes use of a resource.
pub(super) struct Mentions<'t> {
    types: &'t Types,
    resource: ResourceId,
    left: usize,
}

impl<'t> Mentions<'t> {
    pub(super) const fn new(types: &'t Types, resource: ResourceId) -> Self {
        Self { types, resource, left: LINK_STEPS_MAX }
    }

    /// Whether an item does.
    pub(super) fn are_in(&mut self, item: &ComponentItem) -> bool {
        let mut found = false;
        let mut reach = Reach { types: self.types, seen: HashSet::new(), left: &mut self.left };
        reach.item(item, &mut |id, _| {
            found |= matches!(id, ComponentAnyTypeId::Resource(id) if id.resource() == self.resource);
        });
        found
    }

    /// Whether the search took more than [`LINK_STEPS_MAX`], and what it said does not count.
    pub(super) const fn are_too_many(&self) -> bool {
        self.left == 0
    }
}

/// A walk over all types that an item makes use of, each once.
struct Reach<'t> {
    types: &'t Types,
    seen: HashSet<ComponentAnyTypeId>,
    /// How many more steps there may be; without any the walk ends.
    left: &'t mut usize,
}

impl Reach<'_> {
    /// Calls `each` with every type, and whether it is one that the item gives a name.
    fn item(&mut self, item: &ComponentItem, each: &mut impl FnMut(ComponentAnyTypeId, bool)) {
        match item.ty {
            ComponentEntityType::Type { referenced, created } => {
                self.id(referenced, each);
                each(created, true);
            }
            ComponentEntityType::Func(id) => self.id(ComponentAnyTypeId::Func(id), each),
            ComponentEntityType::Instance(id) => self.id(ComponentAnyTypeId::Instance(id), each),
            ComponentEntityType::Value(value) => self.value(value, each),
            ComponentEntityType::Component(_) | ComponentEntityType::Module(_) => {}
        }
    }

    fn id(&mut self, id: ComponentAnyTypeId, each: &mut impl FnMut(ComponentAnyTypeId, bool)) {
        let mut next = Some(id);
        while let Some(id) = next {
            if *self.left == 0 || !self.seen.insert(id) {
                return;
            }
            *self.left -= 1;
            each(id, false);
            next = self.types.peel_alias(id);
        }
        match id {
            ComponentAnyTypeId::Func(id) => {
                let ty = &self.types[id];
                let values = ty.params.iter().map(|(_, value)| *value).chain(ty.result);
                values.for_each(|value| self.value(value, each));
            }
            ComponentAnyTypeId::Instance(id) => {
                let types = self.types;
                types[id].exports.values().for_each(|item| self.item(item, each));
            }
            ComponentAnyTypeId::Defined(id) => match &self.types[id] {
                ComponentDefinedType::Own(id) | ComponentDefinedType::Borrow(id) => {
                    self.id(ComponentAnyTypeId::Resource(*id), each);
                }
                ty => {
                    let mut values = Vec::new();
                    crate::inspect::values(ty, |value| values.push(value));
                    for value in values {
                        self.value(value, each);
                    }
                }
            },
            ComponentAnyTypeId::Resource(_) | ComponentAnyTypeId::Component(_) => {}
        }
    }

    fn value(&mut self, value: ComponentValType, each: &mut impl FnMut(ComponentAnyTypeId, bool)) {
        if let ComponentValType::Type(id) = value {
            self.id(ComponentAnyTypeId::Defined(id), each);
        }
    }
}
