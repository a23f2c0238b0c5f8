//! Ed25519 (RFC 8032), for C2SP signed notes only: it is no algorithm of Warg records.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::ecdsa::{KeyError, SignatureError};
use crate::provider::{Active, Provider};

/// An Ed25519 private key. It is overwritten when dropped and never printed.
#[derive(Clone)]
pub struct Ed25519PrivateKey(SigningKey);

impl Ed25519PrivateKey {
    /// A new key from the generator that the caller owns.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        rng.fill_bytes(seed.as_mut_slice());
        Self::from_seed(&seed)
    }

    /// The key of a 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32-byte seed, in memory that is overwritten when dropped. For key files only.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "cannot happen")]
    pub fn public_key(&self) -> Ed25519PublicKey {
        Ed25519PublicKey::from_bytes(self.0.verifying_key().as_bytes())
            .expect("the public half of a private key is a valid point")
    }

    /// Signs the message.
    pub fn sign(&self, message: &[u8]) -> Ed25519Signature {
        Ed25519Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for Ed25519PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ed25519PrivateKey").finish_non_exhaustive()
    }
}

/// An Ed25519 public key, ready to verify with.
#[derive(Clone)]
pub struct Ed25519PublicKey {
    bytes: [u8; 32],
    verifier: <Active as Provider>::Ed25519Key,
}

impl Ed25519PublicKey {
    /// A key from its 32 bytes.
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] if they are no canonical point, or a point of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let verifier = Active::ed25519_key(bytes).ok_or(KeyError::NotAKey)?;
        Ok(Self { bytes: *bytes, verifier })
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Whether `signature` signs the message.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if it does not.
    pub fn verify(
        &self,
        message: &[u8],
        signature: &Ed25519Signature,
    ) -> Result<(), SignatureError> {
        if Active::ed25519_verify(&self.verifier, message, &signature.0) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }
}

impl PartialEq for Ed25519PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Ed25519PublicKey {}

impl fmt::Debug for Ed25519PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519PublicKey({})", base16ct::lower::encode_string(&self.bytes))
    }
}

/// An Ed25519 signature, 64 bytes, not yet known to be valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ed25519Signature([u8; 64]);

impl Ed25519Signature {
    /// A signature from its 64 bytes.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Ed25519Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ed25519Signature({})", base16ct::lower::encode_string(&self.0))
    }
}
