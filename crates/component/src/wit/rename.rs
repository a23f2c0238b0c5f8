//! Copies of files in which imports have other names, so that the library can read them.

use std::collections::HashSet;

use wasmparser::{BinaryReader, ComponentImportSectionReader};

use crate::inspect::{Extern, ExternKind, InspectError, Inspection};
use crate::names::ImportName;

const CUSTOM_SECTION: u8 = 0;
const IMPORT_SECTION: u8 = 10;
/// What every file begins with, in bytes.
const HEADER: usize = 8;

/// An import and the name that it gets.
pub(super) struct Renamed {
    pub(super) import: Extern,
    pub(super) label: String,
}

/// The imports whose names the library cannot read, with names that it can, of which none is taken.
pub(super) fn names(inspection: &Inspection) -> Vec<Renamed> {
    let all = inspection.imports.iter().chain(&inspection.exports);
    let mut taken: HashSet<String> = all.map(|each| each.name.to_lowercase()).collect();
    let mut renamed = Vec::new();
    for import in &inspection.imports {
        if !matches!(import.kind, ExternKind::Instance | ExternKind::Func | ExternKind::Type) {
            continue;
        }
        let base = match import.name.parse() {
            Ok(
                ImportName::Unlocked { package, projection, .. }
                | ImportName::Locked { package, projection, .. },
            ) => {
                let part = projection.map(|part| format!("-{part}")).unwrap_or_default();
                format!("{}-{}{part}", package.namespace(), package.name())
            }
            Ok(ImportName::Url { .. } | ImportName::Integrity(_)) | Err(_) => {
                "dependency".to_owned()
            }
            Ok(ImportName::Plain(text)) if text.contains('=') => "dependency".to_owned(),
            Ok(ImportName::Plain(_) | ImportName::Interface(_)) => continue,
        };
        let mut label = base.clone();
        let mut number = 1;
        while !taken.insert(label.to_lowercase()) {
            number += 1;
            // Words of the component model's names begin with letters.
            label = format!("{base}-n{number}");
        }
        renamed.push(Renamed { import: import.clone(), label });
    }
    renamed
}

/// A copy of a component in which imports have their new names, without custom sections of some names;
/// none if nothing is to be changed. The file is known to be valid.
pub(super) fn rewrite(
    bytes: &[u8],
    renamed: &[Renamed],
    without: &[&str],
) -> Result<Option<Vec<u8>>, InspectError> {
    if renamed.is_empty() && without.is_empty() {
        return Ok(None);
    }
    let label = |name: &str| {
        renamed.iter().find(|renamed| renamed.import.name == name).map(|it| it.label.clone())
    };
    with_imports(bytes, label, without).map(Some)
}

/// A copy of a component in which imports have the names that `label` has for them, if it has one; without
/// custom sections of some names.
pub(crate) fn with_imports(
    bytes: &[u8],
    label: impl Fn(&str) -> Option<String>,
    without: &[&str],
) -> Result<Vec<u8>, InspectError> {
    let mut copy = bytes.get(..HEADER).unwrap_or_default().to_vec();
    let mut reader = BinaryReader::new(bytes.get(HEADER..).unwrap_or_default(), HEADER as u64);
    while !reader.eof() {
        let id = reader.read_u8()?;
        let length = reader.read_var_u32()?;
        let start = reader.original_position();
        let contents = reader.read_bytes(length as usize)?;
        if id == CUSTOM_SECTION {
            let name = BinaryReader::new(contents, start).read_string()?;
            if without.contains(&name) {
                continue;
            }
        }
        if id == IMPORT_SECTION {
            let contents = imports(contents, &label)?;
            section(&mut copy, id, &contents);
        } else {
            section(&mut copy, id, contents);
        }
    }
    Ok(copy)
}

/// A core module that has nothing but custom sections of one name.
pub(super) fn module_of(name: &str, sections: &[&[u8]]) -> Vec<u8> {
    let mut module = b"\0asm\x01\0\0\0".to_vec();
    for data in sections {
        let mut contents = Vec::new();
        text(&mut contents, name);
        contents.extend_from_slice(data);
        section(&mut module, CUSTOM_SECTION, &contents);
    }
    module
}

/// The contents of a section of imports, with their new names.
fn imports(
    contents: &[u8],
    label: &impl Fn(&str) -> Option<String>,
) -> Result<Vec<u8>, InspectError> {
    // Offsets within the section are enough: nothing of what is read here is told.
    let reader = ComponentImportSectionReader::new(BinaryReader::new(contents, 0))?;
    let mut copy = Vec::new();
    number(&mut copy, reader.count() as usize);
    let mut items = reader.into_iter_with_offsets().peekable();
    while let Some(item) = items.next() {
        let (start, import) = item?;
        let end = match items.peek() {
            Some(Ok((next, _))) => *next,
            Some(Err(error)) => return Err(error.clone().into()),
            None => contents.len() as u64,
        };
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let item = range.and_then(|(start, end)| contents.get(start..end));
        let item = item.ok_or(InspectError::Defect)?;
        let Some(new) = label(import.name.name) else {
            copy.extend_from_slice(item);
            continue;
        };
        let mut reader = BinaryReader::new(item, 0);
        copy.push(reader.read_u8()?);
        reader.read_string()?;
        text(&mut copy, &new);
        copy.extend_from_slice(reader.read_bytes(reader.bytes_remaining())?);
    }
    Ok(copy)
}

fn section(file: &mut Vec<u8>, id: u8, contents: &[u8]) {
    file.push(id);
    number(file, contents.len());
    file.extend_from_slice(contents);
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// An unsigned number in LEB128.
fn number(out: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        let [low, ..] = number.to_le_bytes();
        out.push(low | 0x80);
        number >>= 7;
    }
    let [low, ..] = number.to_le_bytes();
    out.push(low);
}
