//! Contents without names of packages.
//!
//! Newer tools refuse names such as `unlocked-dep=<…>` wherever they stand in a component. They are
//! names of imports, in components and in their types, and of what is passed for them. Each is replaced
//! by the same other name, so that all still fit.

use std::borrow::Cow;

use wargate_crypto::Digest;
use wasmparser::{
    Chunk, ComponentInstance, ComponentType, ComponentTypeDeclaration, InstanceTypeDeclaration,
    Parser, Payload,
};

use super::output::Segment;
use crate::inspect::InspectError;

/// The pieces of a valid content, without names of packages, and how many bytes they have.
pub(super) fn pieces(bytes: &[u8], part: usize) -> Result<(Vec<Segment<'_>>, usize), InspectError> {
    let edits = edits(bytes)?;
    let mut pieces = Vec::with_capacity(2 * edits.len() + 1);
    let (mut at, mut len) = (0, 0);
    let mut push = |bytes: Cow<'_, [u8]>| len += bytes.len();
    for edit in edits {
        let before = bytes.get(at..edit.start).ok_or(InspectError::Defect)?;
        push(before.into());
        pieces.push(Segment { bytes: before.into(), part: Some(part) });
        at = edit.end;
        push(Cow::Borrowed(&edit.new));
        pieces.push(Segment { bytes: edit.new.into(), part: Some(part) });
    }
    let rest = bytes.get(at..).ok_or(InspectError::Defect)?;
    push(rest.into());
    pieces.push(Segment { bytes: rest.into(), part: Some(part) });
    Ok((pieces, len))
}

/// The name that stands in a bundle for the name of an import.
pub(super) fn renamed(name: &str) -> Cow<'_, str> {
    if !is_replaced(name) {
        return name.into();
    }
    let mut label = "dep".to_owned();
    if let Some(package) =
        name.parse::<crate::ImportName>().ok().as_ref().and_then(|name| name.dependency())
    {
        let words = package.as_str().split(|letter: char| !letter.is_ascii_alphanumeric());
        for word in words.filter(|word| is_word(word)) {
            label.push('-');
            label.push_str(word);
        }
    }
    label.push('-');
    let digest = Digest::of(name.as_bytes());
    for byte in &digest.as_bytes()[..16] {
        label.push(char::from(b'a' + (byte >> 4)));
        label.push(char::from(b'a' + (byte & 15)));
    }
    label.into()
}

