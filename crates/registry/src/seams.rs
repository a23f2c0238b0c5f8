//! What the engine does not own: time, threads, and the operator's keys.

use std::sync::Arc;

use wargate_crypto::{PrivateKey, PublicKey};
use wargate_protocol::{
    Operator, SignedCheckpoint, SignedEnvelope, Timestamp, TimestampedCheckpoint,
};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now. It may go back; the engine sees to it that what it signs does not.
    fn now(&self) -> Timestamp;
}

/// Runs what may block somewhere else, so that asynchronous tasks need not wait for it.
pub trait Offload: Send + Sync {
    /// Runs the work, soon and once. It may drop it only when the whole process ends.
    fn run(&self, work: Box<dyn FnOnce() + Send>);
}

/// Runs work at once, in the caller's place: for tests and for instances without threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct InPlace;

impl Offload for InPlace {
    fn run(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}

/// Why a signature was not made. The same call may succeed later.
#[derive(Debug, thiserror::Error)]
#[error("the signing key is not available: {0}")]
pub struct SignerError(pub String);

/// Signs for the operator.
///
/// The two keys may be one. Which of them may do what, the operator log says.
pub trait Signer: Send + Sync {
    /// The key that signs operator records.
    fn operator_key(&self) -> PublicKey;

    /// The key that signs checkpoints.
    fn checkpoint_key(&self) -> PublicKey;

    /// Signs the bytes of an operator record.
    ///
    /// # Errors
    /// [`SignerError`]
    fn sign_operator_record(&self, record: Vec<u8>) -> Result<SignedEnvelope, SignerError>;

    /// Signs a checkpoint. The engine asks only for checkpoints of what was committed, never with a
    /// lower time than before.
    ///
    /// # Errors
    /// [`SignerError`]
    fn sign_checkpoint(
        &self,
        contents: TimestampedCheckpoint,
    ) -> Result<SignedCheckpoint, SignerError>;
}

/// A signer whose keys are in memory.
#[derive(Clone, Debug)]
pub struct LocalSigner {
    operator: Arc<PrivateKey>,
    checkpoint: Option<Arc<PrivateKey>>,
}

impl LocalSigner {
    /// One key for both.
    pub fn new(operator: PrivateKey) -> Self {
        Self { operator: Arc::new(operator), checkpoint: None }
    }

    /// Another key for checkpoints. The operator log must grant it `commit`.
    pub fn with_checkpoint_key(self, key: PrivateKey) -> Self {
        Self { checkpoint: Some(Arc::new(key)), ..self }
    }

    fn for_checkpoints(&self) -> &PrivateKey {
        self.checkpoint.as_ref().unwrap_or(&self.operator)
    }
}

impl Signer for LocalSigner {
    fn operator_key(&self) -> PublicKey {
        self.operator.public_key()
    }

    fn checkpoint_key(&self) -> PublicKey {
        self.for_checkpoints().public_key()
    }

    fn sign_operator_record(&self, record: Vec<u8>) -> Result<SignedEnvelope, SignerError> {
        Ok(SignedEnvelope::sign::<Operator>(record, &self.operator))
    }

    fn sign_checkpoint(
        &self,
        contents: TimestampedCheckpoint,
    ) -> Result<SignedCheckpoint, SignerError> {
        Ok(SignedCheckpoint::sign(contents, self.for_checkpoints()))
    }
}
