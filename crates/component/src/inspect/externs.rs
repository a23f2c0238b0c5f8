//! Imports and exports.

use serde::{Deserialize, Serialize};
use wasmparser::{ComponentExternName, ComponentExternalKind, ExternalKind, TypeRef};

use super::InspectError;
use crate::limits::{EXTERN_NAME_BYTES_MAX, EXTERN_NAMES_BYTES_MAX, EXTERNS_MAX};

/// An import or an export.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Extern {
    /// The whole text as it stands in the file. That of an import of a component may be read with
    /// [`ImportName`](crate::ImportName); that of an import of a core module is the field.
    pub name: String,
    /// The module from which a core module imports; otherwise absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The interface that an instance under a plain name says it is, as in `wasi:keyvalue/store`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub implements: Option<String>,
    /// What it is.
    pub kind: ExternKind,
}

/// What is imported or exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExternKind {
    /// A function, of a component or of a core module.
    Func,
    /// An instance of an interface.
    Instance,
    /// A component, which the importer instantiates itself.
    Component,
    /// A value.
    Value,
    /// A type.
    Type,
    /// A core module, which the importer instantiates itself.
    Module,
    /// A table of a core module.
    Table,
    /// A memory of a core module.
    Memory,
    /// A global of a core module.
    Global,
    /// An exception tag of a core module.
    Tag,
}

impl From<ComponentExternalKind> for ExternKind {
    fn from(kind: ComponentExternalKind) -> Self {
        match kind {
            ComponentExternalKind::Module => Self::Module,
            ComponentExternalKind::Func => Self::Func,
            ComponentExternalKind::Value => Self::Value,
            ComponentExternalKind::Type => Self::Type,
            ComponentExternalKind::Instance => Self::Instance,
            ComponentExternalKind::Component => Self::Component,
        }
    }
}

impl From<ExternalKind> for ExternKind {
    fn from(kind: ExternalKind) -> Self {
        match kind {
            ExternalKind::Func | ExternalKind::FuncExact => Self::Func,
            ExternalKind::Table => Self::Table,
            ExternalKind::Memory => Self::Memory,
            ExternalKind::Global => Self::Global,
            ExternalKind::Tag => Self::Tag,
        }
    }
}

impl From<TypeRef> for ExternKind {
    fn from(ty: TypeRef) -> Self {
        match ty {
            TypeRef::Func(_) | TypeRef::FuncExact(_) => Self::Func,
            TypeRef::Table(_) => Self::Table,
            TypeRef::Memory(_) => Self::Memory,
            TypeRef::Global(_) => Self::Global,
            TypeRef::Tag(_) => Self::Tag,
        }
    }
}

/// A list of imports or of exports that grows up to its limits.
pub(super) struct Externs {
    what: &'static str,
    list: Vec<Extern>,
}

/// What is left of [`EXTERN_NAMES_BYTES_MAX`].
pub(super) struct NameBudget(usize);

impl NameBudget {
    pub(super) const fn new() -> Self {
        Self(EXTERN_NAMES_BYTES_MAX)
    }
}

impl Externs {
    /// `what` is `imports` or `exports`.
    pub(super) const fn new(what: &'static str) -> Self {
        Self { what, list: Vec::new() }
    }

    /// One of a core module.
    pub(super) fn push_core(
        &mut self,
        budget: &mut NameBudget,
        offset: u64,
        (module, name): (Option<&str>, &str),
        kind: ExternKind,
    ) -> Result<(), InspectError> {
        self.charge(budget, offset, module.map_or(0, str::len) + name.len())?;
        let (module, name) = (module.map(str::to_owned), name.to_owned());
        self.list.push(Extern { name, module, implements: None, kind });
        Ok(())
    }

    /// One of a component.
    pub(super) fn push(
        &mut self,
        budget: &mut NameBudget,
        offset: u64,
        name: &ComponentExternName<'_>,
        kind: ComponentExternalKind,
    ) -> Result<(), InspectError> {
        self.charge(budget, offset, name.name.len() + name.implements.map_or(0, str::len))?;
        let implements = name.implements.map(str::to_owned);
        let (name, kind) = (name.name.to_owned(), kind.into());
        self.list.push(Extern { name, module: None, implements, kind });
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Extern> {
        self.list
    }

    fn charge(
        &self,
        budget: &mut NameBudget,
        offset: u64,
        bytes: usize,
    ) -> Result<(), InspectError> {
        let what = self.what;
        if self.list.len() == EXTERNS_MAX {
            return Err(InspectError::TooManyExterns { offset, what, count_max: EXTERNS_MAX });
        }
        if bytes > EXTERN_NAME_BYTES_MAX {
            let bytes_max = EXTERN_NAME_BYTES_MAX;
            return Err(InspectError::NamesTooLong { offset, what, bytes_max });
        }
        let bytes_max = EXTERN_NAMES_BYTES_MAX;
        let too_long = InspectError::NamesTooLong { offset, what, bytes_max };
        budget.0 = budget.0.checked_sub(bytes).ok_or(too_long)?;
        Ok(())
    }
}
