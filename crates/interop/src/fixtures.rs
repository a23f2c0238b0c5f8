//! Keys and content that the scenarios use.

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

    fn private_key(self) -> Result<PrivateKey> {
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
