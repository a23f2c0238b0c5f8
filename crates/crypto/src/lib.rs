//! Typed keys, signatures and digests of the Warg protocol.
//!
//! Everything that enters this crate as text or bytes is parsed strictly before a cryptographic
//! library sees it, and comes out as a type that can only hold a well-formed value: a [`Digest`] is
//! 32 bytes, a [`PublicKey`] is a point on P-256, a [`Signature`] is a pair of scalars in range. The
//! algorithm belongs to the key; a signature never chooses it.
//!
//! Signing is RustCrypto's and deterministic (RFC 6979). Verifying and hashing have a native
//! implementation (aws-lc-rs, feature `native`) and a portable one (RustCrypto) behind one seam,
//! [`provider`]; on wasm32 the portable one is always used.
//!
//! The crate owns no clock and no randomness: generating a key takes an RNG.

mod der;
mod digest;
mod ecdsa;
mod ed25519;
mod hasher;
pub mod limits;
pub mod provider;
mod text;

pub use digest::{AnyDigest, Digest, DigestAlgorithm, DigestError, DigestText};
pub use ecdsa::{KeyError, KeyId, PrivateKey, PublicKey, Signature, SignatureError};
pub use ed25519::{Ed25519PrivateKey, Ed25519PublicKey, Ed25519Signature};
pub use hasher::Sha256;
