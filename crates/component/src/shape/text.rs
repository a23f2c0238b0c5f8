//! Types as texts, in the notation of WIT, within a budget of bytes.

use std::collections::HashMap;
use std::rc::Rc;

use wasmparser::PrimitiveValType;
use wasmparser::component_types::{
    AliasableResourceId, ComponentAnyTypeId, ComponentDefinedType, ComponentDefinedTypeId,
    ComponentEntityType, ComponentFuncTypeId, ComponentInstanceTypeId, ComponentItem,
    ComponentTypeId, ComponentValType, ResourceId,
};
use wasmparser::types::TypesRef;

use super::{Member, Name, What};
use crate::inspect::InspectError;
use crate::limits::INTERFACE_TEXT_BYTES_MAX;

/// The type of something as a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Signature {
    /// For people.
    pub(crate) shown: String,
    /// For comparison: the same, but interfaces whose versions can stand for one another are one.
    pub(crate) key: String,
    /// How many elements or pages a table or a memory has at least and at most. Not in the texts.
    pub(crate) limits: Option<(u64, Option<u64>)>,
}

/// What is written about the types of one file.
pub(super) struct Writer<'t> {
    pub(super) types: TypesRef<'t>,
    /// The name of the WIT package that is read.
    own: Option<String>,
    names: HashMap<ComponentAnyTypeId, TypeName>,
    resources: HashMap<ResourceId, TypeName>,
    left: usize,
}

/// Where a type was named last.
#[derive(Clone)]
struct TypeName {
    /// The interface; empty for what stands in no interface.
    owner: Rc<str>,
    name: Rc<str>,
    /// What stands for the type in keys. Values are the same if their structures are, whatever they
    /// are called: another name of a type counts as that type, and a name of a list as the list. Only
    /// records and the like go by their names, so that a change of one is told once.
    key: Rc<str>,
}

impl<'t> Writer<'t> {
    pub(super) fn new(types: TypesRef<'t>, own: Option<String>) -> Self {
        let (names, resources) = (HashMap::new(), HashMap::new());
        Self { types, own, names, resources, left: INTERFACE_TEXT_BYTES_MAX }
    }

    pub(super) fn own(&self) -> Option<&str> {
        self.own.as_deref()
    }

    /// The members of an instance, those of instances within it behind their names.
    pub(super) fn instance(
        &mut self,
        owner: &str,
        prefix: &str,
        id: ComponentInstanceTypeId,
        members: &mut Vec<Member>,
    ) -> Result<(), InspectError> {
        let Some(instance) = self.types.get(id) else { return Ok(()) };
        for (name, item) in &instance.exports {
            let path = format!("{prefix}{name}");
            self.charge(path.len())?;
            if let ComponentEntityType::Instance(inner) = item.ty {
                let signature = Signature::default();
                members.push(Member { name: path.clone(), what: What::Interface, signature });
                self.instance(owner, &format!("{path}/"), inner, members)?;
                continue;
            }
            let signature = self.item(owner, name, item)?;
            members.push(Member { name: path, what: what(item), signature });
        }
        Ok(())
    }

    /// The imports and exports of a component within a file.
    pub(super) fn component(
        &mut self,
        owner: &str,
        id: ComponentTypeId,
        members: &mut Vec<Member>,
    ) -> Result<(), InspectError> {
        let Some(component) = self.types.get(id) else { return Ok(()) };
        for (side, items) in [("import", &component.imports), ("export", &component.exports)] {
            for (name, item) in items {
                let signature = self.item(owner, name, item)?;
                self.charge(name.len())?;
                members.push(Member {
                    name: format!("{side} {name}"),
                    what: what(item),
                    signature,
                });
            }
        }
        Ok(())
    }

