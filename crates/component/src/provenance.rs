//! What a component was made from, as it says itself.
//!
//! Who composes, bundles, adapts or seals components appends a custom section [`SECTION`] to what comes
//! out: a JSON document with the packages, versions and digests of all that went in. It is a statement,
//! and proves nothing by itself: [`present`] says which of the contents are within, byte for byte, and a
//! registry's log says whether it ever released them.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};
use wasm_encoder::{CustomSection, Encode as _, Section as _};
use wasmparser::{Parser, Payload};

use crate::limits::{PROVENANCE_BYTES_MAX, PROVENANCE_DEPTH_MAX};

/// What the custom section is called.
pub const SECTION: &str = "warg-sources";

/// What something was made from. Its JSON form has members in camel case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// How it was made.
    pub made: Made,
    /// What went in.
    pub sources: Vec<Source>,
}

/// How something was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Made {
    /// By a WAC document.
    Composed,
    /// By plugs in a socket.
    Plugged,
    /// With all that it depends on.
    Bundled,
    /// Of a core module.
    Adapted,
    /// With environment and files of its own.
    Virtualized,
}

/// Something that went in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// What it was for.
    pub role: Role,
    /// The package; absent if it was a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Its content.
    pub digest: Digest,
}

/// What a source was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// The text that says how the others are wired.
    Document,
    /// What others were put into.
    Root,
    /// A part of it.
    Part,
    /// What made a component of a core module.
    Adapter,
}

/// Why nothing is known of the sources.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProvenanceError {
    /// The file cannot be read.
    #[error("it is no WebAssembly that can be read: {reason}")]
    Unreadable {
        /// Why.
        reason: String,
    },
    /// The section cannot be read, or there are several.
    #[error("what it says of its sources cannot be read: {reason}")]
    Section {
        /// Why.
        reason: String,
    },
}

impl Provenance {
    /// Says it in a component: the section is appended, which leaves what is there valid.
    pub fn append_to(&self, component: &mut Vec<u8>) {
        component.extend_from_slice(&self.to_section());
    }

    /// The section, as it is appended.
    #[must_use]
    pub fn to_section(&self) -> Vec<u8> {
        let data = serde_json::to_vec(self).unwrap_or_default();
        let section = CustomSection { name: Cow::Borrowed(SECTION), data: Cow::Owned(data) };
        let mut bytes = vec![section.id()];
        section.encode(&mut bytes);
        bytes
    }

    /// What a component says that it was made from, if it says so. What components within it say of
    /// themselves does not count.
    ///
    /// # Errors
    /// [`ProvenanceError`]: the file's fault.
    pub fn read(component: &[u8]) -> Result<Option<Self>, ProvenanceError> {
        let bad = |reason: &dyn std::fmt::Display| ProvenanceError::Section {
            reason: crate::inspect::one_line(&reason.to_string()),
        };
        let mut found: Option<Self> = None;
        let mut depth = 0usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(|error| unreadable(&error))? {
                Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                    if found.is_some() {
                        return Err(bad(&"it says so twice"));
                    }
                    if section.data().len() > PROVENANCE_BYTES_MAX {
                        return Err(bad(&format!("more than {PROVENANCE_BYTES_MAX} bytes")));
                    }
                    found =
                        Some(serde_json::from_slice(section.data()).map_err(|error| bad(&error))?);
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// What is within a component.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Within {
    /// The contents that were looked for and are there as components or modules, byte for byte.
    pub found: BTreeSet<Digest>,
    /// How many components and modules stand directly within it that are none of these. A source that
    /// was changed on the way in is one, and so is anything that no source is.
    pub others: u64,
}

/// Which of these contents are within a component. Nesting is followed [`PROVENANCE_DEPTH_MAX`] deep.
///
/// # Errors
/// [`ProvenanceError::Unreadable`].
pub fn present(component: &[u8], wanted: &BTreeSet<Digest>) -> Result<Within, ProvenanceError> {
    let Within { mut found, mut others } = Within::default();
    let whole = Digest::of(component);
    found.extend(wanted.contains(&whole).then_some(whole));
    let mut depth = 0usize;
    for payload in Parser::new(0).parse_all(component) {
        let range = match payload.map_err(|error| unreadable(&error))? {
            Payload::ComponentSection { unchecked_range, .. }
            | Payload::ModuleSection { unchecked_range, .. } => unchecked_range,
            Payload::End(_) => {
                depth = depth.saturating_sub(1);
                continue;
            }
            _ => continue,
        };
        depth += 1;
        let at = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        let part = component.get(at(range.start)..at(range.end));
        if let Some(part) = part.filter(|_| depth <= PROVENANCE_DEPTH_MAX) {
            let digest = Digest::of(part);
            if wanted.contains(&digest) {
                found.insert(digest);
            } else if depth == 1 {
                others += 1;
            }
        }
    }
    Ok(Within { found, others })
}

fn unreadable(error: &wasmparser::BinaryReaderError) -> ProvenanceError {
    ProvenanceError::Unreadable { reason: crate::inspect::one_line(&error.to_string()) }
}
