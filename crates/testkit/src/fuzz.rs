//! What must hold of every decoder, whatever bytes come.
//!
//! Each target is a function over bytes that panics if a decoder breaks a promise: what was decoded
//! can be written and read again as the same value, a form that has one encoding admits no other,
//! and whatever can be done with a decoded value returns. That decoders return at all, in time and
//! in little memory, is for the runner to see. The same targets run in `fuzz/` under libFuzzer and,
//! over [`seeds`](mod@seeds) that are [mutated](mutate) deterministically, as ordinary tests.
//!
//! A decoder that is not reached by a target here is not fuzzed: a new one gets a row in [`TARGETS`]
//! and a file in `fuzz/fuzz_targets`.

#![expect(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a target reports"
)]

mod api;
mod components;
mod compose;
mod link;
mod lock;
mod log;
mod machine;
mod map;
pub mod mutate;
mod notes;
mod records;
pub mod seeds;
mod texts;
mod verifier;

use std::fmt::Debug;
use std::sync::LazyLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wargate_crypto::PrivateKey;

pub use api::api_body;
pub use components::{diff, wit};
pub use compose::{plug, wac};
pub use link::link;
pub use lock::lock;
pub use log::{entry_bundle, log_bundle, log_numbers, tile};
pub use machine::{operator_machine, package_machine};
pub use map::{map_bundle, map_page};
pub use notes::{note, note_checkpoint, note_key};
pub use records::{checkpoint, envelope, ledger, operator_record, package_record, state_json};
pub use texts::{import_name, key_text, name, registry_hint, resource_path, timestamp, version};
pub use verifier::transcript;

/// A target: panics if a decoder breaks a promise over these bytes.
pub type Target = fn(&[u8]);

/// Every target with its name, by which `fuzz/` and `testdata/fuzz/` know it.
pub const TARGETS: &[(&str, Target)] = &[
    ("api_body", api_body),
    ("checkpoint", checkpoint),
    ("diff", diff),
    ("entry_bundle", entry_bundle),
    ("envelope", envelope),
    ("import_name", import_name),
    ("key_text", key_text),
    ("ledger", ledger),
    ("link", link),
    ("lock", lock),
    ("log_bundle", log_bundle),
    ("log_numbers", log_numbers),
    ("map_bundle", map_bundle),
    ("map_page", map_page),
    ("name", name),
    ("note", note),
    ("note_checkpoint", note_checkpoint),
    ("note_key", note_key),
    ("operator_machine", operator_machine),
    ("operator_record", operator_record),
    ("package_machine", package_machine),
    ("package_record", package_record),
    ("plug", plug),
    ("registry_hint", registry_hint),
    ("resource_path", resource_path),
    ("state_json", state_json),
    ("tile", tile),
    ("timestamp", timestamp),
    ("transcript", transcript),
    ("version", version),
    ("wac", wac),
    ("wit", wit),
];

/// The target of a name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(target, _)| *target == name).map(|(_, run)| *run)
}

/// Keys that sign in the targets. Everybody knows them.
static KEYS: LazyLock<Vec<PrivateKey>> = LazyLock::new(|| {
    let file = crate::vectors::load("keys");
    let texts = crate::vectors::Walk::list(&file, "keys").iter();
    texts
        .map(|key| PrivateKey::from_text(crate::vectors::Walk::text(key, "private_key_text")))
        .collect::<Result<_, _>>()
        .unwrap()
});

/// Reads a type from JSON, and checks that it can be written and read again as the same value, which
/// is then written the same.
fn json<T: DeserializeOwned + Serialize + PartialEq + Debug>(data: &[u8]) -> Option<T> {
    let value: T = serde_json::from_slice(data).ok()?;
    let written = serde_json::to_vec(&value).unwrap();
    let again: T = serde_json::from_slice(&written).expect("what was written can be read");
    assert_eq!(again, value);
    assert_eq!(serde_json::to_vec(&again).unwrap(), written);
    Some(value)
}

/// Reads a type from text, and checks that its text can be read again as the same value, which is
/// then written the same.
fn text<T>(data: &str) -> Option<T>
where
    T: std::str::FromStr<Err: Debug> + ToString + PartialEq + Debug,
{
    let value: T = data.parse().ok()?;
    let written = value.to_string();
    let again: T = written.parse().expect("what was written can be read");
    assert_eq!(again, value);
    assert_eq!(again.to_string(), written);
    Some(value)
}

/// Like [`text`], for types with one text for each value.
fn exact_text<T>(data: &str) -> Option<T>
where
    T: std::str::FromStr<Err: Debug> + ToString + PartialEq + Debug,
{
    let value: T = text(data)?;
    assert_eq!(value.to_string(), data, "there is one text for each value");
    Some(value)
}

/// Numbers and choices from bytes; zeros when these run out.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut taken = [0; N];
        let count = self.0.len().min(N);
        taken[..count].copy_from_slice(&self.0[..count]);
        self.0 = &self.0[count..];
        taken
    }

    /// The next of several contents, which is behind its length in two bytes, little-endian.
    fn piece(&mut self) -> &'a [u8] {
        let len = u16::from_le_bytes(self.array());
        self.take(usize::from(len))
    }

    /// Up to `count` bytes.
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn rest(self) -> &'a [u8] {
        self.0
    }

    fn choice<'c, T>(&mut self, from: &'c [T]) -> &'c T {
        &from[usize::from(self.byte()) % from.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_sorted_and_found_by_name() {
        assert!(TARGETS.is_sorted_by(|a, b| a.0 < b.0));
        assert!(target("envelope").is_some() && target("envelop").is_none());
    }

    #[test]
    fn bytes_run_out_into_zeros() {
        let mut bytes = Bytes(&[1, 2, 3]);
        assert_eq!((bytes.byte(), bytes.number(), bytes.byte()), (1, 0x0302, 0));
        assert!(bytes.is_empty() && bytes.take(3).is_empty() && bytes.rest().is_empty());
    }
}