    /// Whatever is imported or exported under a name.
    pub(super) fn item(
        &mut self,
        owner: &str,
        name: &str,
        item: &ComponentItem,
    ) -> Result<Signature, InspectError> {
        let mut out = Signature::default();
        match item.ty {
            ComponentEntityType::Func(id) => self.function(&mut out, owner, name, id)?,
            ComponentEntityType::Type { referenced, created } => {
                let key = self.definition(&mut out, owner, name, referenced)?;
                self.charge(owner.len() + name.len() + key.len())?;
                let known = TypeName { owner: owner.into(), name: name.into(), key };
                if let ComponentAnyTypeId::Resource(id) = created {
                    self.resources.insert(id.resource(), known.clone());
                }
                self.names.insert(created, known);
            }
            ComponentEntityType::Value(ty) => self.value(&mut out, owner, ty)?,
            ComponentEntityType::Instance(id) => {
                let mut members = Vec::new();
                self.instance(owner, "", id, &mut members)?;
                self.braces(&mut out, "instance", &members)?;
            }
            ComponentEntityType::Component(id) => {
                let mut members = Vec::new();
                self.component(owner, id, &mut members)?;
                self.braces(&mut out, "component", &members)?;
            }
            ComponentEntityType::Module(id) => {
                let mut members = Vec::new();
                if let Some(module) = self.types.get(id) {
                    for ((from, name), ty) in &module.imports {
                        let (what, signature) = super::core::entity(self, ty)?;
                        members.push(Member {
                            name: format!("import {from}.{name}"),
                            what,
                            signature,
                        });
                    }
                    for (name, ty) in &module.exports {
                        let (what, signature) = super::core::entity(self, ty)?;
                        members.push(Member { name: format!("export {name}"), what, signature });
                    }
                }
                self.braces(&mut out, "module", &members)?;
            }
        }
        Ok(out)
    }

    /// Adds to a text.
    pub(super) fn put(&mut self, out: &mut Signature, text: &str) -> Result<(), InspectError> {
        self.charge(2 * text.len())?;
        out.shown.push_str(text);
        out.key.push_str(text);
        Ok(())
    }

    /// Adds the name of an interface to a text.
    pub(super) fn owner(&mut self, out: &mut Signature, owner: &str) -> Result<(), InspectError> {
        self.charge(2 * owner.len())?;
        out.shown.push_str(owner);
        out.key.push_str(&Name::new(owner, self.own()).key());
        Ok(())
    }

    fn charge(&mut self, bytes: usize) -> Result<(), InspectError> {
        let bytes_max = INTERFACE_TEXT_BYTES_MAX;
        let beyond = InspectError::TextTooLong { bytes_max };
        self.left = self.left.checked_sub(bytes + 1).ok_or(beyond)?;
        Ok(())
    }

    fn braces(
        &mut self,
        out: &mut Signature,
        word: &str,
        members: &[Member],
    ) -> Result<(), InspectError> {
        self.put(out, word)?;
        self.put(out, " {")?;
        for member in members {
            self.put(out, " ")?;
            self.put(out, &member.name)?;
            self.put(out, ": ")?;
            self.charge(member.signature.shown.len() + member.signature.key.len())?;
            out.shown.push_str(&member.signature.shown);
            out.key.push_str(&member.signature.key);
            if let Some((least, most)) = member.signature.limits {
                self.put(out, &limits(least, most))?;
            }
            self.put(out, ";")?;
        }
        self.put(out, " }")
    }

    fn function(
        &mut self,
        out: &mut Signature,
        owner: &str,
        name: &str,
        id: ComponentFuncTypeId,
    ) -> Result<(), InspectError> {
        let Some(ty) = self.types.get(id) else { return Ok(()) };
        if name.starts_with("[static]") {
            self.put(out, "static ")?;
        }
        self.put(out, if ty.async_ { "async func(" } else { "func(" })?;
        for (place, (name, ty)) in ty.params.iter().enumerate() {
            if place > 0 {
                self.put(out, ", ")?;
            }
            self.put(out, name)?;
            self.put(out, ": ")?;
            self.value(out, owner, *ty)?;
        }
        self.put(out, ")")?;
        if let Some(result) = ty.result {
            self.put(out, " -> ")?;
            self.value(out, owner, result)?;
        }
        Ok(())
    }

