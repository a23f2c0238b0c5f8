//! A component that stands between another one and the host.
//!
//! The one between answers some items of the interfaces that the other imports, and the host the
//! rest. It may import the same interfaces of the host, which become one import for both.

use std::collections::BTreeMap;

use wasmparser::component_types::{
    ComponentAnyTypeId, ComponentEntityType, ComponentItem, ResourceId,
};

use super::explain::Context;
use super::merge::{Mentions, merge};
use super::output::Output;
use super::plan::{Plan, Source, Wire};
use super::surface::{Import, Parts, Surface};
use super::{Chain, Form, LinkError, check, explain, wrapper};
use crate::limits::LINK_ITEMS_MAX;
use crate::names::ImportName;

/// The component that something is put in front of.
pub(crate) struct Behind<'a> {
    bytes: &'a [u8],
    surface: Surface,
}

/// Who answers an item of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The one between, with its export of this name.
    Between(String),
    /// The host, with the item of this name of the import of this number.
    Host(usize, String),
}

/// What the items of imports get, by the number of the import; in the order in which they stand there.
/// Imports that are not in it get what the host has.
pub(crate) type Answers = BTreeMap<usize, Vec<(String, Answer)>>;

/// An item of an interface.
#[derive(Clone, Copy)]
pub(crate) struct Member<'s> {
    pub(crate) name: &'s str,
    item: &'s ComponentItem,
}

impl Member<'_> {
    /// The resource that it is.
    pub(crate) fn resource(&self) -> Option<ResourceId> {
        match self.item.ty {
            ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(id), .. } => {
                Some(id.resource())
            }
            _ => None,
        }
    }

    /// Whether it is a type.
    pub(crate) const fn is_type(&self) -> bool {
        matches!(self.item.ty, ComponentEntityType::Type { .. })
    }
}

impl<'a> Behind<'a> {
    /// Validates all of a component but its code.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, LinkError> {
        let surface = Surface::read(bytes).map_err(|fault| fault.at(Chain::default()))?;
        Ok(Self { bytes, surface })
    }

    /// Its imports, as they are called.
    pub(crate) fn imports(&self) -> impl Iterator<Item = (&str, &ImportName)> {
        self.surface.imports.iter().map(|import| (import.name.as_str(), &import.reading))
    }

    /// The items of an import, if it is an interface.
    pub(crate) fn members(&self, import: usize) -> Vec<Member<'_>> {
        let item = self.surface.imports.get(import).map(|import| import.item.ty);
        let Some(ComponentEntityType::Instance(id)) = item else { return Vec::new() };
        let exports = self.surface.types[id].exports.iter();
        exports.map(|(name, item)| Member { name, item }).collect()
    }

    /// For each import the names of what in it makes use of the resource and is no type. That of an
    /// import that is no interface is empty.
    pub(crate) fn users(&self, resource: ResourceId) -> Result<Vec<Vec<&str>>, LinkError> {
        let mut mentions = Mentions::new(&self.surface.types, resource);
        let users = (0..self.surface.imports.len()).map(|import| {
            if !matches!(self.surface.imports[import].item.ty, ComponentEntityType::Instance(_)) {
                let uses = mentions.are_in(&self.surface.imports[import].item);
                return if uses { vec![""] } else { Vec::new() };
            }
            let members = self.members(import).into_iter();
            let users = members.filter(|member| !member.is_type() && mentions.are_in(member.item));
            users.map(|member| member.name).collect()
        });
        let users = users.collect();
        if mentions.are_too_many() {
            return Err(LinkError::TooComplex { items_max: LINK_ITEMS_MAX });
        }
        Ok(users)
    }

    /// Puts a component between this one and the host.
    pub(crate) fn link(
        self,
        between: &'a [u8],
        answers: &Answers,
    ) -> Result<Output<'a>, LinkError> {
        let surface = Surface::read(between).map_err(|_| LinkError::Defect)?;
        let parts = Parts::two((self.bytes, self.surface), (between, surface));
        let plan = plan(&parts, answers);
        let merged = merge(&parts, &plan)?;
        let make = |ascribes| {
            let wrapper = wrapper::write(&parts, &plan, &merged, Form::Bundle, ascribes)?;
            let Err(failure) = check::check(&wrapper.output) else { return Ok(wrapper.output) };
            let (parts, plan, merged, wrapper) = (&parts, &plan, &merged, &wrapper);
            Err(explain::explain(*failure, &Context { parts, plan, merged, wrapper }))
        };
        match make(false) {
            Err(LinkError::Export { export, reason }) => {
                make(true).map_err(|_| LinkError::Export { export, reason })
            }
            result => result,
        }
    }
}

/// The number of the one between; the other is the root.
const BETWEEN: usize = 1;

fn plan(parts: &Parts<'_>, answers: &Answers) -> Plan {
    let source = |answer: &Answer| match answer {
        Answer::Between(name) => Source::Export(BETWEEN, name.clone()),
        Answer::Host(import, name) => Source::Open(*import, name.clone()),
    };
    let wire = |(number, _): (usize, &Import)| match answers.get(&number) {
        Some(items) => {
            let items = items.iter().map(|(name, answer)| (name.clone(), source(answer)));
            Wire::Mixed(items.collect())
        }
        None => Wire::Open,
    };
    let root = parts[0].surface.imports.iter().enumerate().map(wire).collect();
    let between = parts[BETWEEN].surface.imports.iter().map(|_| Wire::Open).collect();
    let instances = vec![BETWEEN, 0];
    Plan { components: instances.clone(), instances, wires: vec![root, between] }
}
