//! What was proven, as data and in plain words.

use serde::Serialize;
use wargate_crypto::{AnyDigest, KeyId};
use wargate_protocol::{
    PackageName, RecordId, RegistryIndex, SignedCheckpoint, Timestamp, Version,
};

use super::file::FileFacts;
use crate::origin::Domain;

/// Problems that are listed; further ones are only counted.
const PROBLEMS_MAX: usize = 100;

/// What was proven. It serialises as `warg verify --json` shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Report {
    /// The file, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<FileFacts>,
    /// The package, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
    /// The registry; none for a file of which no package is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry: Option<Domain>,
    /// The key that signed the registry's first record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator_key: Option<KeyId>,
    /// The checkpoint under which everything was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<SignedCheckpoint>,
    /// What was proven.
    pub facts: Vec<Fact>,
    /// The releases of the package, in the order of their versions; of a file those that are the file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub releases: Vec<ReleaseFacts>,
    /// What was not proven, and is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What is amiss without being a lie: at most the first hundred.
    pub problems: Vec<String>,
    /// How many things are amiss in all.
    pub problem_count: u64,
}

/// Something that was proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is about, for programs.
    pub fact: &'static str,
    /// Of how many things it is true.
    pub count: u64,
    /// All of it, for people.
    pub text: String,
}

/// A release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseFacts {
    /// The version.
    pub version: Version,
    /// What it was released with.
    pub digest: AnyDigest,
    /// Whether it was withdrawn later.
    pub yanked: bool,
    /// The record that released it.
    pub record: RecordId,
    /// The record's position.
    pub registry_index: RegistryIndex,
    /// The key that signed the record.
    pub signed_by: KeyId,
    /// When, by the publisher's clock, in seconds since the Unix epoch.
    #[serde(serialize_with = "seconds")]
    pub signed_at: Timestamp,
    /// How many bytes of content were fetched and hashed; none if they were not asked for, or did not
    /// come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_bytes: Option<u64>,
}

fn seconds<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.seconds())
}

impl Report {
    pub(super) const fn new() -> Self {
        Self {
            file: None,
            package: None,
            registry: None,
            operator_key: None,
            checkpoint: None,
            facts: Vec::new(),
            releases: Vec::new(),
            notes: Vec::new(),
            problems: Vec::new(),
            problem_count: 0,
        }
    }

    /// Whether nothing is amiss.
    pub const fn is_clean(&self) -> bool {
        self.problem_count == 0
    }

    pub(super) fn prove(&mut self, fact: &'static str, count: u64, text: String) {
        self.facts.push(Fact { fact, count, text });
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problem_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }
}

/// `1 record`, `12,345 records`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// With a comma before every third digit from the end.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        assert_eq!(counted(1, "record", "records"), "1 record");
        let texts = [0, 12, 999, 1000, 12_345, 123_456, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "12", "999", "1,000", "12,345", "123,456", "1,234,567"]);
    }
}