    /// The definition of a type that gets a name, and what stands for the type in keys.
    fn definition(
        &mut self,
        out: &mut Signature,
        owner: &str,
        name: &str,
        referenced: ComponentAnyTypeId,
    ) -> Result<Rc<str>, InspectError> {
        let known = self.find(referenced);
        let other = known.filter(|known| &*known.owner != owner || &*known.name != name);
        if let Some(known) = other {
            let shown = if &*known.owner == owner || known.owner.is_empty() {
                format!("type = {}", known.name)
            } else {
                format!("use {}.{{{}}}", known.owner, known.name)
            };
            self.charge(shown.len() + known.key.len())?;
            out.shown.push_str(&shown);
            out.key.push_str(&known.key);
            return Ok(known.key);
        }
        let dot = if owner.is_empty() { "" } else { "." };
        let named = Rc::from(format!("{}{dot}{name}", Name::new(owner, self.own()).key()));
        match referenced {
            ComponentAnyTypeId::Resource(_) => self.put(out, "resource")?,
            ComponentAnyTypeId::Defined(id) => {
                self.structure(out, owner, id)?;
                if !self.types.get(id).is_some_and(is_nominal) {
                    return Ok(Rc::from(&*out.key));
                }
            }
            ComponentAnyTypeId::Func(id) => self.function(out, owner, name, id)?,
            ComponentAnyTypeId::Instance(id) => {
                let mut members = Vec::new();
                self.instance(owner, "", id, &mut members)?;
                self.braces(out, "instance", &members)?;
            }
            ComponentAnyTypeId::Component(id) => {
                let mut members = Vec::new();
                self.component(owner, id, &mut members)?;
                self.braces(out, "component", &members)?;
            }
        }
        Ok(named)
    }

    /// Where a type, or what it is an alias of, was named last.
    fn find(&self, id: ComponentAnyTypeId) -> Option<TypeName> {
        let mut next = Some(id);
        while let Some(id) = next {
            if let Some(known) = self.names.get(&id) {
                return Some(known.clone());
            }
            next = self.types.peel_alias(id);
        }
        None
    }

    fn named(
        &mut self,
        out: &mut Signature,
        owner: &str,
        known: &TypeName,
    ) -> Result<(), InspectError> {
        self.charge(known.owner.len() + known.name.len() + known.key.len())?;
        if &*known.owner != owner && !known.owner.is_empty() {
            out.shown.push_str(&known.owner);
            out.shown.push('.');
        }
        out.shown.push_str(&known.name);
        out.key.push_str(&known.key);
        Ok(())
    }

    fn value(
        &mut self,
        out: &mut Signature,
        owner: &str,
        ty: ComponentValType,
    ) -> Result<(), InspectError> {
        match ty {
            ComponentValType::Primitive(ty) => self.put(out, primitive(ty)),
            ComponentValType::Type(id) => match self.find(ComponentAnyTypeId::Defined(id)) {
                Some(known) => self.named(out, owner, &known),
                None => self.structure(out, owner, id),
            },
        }
    }

    fn values(
        &mut self,
        out: &mut Signature,
        owner: &str,
        word: &str,
        types: &[ComponentValType],
    ) -> Result<(), InspectError> {
        self.put(out, word)?;
        for (place, ty) in types.iter().enumerate() {
            self.put(out, if place == 0 { "<" } else { ", " })?;
            self.value(out, owner, *ty)?;
        }
        self.put(out, if types.is_empty() { "" } else { ">" })
    }

