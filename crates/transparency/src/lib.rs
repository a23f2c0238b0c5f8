//! Verifiable data structures: a Merkle log and a Merkle map. Nothing here knows of Warg.
//!
//! - [`log`]: the RFC 6962 tree as C2SP tiles; append in batches, proofs from tiles.
//! - [`map`]: a sparse Merkle map of 256 levels, stored as versioned pages.
//! - [`note`]: C2SP signed notes, checkpoints and cosignatures.
//!
//! All of it is computation over bytes. What must be read comes through a narrow seam in batches, and
//! what must be written is handed back as a value, so that the caller decides where it is kept and
//! commits it together with everything else.

pub mod limits;
pub mod log;
pub mod map;
pub mod note;
mod proto;
