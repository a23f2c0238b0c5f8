//! What the custom sections of a file say: who made it, with what, under which terms.

use serde::{Deserialize, Serialize};
use wasmparser::{CustomSectionReader, KnownCustom, Name, ProducersSectionReader};

use super::error::cut;
use crate::limits::{PRODUCER_BYTES_MAX, PRODUCERS_MAX, TEXT_BYTES_MAX};

/// Texts from the custom sections of a file, as its tools wrote them. Nobody vouches for them.
///
/// Each is cut at [`TEXT_BYTES_MAX`] bytes. Where a section stands twice, the last one counts, as
/// other readers have it; one that is empty or not UTF-8 counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// What it does, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its terms of use, by convention an SPDX expression.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub licenses: Option<String>,
    /// Who wrote it, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authors: Option<String>,
    /// Where its source is, by convention a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where one can read about it, by convention a URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub homepage: Option<String>,
    /// What its source was built from, by convention the hash of a commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Its version, by convention a semantic one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it was made with, in the file's order, up to [`PRODUCERS_MAX`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub producers: Vec<Producer>,
}

/// A language or a tool that a file was made with. Name and version are cut at
/// [`PRODUCER_BYTES_MAX`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Producer {
    /// `language`, `processed-by` or `sdk`.
    pub field: String,
    /// What it is called.
    pub name: String,
    /// Its version, often empty.
    pub version: String,
}

impl Metadata {
    pub(super) const EMPTY: Self = Self {
        description: None,
        licenses: None,
        authors: None,
        source: None,
        homepage: None,
        revision: None,
        version: None,
        producers: Vec::new(),
    };

    /// Takes in a custom section of the file itself.
    pub(super) fn read(&mut self, section: &CustomSectionReader<'_>) {
        let field = match section.name() {
            "description" => &mut self.description,
            "licenses" => &mut self.licenses,
            "authors" => &mut self.authors,
            "source" => &mut self.source,
            "homepage" => &mut self.homepage,
            "revision" => &mut self.revision,
            "version" => &mut self.version,
            "producers" => {
                if let KnownCustom::Producers(reader) = section.as_known() {
                    self.producers = producers(reader).unwrap_or_default();
                }
                return;
            }
            _ => return,
        };
        let text = std::str::from_utf8(section.data()).ok().filter(|text| !text.is_empty());
        *field = text.map(|text| cut(text, TEXT_BYTES_MAX).to_owned());
    }
}

fn producers(reader: ProducersSectionReader<'_>) -> wasmparser::Result<Vec<Producer>> {
    let mut list = Vec::new();
    for field in reader {
        let field = field?;
        for value in field.values {
            let value = value?;
            if list.len() == PRODUCERS_MAX {
                return Ok(list);
            }
            let text = |text| cut(text, PRODUCER_BYTES_MAX).to_owned();
            list.push(Producer {
                field: text(field.name),
                name: text(value.name),
                version: text(value.version),
            });
        }
    }
    Ok(list)
}

/// The names that a section gives to the whole file: at most one in a well-formed section.
pub(super) fn own_names<'a>(section: &CustomSectionReader<'a>) -> Vec<&'a str> {
    match section.as_known() {
        KnownCustom::ComponentName(reader) => reader
            .map_while(Result::ok)
            .filter_map(|name| match name {
                wasmparser::ComponentName::Component { name, .. } => Some(name),
                _ => None,
            })
            .take(2)
            .collect(),
        KnownCustom::Name(reader) => reader
            .map_while(Result::ok)
            .filter_map(|name| match name {
                Name::Module { name, .. } => Some(name),
                _ => None,
            })
            .take(2)
            .collect(),
        _ => Vec::new(),
    }
}
