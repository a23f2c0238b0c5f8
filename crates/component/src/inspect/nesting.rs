//! The types of a component, read without recursion: how deep they are nested, and how much they hold.
//!
//! The parser reads a component type within a component type by calling itself, without a limit, so
//! that a few megabytes of opening bytes would exhaust the stack. This reads the same bytes with a
//! list of what is open instead, before the parser sees them.

use std::ops::Range;

use wasmparser::{
    BinaryReader, ComponentAlias, ComponentExternName, ComponentImport, ComponentOuterAliasKind,
    ComponentType, ComponentTypeRef, ComponentTypeSectionReader, CoreType, TypeBounds,
};

use super::InspectError;
use crate::limits::TYPE_NESTING_MAX;

const COMPONENT_TYPE: u8 = 0x41;
const INSTANCE_TYPE: u8 = 0x42;

/// What a type weighs that no honest file makes instances of.
const UNKNOWN: u64 = 1 << 20;

/// The types of one section, one after the other.
pub(super) struct Types<'a> {
    reader: BinaryReader<'a>,
    left: u32,
}

/// One type of a section.
pub(super) struct Type {
    /// Where it stands, in bytes from the start of the file.
    pub(super) range: Range<u64>,
    /// How many types the validator keeps for it, at most: its declarations, and copies of the types of
    /// each instance and each component that is imported or exported anywhere in it.
    pub(super) items: u64,
}

/// A component or instance type whose declarations are being read.
struct Open {
    /// How many declarations are left to be read.
    left: u32,
    /// What the declarations read so far weigh: how many types are copied when this is instantiated.
    weight: u64,
    /// What each of the types declared so far weighs.
    types: Vec<u64>,
}

impl<'a> Types<'a> {
    /// `part` is where the section says that it stands.
    pub(super) fn new(
        part: Part<'a>,
        section: &ComponentTypeSectionReader<'_>,
    ) -> Result<Self, InspectError> {
        let range = section.range();
        let contents = part.slice(&range).ok_or(InspectError::Defect)?;
        let mut reader = BinaryReader::new(contents, range.start);
        let left = reader.read_var_u32()?;
        Ok(Self { reader, left })
    }

    /// The next type. `outer` says what the type at an index weighs that is some levels above the
    /// section: 0 is the component that it stands in.
    pub(super) fn next(
        &mut self,
        outer: impl FnMut(u32, u32) -> u64,
    ) -> Result<Option<Type>, InspectError> {
        let start = self.reader.original_position();
        if self.left == 0 {
            if self.reader.eof() {
                return Ok(None);
            }
            let reason = "the section of types has more bytes than its types".to_owned();
            return Err(InspectError::Invalid { offset: start, reason });
        }
        self.left -= 1;
        let items = scan(&mut self.reader, outer)?;
        Ok(Some(Type { range: start..self.reader.original_position(), items }))
    }
}

/// Reads one type and says how many types are kept for it.
fn scan(
    reader: &mut BinaryReader<'_>,
    mut outer: impl FnMut(u32, u32) -> u64,
) -> Result<u64, InspectError> {
    let mut items: u64 = 1;
    let mut open: Vec<Open> = Vec::new();
    let mut finished = definition(reader, &mut open)?;
    loop {
        let Some(top) = open.last_mut() else { return Ok(items) };
        if let Some(weight) = finished.take() {
            top.weight = top.weight.saturating_add(weight);
            top.types.push(weight);
        }
        if top.left == 0 {
            finished = open.pop().map(|closed| closed.weight.saturating_add(1));
        } else {
            top.left -= 1;
            top.weight = top.weight.saturating_add(1);
            items = items.saturating_add(1);
            match declaration(reader, &mut open, &mut outer)? {
                Declared::TypeFollows => finished = definition(reader, &mut open)?,
                Declared::Copies(weight) => items = items.saturating_add(weight),
            }
        }
    }
}

