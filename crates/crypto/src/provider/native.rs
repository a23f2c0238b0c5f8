//! Verifying and hashing by aws-lc-rs.

use aws_lc_rs::digest::{Context, Digest, SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};

use super::Provider;
use super::portable::Portable;

/// aws-lc-rs, the fast path of native builds.
#[derive(Clone, Copy, Debug)]
pub struct Native;

/// Up to this many bytes, one call over a copy is faster than a context with several updates.
const ONE_CALL_BYTES_MAX: usize = 256;

impl Provider for Native {
    type Hasher = Context;
    type P256Key = ParsedPublicKey;
    type Ed25519Key = ParsedPublicKey;

    fn sha256(parts: &[&[u8]]) -> [u8; 32] {
        bytes(&digest_parts(parts))
    }

    fn hasher() -> Context {
        Context::new(&SHA256)
    }

    fn update(hasher: &mut Context, bytes: &[u8]) {
        hasher.update(bytes);
    }

    fn finish(hasher: Context) -> [u8; 32] {
        bytes(&hasher.finish())
    }

    fn p256_key(compressed: &[u8; 33]) -> Option<ParsedPublicKey> {
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, compressed).ok()
    }

    fn p256_verify(key: &ParsedPublicKey, parts: &[&[u8]], signature: &[u8; 64]) -> bool {
        key.verify_digest_sig(&digest_parts(parts), signature).is_ok()
    }

    fn ed25519_key(bytes: &[u8; 32]) -> Option<ParsedPublicKey> {
        // Which points are acceptable is decided in one place, so that both providers agree.
        Portable::ed25519_key(bytes)?;
        ParsedPublicKey::new(&ED25519, bytes).ok()
    }

    fn ed25519_verify(key: &ParsedPublicKey, message: &[u8], signature: &[u8; 64]) -> bool {
        key.verify_sig(message, signature).is_ok()
    }
}

fn digest_parts(parts: &[&[u8]]) -> Digest {
    if let [part] = parts {
        return digest(&SHA256, part);
    }
    let mut buffer = [0; ONE_CALL_BYTES_MAX];
    let length: usize = parts.iter().map(|part| part.len()).sum();
    if length > buffer.len() {
        let mut context = Context::new(&SHA256);
        for part in parts {
            context.update(part);
        }
        return context.finish();
    }
    let mut at = 0;
    for part in parts {
        buffer[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    digest(&SHA256, &buffer[..length])
}

fn bytes(digest: &Digest) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}
