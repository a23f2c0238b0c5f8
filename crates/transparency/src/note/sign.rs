//! Signing notes (C2SP signed-note) and cosigning checkpoints (C2SP tlog-cosignature).

use wargate_crypto::Ed25519PrivateKey;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{KeyName, NoteKey, SignatureType};
use super::text::{Note, NoteError, NoteSignature};
use super::verify::TIMESTAMP_MAX;

/// Signs notes with Ed25519 (type 0x01), for instance as the log that issues checkpoints.
#[derive(Clone, Debug)]
pub struct NoteSigner {
    key: NoteKey,
    private: Ed25519PrivateKey,
}

impl NoteSigner {
    /// A signer. A log's name should be the origin of its checkpoints.
    pub fn new(name: KeyName, private: Ed25519PrivateKey) -> Self {
        let key = NoteKey::new(name, SignatureType::Ed25519, private.public_key());
        Self { key, private }
    }

    /// What a verifier must know.
    pub const fn key(&self) -> &NoteKey {
        &self.key
    }

    /// A signature of a text, which ends with a newline.
    pub fn signature(&self, text: &str) -> NoteSignature {
        let signature = self.private.sign(text.as_bytes()).as_bytes().to_vec();
        NoteSignature { name: self.key.name().clone(), id: self.key.id(), signature }
    }

    /// A note of a text, which must end with a newline.
    ///
    /// # Errors
    /// [`NoteError`] if the text is not allowed in a note.
    pub fn sign(&self, text: &str) -> Result<Note, NoteError> {
        Note::new(text, self.signature(text))
    }
}

/// Cosigns checkpoints (type 0x04), as a witness. Its key should sign nothing else; no two
/// cosigners may share one (C2SP tlog-cosignature).
#[derive(Clone, Debug)]
pub struct Cosigner {
    key: NoteKey,
    private: Ed25519PrivateKey,
}

/// Why a note was not cosigned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CosignError {
    /// The text is no checkpoint.
    #[error("only a checkpoint can be cosigned: {0}")]
    NotACheckpoint(#[from] CheckpointError),
    /// The time does not fit.
    #[error("the time of a cosignature is at most 2^63 - 1")]
    Timestamp,
}

impl Cosigner {
    /// A cosigner.
    pub fn new(name: KeyName, private: Ed25519PrivateKey) -> Self {
        let key = NoteKey::new(name, SignatureType::CosignatureV1, private.public_key());
        Self { key, private }
    }

    /// What a verifier must know.
    pub const fn key(&self) -> &NoteKey {
        &self.key
    }

    /// A cosignature of the text of a checkpoint, made at `timestamp` (seconds since 1970).
    ///
    /// It states that this is the longest consistent log of that origin which the cosigner has
    /// seen: to have verified that, signature and consistency, is the caller's duty.
    ///
    /// # Errors
    /// [`CosignError`] if the text is no checkpoint or the time is above 2^63 - 1.
    pub fn cosign(&self, text: &str, timestamp: u64) -> Result<NoteSignature, CosignError> {
        text.parse::<Checkpoint>()?;
        if timestamp > TIMESTAMP_MAX {
            return Err(CosignError::Timestamp);
        }
        let ed25519 = self.private.sign(&cosigned_message(timestamp, text));
        let signature = [timestamp.to_be_bytes().as_slice(), ed25519.as_bytes()].concat();
        Ok(NoteSignature { name: self.key.name().clone(), id: self.key.id(), signature })
    }
}

/// What a cosignature signs: two lines, and the text of the checkpoint.
pub(super) fn cosigned_message(timestamp: u64, text: &str) -> Vec<u8> {
    format!("cosignature/v1\ntime {timestamp}\n{text}").into_bytes()
}
