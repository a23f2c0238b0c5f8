//! Digests: [`Digest`] where the algorithm is known, [`AnyDigest`] where a peer names it.

use std::fmt;
use std::str::FromStr;

use crate::limits::DIGEST_TEXT_BYTES_MAX;
use crate::provider::{Active, Provider};

/// The hash algorithms of the protocol (specification 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// SHA-256, written `sha256`.
    Sha256,
}

impl DigestAlgorithm {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
        }
    }

    /// Length of a digest in bytes.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
        }
    }
}

impl fmt::Display for DigestAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DigestAlgorithm {
    type Err = DigestError;

    /// Reads the name, which is case-sensitive.
    fn from_str(name: &str) -> Result<Self, DigestError> {
        match name {
            "sha256" => Ok(Self::Sha256),
            _ => Err(DigestError::UnknownAlgorithm),
        }
    }
}

/// Why a text is no digest (specification 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no colon.
    #[error("a digest has the form sha256:<hex>, but there is no colon")]
    MissingColon,
    /// The part before the first colon names no known algorithm.
    #[error("the hash algorithm is not known; only sha256 is (in lower case)")]
    UnknownAlgorithm,
    /// There are digits `A` to `F`.
    #[error("a digest is written in lower-case hexadecimal")]
    UppercaseHex,
    /// An odd number of digits, or something that is no hexadecimal digit.
    #[error("a digest is an even number of hexadecimal digits")]
    InvalidHex,
    /// The digest is longer than that of any algorithm.
    #[error("a digest text has at most {DIGEST_TEXT_BYTES_MAX} characters")]
    TooLong,
    /// Well-formed, but not the length of the algorithm's digests.
    #[error("a {algorithm} digest has {} bytes, this one has {length}", algorithm.digest_bytes())]
    WrongLength {
        /// The algorithm that the text names.
        algorithm: DigestAlgorithm,
        /// The number of bytes found.
        length: usize,
    },
}

/// A SHA-256 digest: 32 bytes, written `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Length of the text form in bytes.
    pub const TEXT_BYTES: usize = 71;

    /// A digest from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Active::sha256(&[bytes]))
    }

    /// SHA-256 of the parts, one after the other, without joining them first.
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        Self(Active::sha256(parts))
    }

    /// The text form, on the stack.
    pub fn to_text(&self) -> DigestText {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = *b"sha256:0000000000000000000000000000000000000000000000000000000000000000";
        for (pair, byte) in text[7..].chunks_exact_mut(2).zip(self.0) {
            pair[0] = DIGITS[usize::from(byte >> 4)];
            pair[1] = DIGITS[usize::from(byte & 15)];
        }
        DigestText(text)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_text())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        AnyDigest::from_str(text)?.try_into()
    }
}

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The text of a [`Digest`]; reads as a `str` of 71 bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestText([u8; Digest::TEXT_BYTES]);

impl std::ops::Deref for DigestText {
    type Target = str;

    fn deref(&self) -> &str {
        // Always ASCII; an empty text in its place could never pass for a digest.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for DigestText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// A digest as a peer wrote it: a known algorithm and **any** number of bytes.
///
/// Records in a log may hold digests of the wrong length (specification 2.1, QUIRK): they are
/// well-formed, equal to themselves and nothing else, and no [`Digest`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnyDigest {
    algorithm: DigestAlgorithm,
    bytes: Vec<u8>,
}

impl AnyDigest {
    /// The algorithm that the text named.
    pub const fn algorithm(&self) -> DigestAlgorithm {
        self.algorithm
    }

    /// The raw bytes, of any length.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl From<Digest> for AnyDigest {
    fn from(digest: Digest) -> Self {
        Self { algorithm: DigestAlgorithm::Sha256, bytes: digest.0.to_vec() }
    }
}

impl TryFrom<AnyDigest> for Digest {
    type Error = DigestError;

    fn try_from(any: AnyDigest) -> Result<Self, DigestError> {
        Self::try_from(&any)
    }
}

impl TryFrom<&AnyDigest> for Digest {
    type Error = DigestError;

    fn try_from(any: &AnyDigest) -> Result<Self, DigestError> {
        let wrong = DigestError::WrongLength { algorithm: any.algorithm, length: any.bytes.len() };
        Ok(Self(any.bytes.as_slice().try_into().map_err(|_| wrong)?))
    }
}

impl PartialEq<Digest> for AnyDigest {
    fn eq(&self, digest: &Digest) -> bool {
        self.algorithm == DigestAlgorithm::Sha256 && self.bytes == digest.0
    }
}

impl FromStr for AnyDigest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        if text.len() > DIGEST_TEXT_BYTES_MAX {
            return Err(DigestError::TooLong);
        }
        let (name, digits) = text.split_once(':').ok_or(DigestError::MissingColon)?;
        let algorithm = name.parse()?;
        if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
            return Err(DigestError::UppercaseHex);
        }
        let bytes = base16ct::lower::decode_vec(digits).map_err(|_| DigestError::InvalidHex)?;
        Ok(Self { algorithm, bytes })
    }
}

impl fmt::Display for AnyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, base16ct::lower::encode_string(&self.bytes))
    }
}

impl fmt::Debug for AnyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text forms in JSON and other self-describing formats.
macro_rules! serde_as_text {
    ($($type:ty),+) => {$(
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}
pub(crate) use serde_as_text;

serde_as_text!(Digest, AnyDigest);
