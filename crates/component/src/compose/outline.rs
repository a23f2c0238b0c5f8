//! What a component is wired by: all of it but what it does.
//!
//! The libraries that compose look at types only, and copy the rest. They get outlines, which are small,
//! and what they make holds those, each in the place of its component.

use std::borrow::Cow;
use std::collections::HashMap;

use wasm_encoder::{CodeSection, CustomSection, Encode, Function, Instruction, Section};
use wasmparser::{Chunk, Parser, Payload};

use super::ComposeError;
use crate::inspect::{InspectError, Limits, guarded, header, skim};
use crate::limits::{COMPONENT_NESTING_MAX, LINK_BYTES_MAX};
use crate::link::Output;

/// The custom section that tells outlines apart.
const NUMBER: &str = "outline";

/// The number of the section that a component within another one is.
const COMPONENT: u8 = 4;

/// Components, and of each another one of the same types whose functions do nothing and whose memories are
/// empty. No two outlines are the same.
#[derive(Clone, Debug)]
pub struct Outlines<'a> {
    components: Vec<&'a [u8]>,
    outlines: Vec<Vec<u8>>,
}

impl<'a> Outlines<'a> {
    /// The components need not be valid.
    pub(super) fn new(components: &[&'a [u8]]) -> Result<Self, (usize, InspectError)> {
        let numbered = |(number, component): (usize, &&[u8])| {
            let mut outline = outline(component).map_err(|error| (number, error))?;
            let number = number.to_le_bytes();
            let section = CustomSection { name: NUMBER.into(), data: number.as_slice().into() };
            section.append_to(&mut outline);
            Ok(outline)
        };
        let outlines = components.iter().enumerate().map(numbered).collect::<Result<_, _>>()?;
        Ok(Self { components: components.to_vec(), outlines })
    }

    /// The outlines, in the order of the components.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.outlines.iter().map(Vec::as_slice)
    }

    /// The outlines, copied.
    pub fn to_vec(&self) -> Vec<Vec<u8>> {
        self.outlines.clone()
    }

    /// Puts the components where their outlines are in what was [made](super::Wiring::frame) of these. What
    /// comes out is valid if they are.
    ///
    /// # Errors
    /// [`ComposeError::Document`] if what was made is not valid, [`ComposeError::Panicked`] if other
    /// components are there.
    pub fn fill(&self, frame: &[u8]) -> Result<Output<'a>, ComposeError> {
        let limits = Limits { bytes_max: LINK_BYTES_MAX };
        let filled = skim(frame, &limits).and_then(|_| self.filled(frame));
        let filled = filled.map_err(|error| ComposeError::invalid(&error))?;
        let beyond = || ComposeError::Panicked { reason: "it holds what nobody named".into() };
        filled.ok_or_else(beyond)
    }

    fn filled(&self, frame: &[u8]) -> Result<Option<Output<'a>>, InspectError> {
        let components = self.components.iter().copied();
        let known: HashMap<&[u8], &'a [u8]> = self.iter().zip(components).collect();
        let mut output = Output::empty();
        let (mut parser, mut at, mut own) = (Parser::new(0), 0, 0);
        loop {
            let rest = frame.get(at..).unwrap_or_default();
            let Chunk::Parsed { payload, consumed } = parser.parse(rest, true)? else {
                return Err(InspectError::Truncated { offset: frame.len() as u64 });
            };
            match payload {
                Payload::ComponentSection { unchecked_range: range, .. } => {
                    let range = place(range.start)..place(range.end);
                    let within = frame.get(range.clone()).unwrap_or_default();
                    let Some(component) = known.get(within) else { return Ok(None) };
                    let mut head = frame.get(own..at).unwrap_or_default().to_vec();
                    head.push(COMPONENT);
                    component.len().encode(&mut head);
                    output.own(head);
                    output.borrow(component);
                    (at, own) = (range.end, range.end);
                }
                Payload::ModuleSection { .. } => return Ok(None),
                Payload::End(_) => {
                    output.own(frame.get(own..).unwrap_or_default().to_vec());
                    return Ok(Some(output));
                }
                _ => at += consumed,
            }
        }
    }
}

/// The shortest function that there is: its size, no local variables, and its end.
const BODY_BYTES_MIN: u64 = 3;

/// A component of the same types whose functions do nothing and whose memories are empty. Of what is left of
/// it nothing is made valid that is not; what is left out may have been invalid.
///
/// # Errors
/// [`InspectError`] if the component is not made of sections.
pub fn outline(component: &[u8]) -> Result<Vec<u8>, InspectError> {
    header(component, Limits::default())?;
    let pieces = || {
        let mut pieces = Vec::new();
        sections(Parser::new(0), component, 0, &mut pieces)?;
        Ok(pieces)
    };
    Ok(guarded(pieces).unwrap_or(Err(InspectError::Defect))?.concat())
}

/// Keeps a component or a module without code, data, and custom sections. Returns how many bytes it has.
fn sections<'a>(
    mut parser: Parser,
    bytes: &'a [u8],
    depth: usize,
    pieces: &mut Vec<Cow<'a, [u8]>>,
) -> Result<usize, InspectError> {
    if depth > COMPONENT_NESTING_MAX {
        let (offset, levels_max) = (parser.offset(), COMPONENT_NESTING_MAX);
        return Err(InspectError::TooDeep { offset, levels_max });
    }
    let (mut len, mut rest) = (0, bytes);
    loop {
        let offset = parser.offset();
        let Chunk::Parsed { payload, consumed } = parser.parse(rest, true)? else {
            return Err(InspectError::Truncated { offset });
        };
        let mut take = |count: u64| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let (taken, left) =
                rest.split_at_checked(count).ok_or(InspectError::Truncated { offset })?;
            rest = left;
            Ok::<_, InspectError>(taken)
        };
        let head = take(consumed as u64)?;
        match payload {
            Payload::ModuleSection { parser, unchecked_range: range }
            | Payload::ComponentSection { parser, unchecked_range: range } => {
                let inner = take(range.end - range.start)?;
                // What stands before the size says which of both it is.
                let mut start = vec![head.first().copied().unwrap_or(COMPONENT)];
                let place = pieces.len();
                pieces.push(Cow::Borrowed(&[]));
                let inner = sections(parser, inner, depth + 1, pieces)?;
                inner.encode(&mut start);
                len += start.len() + inner;
                pieces[place] = start.into();
            }
            Payload::CodeSectionStart { count, size, .. } => {
                parser.skip_section();
                take(u64::from(size))?;
                if u64::from(count) * BODY_BYTES_MIN > u64::from(size) {
                    return Err(InspectError::Truncated { offset });
                }
                let mut code = Vec::new();
                bodies(count).append_to(&mut code);
                len += code.len();
                pieces.push(code.into());
            }
            Payload::CustomSection(_)
            | Payload::DataSection(_)
            | Payload::DataCountSection { .. } => {}
            Payload::End(_) => return Ok(len),
            _ => {
                len += head.len();
                pieces.push(head.into());
            }
        }
    }
}

/// Functions that do nothing.
fn bodies(count: u32) -> CodeSection {
    let mut function = Function::new([]);
    function.instruction(&Instruction::Unreachable).instruction(&Instruction::End);
    let mut bodies = CodeSection::new();
    for _ in 0..count {
        bodies.function(&function);
    }
    bodies
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}
