//! Types of contents, written anew.

mod body;

use std::collections::{HashMap, HashSet};

use wasm_encoder::reencode::{Reencode, RoundtripReencoder};
use wasm_encoder::{
    Alias, ComponentExportKind, ComponentExternName, ComponentOuterAliasKind, ComponentTypeRef,
    ComponentValType, EntityType, ModuleType, TagKind, TagType, TypeBounds,
};
use wasmparser::component_types::{
    self as read, ComponentAnyTypeId, ComponentEntityType, ComponentItem,
};
use wasmparser::names::KebabString;
use wasmparser::types::EntityType as ReadEntityType;

use super::LinkError;
use super::merge::Classes;
use super::rename;
use super::surface::Parts;
use super::wrapper::Tail;
use crate::limits::LINK_ITEMS_MAX;
use body::Body;

/// Writes the types of parts into a component.
pub(super) struct Encoder<'p> {
    parts: &'p Parts<'p>,
    classes: &'p Classes,
    /// Whether names of packages must not occur.
    renames: bool,
    scopes: Vec<Scope>,
    /// What is left of [`LINK_ITEMS_MAX`].
    left: usize,
}

/// Why a type cannot be written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    TooComplex,
    Unsupported(&'static str),
    Defect,
}

/// Which way an item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Import,
    Export,
}

/// The component that is written, or a type within.
struct Scope {
    body: Body,
    places: HashMap<Key, Place>,
    /// The types that have got a name in an instance type, and the names that lead there.
    named: Named,
}

/// Types that have got names, and the names that lead to them in an instance.
pub(super) type Named = Vec<(Key, Vec<String>)>;

/// A type of a part.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A resource of open imports.
    Class(usize),
    /// Another resource.
    Resource(usize, read::ResourceId),
    Type(usize, ComponentAnyTypeId),
}

/// Where a type is to be had in a scope.
#[derive(Clone)]
enum Place {
    Index(u32),
    /// In an instance, under these names.
    Export(u32, Vec<String>),
}

impl Fault {
    pub(super) fn at(self, chain: super::Chain) -> LinkError {
        match self {
            Self::TooComplex => LinkError::TooComplex { items_max: LINK_ITEMS_MAX },
            Self::Unsupported(what) => LinkError::Unsupported { chain, what },
            Self::Defect => LinkError::Defect,
        }
    }
}

impl<'p> Encoder<'p> {
    /// Begins a component. `renames` says whether names of packages must not occur in types.
    pub(super) fn new(parts: &'p Parts<'p>, classes: &'p Classes, renames: bool) -> Self {
        let scopes = vec![Scope::new(Body::component())];
        Self { parts, classes, renames, scopes, left: LINK_ITEMS_MAX }
    }

    /// Imports an item that stands for all of `same`, which are items of parts. Gives back its index
    /// among those of its kind.
    pub(super) fn import(
        &mut self,
        name: &str,
        same: &[(usize, &ComponentItem)],
    ) -> Result<u32, Fault> {
        self.declare(Way::Import, name, same)
    }

    /// Imports a part as a component.
    pub(super) fn import_part(&mut self, name: &str, part: usize) -> Result<u32, Fault> {
        let surface = &self.parts[part].surface;
        let imports = surface.imports.iter().map(|import| (import.name.as_str(), &import.item));
        let exports = surface.exports.iter().map(|export| (export.name.as_str(), &export.item));
        let ty = self.component(part, imports, exports)?;
        self.top().declare(Way::Import, name.into(), ComponentTypeRef::Component(ty))
    }

    /// Ends the imports, before which the component has `inside` components, and gives them back as
    /// they are written. What stands behind them follows.
    pub(super) fn end_imports(&mut self, inside: u32) -> Result<Vec<u8>, Fault> {
        let Body::Wrapper(builder) = self.top() else { return Err(Fault::Defect) };
        let builder = std::mem::take(&mut **builder);
        *self.top() = Body::Tail(Box::new(Tail::new(&builder, inside)));
        Ok(builder.finish())
    }

    /// Forgets the types that no import has given a name to: written anew, they are made of those that
    /// are exported.
    pub(super) fn forget_unnamed(&mut self) {
        let top = self.scopes.len() - 1;
        let scope = &mut self.scopes[top];
        let named: HashSet<Key> = scope.named.iter().map(|(key, _)| *key).collect();
        scope.places.retain(|key, _| named.contains(key));
    }

    /// What stands behind the imports.
    pub(super) fn tail(&mut self) -> Result<&mut Tail, Fault> {
        match self.top() {
            Body::Tail(tail) => Ok(tail),
            _ => Err(Fault::Defect),
        }
    }

