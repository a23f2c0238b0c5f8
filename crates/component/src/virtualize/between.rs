//! The component that stands between the one that is virtualized and the host.

use std::collections::{BTreeMap, BTreeSet};

use wasm_encoder::{
    Alias, CanonicalOption, ComponentBuilder, ComponentExportKind, ComponentOuterAliasKind,
    ComponentTypeEncoder, ComponentTypeRef, ComponentValType, ExportKind, InstanceType, ModuleArg,
    PrimitiveValType, TypeBounds, ValType,
};

use super::Defect;
use super::guest::{self, Guest};
use super::wasi::{CALLS, Call, Definition, Function, HOST, INPUT, Interface, OWN, Signature, Ty};

/// What a component asks for.
#[derive(Default)]
pub(super) struct Asked {
    functions: Vec<&'static Function>,
    /// The types with names, ours and the host's.
    types: BTreeSet<&'static str>,
    /// What the guest calls.
    calls: BTreeSet<&'static str>,
}

impl Asked {
    /// Asks for a type.
    pub(super) fn ty(&mut self, name: &'static str) {
        if !self.types.insert(name) {
            return;
        }
        if name == INPUT {
            // What belongs to the host is given back to it.
            self.call("input-drop");
        }
        let own = OWN.iter().find(|(own, _)| *own == name).map(|(_, definition)| definition);
        let host = || HOST.iter().flat_map(|interface| interface.types);
        let host = || host().find(|(key, ..)| *key == name).map(|(_, _, definition)| definition);
        if let Some(definition) = own.or_else(host) {
            each_in_definition(definition, &mut |name| self.ty(name));
        }
    }

    /// Asks for a function.
    pub(super) fn function(&mut self, function: &'static Function) {
        let known = |other: &&Function| std::ptr::eq(*other, function);
        if self.functions.iter().any(known) {
            return;
        }
        self.functions.push(function);
        each_in_signature(&function.signature, &mut |name| self.ty(name));
        for call in function.calls {
            self.call(call);
        }
    }

    fn call(&mut self, name: &'static str) {
        if !self.calls.insert(name) {
            return;
        }
        match CALLS.iter().find(|(call, _)| *call == name) {
            Some((_, Call::Host(interface, item))) => {
                let interface = HOST.iter().find(|host| host.name == *interface);
                let functions = interface.map(|host| host.functions).unwrap_or_default();
                if let Some((_, signature)) = functions.iter().find(|(name, _)| name == item) {
                    each_in_signature(signature, &mut |name| self.ty(name));
                }
            }
            Some((_, Call::Drop(ty) | Call::New(ty))) => self.ty(ty),
            None => {}
        }
    }

    /// The functions of an interface of the host's that are called.
    fn of_host(
        &self,
        interface: &'static Interface,
    ) -> impl Iterator<Item = &'static (&'static str, Signature)> {
        let called = |item: &str| {
            CALLS.iter().any(|(name, call)| {
                self.calls.contains(name)
                    && matches!(call, Call::Host(of, it) if *of == interface.name && *it == item)
            })
        };
        interface.functions.iter().filter(move |(item, _)| called(item))
    }
}

/// Writes the component. What is sealed is in the memory's module; `named` says what an interface of the
/// host's is called with its version.
pub(super) fn write(
    asked: &Asked,
    guest: &Guest,
    memory: &[u8],
    named: impl Fn(&str) -> String,
) -> Result<Vec<u8>, Defect> {
    let mut writer = Writer { component: ComponentBuilder::default(), types: Scope::new() };
    let mut interfaces = BTreeMap::new();
    for interface in HOST {
        if let Some(index) = writer.import(asked, interface, &named(interface.name))? {
            interfaces.insert(interface.name, index);
        }
    }
    let core = writer.instantiate(guest, memory)?;
    writer.own_types(asked, &core)?;
    writer.fill(asked, guest, &core, &interfaces)?;
    for function in &asked.functions {
        writer.export(function, &core)?;
    }
    Ok(writer.component.finish())
}

/// The indexes of types with names.
type Scope = BTreeMap<&'static str, u32>;

struct Writer {
    component: ComponentBuilder,
    types: Scope,
}

