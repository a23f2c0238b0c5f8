//! Names, ids and verifier keys (C2SP signed-note, *Verifier keys*).

use std::fmt;
use std::str::FromStr;

use base64ct::{Base64, Encoding};
use wargate_crypto::{Digest, Ed25519PublicKey};

/// The name of a key: not empty, without spaces (any that Unicode knows), control characters and
/// `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// The text is no name of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key name is not empty and has no spaces, control characters or plus signs")]
pub struct KeyNameError;

impl KeyName {
    /// The text of the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(name: &str) -> Result<Self, KeyNameError> {
        let forbidden = |c: char| c.is_whitespace() || c < ' ' || c == '+';
        if name.is_empty() || name.contains(forbidden) {
            return Err(KeyNameError);
        }
        Ok(Self(name.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The id of a key, which together with its name says which key signed and how: the first four
/// bytes of SHA-256 over name, newline, signature type and public key. It identifies; it proves
/// nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKeyId([u8; 4]);

impl NoteKeyId {
    /// An id from its four bytes, the first one first in hexadecimal.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// The four bytes.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0
    }
}

impl fmt::Display for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureType {
    /// Ed25519 over the text of the note (C2SP signed-note, 0x01).
    Ed25519,
    /// Ed25519 over a time and the text of a checkpoint (C2SP tlog-cosignature, 0x04).
    CosignatureV1,
}

impl SignatureType {
    /// The byte that C2SP signed-note assigns.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x01 => Some(Self::Ed25519),
            0x04 => Some(Self::CosignatureV1),
            _ => None,
        }
    }
}

/// What a verifier knows of a signer. Its text is the *vkey*: name, id and key, joined by `+`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteKey {
    name: KeyName,
    id: NoteKeyId,
    kind: SignatureType,
    key: Ed25519PublicKey,
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteKeyError {
    /// It is not `<name>+<8 hexadecimal digits>+<base64>`.
    #[error("a verifier key has the form <name>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// The name is not allowed.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// The key is of a type that is not supported.
    #[error("signature type 0x{0:02x} is not supported; 0x01 (Ed25519) and 0x04 (cosignature) are")]
    UnknownType(u8),
    /// The bytes are no Ed25519 public key.
    #[error("the key is not an Ed25519 public key")]
    NotAKey,
    /// The id does not follow from name and key.
    #[error("the key id {found} does not belong to the key, whose id is {expected}")]
    IdMismatch {
        /// The id of the key.
        expected: NoteKeyId,
        /// The id in the text.
        found: NoteKeyId,
    },
}

impl NoteKey {
    /// What is known of a signer: its name, how it signs, and its public key.
    pub fn new(name: KeyName, kind: SignatureType, key: Ed25519PublicKey) -> Self {
        let parts = [name.0.as_bytes(), b"\n", &[kind.byte()], key.as_bytes()];
        let [a, b, c, d, ..] = *Digest::of_parts(&parts).as_bytes();
        Self { name, id: NoteKeyId([a, b, c, d]), kind, key }
    }

    /// The name in the signature line.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id in the signature line.
    pub const fn id(&self) -> NoteKeyId {
        self.id
    }

    /// How the key signs.
    pub const fn kind(&self) -> SignatureType {
        self.kind
    }

    /// The public key.
    pub const fn public_key(&self) -> &Ed25519PublicKey {
        &self.key
    }
}

impl fmt::Display for NoteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = [self.kind.byte(); 33];
        material[1..].copy_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, self.id, Base64::encode_string(&material))
    }
}

impl FromStr for NoteKey {
    type Err = NoteKeyError;

    fn from_str(text: &str) -> Result<Self, NoteKeyError> {
        let (name, rest) = text.split_once('+').ok_or(NoteKeyError::Form)?;
        // Base64 has plus signs of its own: only the first two separate.
        let (id, material) = rest.split_once('+').ok_or(NoteKeyError::Form)?;
        let name = name.parse()?;
        let found = parse_id(id).ok_or(NoteKeyError::Form)?;
        let material = Base64::decode_vec(material).map_err(|_| NoteKeyError::Form)?;
        let (&kind, key) = material.split_first().ok_or(NoteKeyError::Form)?;
        let kind = SignatureType::from_byte(kind).ok_or(NoteKeyError::UnknownType(kind))?;
        let key = key.try_into().map_err(|_| NoteKeyError::NotAKey)?;
        let key = Ed25519PublicKey::from_bytes(key).map_err(|_| NoteKeyError::NotAKey)?;
        let key = Self::new(name, kind, key);
        if key.id != found {
            return Err(NoteKeyError::IdMismatch { expected: key.id, found });
        }
        Ok(key)
    }
}

/// Eight lower-case hexadecimal digits.
fn parse_id(digits: &str) -> Option<NoteKeyId> {
    let id = NoteKeyId(u32::from_str_radix(digits, 16).ok()?.to_be_bytes());
    (id.to_string() == digits).then_some(id)
}
