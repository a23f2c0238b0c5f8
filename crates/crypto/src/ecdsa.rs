//! ECDSA over P-256 with SHA-256, in the protocol's text forms (specification 2.4 and 2.5).

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::der;
use crate::digest::{Digest, serde_as_text};
use crate::limits::{KEY_TEXT_BYTES_MAX, SIGNATURE_TEXT_BYTES_MAX};
use crate::provider::{Active, Provider};
use crate::text::{self, TextError};

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// No colon, or for a public key more than one.
    #[error("a key has the form ecdsa-p256:<base64> with one colon")]
    Structure,
    /// The part before the colon is not `ecdsa-p256`.
    #[error("the key's algorithm is not known; only ecdsa-p256 is (in lower case)")]
    UnknownAlgorithm,
    /// The part after the colon is not padded base64 in the standard alphabet.
    #[error("the part of the key behind the colon is not padded standard base64")]
    Base64,
    /// A private key that is no scalar in `1..n-1`, or a public key that is no point on the curve.
    #[error("the bytes are no P-256 key")]
    NotAKey,
    /// Longer than any key.
    #[error("a key text has at most {KEY_TEXT_BYTES_MAX} characters")]
    TooLong,
}

impl From<TextError> for KeyError {
    fn from(error: TextError) -> Self {
        match error {
            TextError::TooLong => Self::TooLong,
            TextError::Structure => Self::Structure,
            TextError::Algorithm => Self::UnknownAlgorithm,
            TextError::Base64 => Self::Base64,
        }
    }
}

/// A P-256 private key. It is overwritten when dropped and never printed.
#[derive(Clone)]
pub struct PrivateKey {
    secret: SigningKey,
    /// Getting it ready takes as long as signing.
    public: PublicKey,
}

impl PrivateKey {
    fn new(secret: SigningKey) -> Self {
        let public = PublicKey::from_verifying_key(secret.verifying_key());
        Self { secret, public }
    }

    /// A new key, uniform in `1..n-1`, from the generator that the caller owns.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        loop {
            rng.fill_bytes(bytes.as_mut_slice());
            // Refused once in 2^32 draws: zero, or not below the group order.
            if let Ok(key) = SigningKey::from_slice(bytes.as_slice()) {
                return Self::new(key);
            }
        }
    }

    /// Reads `ecdsa-p256:<base64 of the big-endian scalar>`.
    ///
    /// Scalars of 24 to 31 bytes are read as if zeros stood in front, as the reference does. White
    /// space is refused; whoever reads a key *file* trims its end first.
    ///
    /// # Errors
    /// [`KeyError`]; the error never contains the text.
    pub fn from_text(text: &str) -> Result<Self, KeyError> {
        let mut buffer = Zeroizing::new([0; KEY_TEXT_BYTES_MAX]);
        let length = text::decode_secret(text, &mut buffer)?;
        if !(24..=32).contains(&length) {
            return Err(KeyError::NotAKey);
        }
        let mut scalar = Zeroizing::new([0; 32]);
        scalar[32 - length..].copy_from_slice(&buffer[..length]);
        SigningKey::from_slice(scalar.as_slice()).map(Self::new).map_err(|_| KeyError::NotAKey)
    }

    /// The text form, in memory that is overwritten when dropped. For key files and keyrings only.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut scalar = self.secret.to_bytes();
        let text = Zeroizing::new(text::encode(&scalar));
        scalar.zeroize();
        text
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        self.public.clone()
    }

    /// Signs the parts, one after the other, as one message.
    ///
    /// Deterministic (RFC 6979, HMAC-SHA-256) and without normalising s, so that the bytes equal
    /// the reference's (specification 2.5).
    #[expect(clippy::missing_panics_doc, clippy::expect_used, reason = "cannot happen")]
    pub fn sign(&self, parts: &[&[u8]]) -> Signature {
        let digest = Active::sha256(parts);
        let signature: p256::ecdsa::Signature =
            self.secret.sign_prehash(&digest).expect("a 32-byte digest can be signed");
        Signature(signature.to_bytes().into())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey(for {})", self.public_key().id())
    }
}

/// A point on P-256, ready to verify with.
///
/// Its text, and so its id, is that of the compressed point, whatever form it was read from.
#[derive(Clone)]
pub struct PublicKey {
    compressed: [u8; 33],
    verifier: <Active as Provider>::P256Key,
}

