//! Validation of the code of core modules within a budget of steps.
//!
//! An operator takes a step for each value that it takes from the stack and puts there, and a table of
//! branches takes as many for each of its targets: two bytes of a stranger's file may stand for two
//! thousand steps. So operators go to the validator one by one, and each is paid for before.

use wasmparser::{
    CompositeInnerType, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody,
    Operator, Payload, RecGroup, SectionLimited, WasmModuleResources,
};

use super::InspectError;
use crate::limits::CODE_STEPS_MAX;

/// In a module whose types have no more values than this, an operator counts as one step.
const NARROW: usize = 16;
/// What operators begin with that may take more than one step in such a module: `br_table`,
/// `try_table`, and the prefix of `array.new_fixed`.
const LONG: [u8; 3] = [0x0e, 0x1f, 0xfb];
/// Local variables that are declared in one step.
const LOCALS_PER_STEP: u64 = 64;

/// What is left of [`CODE_STEPS_MAX`], and the most values of a type in the module that is read.
pub(crate) struct Code {
    left: u64,
    widest: usize,
    /// Memory that the validation of one function leaves to the next.
    allocations: FuncValidatorAllocations,
}

impl Code {
    pub(crate) fn new() -> Self {
        Self { left: CODE_STEPS_MAX, widest: 1, allocations: FuncValidatorAllocations::default() }
    }

    /// The same for code of a module whose types have at most `widest` values, with as many steps left.
    #[cfg(feature = "compose")]
    pub(crate) const fn resume(&mut self, left: u64, widest: usize) {
        self.left = left;
        self.widest = widest;
    }

    /// How many steps are left.
    #[cfg(feature = "compose")]
    pub(crate) const fn left(&self) -> u64 {
        self.left
    }

    /// The most values of a type in the module that is read.
    #[cfg(feature = "compose")]
    pub(crate) const fn widest(&self) -> usize {
        self.widest
    }

    /// Takes note of what comes before the code of a module: its beginning, and its types.
    pub(crate) fn prepare(&mut self, payload: &Payload<'_>) -> Result<(), InspectError> {
        match payload {
            Payload::Version { .. } => self.widest = 1,
            Payload::TypeSection(types) => self.look_at(types)?,
            _ => {}
        }
        Ok(())
    }

    fn look_at(&mut self, types: &SectionLimited<'_, RecGroup>) -> Result<(), InspectError> {
        for group in types.clone() {
            for ty in group?.types() {
                let width = match &ty.composite_type.inner {
                    CompositeInnerType::Func(ty) => ty.params().len().max(ty.results().len()),
                    CompositeInnerType::Struct(ty) => ty.fields.len(),
                    CompositeInnerType::Array(_) | CompositeInnerType::Cont(_) => 1,
                };
                self.widest = self.widest.max(width);
            }
        }
        Ok(())
    }

    /// Validates a function as [`FuncValidator::validate`] does.
    pub(crate) fn validate<R: WasmModuleResources>(
        &mut self,
        function: FuncToValidate<R>,
        body: &FunctionBody<'_>,
    ) -> Result<(), InspectError> {
        let mut function = function.into_validator(std::mem::take(&mut self.allocations));
        self.operators(&mut function, body)?;
        self.allocations = function.into_allocations();
        Ok(())
    }

    fn operators<R: WasmModuleResources>(
        &mut self,
        function: &mut FuncValidator<R>,
        body: &FunctionBody<'_>,
    ) -> Result<(), InspectError> {
        let (bytes, start) = (body.as_bytes(), body.range().start);
        let mut reader = body.get_binary_reader();
        function.read_locals(&mut reader)?;
        self.charge(body.range().start, u64::from(function.len_locals()) / LOCALS_PER_STEP)?;
        reader.set_features(*function.features());
        while !reader.eof() {
            let offset = reader.original_position();
            // Reading an operator apart takes as long as validating it, so most are not.
            let opcode = usize::try_from(offset - start).ok().and_then(|at| bytes.get(at));
            let steps = if self.widest > NARROW || opcode.is_some_and(|it| LONG.contains(it)) {
                let operator = reader.peek_operator(&function.visitor(offset))?;
                self.steps(function, offset, &operator)
            } else {
                1
            };
            self.charge(offset, steps)?;
            reader.visit_operator(&mut function.visitor(offset))??;
        }
        reader.finish_expression(&function.visitor(reader.original_position()))?;
        Ok(())
    }

    fn steps<R: WasmModuleResources>(
        &self,
        function: &mut FuncValidator<R>,
        offset: u64,
        operator: &Operator<'_>,
    ) -> u64 {
        let mut values = || {
            let arity = operator.operator_arity(&function.visitor(offset));
            arity.map_or(1, |(taken, put)| 1 + u64::from(taken) + u64::from(put))
        };
        match operator {
            Operator::BrTable { targets } => (1 + u64::from(targets.len())) * values(),
            Operator::TryTable { try_table } => {
                values() + try_table.catches.len() as u64 * self.widest as u64
            }
            Operator::ArrayNewFixed { array_size, .. } => 1 + u64::from(*array_size),
            _ if self.widest > NARROW => values(),
            _ => 1,
        }
    }

    fn charge(&mut self, offset: u64, steps: u64) -> Result<(), InspectError> {
        let beyond = InspectError::TooMuchCode { offset, steps_max: CODE_STEPS_MAX };
        self.left = self.left.checked_sub(steps).ok_or(beyond)?;
        Ok(())
    }
}
