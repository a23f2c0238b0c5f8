//! Keys and content that the scenarios use.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use wargate_crypto::PrivateKey;

/// Who somebody is for the registry. These keys are public, so that recordings of different days are
/// alike; never use one for anything real.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    /// The text of the private key.
    pub(crate) key: &'static str,
}

pub(crate) const ALICE: Person =
    Person { name: "alice", key: "ecdsa-p256:CgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgoKCgo=" };

pub(crate) const BOB: Person =
    Person { name: "bob", key: "ecdsa-p256:CwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCwsLCws=" };

/// The key of a registry that does not make one for itself.
pub(crate) const OPERATOR_KEY: &str = "ecdsa-p256:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

impl Person {
    /// The public key's text.
    pub(crate) fn public_key(self) -> Result<String> {
        Ok(self.private_key()?.public_key().to_string())
    }

    /// The key's fingerprint.
    pub(crate) fn key_id(self) -> Result<String> {
        Ok(self.private_key()?.public_key().id().to_string())
    }

    /// The private key.
    pub(crate) fn private_key(self) -> Result<PrivateKey> {
        PrivateKey::from_text(self.key).with_context(|| format!("the key of {}", self.name))
    }
}

/// The smallest component.
pub(crate) const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

/// Bytes that are no Wasm.
pub(crate) const GARBAGE: &[u8] = b"These bytes are no component.\n";

/// Exports `example:greet/greeting@0.1.0`.
pub(crate) const GREETER: &[u8] = include_bytes!("../../../testdata/components/greeter-rust.wasm");

/// Imports `example:greet/greeting@0.1.0` and exports it again.
pub(crate) const TOWER: &[u8] = include_bytes!("../../../testdata/components/tower-rust.wasm");

/// The WIT package of that interface.
pub(crate) const GREET_WIT: &str = include_str!("../../../testdata/components/greet.wit");

/// A component of a few bytes with an export of this name.
pub(crate) fn small_component(export: &str) -> Result<Vec<u8>> {
    let text = format!("(component (component $c) (export \"{export}\" (component $c)))");
    Ok(wat::parse_str(&text)?)
}

/// A component as some toolchain made it.
pub(crate) struct Component {
    /// The file's name, without its end.
    pub(crate) name: String,
    /// The package that the file says it is, and must be published as; empty if it says nothing.
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Where the components are; `README.md` there says who made them.
const COMPONENTS: [&str; 3] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/components"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/components/foreign"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/components/modules"),
];

/// How many bytes the largest component is made to have.
const LARGEST: usize = 35 << 20;

/// The components of `testdata`, and one that is too large to be kept there.
pub(crate) fn components() -> Result<Vec<Component>> {
    let mut components = vec![Component {
        name: "largest".to_owned(),
        package: "",
        version: "0.2.0",
        bytes: padded(GREETER, LARGEST)?,
    }];
    for folder in COMPONENTS {
        let entries = fs::read_dir(folder).with_context(|| format!("cannot read {folder}"))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().and_then(OsStr::to_str).context("a file's name")?;
            if path.extension() == Some(OsStr::new("wasm")) {
                let package = match name {
                    "wkg-wasi-http-wit" => "wasi:http",
                    "wit-bindgen-wasi-cli-wit" => "wasi:cli",
                    _ => "",
                };
                let (name, bytes) = (name.to_owned(), fs::read(&path)?);
                components.push(Component { name, package, version: "0.2.0", bytes });
            }
        }
    }
    components.sort_by(|left, right| left.name.cmp(&right.name));
    Ok(components)
}

/// The component with a custom section that brings it to this size, always the same.
fn padded(component: &[u8], size: usize) -> Result<Vec<u8>> {
    const NAME: &[u8] = b"\x07padding";
    // The id, and five bytes of length.
    let data =
        size.checked_sub(component.len() + 6 + NAME.len()).context("it is larger already")?;
    let length = u32::try_from(data + NAME.len())?;
    let mut bytes = component.to_vec();
    bytes.push(0);
    for shift in [0, 7, 14, 21, 28] {
        let more = if shift == 28 { 0 } else { 0x80 };
        bytes.push(u8::try_from(length >> shift & 0x7f)? | more);
    }
    bytes.extend_from_slice(NAME);
    // Bytes that no compression makes small.
    let mut state = 1_u64;
    while bytes.len() < size {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let word = (state >> 32).to_le_bytes();
        let left = (size - bytes.len()).min(4);
        bytes.extend_from_slice(word.get(..left).unwrap_or_default());
    }
    Ok(bytes)
}

/// A file of the project's test data.
pub(crate) fn testdata(path: &str) -> Result<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata").join(path);
    std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_valid_and_of_all_sizes() {
        let components = components().unwrap();
        assert!(components.len() > 8 + 9 + 3);
        let sizes = components.iter().map(|component| component.bytes.len());
        let (smallest, largest) = (sizes.clone().min().unwrap(), sizes.max().unwrap());
        assert!(smallest < 16 << 10 && largest == LARGEST, "{smallest} to {largest}");
        for Component { name, bytes, .. } in &components {
            let checked = wasmparser::Validator::new().validate_all(bytes).map(drop);
            assert!(checked.is_ok(), "{name}: {checked:?}");
        }
    }
}
