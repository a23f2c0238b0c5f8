//! Wargate beside the published crates of the reference implementation, version 0.10.0, and beside those
//! of `wac`, version 0.12.0.
//!
//! - `tests/agreement`: random input to both, the same bytes, roots, proofs and verdicts from both.
//! - `src/compare`: the same work done by both, alternating, and how long it takes.
//!
//! What both of them need stands here: one source of random numbers, keys that both sides hold, and the
//! translation of our records, checkpoints and ids into theirs, field by field and never through the
//! bytes that are to be compared.

pub mod bundle;
pub mod keys;
pub mod log;
pub mod map;
pub mod random;
pub mod records;
