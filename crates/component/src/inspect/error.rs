//! Why a file cannot be inspected.

use crate::limits::{ITEMS_MAX, REASON_BYTES_MAX, TYPE_NESTING_MAX};

/// Why a file cannot be inspected. All but [`Self::Defect`] are the file's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InspectError {
    /// Larger than the caller's limit; nothing was read.
    #[error("the file has {bytes} bytes, more than the {bytes_max} that are looked at")]
    TooLarge {
        /// Its size, in bytes.
        bytes: usize,
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// Shorter than the eight bytes that every WebAssembly file begins with.
    #[error("the file ends at byte {offset}, before the end of a WebAssembly header")]
    Truncated {
        /// Where it ends.
        offset: u64,
    },
    /// It does not begin with the bytes `\0asm`.
    #[error("the file does not begin with \\0asm at byte 0, so it is not binary WebAssembly")]
    NotWasm,
    /// Neither a core module of version 1 nor a component of version 13.
    #[error(
        "the file has version {version} of layer {layer} at byte 4; core modules have version 1 of \
         layer 0, components version 13 of layer 1: build it again with a current tool"
    )]
    UnknownVersion {
        /// The number of the version.
        version: u16,
        /// 0 for core modules, 1 for components.
        layer: u16,
    },
    /// Not valid by the WebAssembly specification.
    #[error("the file is no valid WebAssembly at byte {offset}: {reason}")]
    Invalid {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// The validator's words, which may quote the file; at most [`REASON_BYTES_MAX`] bytes.
        reason: String,
    },
    /// Components within components, or types within types, deeper than the limit.
    #[error(
        "the file nests components or types more than {levels_max} levels deep at byte {offset}"
    )]
    TooDeep {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// The limit.
        levels_max: usize,
    },
    /// More types, or more instances of large types, than [`ITEMS_MAX`].
    #[error(
        "the file has too many types, imports and exports at byte {offset}: with those that its \
         instances copy, they are more than {items_max}"
    )]
    TooComplex {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// The limit.
        items_max: u64,
    },
    /// Code that takes more steps to validate than [`CODE_STEPS_MAX`](crate::limits::CODE_STEPS_MAX).
    #[error(
        "the file's code hands too many values on at byte {offset}: validating it takes more than \
         {steps_max} steps"
    )]
    TooMuchCode {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// The limit.
        steps_max: u64,
    },
    /// More imports or exports than the limit.
    #[error("the file has more than {count_max} {what} at byte {offset}")]
    TooManyExterns {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// `imports` or `exports`.
        what: &'static str,
        /// The limit.
        count_max: usize,
    },
    /// The name of an import or export, or all of them together, are longer than the limit.
    #[error("the names of the file's {what} have more than {bytes_max} bytes at byte {offset}")]
    NamesTooLong {
        /// Where, in bytes from the start of the file.
        offset: u64,
        /// `imports` or `exports`.
        what: &'static str,
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// Interfaces whose types, written out, take more than
    /// [`INTERFACE_TEXT_BYTES_MAX`](crate::limits::INTERFACE_TEXT_BYTES_MAX). [`inspect`](crate::inspect())
    /// does not write them out.
    #[error(
        "the types of the file's imports and exports, written out, have more than {bytes_max} bytes"
    )]
    TextTooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// Our fault: the inspection failed in a way that no file may cause. Please report the file.
    #[error(
        "the inspection itself failed, which is a defect of this program: please report the file"
    )]
    Defect,
}

impl InspectError {
    /// Where in the file it is, in bytes from its start, if it is at one place.
    pub const fn offset(&self) -> Option<u64> {
        match self {
            Self::TooLarge { .. } | Self::TextTooLong { .. } | Self::Defect => None,
            Self::NotWasm => Some(0),
            Self::UnknownVersion { .. } => Some(4),
            Self::Truncated { offset }
            | Self::Invalid { offset, .. }
            | Self::TooDeep { offset, .. }
            | Self::TooComplex { offset, .. }
            | Self::TooMuchCode { offset, .. }
            | Self::TooManyExterns { offset, .. }
            | Self::NamesTooLong { offset, .. } => Some(*offset),
        }
    }

    pub(super) const fn too_complex(offset: u64) -> Self {
        Self::TooComplex { offset, items_max: ITEMS_MAX }
    }

    pub(super) const fn types_too_deep(offset: u64) -> Self {
        Self::TooDeep { offset, levels_max: TYPE_NESTING_MAX }
    }
}

impl From<wasmparser::Error> for InspectError {
    fn from(error: wasmparser::Error) -> Self {
        let reason = one_line(cut(error.message(), REASON_BYTES_MAX));
        Self::Invalid { offset: error.offset(), reason }
    }
}

/// Checks the eight bytes that say what kind of WebAssembly follows.
pub(super) fn check_header(bytes: &[u8]) -> Result<(), InspectError> {
    let magic = bytes.first_chunk::<4>().unwrap_or(b"\0asm");
    if magic != b"\0asm" || !b"\0asm".starts_with(&bytes[..bytes.len().min(4)]) {
        return Err(InspectError::NotWasm);
    }
    let Some(&[_, _, _, _, v0, v1, l0, l1]) = bytes.first_chunk::<8>() else {
        return Err(InspectError::Truncated { offset: bytes.len() as u64 });
    };
    match (u16::from_le_bytes([v0, v1]), u16::from_le_bytes([l0, l1])) {
        (1, 0) | (0xd, 1) => Ok(()),
        (version, layer) => Err(InspectError::UnknownVersion { version, layer }),
    }
}

/// The beginning of a text, at most `bytes_max` bytes, ending with a whole character.
/// The words of a library in one line: each of its lines explains the one before.
pub(crate) fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join(": ")
}

pub(super) fn cut(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}
