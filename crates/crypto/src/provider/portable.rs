//! Verifying and hashing by RustCrypto, in Rust alone; for wasm32 and builds without C.

use ed25519_dalek::VerifyingKey as Ed25519Key;
use p256::ecdsa::VerifyingKey as P256Key;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use sha2::{Digest, Sha256};

use super::Provider;

/// RustCrypto, the path that every target has.
#[derive(Clone, Copy, Debug)]
pub struct Portable;

impl Provider for Portable {
    type Hasher = Sha256;
    type P256Key = P256Key;
    type Ed25519Key = Ed25519Key;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        hasher.finalize().into()
    }

    fn hasher() -> Sha256 {
        Sha256::new()
    }

    fn update(hasher: &mut Sha256, bytes: &[u8]) {
        hasher.update(bytes);
    }

    fn finish(hasher: Sha256) -> [u8; 32] {
        hasher.finalize().into()
    }

    fn p256_key(compressed: &[u8; 33]) -> Option<P256Key> {
        // RustCrypto also reads the compact form, which is no part of the contract.
        matches!(compressed[0], 2 | 3).then(|| P256Key::from_sec1_bytes(compressed).ok())?
    }

    fn p256_verify(key: &P256Key, parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        p256::ecdsa::Signature::from_slice(signature)
            .is_ok_and(|signature| key.verify_prehash(&Self::sha256(parts), &signature).is_ok())
    }

    fn ed25519_key(bytes: &[u8; 32]) -> Option<Ed25519Key> {
        Ed25519Key::from_bytes(bytes)
            .ok()
            .filter(|key| !key.is_weak() && key.to_edwards().compress().as_bytes() == bytes)
    }

    fn ed25519_verify(key: &Ed25519Key, message: &[u8], signature: &[u8; 64]) -> bool {
        use ed25519_dalek::{Signature, Verifier};
        key.verify(message, &Signature::from_bytes(signature)).is_ok()
    }
}