/// Whether a name is one that newer tools refuse.
fn is_replaced(name: &str) -> bool {
    ["unlocked-dep=", "locked-dep=", "url=", "integrity="]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn is_word(word: &str) -> bool {
    word.starts_with(|letter: char| letter.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// Bytes that take the place of others: whole sections, or what sections begin with, since the
/// validator reads a component in pieces that begin with a section.
struct Edit {
    start: usize,
    end: usize,
    new: Vec<u8>,
}

/// A component that is being read.
struct Open {
    /// Where number and size of its section stand; nothing for the outermost.
    head: Option<(usize, usize)>,
    /// How many bytes it has.
    len: usize,
    /// How many bytes more it will have.
    grows: isize,
    /// The number of the edit that changes the size of its section.
    edit: usize,
}

/// What changes, from the front to the back: whole sections, and the sizes of those around them.
fn edits(bytes: &[u8]) -> Result<Vec<Edit>, InspectError> {
    let mut edits: Vec<Edit> = Vec::new();
    let mut open = vec![Open { head: None, len: bytes.len(), grows: 0, edit: 0 }];
    let mut parsers = vec![Parser::new(0)];
    let mut rest = bytes;
    while let Some(parser) = parsers.last_mut() {
        let Chunk::Parsed { payload, consumed } = parser.parse(rest, true)? else {
            return Err(InspectError::Defect);
        };
        rest = rest.get(consumed..).ok_or(InspectError::Defect)?;
        match &payload {
            // No name of a package stands in a core module.
            Payload::ModuleSection { unchecked_range: range, .. } => {
                let len = offset(range.end - range.start)?;
                rest = rest.get(len..).ok_or(InspectError::Defect)?;
            }
            Payload::ComponentSection { unchecked_range: range, parser } => {
                let (start, end) = (offset(range.start)?, offset(range.end)?);
                let (head, edit) = (head_before(bytes, start), edits.len());
                open.push(Open { head: Some((head, start)), len: end - start, grows: 0, edit });
                edits.push(Edit { start: head, end: head, new: Vec::new() });
                parsers.push(parser.clone());
            }
            Payload::End(_) => {
                close(bytes, &mut open, &mut edits)?;
                parsers.pop();
            }
            _ => {
                let names = names(&payload)?;
                if let (Some((_, range)), Some(top)) = (payload.as_section(), open.last_mut())
                    && !names.is_empty()
                {
                    let range = offset(range.start)?..offset(range.end)?;
                    let edit = section(bytes, range, &names)?;
                    top.grows += grown(&edit)?;
                    edits.push(edit);
                }
            }
        }
    }
    edits.retain(|edit| !(edit.new.is_empty() && edit.start == edit.end));
    Ok(edits)
}

/// Ends a component: the section that it stands in has another size if it has grown.
fn close(bytes: &[u8], open: &mut Vec<Open>, edits: &mut [Edit]) -> Result<(), InspectError> {
    let Some(Open { head: Some((start, end)), len, grows, edit }) = open.pop() else {
        return Ok(());
    };
    if grows == 0 {
        return Ok(());
    }
    let len = len.checked_add_signed(grows).ok_or(InspectError::Defect)?;
    let edit = edits.get_mut(edit).ok_or(InspectError::Defect)?;
    let id = *bytes.get(start).ok_or(InspectError::Defect)?;
    *edit = Edit { start, end, new: [&[id], number(len)?.as_slice()].concat() };
    if let Some(around) = open.last_mut() {
        around.grows += grows + grown(edit)?;
    }
    Ok(())
}

fn grown(edit: &Edit) -> Result<isize, InspectError> {
    let difference = isize::try_from(edit.new.len())
        .ok()
        .zip(isize::try_from(edit.end - edit.start).ok())
        .map(|(new, old)| new - old);
    difference.ok_or(InspectError::Defect)
}

/// A section with other names.
fn section(
    bytes: &[u8],
    range: std::ops::Range<usize>,
    names: &[&str],
) -> Result<Edit, InspectError> {
    let mut contents = Vec::with_capacity(range.len());
    let mut at = range.start;
    for name in names {
        // The names are parts of `bytes`.
        let start = (name.as_ptr() as usize).wrapping_sub(bytes.as_ptr() as usize);
        let length = number_before(bytes, start);
        contents.extend_from_slice(bytes.get(at..length).ok_or(InspectError::Defect)?);
        let new = renamed(name);
        contents.extend(number(new.len())?);
        contents.extend_from_slice(new.as_bytes());
        at = start + name.len();
    }
    contents.extend_from_slice(bytes.get(at..range.end).ok_or(InspectError::Defect)?);
    let start = head_before(bytes, range.start);
    let id = *bytes.get(start).ok_or(InspectError::Defect)?;
    let new = [&[id], number(contents.len())?.as_slice(), &contents].concat();
    Ok(Edit { start, end: range.end, new })
}

/// The names in a section that are replaced, as they follow each other.
fn names<'a>(payload: &Payload<'a>) -> Result<Vec<&'a str>, InspectError> {
    let mut names = Vec::new();
    match payload {
        Payload::ComponentImportSection(section) => {
            for import in section.clone() {
                names.push(import?.name.name);
            }
        }
        Payload::ComponentInstanceSection(section) => {
            for instance in section.clone() {
                if let ComponentInstance::Instantiate { args, .. } = instance? {
                    names.extend(args.iter().map(|argument| argument.name));
                }
            }
        }
        Payload::ComponentTypeSection(section) => {
            for ty in section.clone() {
                in_type(&ty?, &mut names);
            }
        }
        _ => {}
    }
    names.retain(|name| is_replaced(name));
    Ok(names)
}

/// The names of the imports in a type. Its depth is limited, because the content was validated.
fn in_type<'a>(ty: &ComponentType<'a>, names: &mut Vec<&'a str>) {
    match ty {
        ComponentType::Component(declarations) => {
            for declaration in declarations {
                match declaration {
                    ComponentTypeDeclaration::Import(import) => names.push(import.name.name),
                    ComponentTypeDeclaration::Type(ty) => in_type(ty, names),
                    _ => {}
                }
            }
        }
        ComponentType::Instance(declarations) => {
            for declaration in declarations {
                if let InstanceTypeDeclaration::Type(ty) = declaration {
                    in_type(ty, names);
                }
            }
        }
        _ => {}
    }
}

/// Where the number begins that ends before an offset. All its bytes but the last have their highest
/// bit set, and what stands before it has not.
fn number_before(bytes: &[u8], end: usize) -> usize {
    let mut start = end.saturating_sub(1);
    while start > 0 && end - start < 5 && bytes.get(start - 1).is_some_and(|byte| byte & 0x80 != 0)
    {
        start -= 1;
    }
    start
}

/// Where the number and the size of a section begin whose contents begin at an offset.
fn head_before(bytes: &[u8], contents: usize) -> usize {
    number_before(bytes, contents).saturating_sub(1)
}

/// A length as a variable-length number.
pub(super) fn number(value: usize) -> Result<Vec<u8>, InspectError> {
    let mut left = u32::try_from(value).map_err(|_| InspectError::Defect)?;
    let mut bytes = Vec::with_capacity(5);
    loop {
        let byte = (left & 0x7f) as u8;
        left >>= 7;
        if left == 0 {
            bytes.push(byte);
            return Ok(bytes);
        }
        bytes.push(byte | 0x80);
    }
}

fn offset(offset: u64) -> Result<usize, InspectError> {
    usize::try_from(offset).map_err(|_| InspectError::Defect)
}
