//! Requests, responses, errors, paths and headers of the Warg v1 HTTP API.
//!
//! One module for each part of the API: [`fetch`], [`publish`], [`content`], [`dependencies`],
//! [`proof`], [`monitor`], [`ledger`] and [`well_known`], each with its bodies and its error. [`paths`] and [`headers`] name
//! the rest. Every body is written as the reference writes it, byte for byte, and understood as the
//! reference understands it (specification 12 and 13); the crate knows of no HTTP library.
//!
//! All bodies are JSON and answered as exactly [`headers::JSON`]: the reference client compares the
//! whole value.

pub mod content;
pub mod dependencies;
mod error;
pub mod fetch;
pub mod headers;
pub mod ledger;
pub mod monitor;
pub mod paths;
pub mod proof;
pub mod publish;
pub mod well_known;

pub use error::{ErrorBody, UnreadableError};

/// Keyed by something that a peer chose, in the order it was written: answers follow the order of
/// their request (specification 12.3).
pub type OrderedMap<K, V> = indexmap::IndexMap<K, V>;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(flag: &bool) -> bool {
    !flag
}
