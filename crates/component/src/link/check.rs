//! Validation of what was put together, piece by piece.

use std::panic::AssertUnwindSafe;

use wasmparser::{Chunk, Parser, ValidPayload, Validator};

use super::output::{Output, Segment};
use super::{Chain, LinkError};
use crate::inspect::walk::FEATURES;
use crate::inspect::{Code, InspectError, Part, Work, guarded};

/// What is not valid.
pub(super) struct Failure {
    pub(super) error: InspectError,
    /// The part in whose content it is, if it is not in the component around them.
    pub(super) part: Option<usize>,
    /// What the validator knew when it found it.
    pub(super) validator: Option<Validator>,
}

impl Failure {
    /// As the fault of the root, of which there is nothing else.
    pub(super) fn of_root(self) -> LinkError {
        LinkError::Content { chain: Chain::default(), error: self.error }
    }

    fn defect() -> Box<Self> {
        Box::new(Self { error: InspectError::Defect, part: None, validator: None })
    }
}

/// Validates all of a component, its code included.
pub(super) fn check(output: &Output<'_>) -> Result<(), Box<Failure>> {
    // Nothing of the check outlives a panic.
    let walk = AssertUnwindSafe(|| Check::new().walk(output.pieces()));
    guarded(walk).unwrap_or_else(|| Err(Failure::defect()))
}

struct Check {
    validator: Validator,
    work: Work,
    code: Code,
    /// The parsers of the components around the one that is read.
    around: Vec<Parser>,
}

impl Check {
    fn new() -> Self {
        Self {
            validator: Validator::new_with_features(FEATURES),
            work: Work::new(),
            code: Code::new(),
            around: Vec::new(),
        }
    }

    fn walk(mut self, segments: &[Segment<'_>]) -> Result<(), Box<Failure>> {
        let mut parser = Parser::new(0);
        let mut start = 0;
        for (number, segment) in segments.iter().enumerate() {
            let last = number + 1 == segments.len();
            match self.segment(&mut parser, &segment.bytes, start, last) {
                Ok(()) => start += segment.bytes.len() as u64,
                Err(error) => {
                    let (part, validator) = (segment.part, Some(self.validator));
                    return Err(Box::new(Failure { error, part, validator }));
                }
            }
        }
        Ok(())
    }

    /// Reads one piece, which begins with a component, a section, or what a section holds.
    fn segment(
        &mut self,
        parser: &mut Parser,
        bytes: &[u8],
        start: u64,
        last: bool,
    ) -> Result<(), InspectError> {
        let whole = Part::new(bytes, start);
        let mut rest = bytes;
        while !rest.is_empty() || last {
            let (payload, consumed) = match parser.parse(rest, last)? {
                Chunk::Parsed { payload, consumed } => (payload, consumed),
                Chunk::NeedMoreData(_) => return Err(InspectError::Defect),
            };
            rest = rest.get(consumed..).ok_or(InspectError::Defect)?;
            self.code.prepare(&payload)?;
            match self.work.validate(&mut self.validator, whole, &payload)? {
                ValidPayload::Ok => {}
                ValidPayload::Parser(inner) => {
                    self.around.push(std::mem::replace(parser, inner));
                }
                ValidPayload::Func(function, body) => {
                    self.code.validate(function, &body)?;
                }
                ValidPayload::End(_) => match self.around.pop() {
                    Some(outer) => *parser = outer,
                    None => return Ok(()),
                },
            }
        }
        Ok(())
    }
}
