//! The crate against the golden vectors, against a model, and against hostile input.

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