impl PublicKey {
    /// A key from SEC1 bytes: compressed (33), uncompressed (65), or compact (33, tag `05`).
    ///
    /// # Errors
    /// [`KeyError::NotAKey`] for the identity, the hybrid form, a raw x or a point off the curve.
    pub fn from_sec1_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        match bytes {
            [2 | 3, ..] => {
                let compressed = bytes.try_into().map_err(|_| KeyError::NotAKey)?;
                let verifier = Active::p256_key(&compressed).ok_or(KeyError::NotAKey)?;
                Ok(Self { compressed, verifier })
            }
            // Rare forms are brought to the compressed one by RustCrypto on every target.
            [4 | 5, ..] => p256::ecdsa::VerifyingKey::from_sec1_bytes(bytes)
                .map(|key| Self::from_verifying_key(&key))
                .map_err(|_| KeyError::NotAKey),
            _ => Err(KeyError::NotAKey),
        }
    }

    /// The compressed SEC1 point, 33 bytes.
    pub const fn as_sec1_bytes(&self) -> &[u8; 33] {
        &self.compressed
    }

    /// The key's fingerprint.
    pub fn id(&self) -> KeyId {
        KeyId::from(Digest::of(self.to_string().as_bytes()))
    }

    /// Whether `signature` signs the parts, one after the other, as one message.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if it does not.
    pub fn verify(&self, parts: &[&[u8]], signature: &Signature) -> Result<(), SignatureError> {
        if Active::p256_verify(&self.verifier, parts, &signature.0) {
            Ok(())
        } else {
            Err(SignatureError::Mismatch)
        }
    }

    #[expect(clippy::expect_used, reason = "cannot happen")]
    fn from_verifying_key(key: &p256::ecdsa::VerifyingKey) -> Self {
        let mut compressed = [0; 33];
        compressed.copy_from_slice(key.to_sec1_point(true).as_bytes());
        let verifier = Active::p256_key(&compressed).expect("a valid key is on the curve");
        Self { compressed, verifier }
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::from_sec1_bytes(&text::decode_single_colon(text, KEY_TEXT_BYTES_MAX)?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text::encode(&self.compressed))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.compressed == other.compressed
    }
}

impl Eq for PublicKey {}

/// A key's fingerprint: for a key that is known, the digest text of SHA-256 over the key's text.
///
/// A key id that a peer sends is an opaque string that matches a key or does not (specification
/// 2.4, QUIRK), so this type holds any string.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(Arc<str>);

impl KeyId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Digest> for KeyId {
    fn from(digest: Digest) -> Self {
        Self(Arc::from(&*digest.to_text()))
    }
}

impl From<&str> for KeyId {
    fn from(text: &str) -> Self {
        Self(Arc::from(text))
    }
}

impl From<String> for KeyId {
    fn from(text: String) -> Self {
        Self(Arc::from(text))
    }
}

impl FromStr for KeyId {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(text))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// Why a signature is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// No colon, or more than one.
    #[error("a signature has the form ecdsa-p256:<base64> with one colon")]
    Structure,
    /// The part before the colon is not `ecdsa-p256`.
    #[error("the signature's algorithm is not known; only ecdsa-p256 is (in lower case)")]
    UnknownAlgorithm,
    /// The part after the colon is not padded base64 in the standard alphabet.
    #[error("the part of the signature behind the colon is not padded standard base64")]
    Base64,
    /// The bytes are not canonical DER of two scalars in range.
    #[error("the signature is not strict DER of two P-256 scalars")]
    Der,
    /// Longer than any signature.
    #[error("a signature text has at most {SIGNATURE_TEXT_BYTES_MAX} characters")]
    TooLong,
    /// Well-formed, but not made with this key over this message.
    #[error("the signature does not verify with this key over these bytes")]
    Mismatch,
}

impl From<TextError> for SignatureError {
    fn from(error: TextError) -> Self {
        match error {
            TextError::TooLong => Self::TooLong,
            TextError::Structure => Self::Structure,
            TextError::Algorithm => Self::UnknownAlgorithm,
            TextError::Base64 => Self::Base64,
        }
    }
}

/// An ECDSA signature: two scalars in `1..n-1`, s low or high.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Reads strict ASN.1 DER.
    ///
    /// # Errors
    /// [`SignatureError::Der`] for anything but the one canonical encoding.
    pub fn from_der(bytes: &[u8]) -> Result<Self, SignatureError> {
        der::decode(bytes).map(Self).ok_or(SignatureError::Der)
    }

    /// The canonical ASN.1 DER, 8 to 72 bytes.
    pub fn to_der(&self) -> Vec<u8> {
        der::encode(&self.0)
    }

    /// `r || s`, 32 bytes each, big endian.
    pub const fn as_fixed_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl FromStr for Signature {
    type Err = SignatureError;

    fn from_str(text: &str) -> Result<Self, SignatureError> {
        Self::from_der(&text::decode_single_colon(text, SIGNATURE_TEXT_BYTES_MAX)?)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&text::encode(&self.to_der()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

serde_as_text!(PublicKey, KeyId, Signature);
