//! What takes the space in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wasmparser::Payload;

use super::error::cut;
use super::{Kind, metadata};
use crate::limits::{CUSTOM_NAMES_MAX, PARTS_MAX, PRODUCER_BYTES_MAX};

/// What takes the space in a file: itself, and the modules and components within it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Anatomy {
    /// How large the file is, in bytes: the sum of `sizes`.
    pub bytes: u64,
    /// What all parts have together.
    pub sizes: Sizes,
    /// Custom sections of all parts by name, the largest first, up to [`CUSTOM_NAMES_MAX`] names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom: Vec<CustomSize>,
    /// Modules and components within the file in its order, up to [`PARTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<NestedPart>,
    /// How many more modules and components there are. `sizes` and `custom` count them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parts_omitted: u64,
}

/// Sizes by what the bytes are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sizes {
    /// Bodies of functions, in bytes.
    pub code: u64,
    /// What memories begin with, in bytes.
    pub data: u64,
    /// Custom sections, such as debug information, in bytes.
    pub custom: u64,
    /// All else: headers, types, imports, exports, tables, instances, in bytes.
    pub structure: u64,
}

/// The custom sections of one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomSize {
    /// The name, cut at [`PRODUCER_BYTES_MAX`] bytes.
    pub name: String,
    /// How many sections have it.
    pub count: u64,
    /// What they have together, in bytes.
    pub bytes: u64,
}

/// A module or a component within a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NestedPart {
    /// [`Kind::Component`] or [`Kind::CoreModule`].
    pub kind: Kind,
    /// How many components it is within; 1 or more.
    pub depth: usize,
    /// Where it begins, in bytes from the start of the file.
    pub offset: u64,
    /// What it says that it is called, cut at [`PRODUCER_BYTES_MAX`] bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How large it is with all within it, in bytes.
    pub bytes: u64,
    /// What it has itself, without the parts within it.
    pub sizes: Sizes,
}

impl Sizes {
    const fn add(&mut self, other: Self) {
        self.code += other.code;
        self.data += other.data;
        self.custom += other.custom;
        self.structure += other.structure;
    }
}

/// Measures a file while it is walked.
pub(super) struct Measure {
    whole: Sizes,
    custom: BTreeMap<String, (u64, u64)>,
    open: Vec<Open>,
    parts: Vec<Option<NestedPart>>,
    omitted: u64,
}

/// A part that is being read.
struct Open {
    part: NestedPart,
    /// Its place among the parts, unless it is omitted or the file itself.
    place: Option<usize>,
    /// What has been counted of its bytes, the parts within it included.
    counted: u64,
}

impl Measure {
    pub(super) fn new(bytes: usize) -> Self {
        let file = Open::new(Kind::CoreModule, 0, 0..bytes as u64);
        let (whole, parts) = (Sizes::default(), Vec::new());
        Self { whole, custom: BTreeMap::new(), open: vec![file], parts, omitted: 0 }
    }

    pub(super) fn see(&mut self, payload: &Payload<'_>) {
        let depth = self.open.len();
        let Some(top) = self.open.last_mut() else { return };
        match payload {
            Payload::ModuleSection { unchecked_range, .. } => {
                top.counted += unchecked_range.end - unchecked_range.start;
                self.enter(Open::new(Kind::CoreModule, depth, unchecked_range.clone()));
                return;
            }
            Payload::ComponentSection { unchecked_range, .. } => {
                top.counted += unchecked_range.end - unchecked_range.start;
                self.enter(Open::new(Kind::Component, depth, unchecked_range.clone()));
                return;
            }
            Payload::End(_) => return self.leave(),
            _ => {}
        }
        let Some((_, range)) = payload.as_section() else { return };
        let bytes = range.end - range.start;
        match payload {
            Payload::CodeSectionStart { .. } => top.part.sizes.code += bytes,
            Payload::DataSection(_) => top.part.sizes.data += bytes,
            Payload::CustomSection(section) => {
                top.part.sizes.custom += bytes;
                if let Some(name) = metadata::own_names(section).first() {
                    let name = cut(name, PRODUCER_BYTES_MAX).to_owned();
                    top.part.name.get_or_insert(name);
                }
                self.count(section.name(), bytes);
            }
            _ => return,
        }
        if let Some(top) = self.open.last_mut() {
            top.counted += bytes;
        }
    }

    pub(super) fn finish(mut self) -> Anatomy {
        while !self.open.is_empty() {
            self.leave();
        }
        let entries = self.custom.into_iter();
        let mut custom: Vec<_> =
            entries.map(|(name, (count, bytes))| CustomSize { name, count, bytes }).collect();
        custom.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        let sizes = self.whole;
        let bytes = sizes.code + sizes.data + sizes.custom + sizes.structure;
        let parts = self.parts.into_iter().flatten().collect();
        Anatomy { bytes, sizes, custom, parts, parts_omitted: self.omitted }
    }

    fn enter(&mut self, mut open: Open) {
        if self.parts.len() < PARTS_MAX {
            open.place = Some(self.parts.len());
            self.parts.push(None);
        } else {
            self.omitted += 1;
        }
        self.open.push(open);
    }

    fn leave(&mut self) {
        let Some(Open { mut part, place, counted }) = self.open.pop() else { return };
        part.sizes.structure = part.bytes.saturating_sub(counted);
        self.whole.add(part.sizes);
        if let Some(place) = place.and_then(|place| self.parts.get_mut(place)) {
            *place = Some(part);
        }
    }

    fn count(&mut self, name: &str, bytes: u64) {
        let name = cut(name, PRODUCER_BYTES_MAX);
        if !self.custom.contains_key(name) && self.custom.len() == CUSTOM_NAMES_MAX {
            return;
        }
        let (count, total) = self.custom.entry(name.to_owned()).or_default();
        *count += 1;
        *total += bytes;
    }
}

impl Open {
    fn new(kind: Kind, depth: usize, range: std::ops::Range<u64>) -> Self {
        let (offset, bytes) = (range.start, range.end - range.start);
        let part = NestedPart { kind, depth, offset, name: None, bytes, sizes: Sizes::default() };
        Self { part, place: None, counted: 0 }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}
