//! The test keys of the vectors.

use wargate_crypto::{PrivateKey, PublicKey};
use wargate_testkit::vectors::{Walk, load};

/// A private key by its label in `keys.json`.
pub(crate) fn private_key(label: &str) -> PrivateKey {
    let vectors = load("keys");
    let key = vectors.list("keys").iter().find(|key| key.text("label") == label);
    PrivateKey::from_text(key.expect("a label of the file").text("private_key_text")).unwrap()
}

/// A public key by its label in `keys.json`.
pub(crate) fn public_key(label: &str) -> PublicKey {
    private_key(label).public_key()
}
