//! Names, records, log state machines and checkpoints of the Warg protocol.
//!
//! Everything here is computation over bytes: no clock, no randomness, no files, no network. The
//! protobuf messages are generated and stay inside.

pub mod base64;
pub mod constants;
mod encoding;
pub mod id;
pub mod leaf;
pub mod ledger;
pub mod limits;
pub mod name;
mod proto;
pub mod timestamp;
pub mod version;

pub use id::{LogId, LogLength, RecordId, RegistryIndex};
pub use leaf::{LogLeaf, MapLeaf};
pub use name::{NameError, Namespace, PackageName};
pub use timestamp::{Timestamp, TimestampError};
pub use version::{Version, VersionError, VersionReq};
