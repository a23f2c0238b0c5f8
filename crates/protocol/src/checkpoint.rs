//! Checkpoints (specification 11): what a registry says its state is, and when it said so.

use serde::{Deserialize, Serialize};
use wargate_crypto::{Digest, KeyId, PrivateKey, PublicKey, Signature, SignatureError};

use crate::constants::{
    CHECKPOINT, CHECKPOINT_SIGNATURE, SIGNATURE_SEPARATOR, TIMESTAMPED_CHECKPOINT,
};
use crate::encoding::{put_leb128, put_length_prefixed};
use crate::id::LogLength;
use crate::kind::{Operator, OperatorPermission};
use crate::state::LogView;

/// The state of a registry: its log and its map at one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    /// Root of the Merkle log.
    pub log_root: Digest,
    /// Length of the log, in records.
    pub log_length: LogLength,
    /// Root of the map.
    pub map_root: Digest,
}

impl Checkpoint {
    /// The encoding of specification 11.1.
    pub fn encode(&self) -> Vec<u8> {
        self.encode_behind(CHECKPOINT)
    }

    /// The checkpoint's id, a name for storage: the SHA-256 digest of its encoding.
    pub fn id(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// The members behind a prefix, with room for the 10 bytes of a time.
    fn encode_behind(&self, prefix: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(prefix.len() + 2 * (1 + Digest::TEXT_BYTES) + 20);
        out.extend_from_slice(prefix);
        put_leb128(&mut out, self.log_length.get());
        put_length_prefixed(&mut out, &self.log_root.to_text());
        put_length_prefixed(&mut out, &self.map_root.to_text());
        out
    }
}

/// A checkpoint and when it was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "FlatCheckpoint")]
pub struct TimestampedCheckpoint {
    /// What was said; in JSON its members stand beside the time.
    #[serde(flatten)]
    pub checkpoint: Checkpoint,
    /// When, in whole seconds since the Unix epoch.
    #[serde(rename = "timestamp")]
    pub timestamp_seconds: u64,
}

/// How it is read. Reading into a flattened member would keep all that a stranger adds, at many times
/// its size.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatCheckpoint {
    log_root: Digest,
    log_length: LogLength,
    map_root: Digest,
    timestamp: u64,
}

impl From<FlatCheckpoint> for TimestampedCheckpoint {
    fn from(flat: FlatCheckpoint) -> Self {
        let FlatCheckpoint { log_root, log_length, map_root, timestamp } = flat;
        let checkpoint = Checkpoint { log_root, log_length, map_root };
        Self { checkpoint, timestamp_seconds: timestamp }
    }
}

impl TimestampedCheckpoint {
    /// The encoding of specification 11.2.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.checkpoint.encode_behind(TIMESTAMPED_CHECKPOINT);
        put_leb128(&mut out, self.timestamp_seconds);
        out
    }
}

/// A checkpoint, the id of a key, and a well-formed signature. Nothing of it is checked.
///
/// The JSON form is that of specification 11.3; members that are not known are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCheckpoint {
    /// What is signed.
    pub contents: TimestampedCheckpoint,
    /// The key that is said to have signed it; any text.
    pub key_id: KeyId,
    /// The signature.
    pub signature: Signature,
}

/// Why a checkpoint cannot be believed. `E` is the error of the view of the operator log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError<E> {
    /// The operator log could not be read. This says nothing about the checkpoint.
    #[error("the state of the operator log could not be read")]
    View(#[source] E),
    /// The operator log knows no such key.
    #[error("the key of the checkpoint is not known to the operator log")]
    UnknownKey,
    /// The key does not hold `commit` (20.3 N2: the reference client does not look).
    #[error("the key of the checkpoint has no permission to sign checkpoints")]
    NotPermitted,
    /// The signature is not the key's.
    #[error("the signature of the checkpoint is invalid")]
    Signature(#[source] SignatureError),
}

impl SignedCheckpoint {
    /// Signs a checkpoint.
    pub fn sign(contents: TimestampedCheckpoint, key: &PrivateKey) -> Self {
        let encoding = contents.encode();
        let signature = key.sign(&[CHECKPOINT_SIGNATURE, SIGNATURE_SEPARATOR, &encoding]);
        Self { contents, key_id: key.public_key().id(), signature }
    }

    /// Whether the key signed the contents. The key id and permissions are not looked at.
    ///
    /// # Errors
    /// [`SignatureError::Mismatch`] if it did not.
    pub fn verify_signature(&self, key: &PublicKey) -> Result<(), SignatureError> {
        let encoding = self.contents.encode();
        key.verify(&[CHECKPOINT_SIGNATURE, SIGNATURE_SEPARATOR, &encoding], &self.signature)
    }

    /// Checks who signed it: a key that the operator log knows and that holds `commit`.
    ///
    /// The view must be that of the operator log as of the checkpoint's length (specification
    /// 11.3). Whether the roots are those of the logs at hand is another question.
    ///
    /// # Errors
    /// [`CheckpointError`]
    pub fn verify<V: LogView<Operator>>(
        self,
        operator: &V,
    ) -> Result<VerifiedCheckpoint, CheckpointError<V::Error>> {
        let key = operator.key(&self.key_id).map_err(CheckpointError::View)?;
        let key = key.ok_or(CheckpointError::UnknownKey)?;
        let held = operator.permissions(&self.key_id).map_err(CheckpointError::View)?;
        if !held.contains(OperatorPermission::Commit) {
            return Err(CheckpointError::NotPermitted);
        }
        self.verify_signature(&key).map_err(CheckpointError::Signature)?;
        Ok(VerifiedCheckpoint(self))
    }
}

/// A checkpoint whose signature was made with a key that may sign checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint(SignedCheckpoint);

impl VerifiedCheckpoint {
    /// The state that it states.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.0.contents.checkpoint
    }

    /// When it was stated, in whole seconds since the Unix epoch.
    pub const fn timestamp_seconds(&self) -> u64 {
        self.0.contents.timestamp_seconds
    }

    /// The checkpoint as it was received.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.0
    }

    /// The checkpoint as it was received.
    pub fn into_signed(self) -> SignedCheckpoint {
        self.0
    }
}