/// The instances of core modules, and what was taken out of them.
struct Core {
    shim: u32,
    guest: u32,
    memory: u32,
    realloc: u32,
    done: u32,
}

impl Core {
    /// What every function that is lifted or lowered is told.
    const fn options(&self) -> [CanonicalOption; 3] {
        [
            CanonicalOption::UTF8,
            CanonicalOption::Memory(self.memory),
            CanonicalOption::Realloc(self.realloc),
        ]
    }
}

impl Writer {
    /// Imports what is needed of an interface. Says which index it has, if it has any.
    fn import(
        &mut self,
        asked: &Asked,
        interface: &'static Interface,
        name: &str,
    ) -> Result<Option<u32>, Defect> {
        let types = || interface.types.iter().filter(|(key, ..)| asked.types.contains(key));
        if types().next().is_none() && asked.of_host(interface).next().is_none() {
            return Ok(None);
        }
        let mut used = BTreeSet::new();
        for (_, _, definition) in types() {
            each_in_definition(definition, &mut |name| {
                used.insert(name);
            });
        }
        for (_, signature) in asked.of_host(interface) {
            each_in_signature(signature, &mut |name| {
                used.insert(name);
            });
        }
        let mut instance = InstanceType::new();
        let mut scope = Scope::new();
        for (key, name) in interface.uses.iter().filter(|(key, _)| used.contains(key)) {
            let index = *self.types.get(key).ok_or(Defect)?;
            let alias = instance.type_count();
            let kind = ComponentOuterAliasKind::Type;
            instance.alias(Alias::Outer { kind, count: 1, index });
            instance.export(*name, ComponentTypeRef::Type(TypeBounds::Eq(alias)));
            scope.insert(key, alias + 1);
        }
        for (key, name, definition) in types() {
            let bounds = match define(&mut instance, &scope, definition)? {
                Some(index) => TypeBounds::Eq(index),
                None => TypeBounds::SubResource,
            };
            scope.insert(key, instance.type_count());
            instance.export(*name, ComponentTypeRef::Type(bounds));
        }
        for (name, signature) in asked.of_host(interface) {
            let ty = function_type(&mut instance, &scope, signature)?;
            instance.export(*name, ComponentTypeRef::Func(ty));
        }
        let ty = self.component.type_instance(None, &instance);
        let index = self.component.import(name, ComponentTypeRef::Instance(ty));
        for (key, name, _) in types() {
            let kind = ComponentExportKind::Type;
            let alias = Alias::InstanceExport { instance: index, kind, name };
            self.types.insert(key, self.component.alias(None, alias));
        }
        Ok(Some(index))
    }

    fn instantiate(&mut self, guest: &Guest, memory: &[u8]) -> Result<Core, Defect> {
        let component = &mut self.component;
        let memory = component.core_module_raw(None, memory);
        let memory = component.core_instantiate(None, memory, NO_ARGUMENTS);
        let shim = component.core_module_raw(None, &guest.shim()?);
        let shim = component.core_instantiate(None, shim, NO_ARGUMENTS);
        let guest = component.core_module_raw(None, guest::MODULE);
        let arguments = [("env", ModuleArg::Instance(memory)), ("host", ModuleArg::Instance(shim))];
        let guest = component.core_instantiate(None, guest, arguments);
        let mut take =
            |instance, name, kind| component.core_alias_export(None, instance, name, kind);
        Ok(Core {
            shim,
            guest,
            memory: take(memory, "memory", ExportKind::Memory),
            realloc: take(guest, "realloc", ExportKind::Func),
            done: take(guest, "done", ExportKind::Func),
        })
    }

    /// Defines the types of ours that are asked for, and exports them.
    fn own_types(&mut self, asked: &Asked, core: &Core) -> Result<(), Defect> {
        for (name, definition) in OWN.iter().filter(|(name, _)| asked.types.contains(name)) {
            let index = match (define(&mut self.component, &self.types, definition)?, definition) {
                (Some(index), _) => index,
                (None, Definition::Resource(drop)) => {
                    let drop = drop.map(|drop| self.function(core.guest, drop));
                    self.component.type_resource(None, ValType::I32, drop)
                }
                (None, _) => return Err(Defect),
            };
            let kind = ComponentExportKind::Type;
            self.types.insert(name, self.component.export(*name, kind, index, None));
        }
        Ok(())
    }

