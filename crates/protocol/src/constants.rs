//! The domain constants of the protocol (specification 1), as bytes.
//!
//! Each one begins a text that is hashed or signed, so that bytes of one kind never pass for another.

/// Starts the message that is signed for an operator record; a colon and the record follow.
pub const OPERATOR_RECORD_SIGNATURE: &[u8] = b"WARG-OPERATOR-RECORD-SIGNATURE-V0";
/// Starts the message that is signed for a package record; a colon and the record follow.
pub const PACKAGE_RECORD_SIGNATURE: &[u8] = b"WARG-PACKAGE-RECORD-SIGNATURE-V0";
/// Starts the message that is signed for a checkpoint; a colon and [`TIMESTAMPED_CHECKPOINT`] follow.
pub const CHECKPOINT_SIGNATURE: &[u8] = b"WARG-CHECKPOINT-SIGNATURE-V0";
/// Between a signature prefix and what is signed (specification 4.2).
pub const SIGNATURE_SEPARATOR: &[u8] = b":";

/// Starts what is hashed into the id of an operator record.
pub const OPERATOR_RECORD_ID: &[u8] = b"WARG-OPERATOR-LOG-RECORD-V0:";
/// Starts what is hashed into the id of a package record.
pub const PACKAGE_RECORD_ID: &[u8] = b"WARG-PACKAGE-LOG-RECORD-V0:";

/// All that is hashed into the id of every operator log.
pub const OPERATOR_LOG_ID: &[u8] = b"WARG-OPERATOR-LOG-ID-V0";
/// Starts what is hashed into the id of a package log; [`PACKAGE_ID`] follows.
pub const PACKAGE_LOG_ID: &[u8] = b"WARG-PACKAGE-LOG-ID-V0:";
/// Starts the encoding of a package name.
pub const PACKAGE_ID: &[u8] = b"WARG-PACKAGE-ID-V0";

/// Starts the encoding of a leaf of the registry log.
pub const LOG_LEAF: &[u8] = b"WARG-LOG-LEAF-V0";
/// Starts the encoding of a leaf of the map.
pub const MAP_LEAF: &[u8] = b"WARG-MAP-LEAF-V0";

/// Starts the encoding of a checkpoint without its time.
pub const CHECKPOINT: &[u8] = b"WARG-CHECKPOINT-V0";
/// Starts the encoding of a checkpoint with its time.
pub const TIMESTAMPED_CHECKPOINT: &[u8] = b"WARG-TIMESTAMPED-CHECKPOINT-V0";

/// The protocol version that operator records carry.
pub const OPERATOR_RECORD_VERSION: u32 = 0;
/// The protocol version that package records carry.
pub const PACKAGE_RECORD_VERSION: u32 = 0;
