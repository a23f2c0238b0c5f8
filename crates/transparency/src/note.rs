//! C2SP signed notes, checkpoints of logs, and cosignatures.
//!
//! - [`Note`] is a text with signature lines (C2SP signed-note). It is worth nothing until
//!   [`Note::verify`] has found a signature by a known key; a [`VerifiedNote`] is what comes out.
//! - [`NoteKey`] is what a verifier knows of a signer, a *vkey*; [`NoteSigner`] and [`Cosigner`]
//!   sign.
//! - [`Checkpoint`] is the text that a log signs (C2SP tlog-checkpoint): origin, size, root.
//! - [`Quorum`] is a policy: this log, and so many of these cosigners (C2SP tlog-cosignature).
//!
//! Two signature types are supported, both over Ed25519: that of notes (0x01) and the timestamped
//! cosignature (0x04). Lines of any other type are lines of unknown keys and ignored, as C2SP asks.

mod checkpoint;
mod key;
mod quorum;
mod sign;
mod text;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointError};
pub use key::{KeyName, KeyNameError, NoteKey, NoteKeyError, NoteKeyId, SignatureType};
pub use quorum::{CosignedCheckpoint, Quorum, QuorumConfigError, QuorumError};
pub use sign::{CosignError, Cosigner, NoteSigner};
pub use text::{Note, NoteError, NoteSignature};
pub use verify::{AmbiguousKeys, NoteKeys, NoteVerifyError, Signer, VerifiedNote};