    /// Gives the guest what it calls.
    fn fill(
        &mut self,
        asked: &Asked,
        guest: &Guest,
        core: &Core,
        interfaces: &BTreeMap<&str, u32>,
    ) -> Result<(), Defect> {
        if asked.calls.is_empty() {
            return Ok(());
        }
        let mut functions = Vec::new();
        for (name, call) in CALLS.iter().filter(|(name, _)| asked.calls.contains(name)) {
            let ty = |name| self.types.get(name).copied().ok_or(Defect);
            let function = match call {
                Call::Host(interface, item) => {
                    let instance = *interfaces.get(interface).ok_or(Defect)?;
                    let kind = ComponentExportKind::Func;
                    let alias = Alias::InstanceExport { instance, kind, name: item };
                    let function = self.component.alias(None, alias);
                    self.component.lower_func(None, function, core.options())
                }
                Call::Drop(resource) => {
                    let ty = ty(resource)?;
                    self.component.resource_drop(ty)
                }
                Call::New(resource) => {
                    let ty = ty(resource)?;
                    self.component.resource_new(ty)
                }
            };
            functions.push((*name, ExportKind::Func, function));
        }
        let host = self.component.core_instantiate_exports(None, functions);
        let filler = guest.filler(|name| asked.calls.contains(name))?;
        let filler = self.component.core_module_raw(None, &filler);
        let arguments =
            [("shim", ModuleArg::Instance(core.shim)), ("host", ModuleArg::Instance(host))];
        self.component.core_instantiate(None, filler, arguments);
        Ok(())
    }

    /// Exports a function that is answered.
    fn export(&mut self, function: &Function, core: &Core) -> Result<(), Defect> {
        let ty = function_type(&mut self.component, &self.types, &function.signature)?;
        let inner = self.function(core.guest, function.core);
        let [utf8, memory, realloc] = core.options();
        // Every function gives back a number of 32 bits, which this takes.
        let options = [utf8, memory, realloc, CanonicalOption::PostReturn(core.done)];
        let lifted = self.component.lift_func(None, inner, ty, options);
        let name = function.export();
        self.component.export(name.as_str(), ComponentExportKind::Func, lifted, None);
        Ok(())
    }

    fn function(&mut self, instance: u32, name: &str) -> u32 {
        self.component.core_alias_export(None, instance, name, ExportKind::Func)
    }
}

const NO_ARGUMENTS: [(&str, ModuleArg); 0] = [];

