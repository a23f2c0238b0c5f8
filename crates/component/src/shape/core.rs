//! Imports and exports of core modules, and the types of modules within components.

use wasmparser::types::EntityType;
use wasmparser::{MemoryType, TableType};

use super::text::{Signature, Writer};
use super::{Entry, Member, Name, What};
use crate::inspect::InspectError;

/// The imports of a core module, those of one module together.
pub(super) fn imports(writer: &mut Writer<'_>) -> Result<Vec<Entry>, InspectError> {
    let mut entries: Vec<Entry> = Vec::new();
    for (module, name, ty) in writer.types.core_imports().into_iter().flatten() {
        let (what, signature) = entity(writer, &ty)?;
        let member = Member { name: name.to_owned(), what, signature };
        match entries.last_mut().filter(|entry| entry.name.text == module) {
            Some(entry) => entry.members.push(member),
            None => entries.push(Entry {
                name: Name::new(module, None),
                what: What::Module,
                signature: Signature::default(),
                members: vec![member],
            }),
        }
    }
    merge(&mut entries);
    Ok(entries)
}

/// Puts together what one module has whose imports do not follow one another.
fn merge(entries: &mut Vec<Entry>) {
    let mut places = std::collections::HashMap::new();
    let mut merged: Vec<Entry> = Vec::new();
    for mut entry in entries.drain(..) {
        let place = *places.entry(entry.name.text.clone()).or_insert(merged.len());
        match merged.get_mut(place) {
            Some(first) => first.members.append(&mut entry.members),
            None => merged.push(entry),
        }
    }
    *entries = merged;
}

/// The exports of a core module.
pub(super) fn exports(writer: &mut Writer<'_>) -> Result<Vec<Entry>, InspectError> {
    let mut entries = Vec::new();
    for (name, ty) in writer.types.core_exports().into_iter().flatten() {
        let (what, signature) = entity(writer, &ty)?;
        let name = Name { text: name.to_owned(), form: super::names::Form::Plain };
        entries.push(Entry { name, what, signature, members: Vec::new() });
    }
    Ok(entries)
}

/// What a core module imports or exports.
pub(super) fn entity(
    writer: &mut Writer<'_>,
    ty: &EntityType,
) -> Result<(What, Signature), InspectError> {
    let mut signature = Signature::default();
    let what = match ty {
        EntityType::Func(id) | EntityType::FuncExact(id) | EntityType::Tag(id) => {
            let text = writer.types.get(*id).map(|ty| function(&ty.composite_type.inner));
            writer.put(&mut signature, text.unwrap_or_default().as_str())?;
            if matches!(ty, EntityType::Tag(_)) { What::Tag } else { What::Function }
        }
        EntityType::Table(table) => {
            writer.put(&mut signature, &table_text(table))?;
            signature.limits = Some((table.initial, table.maximum));
            What::Table
        }
        EntityType::Memory(memory) => {
            writer.put(&mut signature, &memory_text(memory))?;
            signature.limits = Some((memory.initial, memory.maximum));
            What::Memory
        }
        EntityType::Global(global) => {
            let mutable = if global.mutable { "mut " } else { "" };
            writer.put(&mut signature, &format!("{mutable}{}", global.content_type))?;
            What::Global
        }
    };
    Ok((what, signature))
}

fn function(ty: &wasmparser::CompositeInnerType) -> String {
    let wasmparser::CompositeInnerType::Func(ty) = ty else { return ty.to_string() };
    let list = |types: &[wasmparser::ValType]| {
        types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    match ty.results() {
        [] => format!("func({})", list(ty.params())),
        [one] => format!("func({}) -> {one}", list(ty.params())),
        results => format!("func({}) -> ({})", list(ty.params()), list(results)),
    }
}

fn table_text(table: &TableType) -> String {
    let shared = if table.shared { "shared " } else { "" };
    let wide = if table.table64 { "i64 " } else { "" };
    format!("{shared}{wide}{}", table.element_type)
}

fn memory_text(memory: &MemoryType) -> String {
    let shared = if memory.shared { " shared" } else { "" };
    let wide = if memory.memory64 { " i64" } else { "" };
    let page =
        memory.page_size_log2.map(|bits| format!(" with pages of {} bytes", 1_u64 << bits.min(63)));
    format!("memory{wide}{shared}{}", page.unwrap_or_default())
}