    /// The type of an export of the root in terms of what is imported or was exported before, and what
    /// it gives names to.
    pub(super) fn ascription(
        &mut self,
        item: &ComponentItem,
    ) -> Result<(ComponentTypeRef, Named), Fault> {
        self.reference(&[(0, item)])
    }

    /// Remembers that an export of the root has given names to types: those behind have to make use of
    /// them, and not of those that instances have.
    pub(super) fn exported(&mut self, index: u32, name: &str, item: &ComponentItem, within: Named) {
        self.remember(index, name, &[(0, item)], within);
        if let ComponentEntityType::Type { referenced, .. } = item.ty {
            let mut next = Some(referenced);
            while let Some(id) = next {
                let key = self.key(0, id);
                let top = self.scopes.len() - 1;
                self.scopes[top].places.insert(key, Place::Index(index));
                next = self.parts[0].surface.types.peel_alias(id);
            }
        }
    }

    fn top(&mut self) -> &mut Body {
        let top = self.scopes.len() - 1;
        &mut self.scopes[top].body
    }

    /// The number of the scope that nothing of those around it may be used in.
    fn floor(&self) -> usize {
        let sealed = |scope: &Scope| matches!(scope.body, Body::Component(_));
        self.scopes.iter().rposition(sealed).unwrap_or_default()
    }

    /// Whether what is written is an export of the root.
    fn is_behind_imports(&self) -> bool {
        self.floor() == 0 && matches!(self.scopes[0].body, Body::Tail(_))
    }

    fn key(&self, part: usize, id: ComponentAnyTypeId) -> Key {
        let ComponentAnyTypeId::Resource(id) = id else { return Key::Type(part, id) };
        // Within the type of a part its resources are its own.
        let class = if self.floor() == 0 { self.classes.of(part, id.resource()) } else { None };
        class.map_or(Key::Resource(part, id.resource()), Key::Class)
    }

    /// The index of a type that has a name, or was written before.
    fn lookup(&mut self, part: usize, id: ComponentAnyTypeId) -> Option<u32> {
        let floor = self.floor();
        let mut next = Some(id);
        while let Some(id) = next {
            let key = self.key(part, id);
            let scope =
                (floor..self.scopes.len()).rev().find(|scope| self.scopes[*scope].has(&key));
            if let Some(scope) = scope {
                return self.bring(scope, key);
            }
            next = self.parts[part].surface.types.peel_alias(id);
        }
        None
    }

    /// Makes a type of a scope known in the innermost one.
    fn bring(&mut self, scope: usize, key: Key) -> Option<u32> {
        let index = self.scopes[scope].index(key)?;
        let top = self.scopes.len() - 1;
        if scope == top {
            return Some(index);
        }
        let count = u32::try_from(top - scope).ok()?;
        let kind = ComponentOuterAliasKind::Type;
        let index = self.scopes[top].body.alias(Alias::Outer { kind, count, index });
        self.scopes[top].places.insert(key, Place::Index(index));
        Some(index)
    }

    fn pay(&mut self) -> Result<(), Fault> {
        self.left = self.left.checked_sub(1).ok_or(Fault::TooComplex)?;
        Ok(())
    }

    /// Declares an import or an export of the innermost scope.
    fn declare(
        &mut self,
        way: Way,
        name: &str,
        same: &[(usize, &ComponentItem)],
    ) -> Result<u32, Fault> {
        self.pay()?;
        let Some((_, item)) = same.first().copied() else { return Err(Fault::Defect) };
        let (ty, named) = self.reference(same)?;
        let name = ComponentExternName {
            name: name.into(),
            implements: item.implements.as_deref().map(Into::into),
            version_suffix: item.version_suffix.as_deref().map(Into::into),
            external_id: item.external_id.as_deref().map(Into::into),
        };
        let plain = name.name.clone().into_owned();
        let index = self.top().declare(way, name, ty)?;
        self.remember(index, &plain, same, named);
        Ok(index)
    }

