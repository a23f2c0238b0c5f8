//! Content in object storage: the engine's [`Blobs`](wargate_registry::blobs::Blobs) over S3, or over
//! whatever speaks its protocol.
//!
//! [`Target`] says where object storage is, for whoever writes there (content, snapshots); [`ObjectBlobs`]
//! keeps content in it. What both tell people and logs names no credentials: see [`Failure`].

pub mod limits;

mod failure;
mod keys;
mod object_blobs;
mod piece_hashes;
mod reader;
mod spool;
mod target;
mod threads;
mod upload;

pub use failure::Failure;
pub use object_blobs::ObjectBlobs;
pub use target::{Target, TargetError};
