//! The golden vectors in `testdata/vectors`.
//!
//! Loading panics with the path: a test without its vectors has failed.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde_json::Value;

/// The folder of test data at the root of the workspace.
pub fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata")
}

/// A vector file, by its name without `.json`.
pub fn load(name: &str) -> Value {
    load_as(name)
}

/// A vector file as a type of the test's own, by its name without `.json`.
///
/// # Panics
/// If the file cannot be read or has another form.
#[expect(clippy::panic, reason = "for tests only")]
pub fn load_as<T: DeserializeOwned>(name: &str) -> T {
    let path = testdata().join("vectors").join(name).with_extension("json");
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("{} cannot be read: {error}", path.display()));
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{} has another form: {error}", path.display()))
}

/// Accessors that panic with the value at hand, for walking through vector files.
pub trait Walk {
    /// A member that must be a string.
    fn text(&self, member: &str) -> &str;
    /// A member that must be a boolean.
    fn flag(&self, member: &str) -> bool;
    /// A member that must be a whole number.
    fn number(&self, member: &str) -> u64;
    /// A member that must be lower-case hexadecimal.
    fn hex(&self, member: &str) -> Vec<u8>;
    /// A member that must be a list.
    fn list(&self, member: &str) -> &[Value];
}

#[expect(clippy::panic, reason = "for tests only")]
impl Walk for Value {
    fn text(&self, member: &str) -> &str {
        self[member].as_str().unwrap_or_else(|| panic!("no text {member:?} in {self}"))
    }

    fn flag(&self, member: &str) -> bool {
        self[member].as_bool().unwrap_or_else(|| panic!("no flag {member:?} in {self}"))
    }

    fn number(&self, member: &str) -> u64 {
        self[member].as_u64().unwrap_or_else(|| panic!("no number {member:?} in {self}"))
    }

    fn hex(&self, member: &str) -> Vec<u8> {
        hex(self.text(member))
    }

    fn list(&self, member: &str) -> &[Value] {
        self[member].as_array().unwrap_or_else(|| panic!("no list {member:?} in {self}"))
    }
}

/// Bytes from lower-case hexadecimal.
///
/// # Panics
/// If the text is anything else.
#[expect(clippy::panic, reason = "for tests only")]
pub fn hex(digits: &str) -> Vec<u8> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        _ => panic!("not hexadecimal: {digits}"),
    };
    assert!(digits.len().is_multiple_of(2), "odd number of digits: {digits}");
    digits.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}
