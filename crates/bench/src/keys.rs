//! A signature, for ours and for the raw library.

use anyhow::{Context, Result};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use wargate_crypto::{PrivateKey, PublicKey, Signature};

/// A test key; it is public and signs nothing real.
const PRIVATE_KEY: &str = "ecdsa-p256:DExSIy6Slq7vX3w2bAE4bkoAEXjM5WwmDU1rRdwtwv0=";

/// A message of the size of a typical record, its signature, and the key in both forms.
pub struct Signed {
    /// The message.
    pub message: Vec<u8>,
    /// Its signature.
    pub signature: Signature,
    /// The key.
    pub key: PublicKey,
    /// The signature as the raw library takes it.
    pub raw_signature: Vec<u8>,
    /// The key as the raw library holds it.
    pub raw_key: ParsedPublicKey,
}

/// The key that signs everything here.
///
/// # Errors
/// None: the key is well-formed.
pub fn private_key() -> Result<PrivateKey> {
    PrivateKey::from_text(PRIVATE_KEY).context("the test key is well-formed")
}

/// A signed message.
///
/// # Errors
/// If the raw library refuses the key.
pub fn signed() -> Result<Signed> {
    let private = private_key()?;
    let message = vec![0x5a; 200];
    let signature = private.sign(&[&message]);
    let key = private.public_key();
    let raw_key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.as_sec1_bytes())
        .ok()
        .context("the raw library refuses the key")?;
    Ok(Signed { message, signature, raw_signature: signature.to_der(), key, raw_key })
}
