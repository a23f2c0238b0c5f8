//! One pass over a file: validates every part, and shows each to whoever keeps something of it.

use wasmparser::types::{Types, TypesRef};
use wasmparser::{
    Chunk, Encoding, FuncToValidate, FunctionBody, Parser, Payload, ValidPayload, Validator,
    ValidatorResources, WasmFeatures,
};

use super::code::Code;
use super::externs::{ExternKind, Externs, NameBudget};
use super::nesting::Part;
use super::work::Work;
use super::{InspectError, Inspection, Kind, Metadata, metadata, package};
use crate::limits::COMPONENT_NESTING_MAX;

/// What a file may make use of: all that is finished, and what released tools emit before that.
///
/// Left out are nested namespaces, which the names of packages in a registry do not have, and
/// proposals that no released compiler makes use of.
pub(crate) const FEATURES: WasmFeatures = WasmFeatures::from_bits_truncate(
    WasmFeatures::WASM3.bits()
        | WasmFeatures::WIDE_ARITHMETIC.bits()
        | WasmFeatures::COMPACT_IMPORTS.bits()
        | WasmFeatures::LEGACY_EXCEPTIONS.bits()
        | WasmFeatures::CUSTOM_PAGE_SIZES.bits()
        | WasmFeatures::COMPONENT_MODEL.bits()
        | WasmFeatures::CM_VALUES.bits()
        | WasmFeatures::CM_ASYNC.bits()
        | WasmFeatures::CM_ASYNC_STACKFUL.bits()
        | WasmFeatures::CM_MORE_ASYNC_BUILTINS.bits()
        | WasmFeatures::CM_THREADING.bits()
        | WasmFeatures::CM_ERROR_CONTEXT.bits()
        | WasmFeatures::CM_FIXED_LENGTH_LISTS.bits()
        | WasmFeatures::CM_MAP.bits()
        | WasmFeatures::CM64.bits()
        | WasmFeatures::CM_IMPLEMENTS.bits()
        | WasmFeatures::CM_CANON_NAMES.bits(),
);

/// Keeps something of a file that is walked.
pub(crate) trait Watch<'a> {
    /// What is kept in the end.
    type Kept;

    /// Whether the bodies of functions are validated, too, and what memories and tables begin with. It
    /// takes most of the time.
    const CODE: bool;

    /// A part of the file that is valid, as far as one can say before the file's end. `depth` is how
    /// many components and modules it is within, the file itself not counted.
    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError>;

    /// Validates the body of a function, now or before the end.
    fn validate(
        &mut self,
        code: &mut Code,
        function: FuncToValidate<ValidatorResources>,
        body: FunctionBody<'a>,
    ) -> Result<(), InspectError> {
        code.validate(function, &body)
    }

    /// The file is valid.
    fn finish(self, types: TypesRef<'_>) -> Result<Self::Kept, InspectError>;
}

/// Validates a file whose header is known to be good, within a budget of work. Beside what is kept there
/// are the types that imports and exports have.
pub(crate) fn walk<'a, W: Watch<'a>>(
    bytes: &'a [u8],
    mut watch: W,
) -> Result<(W::Kept, Types), InspectError> {
    let mut validator = Validator::new_with_features(FEATURES);
    let (mut work, mut code) = (Work::new(), Code::new());
    let mut depth = 0;
    // Where the file and each open part within it end. The parser takes the end of the file for that of
    // a part that claims to be longer.
    let mut ends = vec![bytes.len() as u64];
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload?;
        if !W::CODE && is_contents(&payload) {
            continue;
        }
        code.prepare(&payload)?;
        match work.validate(&mut validator, Part::new(bytes, 0), &payload)? {
            ValidPayload::Func(function, body) if W::CODE => {
                watch.validate(&mut code, function, body)?;
            }
            ValidPayload::End(types) if depth == 0 => {
                return Ok((watch.finish(types.as_ref())?, types));
            }
            ValidPayload::End(_) => {
                depth -= 1;
                ends.pop();
            }
            ValidPayload::Func(..) | ValidPayload::Ok | ValidPayload::Parser(_) => {}
        }
        watch.see(depth, &payload)?;
        if let Payload::ModuleSection { unchecked_range, .. }
        | Payload::ComponentSection { unchecked_range, .. } = &payload
        {
            if ends.last().is_some_and(|end| unchecked_range.end > *end) {
                let reason = "a part of the file ends beyond what it is a part of".to_owned();
                return Err(InspectError::Invalid { offset: unchecked_range.start, reason });
            }
            ends.push(unchecked_range.end);
            depth += 1;
            if depth > COMPONENT_NESTING_MAX {
                let (offset, levels_max) = (unchecked_range.start, COMPONENT_NESTING_MAX);
                return Err(InspectError::TooDeep { offset, levels_max });
            }
        }
    }
    // The parser ends every file with the end of its outermost module or component, or an error.
    Err(InspectError::Truncated { offset: bytes.len() as u64 })
}