    /// The type of an item that stands for all of `same`, and what it gives names to.
    fn reference(
        &mut self,
        same: &[(usize, &ComponentItem)],
    ) -> Result<(ComponentTypeRef, Named), Fault> {
        let Some((part, item)) = same.first().copied() else { return Err(Fault::Defect) };
        let mut named = Vec::new();
        let ty = match item.ty {
            ComponentEntityType::Type { referenced, .. } => {
                ComponentTypeRef::Type(match (referenced, self.lookup(part, referenced)) {
                    (_, Some(index)) => TypeBounds::Eq(index),
                    // An export cannot pass a resource off as a new one.
                    (ComponentAnyTypeId::Resource(_), None) if self.is_behind_imports() => {
                        return Err(Fault::Unsupported("it has a resource of a release"));
                    }
                    (ComponentAnyTypeId::Resource(_), None) => TypeBounds::SubResource,
                    (_, None) => TypeBounds::Eq(self.ty(part, referenced)?),
                })
            }
            ComponentEntityType::Func(id) => {
                ComponentTypeRef::Func(self.ty(part, ComponentAnyTypeId::Func(id))?)
            }
            ComponentEntityType::Instance(_) => {
                let views = same.iter().filter_map(|(part, item)| match item.ty {
                    ComponentEntityType::Instance(id) => Some((*part, id)),
                    _ => None,
                });
                let (index, within) = self.instance(&views.collect::<Vec<_>>())?;
                named = within;
                ComponentTypeRef::Instance(index)
            }
            ComponentEntityType::Component(id) => {
                ComponentTypeRef::Component(self.ty(part, ComponentAnyTypeId::Component(id))?)
            }
            ComponentEntityType::Module(id) => ComponentTypeRef::Module(self.module(part, id)?),
            ComponentEntityType::Value(value) => ComponentTypeRef::Value(self.value(part, value)?),
        };
        Ok((ty, named))
    }

    /// Remembers which types an item has given names to.
    fn remember(
        &mut self,
        index: u32,
        name: &str,
        same: &[(usize, &ComponentItem)],
        within: Named,
    ) {
        let keys: Vec<Key> = same
            .iter()
            .filter_map(|(part, item)| match item.ty {
                ComponentEntityType::Type { created, .. } => Some(self.key(*part, created)),
                _ => None,
            })
            .collect();
        let top = self.scopes.len() - 1;
        let scope = &mut self.scopes[top];
        for key in keys {
            // Methods are those of the first name that a resource has.
            let is_again = matches!(key, Key::Class(_) | Key::Resource(..))
                && scope.named.iter().any(|(known, path)| *known == key && path.len() == 1);
            if !is_again {
                scope.places.insert(key, Place::Index(index));
            }
            scope.named.push((key, vec![name.to_owned()]));
        }
        for (key, path) in within {
            scope.places.entry(key).or_insert_with(|| Place::Export(index, path.clone()));
            let path = std::iter::once(name.to_owned()).chain(path).collect();
            scope.named.push((key, path));
        }
    }

    /// The index of a type.
    fn ty(&mut self, part: usize, id: ComponentAnyTypeId) -> Result<u32, Fault> {
        if let Some(index) = self.lookup(part, id) {
            return Ok(index);
        }
        self.pay()?;
        let types = &self.parts[part].surface.types;
        let index = match id {
            // A resource that nothing has given a name cannot be written.
            ComponentAnyTypeId::Resource(_) => {
                return Err(Fault::Unsupported("it makes use of a resource that no import has"));
            }
            ComponentAnyTypeId::Defined(id) => self.defined(part, &types[id])?,
            ComponentAnyTypeId::Func(id) => self.func(part, &types[id])?,
            ComponentAnyTypeId::Instance(id) => self.instance(&[(part, id)])?.0,
            ComponentAnyTypeId::Component(id) => {
                let ty = &types[id];
                let imports = ty.imports.iter().map(|(name, item)| (name.as_str(), item));
                let exports = ty.exports.iter().map(|(name, item)| (name.as_str(), item));
                self.component(part, imports, exports)?
            }
        };
        let key = self.key(part, id);
        let top = self.scopes.len() - 1;
        self.scopes[top].places.insert(key, Place::Index(index));
        Ok(index)
    }

    fn value(
        &mut self,
        part: usize,
        value: read::ComponentValType,
    ) -> Result<ComponentValType, Fault> {
        Ok(match value {
            read::ComponentValType::Primitive(ty) => ComponentValType::Primitive(ty.into()),
            read::ComponentValType::Type(id) => {
                ComponentValType::Type(self.ty(part, ComponentAnyTypeId::Defined(id))?)
            }
        })
    }

    fn values(
        &mut self,
        part: usize,
        values: impl IntoIterator<Item = read::ComponentValType>,
    ) -> Result<Vec<ComponentValType>, Fault> {
        values.into_iter().map(|value| self.value(part, value)).collect()
    }