/// Reads a type and says what it weighs; one that has declarations is opened instead.
fn definition(
    reader: &mut BinaryReader<'_>,
    open: &mut Vec<Open>,
) -> Result<Option<u64>, InspectError> {
    let start = reader.original_position();
    if matches!(reader.clone().read_u8()?, COMPONENT_TYPE | INSTANCE_TYPE) {
        reader.read_u8()?;
        if open.len() >= TYPE_NESTING_MAX {
            return Err(InspectError::types_too_deep(start));
        }
        let left = reader.read_var_u32()?;
        open.push(Open { left, weight: 0, types: Vec::new() });
        return Ok(None);
    }
    reader.read::<ComponentType<'_>>()?;
    Ok(Some(reader.original_position() - start))
}

/// What a declaration does.
enum Declared {
    /// The definition of a type follows.
    TypeFollows,
    /// That many types are copied.
    Copies(u64),
}

/// Reads a declaration into the type that is open, up to the type if it declares one.
fn declaration(
    reader: &mut BinaryReader<'_>,
    open: &mut [Open],
    outer: impl FnMut(u32, u32) -> u64,
) -> Result<Declared, InspectError> {
    let offset = reader.original_position();
    Ok(Declared::Copies(match reader.read_u8()? {
        0x00 => {
            reader.read::<CoreType<'_>>()?;
            0
        }
        0x01 => return Ok(Declared::TypeFollows),
        0x02 => {
            alias(&reader.read()?, open, outer);
            0
        }
        0x03 => reference(reader.read::<ComponentImport<'_>>()?.ty, open),
        0x04 => {
            reader.read::<ComponentExternName<'_>>()?;
            reference(reader.read()?, open)
        }
        byte => {
            let reason = format!("no declaration of a type begins with byte {byte:#04x}");
            return Err(InspectError::Invalid { offset, reason });
        }
    }))
}

/// An alias copies nothing; what matters is what the type weighs that it stands for.
fn alias(alias: &ComponentAlias<'_>, open: &mut [Open], mut outer: impl FnMut(u32, u32) -> u64) {
    let weight = match *alias {
        ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, count, index } => {
            let levels = u32::try_from(open.len()).unwrap_or(u32::MAX);
            if let Some(above) = count.checked_sub(levels) {
                outer(above, index)
            } else {
                let scope = open.iter().rev().nth(count as usize);
                scope.and_then(|scope| scope.types.get(index as usize)).copied().unwrap_or(0)
            }
        }
        ComponentAlias::InstanceExport {
            kind: wasmparser::ComponentExternalKind::Type, ..
        } => UNKNOWN,
        _ => return,
    };
    if let Some(top) = open.last_mut() {
        top.types.push(weight);
    }
}

/// An import or an export. For one of an instance or a component, what its type holds is copied; how
/// much that is.
fn reference(ty: ComponentTypeRef, open: &mut [Open]) -> u64 {
    let Some(top) = open.last_mut() else { return 0 };
    let weight = |index: u32| top.types.get(index as usize).copied().unwrap_or(0);
    match ty {
        ComponentTypeRef::Instance(index) | ComponentTypeRef::Component(index) => {
            let copied = weight(index);
            top.weight = top.weight.saturating_add(copied);
            return copied;
        }
        ComponentTypeRef::Type(TypeBounds::Eq(index)) => {
            let weight = weight(index);
            top.types.push(weight);
        }
        ComponentTypeRef::Type(TypeBounds::SubResource) => top.types.push(1),
        ComponentTypeRef::Module(_) | ComponentTypeRef::Func(_) | ComponentTypeRef::Value(_) => {}
    }
    0
}

/// Bytes of a file that lie together: the whole file, or one of the pieces that it will be made of.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    bytes: &'a [u8],
    start: u64,
}

impl<'a> Part<'a> {
    /// The bytes that stand in the file from `start` on.
    pub(crate) const fn new(bytes: &'a [u8], start: u64) -> Self {
        Self { bytes, start }
    }

    /// The bytes at a range of offsets in the file.
    pub(super) fn slice(&self, range: &Range<u64>) -> Option<&'a [u8]> {
        let within = |offset: u64| usize::try_from(offset.checked_sub(self.start)?).ok();
        self.bytes.get(within(range.start)?..within(range.end)?)
    }
}
