//! The crate against the golden vectors, against a model, and against hostile input.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod checkpoints;
mod decoding;
mod describe;
mod keys;
mod logs;
mod model;
mod names;
mod reads;
mod records;
mod registry;
mod roundtrip;
mod versions;
