//! The seam between this crate and the libraries that verify and hash.
//!
//! Both implementations take what this crate has already parsed: a point in SEC1 form, a signature
//! as two scalars in range. They must agree on every input; the tests below run one suite over both.

#[cfg(all(feature = "native", not(target_family = "wasm")))]
pub mod native;
pub mod portable;

/// The provider that this build uses.
#[cfg(all(feature = "native", not(target_family = "wasm")))]
pub type Active = native::Native;
/// The provider that this build uses.
#[cfg(not(all(feature = "native", not(target_family = "wasm"))))]
pub type Active = portable::Portable;

/// Hashing and verifying, as a library offers it.
///
/// All functions are pure. `None` and `false` mean that the input is bad, never that the library
/// failed for another reason.
pub trait Provider {
    /// A running SHA-256.
    type Hasher: Clone + Send;
    /// A P-256 public key, ready to verify with.
    type P256Key: Clone + Send + Sync;
    /// An Ed25519 public key, ready to verify with.
    type Ed25519Key: Clone + Send + Sync;

    /// SHA-256 of the parts, one after the other.
    fn sha256(parts: &[&[u8]]) -> [u8; 32];
    /// A hasher that has seen nothing.
    fn hasher() -> Self::Hasher;
    /// Takes the next bytes.
    fn update(hasher: &mut Self::Hasher, bytes: &[u8]);
    /// The digest of everything taken.
    fn finish(hasher: Self::Hasher) -> [u8; 32];

    /// A key from a compressed SEC1 point (33 bytes), if it lies on the curve.
    fn p256_key(compressed: &[u8; 33]) -> Option<Self::P256Key>;
    /// Whether `signature` (`r || s`, each in `1..n-1`; low and high s alike) signs the SHA-256 of
    /// the parts.
    fn p256_verify(key: &Self::P256Key, parts: &[&[u8]], signature: &[u8; 64]) -> bool;

    /// A key from its 32 bytes (RFC 8032), if they are a canonical point that is not of small order.
    fn ed25519_key(bytes: &[u8; 32]) -> Option<Self::Ed25519Key>;
    /// Whether `signature` (RFC 8032, 64 bytes) signs the message.
    fn ed25519_verify(key: &Self::Ed25519Key, message: &[u8], signature: &[u8; 64]) -> bool;
}

#[cfg(test)]
mod tests;
