//! The embedded stores, seen from outside.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail their test")]

mod blobs;
mod conformance;
mod database;
mod folder;
mod index;