    fn optional(
        &mut self,
        part: usize,
        value: Option<read::ComponentValType>,
    ) -> Result<Option<ComponentValType>, Fault> {
        value.map(|value| self.value(part, value)).transpose()
    }

    fn func(&mut self, part: usize, ty: &read::ComponentFuncType) -> Result<u32, Fault> {
        let values = self.values(part, ty.params.iter().map(|(_, value)| *value))?;
        let result = self.optional(part, ty.result)?;
        let names = ty.params.iter().map(|(name, _)| name.as_str());
        let (index, encoder) = self.top().ty();
        let params = names.zip(values).collect::<Vec<_>>();
        encoder.function().async_(ty.async_).params(params).result(result);
        Ok(index)
    }

    fn defined(&mut self, part: usize, ty: &read::ComponentDefinedType) -> Result<u32, Fault> {
        use read::ComponentDefinedType as Ty;
        // What the type is made of comes first.
        let mut parts = Vec::new();
        crate::inspect::values(ty, |value| parts.push(value));
        let parts = self.values(part, parts)?;
        let resource = match ty {
            Ty::Own(id) | Ty::Borrow(id) => self.ty(part, ComponentAnyTypeId::Resource(*id))?,
            _ => 0,
        };
        let mut parts = parts.into_iter();
        let mut next = || parts.next().ok_or(Fault::Defect);
        let (index, encoder) = self.top().ty();
        let encoder = encoder.defined_type();
        match ty {
            Ty::Primitive(ty) => encoder.primitive((*ty).into()),
            Ty::Record(record) => {
                encoder.record(
                    record.fields.keys().map(KebabString::as_str).zip(parts).collect::<Vec<_>>(),
                );
            }
            Ty::Variant(variant) => {
                let cases = variant
                    .cases
                    .iter()
                    .map(|(name, case)| Ok((name.as_str(), case.ty.map(|_| next()).transpose()?)));
                encoder.variant(cases.collect::<Result<Vec<_>, Fault>>()?);
            }
            Ty::List { .. } => encoder.list(next()?),
            Ty::FixedLengthList { length, .. } => encoder.fixed_length_list(next()?, *length),
            Ty::Map { .. } => {
                let key = next()?;
                encoder.map(key, next()?);
            }
            Ty::Tuple(_) => encoder.tuple(parts.collect::<Vec<_>>()),
            Ty::Flags(names) => {
                encoder.flags(names.iter().map(KebabString::as_str).collect::<Vec<_>>());
            }
            Ty::Enum(names) => {
                encoder.enum_type(names.iter().map(KebabString::as_str).collect::<Vec<_>>());
            }
            Ty::Option { .. } => encoder.option(next()?),
            Ty::Result { ok, err, .. } => {
                let ok = ok.map(|_| next()).transpose()?;
                encoder.result(ok, err.map(|_| next()).transpose()?);
            }
            Ty::Own(_) => encoder.own(resource),
            Ty::Borrow(_) => encoder.borrow(resource),
            Ty::Future { ty, .. } => encoder.future(ty.map(|_| next()).transpose()?),
            Ty::Stream { ty, .. } => encoder.stream(ty.map(|_| next()).transpose()?),
        }
        Ok(index)
    }

    /// An instance type that has all exports of the views. Where several have one of the same name,
    /// the first view's counts; the validator compares the others with it.
    fn instance(
        &mut self,
        views: &[(usize, read::ComponentInstanceTypeId)],
    ) -> Result<(u32, Named), Fault> {
        let parts = self.parts;
        let exports = |(part, id): (usize, read::ComponentInstanceTypeId)| {
            &parts[part].surface.types[id].exports
        };
        self.scopes.push(Scope::new(Body::instance()));
        let mut done: HashSet<&str> = HashSet::new();
        for view in views {
            for name in exports(*view).keys() {
                if done.insert(name) {
                    let same = views
                        .iter()
                        .filter_map(|view| exports(*view).get(name).map(|item| (view.0, item)));
                    self.declare(Way::Export, name, &same.collect::<Vec<_>>())?;
                }
            }
        }
        let Some(Scope { body: Body::Instance(ty), named, .. }) = self.scopes.pop() else {
            return Err(Fault::Defect);
        };
        let (index, encoder) = self.top().ty();
        encoder.instance(&ty);
        Ok((index, named))
    }

