//! From bytes to facts: [`inspect()`], and [`examine`] for more of them.

mod anatomy;
#[cfg(feature = "compose")]
mod bodies;
mod code;
pub(crate) mod embedded;
mod error;
pub(crate) mod examine;
mod externs;
mod metadata;
mod nesting;
mod package;
mod targets;
pub(crate) mod walk;
mod work;

#[cfg(feature = "compose")]
pub(crate) use bodies::validate_beside;
pub(crate) use code::Code;
pub(crate) use error::one_line;
pub(crate) use nesting::Part;
pub(crate) use work::{Work, values};

pub use anatomy::{Anatomy, CustomSize, NestedPart, Sizes};
pub use error::InspectError;
pub use examine::{Examination, examine};
pub use externs::{Extern, ExternKind};
pub use metadata::{Metadata, Producer};
pub use package::EmbeddedPackage;
pub use targets::{Dependency, DependencyForm, Wasi, WasiPackage, WasiRelease};

use serde::{Deserialize, Serialize};
use wasmparser::types::Types;
use wasmparser::{Encoding, Parser, Payload};

use walk::{Facts, Outside, Watch};

use crate::limits::{BRIEF_BYTES_MAX, FILE_BYTES_MAX};

/// How much of a stranger's file is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest file, in bytes.
    pub bytes_max: usize,
}

impl Default for Limits {
    /// [`FILE_BYTES_MAX`].
    fn default() -> Self {
        Self { bytes_max: FILE_BYTES_MAX }
    }
}

/// What a WebAssembly file says about itself.
///
/// Its JSON form has members in camel case and leaves out what is absent or empty. How large it can
/// get stands in [`limits`](crate::limits).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// What it is.
    pub kind: Kind,
    /// What it says it is called, if it says so unambiguously.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<EmbeddedPackage>,
    /// What it needs, in the file's order. Those of components and modules within are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<Extern>,
    /// What it offers, in the file's order. Those of components and modules within are not here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<Extern>,
    /// What its custom sections say. Those of components and modules within are not here.
    #[serde(default)]
    pub metadata: Metadata,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A component.
    Component,
    /// A core module of version 1.
    CoreModule,
    /// A WIT package in its binary form: a component that does nothing but export component types,
    /// which stand for interfaces and worlds. Both encodings of released tools count.
    WitPackage,
}

/// Whether to look into these bytes takes no longer than to hash them, roughly: they are no WebAssembly,
/// or a core module that has next to nothing but custom sections. Anything else may take a thousand
/// times longer.
#[must_use]
pub fn is_brief(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"\0asm") {
        return true;
    }
    let mut examined = 0;
    for payload in Parser::new(0).parse_all(bytes) {
        // What cannot be read ends the inspection, too.
        let Ok(payload) = payload else { break };
        match payload {
            Payload::Version { encoding: Encoding::Component, .. } => return false,
            Payload::CustomSection(_) => {}
            other => examined += other.as_section().map_or(0, |(_, range)| range.end - range.start),
        }
        if examined > BRIEF_BYTES_MAX {
            return false;
        }
    }
    true
}

/// Validates a file and says what it is.
///
/// The file must be valid by the WebAssembly specification with all proposals that released tools
/// make use of; dependency names (`unlocked-dep=<…>`, `locked-dep=<…>`) are valid names of imports.
/// Custom sections decide nothing: one that cannot be read counts as absent.
///
/// # Errors
/// If the file is no valid WebAssembly, or beyond a limit. Every error but
/// [`InspectError::Defect`] is the file's fault.
pub fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspection, InspectError> {
    watched(bytes, *limits, Facts::new)
}

/// Says what a file is as [`inspect()`] does, and looks at all of it but its code: bodies of functions,
/// and what memories begin with, may be invalid. It takes a tenth of the time.
///
/// # Errors
/// As those of [`inspect()`].
pub fn skim(bytes: &[u8], limits: &Limits) -> Result<Inspection, InspectError> {
    watched(bytes, *limits, Outside::new)
}

/// Says what a file is as [`inspect()`] does, if the file is valid, which is not looked at: no more is read
/// than the sections of the outermost component or module.
///
/// # Errors
/// As those of [`inspect()`].
pub fn glance(bytes: &[u8], limits: &Limits) -> Result<Inspection, InspectError> {
    header(bytes, *limits)?;
    match guarded(|| walk::glance(bytes)).unwrap_or(Err(InspectError::Defect))? {
        Some(inspection) => Ok(inspection),
        None => skim(bytes, limits),
    }
}

/// Walks over a file that may be anything.
pub(crate) fn watched<'a, W: Watch<'a>>(
    bytes: &'a [u8],
    limits: Limits,
    watch: impl FnOnce() -> W + std::panic::UnwindSafe,
) -> Result<W::Kept, InspectError> {
    watched_with_types(bytes, limits, watch).map(|(kept, _)| kept)
}

/// The same, and the types that imports and exports have.
pub(crate) fn watched_with_types<'a, W: Watch<'a>>(
    bytes: &'a [u8],
    limits: Limits,
    watch: impl FnOnce() -> W + std::panic::UnwindSafe,
) -> Result<(W::Kept, Types), InspectError> {
    header(bytes, limits)?;
    guarded(|| walk::walk(bytes, watch())).unwrap_or(Err(InspectError::Defect))
}

/// Whether a file is of a size and a kind that are read at all.
pub(crate) fn header(bytes: &[u8], limits: Limits) -> Result<(), InspectError> {
    if bytes.len() > limits.bytes_max {
        return Err(InspectError::TooLarge { bytes: bytes.len(), bytes_max: limits.bytes_max });
    }
    error::check_header(bytes)
}

/// Runs what must not fail so that a defect of a library's does not take the caller down, where panics
/// can be caught: none then. Nothing outlives a panic: what is run owns all that it changes.
#[cfg(panic = "unwind")]
pub(crate) fn guarded<T>(run: impl FnOnce() -> T + std::panic::UnwindSafe) -> Option<T> {
    std::panic::catch_unwind(run).ok()
}

#[cfg(not(panic = "unwind"))]
#[expect(clippy::unnecessary_wraps, reason = "as the function above has it")]
pub(crate) fn guarded<T>(run: impl FnOnce() -> T) -> Option<T> {
    Some(run())
}
