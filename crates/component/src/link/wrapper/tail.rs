//! What stands behind the imports: instances, what is taken out of them, and exports.

use std::collections::HashMap;

use wasm_encoder::{
    Alias, ComponentAliasSection, ComponentBuilder, ComponentExportKind, ComponentExportSection,
    ComponentExternName, ComponentInstanceSection, ComponentSection, ComponentTypeEncoder,
    ComponentTypeRef, ComponentTypeSection, CoreTypeSection, ModuleType,
};

use super::Item;

/// The sections behind the imports.
#[derive(Default)]
pub(in super::super) struct Tail {
    bytes: Vec<u8>,
    /// Aliases that are not in `bytes` yet, or types, or types of core modules.
    aliases: ComponentAliasSection,
    type_section: ComponentTypeSection,
    module_types: CoreTypeSection,
    /// What was taken out of which instance under which name, and its index.
    known: HashMap<(u32, String), u32>,
    /// How many there are of each kind.
    modules: u32,
    functions: u32,
    values: u32,
    types: u32,
    instances: u32,
    components: u32,
    core_types: u32,
}

impl Tail {
    /// Begins behind what was built so far, before which there are `inside` components.
    pub(in super::super) fn new(builder: &ComponentBuilder, inside: u32) -> Self {
        Self {
            bytes: Vec::new(),
            aliases: ComponentAliasSection::new(),
            type_section: ComponentTypeSection::new(),
            module_types: CoreTypeSection::new(),
            known: HashMap::new(),
            modules: builder.core_module_count(),
            functions: builder.func_count(),
            values: builder.value_count(),
            types: builder.type_count(),
            instances: builder.instance_count(),
            components: inside + builder.component_count(),
            core_types: builder.core_type_count(),
        }
    }

    /// Takes an export out of an instance, once.
    pub(super) fn alias(&mut self, instance: u32, kind: ComponentExportKind, name: &str) -> u32 {
        if let Some(index) = self.known.get(&(instance, name.to_owned())) {
            return *index;
        }
        let index = self.add_alias(Alias::InstanceExport { instance, kind, name }, kind);
        self.known.insert((instance, name.to_owned()), index);
        index
    }

    /// Adds an alias of an item of some kind.
    pub(in super::super) fn add_alias(
        &mut self,
        alias: Alias<'_>,
        kind: ComponentExportKind,
    ) -> u32 {
        if self.aliases.is_empty() {
            self.flush();
        }
        self.aliases.alias(alias);
        self.next(kind)
    }

    /// Begins a type, and says which index it gets.
    pub(in super::super) fn ty(&mut self) -> (u32, ComponentTypeEncoder<'_>) {
        if self.type_section.is_empty() {
            self.flush();
        }
        let index = self.next(ComponentExportKind::Type);
        (index, self.type_section.ty())
    }

    /// Adds the type of a core module.
    pub(in super::super) fn module(&mut self, module: &ModuleType) -> u32 {
        if self.module_types.is_empty() {
            self.flush();
        }
        self.module_types.ty().module(module);
        self.core_types += 1;
        self.core_types - 1
    }

    /// How many types and instances there are.
    pub(in super::super) const fn counts(&self) -> (u32, u32) {
        (self.types, self.instances)
    }

    /// Instantiates a component.
    pub(super) fn instantiate<S: AsRef<str>>(
        &mut self,
        component: u32,
        arguments: Vec<(S, ComponentExportKind, u32)>,
    ) -> u32 {
        let mut section = ComponentInstanceSection::new();
        section.instantiate(component, arguments);
        self.instance(&section)
    }

    /// Makes an instance of items.
    pub(super) fn gather(&mut self, items: Vec<(&str, ComponentExportKind, u32)>) -> u32 {
        let mut section = ComponentInstanceSection::new();
        section.export_items(items);
        self.instance(&section)
    }

    /// Exports an item, as if it had a type if there is one. Says how many bytes were written before,
    /// and which index it has as an export.
    pub(super) fn export(
        &mut self,
        name: ComponentExternName<'_>,
        (kind, index): Item,
        ty: Option<ComponentTypeRef>,
    ) -> (u64, u32) {
        self.flush();
        let before = self.bytes.len() as u64;
        let mut section = ComponentExportSection::new();
        section.export(name, kind, index, ty);
        section.append_to_component(&mut self.bytes);
        (before, self.next(kind))
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.flush();
        self.bytes
    }

    fn instance(&mut self, section: &ComponentInstanceSection) -> u32 {
        self.flush();
        section.append_to_component(&mut self.bytes);
        self.next(ComponentExportKind::Instance)
    }

    fn flush(&mut self) {
        if !self.aliases.is_empty() {
            self.aliases.append_to_component(&mut self.bytes);
            self.aliases = ComponentAliasSection::new();
        }
        if !self.type_section.is_empty() {
            self.type_section.append_to_component(&mut self.bytes);
            self.type_section = ComponentTypeSection::new();
        }
        if !self.module_types.is_empty() {
            self.module_types.append_to_component(&mut self.bytes);
            self.module_types = CoreTypeSection::new();
        }
    }

    /// The index that the next item of a kind gets.
    fn next(&mut self, kind: ComponentExportKind) -> u32 {
        let count = match kind {
            ComponentExportKind::Module => &mut self.modules,
            ComponentExportKind::Func => &mut self.functions,
            ComponentExportKind::Value => &mut self.values,
            ComponentExportKind::Type => &mut self.types,
            ComponentExportKind::Instance => &mut self.instances,
            ComponentExportKind::Component => &mut self.components,
        };
        *count += 1;
        *count - 1
    }
}
