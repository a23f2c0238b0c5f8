//! The Merkle log: vectors, exhaustive small sizes, a naive model, hostile stores.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod edge;
mod exhaustive;
mod model;
mod names;
mod nodes;
mod properties;
mod readers;
mod tiles;
mod vectors;