/// Whether a section of a core module has what memories and tables begin with, which no type depends on.
const fn is_contents(payload: &Payload<'_>) -> bool {
    matches!(
        payload,
        Payload::ElementSection(_) | Payload::DataCountSection { .. } | Payload::DataSection(_)
    )
}

/// Reads the top level of a file whose header is known to be good, and validates nothing. `None` if it may
/// be a WIT package, of which only its types say what it is called.
pub(crate) fn glance(bytes: &[u8]) -> Result<Option<Inspection>, InspectError> {
    let mut facts = Facts::new();
    let (mut parser, mut at) = (Parser::new(0), 0usize);
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Chunk::Parsed { payload, consumed } = parser.parse(rest, true)? else {
            return Err(InspectError::Truncated { offset: bytes.len() as u64 });
        };
        at += consumed;
        let skipped = match &payload {
            Payload::ModuleSection { unchecked_range, .. }
            | Payload::ComponentSection { unchecked_range, .. } => {
                unchecked_range.end - unchecked_range.start
            }
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                u64::from(*size)
            }
            Payload::End(_) => return Ok(facts.without_types()),
            _ => 0,
        };
        facts.see(0, &payload)?;
        at = at.saturating_add(usize::try_from(skipped).unwrap_or(usize::MAX));
    }
}

/// What the top level of a file has said so far.
pub(crate) struct Facts<'a> {
    encoding: Encoding,
    imports: Externs,
    exports: Externs,
    budget: NameBudget,
    metadata: Metadata,
    names: Vec<&'a str>,
}

impl Facts<'_> {
    pub(crate) const fn new() -> Self {
        Self {
            encoding: Encoding::Module,
            imports: Externs::new("imports"),
            exports: Externs::new("exports"),
            budget: NameBudget::new(),
            metadata: Metadata::EMPTY,
            names: Vec::new(),
        }
    }

    /// What it is, if no type is needed to say it.
    fn without_types(self) -> Option<Inspection> {
        let (imports, exports) = (self.imports.finish(), self.exports.finish());
        let only_types = exports.iter().all(|export| export.kind == ExternKind::Type);
        let kind = match self.encoding {
            Encoding::Module => Kind::CoreModule,
            Encoding::Component if imports.is_empty() && only_types => return None,
            Encoding::Component => Kind::Component,
        };
        let package = package::from_names(&self.names, self.metadata.version.as_deref());
        Some(Inspection { kind, package, imports, exports, metadata: self.metadata })
    }
}

impl<'a> Watch<'a> for Facts<'a> {
    type Kept = Inspection;

    const CODE: bool = true;

    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError> {
        if depth > 0 {
            return Ok(());
        }
        let Self { imports, exports, budget, .. } = self;
        match payload {
            Payload::Version { encoding, .. } => self.encoding = *encoding,
            Payload::ImportSection(section) => {
                for import in section.clone().into_imports_with_offsets() {
                    let (offset, import) = import?;
                    let name = (Some(import.module), import.name);
                    imports.push_core(budget, offset, name, import.ty.into())?;
                }
            }
            Payload::ExportSection(section) => {
                for export in section.clone().into_iter_with_offsets() {
                    let (offset, export) = export?;
                    exports.push_core(budget, offset, (None, export.name), export.kind.into())?;
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone().into_iter_with_offsets() {
                    let (offset, import) = import?;
                    imports.push(budget, offset, &import.name, import.ty.kind())?;
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone().into_iter_with_offsets() {
                    let (offset, export) = export?;
                    exports.push(budget, offset, &export.name, export.kind)?;
                }
            }
            Payload::CustomSection(section) => {
                self.metadata.read(section);
                if self.names.len() < 2 {
                    self.names.extend(metadata::own_names(section));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(self, types: TypesRef<'_>) -> Result<Inspection, InspectError> {
        let (imports, exports) = (self.imports.finish(), self.exports.finish());
        let wit = match self.encoding {
            Encoding::Component if imports.is_empty() => package::from_wit(types, &exports),
            _ => None,
        };
        let kind = match self.encoding {
            Encoding::Module => Kind::CoreModule,
            Encoding::Component if wit.is_some() => Kind::WitPackage,
            Encoding::Component => Kind::Component,
        };
        let package =
            wit.or_else(|| package::from_names(&self.names, self.metadata.version.as_deref()));
        Ok(Inspection { kind, package, imports, exports, metadata: self.metadata })
    }
}

/// The same of a file whose code is not looked at.
pub(crate) struct Outside<'a>(Facts<'a>);

impl Outside<'_> {
    pub(crate) const fn new() -> Self {
        Self(Facts::new())
    }
}

impl<'a> Watch<'a> for Outside<'a> {
    type Kept = Inspection;

    const CODE: bool = false;

    fn see(&mut self, depth: usize, payload: &Payload<'a>) -> Result<(), InspectError> {
        self.0.see(depth, payload)
    }

    fn finish(self, types: TypesRef<'_>) -> Result<Inspection, InspectError> {
        self.0.finish(types)
    }
}
