//! A policy for believing checkpoints: one log, and so many of some cosigners.

use super::checkpoint::{Checkpoint, CheckpointError};
use super::key::{NoteKey, SignatureType};
use super::text::Note;
use super::verify::{AmbiguousKeys, NoteKeys, NoteVerifyError, Signer};

/// Whose checkpoints to believe: those of one origin, signed by its log and by at least `threshold`
/// of the cosigners.
#[derive(Clone, Debug)]
pub struct Quorum {
    origin: String,
    keys: NoteKeys,
    /// The keys of the log come first.
    log_keys: usize,
    threshold: usize,
}

/// Why a policy makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumConfigError {
    /// No key of the log is given, or one that cosigns instead of signing.
    #[error("the log has no key of type 0x01 (Ed25519)")]
    LogKey,
    /// A cosigner's key is not of the type for cosignatures.
    #[error("the key {0} is not of type 0x04 (cosignature)")]
    CosignerKey(String),
    /// Two keys cannot be told apart.
    #[error(transparent)]
    Ambiguous(#[from] AmbiguousKeys),
    /// Two cosigners share a public key. One signature would then count for both: what is signed
    /// does not name the cosigner (C2SP tlog-cosignature).
    #[error("the cosigners {0} and {1} have the same public key")]
    SharedKey(String, String),
    /// More cosignatures are asked for than there are cosigners.
    #[error("{threshold} cosignatures are asked for, but there are only {cosigners} cosigners")]
    Threshold {
        /// The number of cosignatures asked for.
        threshold: usize,
        /// The number of cosigners.
        cosigners: usize,
    },
}

/// Why a note is no checkpoint to believe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// A signature is wrong, or none is by a known key.
    #[error(transparent)]
    Note(#[from] NoteVerifyError),
    /// The log itself has not signed.
    #[error("the log has not signed the checkpoint")]
    NotByLog,
    /// Too few cosigners have signed.
    #[error("{found} of the {threshold} cosignatures needed are there")]
    TooFewCosignatures {
        /// The number of known cosigners that have signed.
        found: usize,
        /// The number needed.
        threshold: usize,
    },
    /// The text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is that of another log.
    #[error("the checkpoint is for the origin {found:?}, not {expected:?}")]
    Origin {
        /// The origin of the log.
        expected: String,
        /// The origin in the checkpoint.
        found: String,
    },
}

/// A checkpoint that meets a [`Quorum`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CosignedCheckpoint<'k> {
    /// What the log has signed.
    pub checkpoint: Checkpoint,
    /// The cosigners that have signed it, with their times.
    pub cosigners: Vec<Signer<'k>>,
}

impl Quorum {
    /// A policy. `log` are the keys of the log, any of which will do (it may be changing keys);
    /// a `threshold` of 0 asks for no cosigner.
    ///
    /// # Errors
    /// [`QuorumConfigError`] if nothing could meet the policy, or one signature could count twice.
    pub fn new(
        origin: &str,
        log: Vec<NoteKey>,
        cosigners: Vec<NoteKey>,
        threshold: usize,
    ) -> Result<Self, QuorumConfigError> {
        if log.is_empty() || log.iter().any(|key| key.kind() != SignatureType::Ed25519) {
            return Err(QuorumConfigError::LogKey);
        }
        if let Some(key) = cosigners.iter().find(|key| key.kind() != SignatureType::CosignatureV1) {
            return Err(QuorumConfigError::CosignerKey(key.to_string()));
        }
        if threshold > cosigners.len() {
            return Err(QuorumConfigError::Threshold { threshold, cosigners: cosigners.len() });
        }
        let log_keys = log.len();
        let keys = NoteKeys::new([log, cosigners].concat())?;
        let cosigners = &keys.keys()[log_keys..];
        for (place, key) in cosigners.iter().enumerate() {
            let twin = cosigners[..place].iter().find(|k| k.public_key() == key.public_key());
            if let Some(twin) = twin {
                let (a, b) = (twin.name().to_string(), key.name().to_string());
                return Err(QuorumConfigError::SharedKey(a, b));
            }
        }
        Ok(Self { origin: origin.to_owned(), keys, log_keys, threshold })
    }

    /// The checkpoint of a note, if it meets the policy.
    ///
    /// Neither the times of the cosignatures nor the consistency with earlier checkpoints are
    /// looked at.
    ///
    /// # Errors
    /// [`QuorumError`] otherwise. A wrong signature by a known key is one, even if there are enough
    /// others.
    pub fn open<'k>(&'k self, note: &Note) -> Result<CosignedCheckpoint<'k>, QuorumError> {
        let verified = note.verify(&self.keys)?;
        let log = &self.keys.keys()[..self.log_keys];
        let (by_log, cosigners): (Vec<_>, Vec<_>) =
            verified.signers.into_iter().partition(|signer| log.contains(signer.key));
        if by_log.is_empty() {
            return Err(QuorumError::NotByLog);
        }
        let (found, threshold) = (cosigners.len(), self.threshold);
        if found < threshold {
            return Err(QuorumError::TooFewCosignatures { found, threshold });
        }
        let checkpoint: Checkpoint = verified.text.parse()?;
        if checkpoint.origin() != self.origin {
            let (expected, found) = (self.origin.clone(), checkpoint.origin().to_owned());
            return Err(QuorumError::Origin { expected, found });
        }
        Ok(CosignedCheckpoint { checkpoint, cosigners })
    }
}
