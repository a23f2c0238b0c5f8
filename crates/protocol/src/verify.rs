//! The verifier: bytes and a trust anchor in, verified state out, or who misbehaved and the evidence.
//!
//! It checks all that a client of the protocol can check (specification 15.4, and the checks that the
//! reference client leaves out, 20.3): every record against its log's state machine, the checkpoint's
//! signature and its key's `commit` permission, that the newest record of every log is in the
//! registry log and in the map under the checkpoint, and that the registry log is an extension of the
//! one seen last. It does no I/O: whoever talks to the registry hands it what came.
//!
//! One session follows one checkpoint:
//!
//! 1. [`Session::new`] with what is believed already and the checkpoint that the registry offers;
//! 2. [`Session::receive`] for each page of records;
//! 3. [`Session::close`] when there are no more, which says what must be proven;
//! 4. [`Unproven::prove`] with the registry's proofs, which gives the new [`Verified`] state.
//!
//! A session takes the state that it begins with; a clone of it is cheap, and is what remains if the
//! session fails. [`transcript()`] does the four steps over
//! one document that holds all of a registry's answers.
//!
//! **Invariant**: a log in a [`Verified`] state holds exactly the records that the registry committed
//! to at the length that the log is [as of](Followed::as_of), and the registry log at the checkpoint
//! is an extension of the one at that length.

mod anchor;
mod fault;
mod session;
mod transcript;

pub use anchor::{Followed, TrustAnchor, Verified};
pub use fault::{
    ConsistencyBytes, Culprit, Evidence, Fault, Misbehaviour, PlacedEnvelope, ProofBytes,
    ProofFault,
};
pub use session::{Session, Unproven, check_extension};
pub use transcript::{TranscribedLog, Transcript, transcript};

/// Why nothing was verified.
#[derive(Clone, Debug, thiserror::Error)]
pub enum VerifyError {
    /// The bytes are none of the forms that were expected. Nothing follows from them.
    #[error("the answer cannot be read: {0}")]
    Unreadable(String),
    /// The answer is readable, and wrong.
    #[error(transparent)]
    Misbehaviour(#[from] Box<Misbehaviour>),
}