    fn component<'i>(
        &mut self,
        part: usize,
        imports: impl Iterator<Item = (&'i str, &'i ComponentItem)>,
        exports: impl Iterator<Item = (&'i str, &'i ComponentItem)>,
    ) -> Result<u32, Fault> {
        self.scopes.push(Scope::new(Body::component_type()));
        for (name, item) in imports {
            if self.renames {
                self.declare(Way::Import, &rename::renamed(name), &[(part, item)])?;
            } else {
                self.declare(Way::Import, name, &[(part, item)])?;
            }
        }
        for (name, item) in exports {
            self.declare(Way::Export, name, &[(part, item)])?;
        }
        let Some(Scope { body: Body::Component(ty), .. }) = self.scopes.pop() else {
            return Err(Fault::Defect);
        };
        let (index, encoder) = self.top().ty();
        encoder.component(&ty);
        Ok(index)
    }

    fn module(&mut self, part: usize, id: read::ComponentCoreModuleTypeId) -> Result<u32, Fault> {
        let ty = &self.parts[part].surface.types[id];
        let mut module = ModuleType::new();
        for ((from, name), entity) in &ty.imports {
            self.pay()?;
            let entity = self.entity(part, &mut module, entity)?;
            module.import(from, name, entity);
        }
        for (name, entity) in &ty.exports {
            self.pay()?;
            let entity = self.entity(part, &mut module, entity)?;
            module.export(name, entity);
        }
        Ok(self.top().module(&module))
    }

    fn entity(
        &self,
        part: usize,
        module: &mut ModuleType,
        entity: &ReadEntityType,
    ) -> Result<EntityType, Fault> {
        const UNSUPPORTED: Fault =
            Fault::Unsupported("it is a core module whose types refer to each other");
        let reference = |ty: wasmparser::RefType| match ty.type_index() {
            None => Ok(()),
            Some(_) => Err(UNSUPPORTED),
        };
        let mut function = |id: wasmparser::types::CoreTypeId| -> Result<u32, Fault> {
            let Some(ty) = self.function(part, id) else { return Err(UNSUPPORTED) };
            let values = ty.params().iter().chain(ty.results());
            values.filter_map(wasmparser::ValType::as_reference_type).try_for_each(reference)?;
            let ty = RoundtripReencoder.func_type(ty.clone()).map_err(|_| UNSUPPORTED)?;
            let index = module.type_count();
            module.ty().func_type(&ty);
            Ok(index)
        };
        Ok(match entity {
            ReadEntityType::Func(id) => EntityType::Function(function(*id)?),
            ReadEntityType::FuncExact(id) => EntityType::FunctionExact(function(*id)?),
            ReadEntityType::Tag(id) => {
                let func_type_idx = function(*id)?;
                EntityType::Tag(TagType { kind: TagKind::Exception, func_type_idx })
            }
            ReadEntityType::Table(ty) => {
                reference(ty.element_type)?;
                let ty = RoundtripReencoder.table_type(*ty).map_err(|_| UNSUPPORTED)?;
                EntityType::Table(ty)
            }
            ReadEntityType::Memory(ty) => {
                let ty = RoundtripReencoder.memory_type(*ty).map_err(|_| UNSUPPORTED)?;
                EntityType::Memory(ty)
            }
            ReadEntityType::Global(ty) => {
                ty.content_type.as_reference_type().map_or(Ok(()), reference)?;
                let ty = RoundtripReencoder.global_type(*ty).map_err(|_| UNSUPPORTED)?;
                EntityType::Global(ty)
            }
        })
    }

    fn function(
        &self,
        part: usize,
        id: wasmparser::types::CoreTypeId,
    ) -> Option<&wasmparser::FuncType> {
        match &self.parts[part].surface.types[id].composite_type.inner {
            wasmparser::CompositeInnerType::Func(ty) => Some(ty),
            _ => None,
        }
    }
}

impl Scope {
    fn new(body: Body) -> Self {
        Self { body, places: HashMap::new(), named: Vec::new() }
    }

    fn has(&self, key: &Key) -> bool {
        self.places.contains_key(key)
    }

    /// The index of a type in this scope. One that is in an instance is taken out once.
    fn index(&mut self, key: Key) -> Option<u32> {
        let (mut instance, path) = match self.places.get(&key)? {
            Place::Index(index) => return Some(*index),
            Place::Export(instance, path) => (*instance, path.clone()),
        };
        let (name, outer) = path.split_last()?;
        for name in outer {
            let kind = ComponentExportKind::Instance;
            instance = self.body.alias(Alias::InstanceExport { instance, kind, name });
        }
        let kind = ComponentExportKind::Type;
        let index = self.body.alias(Alias::InstanceExport { instance, kind, name });
        self.places.insert(key, Place::Index(index));
        Some(index)
    }
}
