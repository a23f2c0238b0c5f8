//! Which signatures of a note count (C2SP signed-note, *Signatures*).

use wargate_crypto::{Ed25519PublicKey, Ed25519Signature, SignatureError};

use super::key::{KeyName, NoteKey, NoteKeyId, SignatureType};
use super::sign::cosigned_message;
use super::text::{Note, NoteSignature};

/// The latest time of a cosignature, in seconds since 1970 (C2SP tlog-cosignature).
pub(super) const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

/// The keys that a verifier knows, no two with the same name and id.
#[derive(Clone, Debug, Default)]
pub struct NoteKeys(Vec<NoteKey>);

/// Two keys have the same name and id, so that a signature line would not tell them apart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("two keys have the name {name} and the id {id}")]
pub struct AmbiguousKeys {
    /// The name of both.
    pub name: KeyName,
    /// The id of both.
    pub id: NoteKeyId,
}

impl NoteKeys {
    /// The keys that a verifier knows.
    ///
    /// # Errors
    /// [`AmbiguousKeys`] if two have the same name and id, which is also the case if one is there
    /// twice.
    pub fn new(keys: Vec<NoteKey>) -> Result<Self, AmbiguousKeys> {
        for (place, key) in keys.iter().enumerate() {
            if keys[..place]
                .iter()
                .any(|other| (other.name(), other.id()) == (key.name(), key.id()))
            {
                return Err(AmbiguousKeys { name: key.name().clone(), id: key.id() });
            }
        }
        Ok(Self(keys))
    }

    /// The keys, in the order given.
    pub fn keys(&self) -> &[NoteKey] {
        &self.0
    }

    fn find(&self, signature: &NoteSignature) -> Option<&NoteKey> {
        self.0.iter().find(|key| *key.name() == signature.name && key.id() == signature.id)
    }
}

/// A known key that has signed a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signer<'k> {
    /// The key.
    pub key: &'k NoteKey,
    /// When it says to have signed, in seconds since 1970; only cosignatures say so. Whether that
    /// is too long ago or in the future is for the caller to judge.
    pub timestamp: Option<u64>,
}

/// The text of a note that at least one known key has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedNote<'n, 'k> {
    /// The text, with its final newline.
    pub text: &'n str,
    /// Who has signed it, each key once, in the order of the first of its lines. A key with several
    /// cosignatures counts with the latest time.
    pub signers: Vec<Signer<'k>>,
}

/// Why a note must not be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteVerifyError {
    /// A signature by a known key is wrong; the whole note is refused.
    #[error("the signature by {name} (key id {id}) is wrong")]
    WrongSignature {
        /// The name of the key.
        name: KeyName,
        /// The id of the key.
        id: NoteKeyId,
    },
    /// No known key has signed.
    #[error("no known key has signed the note")]
    NoKnownSigner,
}

impl Note {
    /// Verifies every signature by a known key. Lines of other keys are ignored, even if they have
    /// the name or the id (but not both) of a known one.
    ///
    /// # Errors
    /// [`NoteVerifyError::WrongSignature`] if a signature by a known key is wrong,
    /// [`NoteVerifyError::NoKnownSigner`] if there is none.
    pub fn verify<'n, 'k>(
        &'n self,
        keys: &'k NoteKeys,
    ) -> Result<VerifiedNote<'n, 'k>, NoteVerifyError> {
        let text = self.unverified_text();
        let mut signers: Vec<Signer<'k>> = Vec::new();
        for signature in self.signatures() {
            let Some(key) = keys.find(signature) else { continue };
            let Ok(timestamp) = verify_one(key, text, &signature.signature) else {
                let name = signature.name.clone();
                return Err(NoteVerifyError::WrongSignature { name, id: signature.id });
            };
            match signers.iter_mut().find(|signer| signer.key == key) {
                Some(signer) => signer.timestamp = signer.timestamp.max(timestamp),
                None => signers.push(Signer { key, timestamp }),
            }
        }
        if signers.is_empty() {
            return Err(NoteVerifyError::NoKnownSigner);
        }
        Ok(VerifiedNote { text, signers })
    }
}

/// The time of a signature, if it has one.
fn verify_one(key: &NoteKey, text: &str, signature: &[u8]) -> Result<Option<u64>, SignatureError> {
    match key.kind() {
        SignatureType::Ed25519 => {
            verify_ed25519(key.public_key(), text.as_bytes(), signature)?;
            Ok(None)
        }
        SignatureType::CosignatureV1 => {
            let timed = signature.split_first_chunk().ok_or(SignatureError::Mismatch)?;
            let (timestamp, signature) = (u64::from_be_bytes(*timed.0), timed.1);
            if timestamp > TIMESTAMP_MAX {
                return Err(SignatureError::Mismatch);
            }
            verify_ed25519(key.public_key(), &cosigned_message(timestamp, text), signature)?;
            Ok(Some(timestamp))
        }
    }
}

fn verify_ed25519(
    key: &Ed25519PublicKey,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let bytes = signature.try_into().map_err(|_| SignatureError::Mismatch)?;
    key.verify(message, &Ed25519Signature::from_bytes(bytes))
}
