//! Names, records, log state machines and checkpoints of the Warg protocol.
//!
//! What a peer sends comes in as [`SignedEnvelope`] or [`SignedCheckpoint`], which say nothing but
//! that their members are well-formed. [`Envelope::decode`] makes a typed record of the one;
//! [`state::validate`] checks it against the state of its log and answers with the change that it
//! makes. [`SignedCheckpoint::verify`] makes a [`VerifiedCheckpoint`] of the other.
//!
//! Everything here is computation over bytes: no clock, no randomness, no files, no network. The
//! protobuf messages are generated and stay inside.

pub mod base64;
pub mod checkpoint;
pub mod constants;
mod encoding;
pub mod envelope;
pub mod id;
pub mod kind;
pub mod leaf;
pub mod ledger;
pub mod limits;
pub mod name;
pub mod namespace;
pub mod permission;
mod proto;
pub mod record;
pub mod release;
pub mod state;
pub mod timestamp;
pub mod verify;
pub mod version;

pub use checkpoint::{
    Checkpoint, CheckpointError, SignedCheckpoint, TimestampedCheckpoint, VerifiedCheckpoint,
};
pub use envelope::{Envelope, EnvelopeError, OperatorEnvelope, PackageEnvelope, SignedEnvelope};
pub use id::{LogId, LogLength, RecordId, RegistryIndex};
pub use kind::{
    LogKind, Operator, OperatorAction, OperatorPermission, Package, PackageAction,
    PackagePermission,
};
pub use leaf::{LogLeaf, MapLeaf};
pub use name::{NameError, Namespace, PackageName};
pub use namespace::NamespaceState;
pub use permission::{Permission, PermissionSet};
pub use record::{
    Entry, EntryError, OperatorEntry, OperatorRecord, PackageEntry, PackageRecord, Record,
    RecordError,
};
pub use release::{Release, ReleaseState};
pub use state::{
    Delta, Head, InvalidRecord, LogState, LogView, OperatorDelta, OperatorState, PackageDelta,
    PackageState, Validated, ValidationError,
};
pub use timestamp::{Timestamp, TimestampError};
pub use version::{Version, VersionError, VersionReq};
