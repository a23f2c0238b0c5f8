//! A component, a component type and an instance type as one: what takes types and items.

use wasm_encoder::{
    Alias, ComponentBuilder, ComponentExportKind, ComponentExternName, ComponentType,
    ComponentTypeEncoder, ComponentTypeRef, InstanceType, ModuleType,
};

use super::{Fault, Way};
use crate::link::wrapper::Tail;

/// What is being written.
pub(super) enum Body {
    Wrapper(Box<ComponentBuilder>),
    /// What stands behind the imports of the component.
    Tail(Box<Tail>),
    Component(Box<ComponentType>),
    Instance(Box<InstanceType>),
}

impl Body {
    pub(super) fn component() -> Self {
        Self::Wrapper(Box::default())
    }

    pub(super) fn component_type() -> Self {
        Self::Component(Box::default())
    }

    pub(super) fn instance() -> Self {
        Self::Instance(Box::default())
    }

    /// Begins a type, and says which index it gets.
    pub(super) fn ty(&mut self) -> (u32, ComponentTypeEncoder<'_>) {
        let index = self.types();
        match self {
            Self::Wrapper(builder) => builder.ty(None),
            Self::Tail(tail) => tail.ty(),
            Self::Component(ty) => (index, ty.ty()),
            Self::Instance(ty) => (index, ty.ty()),
        }
    }

    /// Adds an alias of a type or of an instance, and says which index it gets.
    pub(super) fn alias(&mut self, alias: Alias<'_>) -> u32 {
        let index = match alias {
            Alias::InstanceExport { kind: ComponentExportKind::Instance, .. } => self.instances(),
            _ => self.types(),
        };
        match self {
            Self::Wrapper(builder) => return builder.alias(None, alias),
            Self::Tail(tail) => {
                let kind = match alias {
                    Alias::InstanceExport { kind, .. } => kind,
                    _ => ComponentExportKind::Type,
                };
                return tail.add_alias(alias, kind);
            }
            Self::Component(ty) => drop(ty.alias(alias)),
            Self::Instance(ty) => drop(ty.alias(alias)),
        }
        index
    }

    /// Adds the type of a core module.
    pub(super) fn module(&mut self, module: &ModuleType) -> u32 {
        match self {
            Self::Wrapper(builder) => {
                let (index, encoder) = builder.core_type(None);
                encoder.module(module);
                index
            }
            Self::Tail(tail) => tail.module(module),
            Self::Component(ty) => {
                let index = ty.core_type_count();
                ty.core_type().module(module);
                index
            }
            Self::Instance(ty) => {
                let index = ty.core_type_count();
                ty.core_type().module(module);
                index
            }
        }
    }

    /// Adds an import or an export. The index is that among types or instances; for other kinds it has
    /// a meaning in a component only.
    pub(super) fn declare(
        &mut self,
        way: Way,
        name: ComponentExternName<'_>,
        item: ComponentTypeRef,
    ) -> Result<u32, Fault> {
        let index = match item {
            ComponentTypeRef::Type(_) => self.types(),
            ComponentTypeRef::Instance(_) => self.instances(),
            _ => 0,
        };
        match (self, way) {
            (Self::Wrapper(builder), Way::Import) => return Ok(builder.import(name, item)),
            (Self::Component(ty), Way::Import) => drop(ty.import(name, item)),
            (Self::Component(ty), Way::Export) => drop(ty.export(name, item)),
            (Self::Instance(ty), Way::Export) => drop(ty.export(name, item)),
            (Self::Wrapper(_), Way::Export)
            | (Self::Tail(_), _)
            | (Self::Instance(_), Way::Import) => {
                return Err(Fault::Defect);
            }
        }
        Ok(index)
    }

    fn types(&self) -> u32 {
        match self {
            Self::Wrapper(builder) => builder.type_count(),
            Self::Tail(tail) => tail.counts().0,
            Self::Component(ty) => ty.type_count(),
            Self::Instance(ty) => ty.type_count(),
        }
    }

    fn instances(&self) -> u32 {
        match self {
            Self::Wrapper(builder) => builder.instance_count(),
            Self::Tail(tail) => tail.counts().1,
            Self::Component(ty) => ty.instance_count(),
            Self::Instance(ty) => ty.instance_count(),
        }
    }
}