/// What takes types.
trait Space {
    fn add(&mut self) -> (u32, ComponentTypeEncoder<'_>);
}

impl Space for ComponentBuilder {
    fn add(&mut self) -> (u32, ComponentTypeEncoder<'_>) {
        self.ty(None)
    }
}

impl Space for InstanceType {
    fn add(&mut self) -> (u32, ComponentTypeEncoder<'_>) {
        (self.type_count(), self.ty())
    }
}

/// The index of a type as it is defined, but of no resource.
fn define(
    space: &mut impl Space,
    scope: &Scope,
    definition: &Definition,
) -> Result<Option<u32>, Defect> {
    if let Definition::Same(Ty::U64) = definition {
        let (index, encoder) = space.add();
        encoder.defined_type().primitive(PrimitiveValType::U64);
        return Ok(Some(index));
    }
    let fields = match definition {
        Definition::Record(fields) => fields.iter().map(|(name, ty)| (*name, Some(ty))).collect(),
        Definition::Variant(cases) => cases.iter().map(|(name, ty)| (*name, ty.as_ref())).collect(),
        _ => Vec::new(),
    };
    let mut values = Vec::new();
    for (name, ty) in fields {
        values.push((name, ty.map(|ty| value(space, scope, ty)).transpose()?));
    }
    if matches!(definition, Definition::Resource(_)) {
        return Ok(None);
    }
    let (index, encoder) = space.add();
    let encoder = encoder.defined_type();
    match definition {
        Definition::Enum(names) => encoder.enum_type(names.iter().copied()),
        Definition::Flags(names) => encoder.flags(names.iter().copied()),
        Definition::Record(_) => {
            let fields = values.into_iter().filter_map(|(name, ty)| Some((name, ty?)));
            encoder.record(fields.collect::<Vec<_>>());
        }
        Definition::Variant(_) => encoder.variant(values),
        Definition::Resource(_) | Definition::Same(_) => return Err(Defect),
    }
    Ok(Some(index))
}

fn function_type(
    space: &mut impl Space,
    scope: &Scope,
    signature: &Signature,
) -> Result<u32, Defect> {
    let mut params = Vec::new();
    for (name, ty) in signature.params {
        params.push((*name, value(space, scope, ty)?));
    }
    let result = signature.result.as_ref().map(|ty| value(space, scope, ty)).transpose()?;
    let (index, encoder) = space.add();
    encoder.function().params(params).result(result);
    Ok(index)
}

fn value(space: &mut impl Space, scope: &Scope, ty: &Ty) -> Result<ComponentValType, Defect> {
    let named = |name: &str| scope.get(name).copied().ok_or(Defect);
    let primitive = match ty {
        Ty::Bool => PrimitiveValType::Bool,
        Ty::U8 => PrimitiveValType::U8,
        Ty::U32 => PrimitiveValType::U32,
        Ty::U64 => PrimitiveValType::U64,
        Ty::String => PrimitiveValType::String,
        Ty::Named(name) => return Ok(ComponentValType::Type(named(name)?)),
        other => return compound(space, scope, other),
    };
    Ok(ComponentValType::Primitive(primitive))
}

/// A type that is made of others, and has no name.
fn compound(space: &mut impl Space, scope: &Scope, ty: &Ty) -> Result<ComponentValType, Defect> {
    let parts: Vec<Option<&Ty>> = match ty {
        Ty::List(ty) | Ty::Option(ty) => vec![Some(ty)],
        Ty::Tuple(parts) => parts.iter().map(Some).collect(),
        Ty::Result(ok, err) => vec![*ok, *err],
        _ => Vec::new(),
    };
    let mut values = Vec::new();
    for part in parts {
        values.push(part.map(|part| value(space, scope, part)).transpose()?);
    }
    let named = |name: &str| scope.get(name).copied().ok_or(Defect);
    let (index, encoder) = space.add();
    let encoder = encoder.defined_type();
    match (ty, values.as_slice()) {
        (Ty::Own(name), _) => encoder.own(named(name)?),
        (Ty::Borrow(name), _) => encoder.borrow(named(name)?),
        (Ty::List(_), [Some(ty)]) => encoder.list(*ty),
        (Ty::Option(_), [Some(ty)]) => encoder.option(*ty),
        (Ty::Tuple(_), _) => encoder.tuple(values.into_iter().flatten().collect::<Vec<_>>()),
        (Ty::Result(..), [ok, err]) => encoder.result(*ok, *err),
        _ => return Err(Defect),
    }
    Ok(ComponentValType::Type(index))
}

/// Calls `each` with the names of the types that a function has in its type.
fn each_in_signature(signature: &Signature, each: &mut impl FnMut(&'static str)) {
    let params = signature.params.iter().map(|(_, ty)| ty);
    params.chain(&signature.result).for_each(|ty| each_in(ty, each));
}

fn each_in_definition(definition: &'static Definition, each: &mut impl FnMut(&'static str)) {
    match definition {
        Definition::Same(ty) => each_in(ty, each),
        Definition::Record(fields) => fields.iter().for_each(|(_, ty)| each_in(ty, each)),
        Definition::Variant(cases) => {
            cases.iter().filter_map(|(_, ty)| ty.as_ref()).for_each(|ty| each_in(ty, each));
        }
        Definition::Resource(_) | Definition::Enum(_) | Definition::Flags(_) => {}
    }
}

fn each_in(ty: &Ty, each: &mut impl FnMut(&'static str)) {
    match ty {
        Ty::Bool | Ty::U8 | Ty::U32 | Ty::U64 | Ty::String => {}
        Ty::Named(name) | Ty::Own(name) | Ty::Borrow(name) => each(name),
        Ty::List(ty) | Ty::Option(ty) => each_in(ty, each),
        Ty::Tuple(parts) => parts.iter().for_each(|ty| each_in(ty, each)),
        Ty::Result(ok, err) => [ok, err].into_iter().flatten().for_each(|ty| each_in(ty, each)),
    }
}