    /// The structure of a type, whatever its name.
    fn structure(
        &mut self,
        out: &mut Signature,
        owner: &str,
        id: ComponentDefinedTypeId,
    ) -> Result<(), InspectError> {
        use ComponentDefinedType as Type;
        let types = self.types;
        let Some(ty) = types.get(id) else { return Ok(()) };
        match ty {
            Type::Primitive(ty) => self.put(out, primitive(*ty)),
            Type::Record(ty) => {
                let fields = ty.fields.iter().map(|(name, ty)| (name.as_str(), Some(*ty)));
                self.fields(out, owner, "record", fields)
            }
            Type::Variant(ty) => {
                let cases = ty.cases.iter().map(|(name, case)| (name.as_str(), case.ty));
                self.fields(out, owner, "variant", cases)
            }
            Type::Flags(names) => {
                self.fields(out, owner, "flags", names.iter().map(|name| (name.as_str(), None)))
            }
            Type::Enum(names) => {
                self.fields(out, owner, "enum", names.iter().map(|name| (name.as_str(), None)))
            }
            Type::List { element, .. } => self.values(out, owner, "list", &[*element]),
            Type::Map { key, value, .. } => self.values(out, owner, "map", &[*key, *value]),
            Type::FixedLengthList { element, length, .. } => {
                self.put(out, "list<")?;
                self.value(out, owner, *element)?;
                self.put(out, &format!(", {length}>"))
            }
            Type::Tuple(ty) => self.values(out, owner, "tuple", &ty.types),
            Type::Option { ty, .. } => self.values(out, owner, "option", &[*ty]),
            Type::Result { ok: Some(ok), err: Some(err), .. } => {
                self.values(out, owner, "result", &[*ok, *err])
            }
            Type::Result { ok: None, err: Some(err), .. } => {
                self.put(out, "result<_, ")?;
                self.value(out, owner, *err)?;
                self.put(out, ">")
            }
            Type::Result { ok, .. } => self.values(out, owner, "result", ok.as_slice()),
            Type::Own(id) => self.handle(out, owner, *id),
            Type::Borrow(id) => {
                self.put(out, "borrow<")?;
                self.handle(out, owner, *id)?;
                self.put(out, ">")
            }
            Type::Future { ty, .. } => self.values(out, owner, "future", ty.as_slice()),
            Type::Stream { ty, .. } => self.values(out, owner, "stream", ty.as_slice()),
        }
    }

    fn handle(
        &mut self,
        out: &mut Signature,
        owner: &str,
        id: AliasableResourceId,
    ) -> Result<(), InspectError> {
        let known = self.find(ComponentAnyTypeId::Resource(id));
        match known.or_else(|| self.resources.get(&id.resource()).cloned()) {
            Some(known) => self.named(out, owner, &known),
            None => self.put(out, "resource"),
        }
    }

    fn fields<'n>(
        &mut self,
        out: &mut Signature,
        owner: &str,
        word: &str,
        fields: impl Iterator<Item = (&'n str, Option<ComponentValType>)>,
    ) -> Result<(), InspectError> {
        self.put(out, word)?;
        self.put(out, " {")?;
        for (place, (name, ty)) in fields.enumerate() {
            self.put(out, if place > 0 { ", " } else { " " })?;
            self.put(out, name)?;
            if let Some(ty) = ty {
                self.put(out, if word == "record" { ": " } else { "(" })?;
                self.value(out, owner, ty)?;
                self.put(out, if word == "record" { "" } else { ")" })?;
            }
        }
        self.put(out, " }")
    }
}

/// Whether a type goes by its name.
const fn is_nominal(ty: &ComponentDefinedType) -> bool {
    use ComponentDefinedType as Type;
    matches!(ty, Type::Record(_) | Type::Variant(_) | Type::Flags(_) | Type::Enum(_))
}

/// What an import or export is.
pub(super) const fn what(item: &ComponentItem) -> What {
    match item.ty {
        ComponentEntityType::Module(_) => What::Module,
        ComponentEntityType::Func(_) => What::Function,
        ComponentEntityType::Value(_) => What::Value,
        ComponentEntityType::Type { created: ComponentAnyTypeId::Resource(_), .. } => {
            What::Resource
        }
        ComponentEntityType::Type { .. } => What::Type,
        ComponentEntityType::Instance(_) => What::Interface,
        ComponentEntityType::Component(_) => What::Component,
    }
}

/// Such as ` 2` and ` 2 to 8`.
pub(crate) fn limits(least: u64, most: Option<u64>) -> String {
    most.map_or_else(|| format!(" {least}"), |most| format!(" {least} to {most}"))
}

const fn primitive(ty: PrimitiveValType) -> &'static str {
    match ty {
        PrimitiveValType::Bool => "bool",
        PrimitiveValType::S8 => "s8",
        PrimitiveValType::U8 => "u8",
        PrimitiveValType::S16 => "s16",
        PrimitiveValType::U16 => "u16",
        PrimitiveValType::S32 => "s32",
        PrimitiveValType::U32 => "u32",
        PrimitiveValType::S64 => "s64",
        PrimitiveValType::U64 => "u64",
        PrimitiveValType::F32 => "f32",
        PrimitiveValType::F64 => "f64",
        PrimitiveValType::Char => "char",
        PrimitiveValType::String => "string",
        PrimitiveValType::ErrorContext => "error-context",
    }
}
