//! How deep the types of a component are nested, found before anything reads them recursively.
//!
//! The parser reads a component type within a component type by calling itself, without a limit, so
//! that a few megabytes of opening bytes would exhaust the stack. This reads the same bytes with a
//! list of what is open instead.

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentType,
    ComponentTypeRef, ComponentTypeSectionReader, CoreType,
};

use super::InspectError;
use crate::limits::TYPE_NESTING_MAX;

const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// Refuses a section of types that are nested deeper than [`TYPE_NESTING_MAX`], or that cannot be
/// read. `bytes` are the whole file, in which the section says where it stands.
pub(super) fn check(
    bytes: &[u8],
    section: &ComponentTypeSectionReader<'_>,
) -> Result<(), InspectError> {
    let range = section.range();
    let (start, end) = (index(range.start), index(range.end));
    let contents = bytes.get(start..end).ok_or(InspectError::Defect)?;
    let mut reader = BinaryReader::new(contents, range.start);
    // How many declarations are left to be read, for each type that is open; first the section.
    let mut open = vec![reader.read_var_u32()?];
    while let Some(left) = open.last_mut() {
        if *left == 0 {
            open.pop();
            continue;
        }
        *left -= 1;
        let is_type = open.len() == 1 || declaration(&mut reader)?;
        if is_type && let Some(declarations) = type_definition(&mut reader)? {
            if open.len() > TYPE_NESTING_MAX {
                return Err(InspectError::types_too_deep(reader.original_position()));
            }
            open.push(declarations);
        }
    }
    Ok(())
}

/// Reads a declaration of a component type or instance type, up to the type if it declares one;
/// `true` says that one follows.
fn declaration(reader: &mut BinaryReader<'_>) -> Result<bool, InspectError> {
    let offset = reader.original_position();
    match reader.read_u8()? {
        0x00 => {
            reader.read::<CoreType<'_>>()?;
        }
        0x01 => return Ok(true),
        0x02 => {
            reader.read::<ComponentAlias<'_>>()?;
        }
        0x03 => {
            reader.read::<ComponentImport<'_>>()?;
        }
        0x04 => {
            reader.read::<ComponentExternName<'_>>()?;
            reader.read::<ComponentTypeRef>()?;
        }
        byte => {
            let reason = format!("no declaration of a type begins with byte {byte:#04x}");
            return Err(InspectError::Invalid { offset, reason });
        }
    }
    Ok(false)
}

/// Reads a type; of one that contains declarations, only how many.
fn type_definition(reader: &mut BinaryReader<'_>) -> Result<Option<u32>, InspectError> {
    let mut ahead = reader.clone();
    if matches!(ahead.read_u8()?, COMPONENT_TYPE | INSTANCE_TYPE) {
        reader.read_u8()?;
        return Ok(Some(reader.read_var_u32()?));
    }
    reader.read::<ComponentType<'_>>()?;
    Ok(None)
}

/// An offset of the file, which fits since the file is in memory.
fn index(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
