//! From bytes to WIT, by the public library, which panics over some valid files, and has no limits of
//! its own. So the [shape](crate::shape) of a file is read first: it checks them all, and takes as much
//! text as WIT does.

use std::borrow::Cow;

use wit_component_258::{StringEncoding, metadata};
use wit_parser::decoding::{DecodedWasm, decode, decode_world};
use wit_parser::{PackageId, Resolve, WorldItem, WorldKey};

use super::rename::{self, Renamed};
use super::{Document, Note, WitError, reason};
use crate::inspect::embedded::{EMBEDDED_WORLD, EmbeddedWorld};
use crate::inspect::{ExternKind, Kind, Limits, guarded};
use crate::shape::{DOCUMENTATION, Shape};

impl Document {
    pub(super) fn read(bytes: &[u8], limits: Limits) -> Result<Self, WitError> {
        let shape = Shape::read(bytes, limits)?;
        if shape.inspection.kind == Kind::CoreModule {
            return module(&shape);
        }
        let renamed = rename::names(&shape.inspection);
        let mut notes = Vec::new();
        let copy = rename::rewrite(bytes, &renamed, &[])?;
        let decoded = match library(|| decode(copy.as_deref().unwrap_or(bytes))) {
            // Documentation that contradicts the types keeps the library from reading them.
            Err(WitError::Inexpressible { reason }) if shape.documentation.is_some() => {
                let copy = rename::rewrite(bytes, &renamed, &[DOCUMENTATION])?;
                let decoded = library(|| decode(copy.as_deref().unwrap_or(bytes)))?;
                notes.push(Note::Undocumented { reason });
                decoded
            }
            other => other?,
        };
        let main = decoded.package();
        let mut resolve = match decoded {
            DecodedWasm::WitPackage(resolve, _) | DecodedWasm::Component(resolve, _) => resolve,
        };
        for Renamed { import, label } in renamed {
            document(&mut resolve, main, &label, &import.name);
            notes.push(Note::Renamed { import, label });
        }
        omitted(&shape, &mut notes);
        merged(&shape, &mut notes);
        Ok(Self { kind: shape.inspection.kind, resolve, main, notes })
    }
}

/// The worlds in a core module: the package of the only one, or else a world of them all.
fn module(shape: &Shape<'_>) -> Result<Document, WitError> {
    let count = shape.unreadable_worlds;
    let notes = if count > 0 { vec![Note::UnreadableWorlds { count }] } else { Vec::new() };
    let (resolve, world) = match shape.sections.as_slice() {
        [] if count == 0 => return Err(WitError::NoInterfaces),
        [] => return Err(WitError::UnreadableWorlds { count }),
        [one] => library(|| decode_world(&modern(one)?))?,
        several => {
            let module = rename::module_of(EMBEDDED_WORLD, several);
            let (_, bindgen) = library(|| metadata::decode(&module))?;
            (bindgen.resolve, bindgen.world)
        }
    };
    let nameless = || WitError::Inexpressible { reason: "the world is in no package".to_owned() };
    let main = resolve.worlds[world].package.ok_or_else(nameless)?;
    Ok(Document { kind: Kind::CoreModule, resolve, main, notes })
}

/// The section in today's format, which holds one world and not the package that it is of.
fn modern(section: &[u8]) -> anyhow::Result<Cow<'_, [u8]>> {
    let EmbeddedWorld { package, name: Some(name) } = EmbeddedWorld::new(section) else {
        return Ok(Cow::Borrowed(section));
    };
    let decoded = decode(package)?;
    let world = decoded.resolve().select_world(&[decoded.package()], Some(name))?;
    // The encoding of strings is not told, so that any will do.
    let encoding = StringEncoding::UTF8;
    Ok(Cow::Owned(metadata::encode(decoded.resolve(), world, encoding, None)?))
}

fn library<T>(
    read: impl FnOnce() -> anyhow::Result<T> + std::panic::UnwindSafe,
) -> Result<T, WitError> {
    match guarded(read) {
        Some(Ok(read)) => Ok(read),
        Some(Err(error)) => Err(WitError::Inexpressible { reason: reason(&error) }),
        None => Err(WitError::Inexpressible {
            reason: "the library that reads types fails on it, which is a defect: please report it"
                .to_owned(),
        }),
    }
}

/// Says the own name of an import where its documentation stands.
fn document(resolve: &mut Resolve, main: PackageId, label: &str, name: &str) {
    let worlds: Vec<_> = resolve.packages[main].worlds.values().copied().collect();
    for world in worlds {
        let key = WorldKey::Name(label.to_owned());
        let Resolve { worlds, types, .. } = &mut *resolve;
        let docs = match worlds[world].imports.get_mut(&key) {
            Some(WorldItem::Interface { docs, .. }) => docs,
            Some(WorldItem::Function(function)) => &mut function.docs,
            Some(WorldItem::Type { id, .. }) => &mut types[*id].docs,
            None => continue,
        };
        docs.contents = Some(name.to_owned());
    }
}

/// The imports that the library leaves out.
fn omitted(shape: &Shape<'_>, notes: &mut Vec<Note>) {
    for import in &shape.inspection.imports {
        if matches!(import.kind, ExternKind::Component | ExternKind::Module | ExternKind::Value) {
            notes.push(Note::Omitted { import: import.clone() });
        }
    }
}

/// The interfaces that are imported and exported with different contents.
fn merged(shape: &Shape<'_>, notes: &mut Vec<Note>) {
    for import in &shape.imports {
        let Some(export) = shape.exports.iter().find(|export| export.name == import.name) else {
            continue;
        };
        let same = import.members.len() == export.members.len()
            && import.members.iter().all(|member| {
                let other = export.members.iter().find(|other| other.name == member.name);
                other.is_some_and(|other| other.signature.key == member.signature.key)
            });
        if !same {
            notes.push(Note::Merged { interface: import.name.text.clone() });
        }
    }
}
