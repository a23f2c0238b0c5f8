//! Limits on what a stranger controls. The unit is the last word before `MAX`.
//!
//! They are ours (the protocol has none) and far above what any honest peer sends.

/// Largest record that is decoded, in bytes of its protobuf form. The reference server takes JSON
/// bodies of 2 MiB, which hold records of at most 1.5 MiB; real ones have a few hundred bytes.
///
/// A client must not refuse what a log may hold (specification 5.2). The reference limits nothing but
/// its request bodies, so this limit is above what fits into one, and those below are far above what
/// anybody but an attacker on his own package would use. A server may admit much less.
pub const RECORD_BYTES_MAX: usize = 2 << 20;

/// Most entries in one record.
pub const RECORD_ENTRIES_MAX: usize = 1 << 16;

/// Longest list of permissions in one grant or revoke entry. Lists may repeat themselves.
pub const ENTRY_PERMISSIONS_MAX: usize = 1 << 16;

/// Longest package name that is looked at, in bytes, the colon included.
pub const PACKAGE_NAME_BYTES_MAX: usize = 1 << 16;

/// Longest namespace that is looked at, in bytes.
pub const NAMESPACE_BYTES_MAX: usize = 1 << 16;

/// Longest version text that is looked at, in bytes.
pub const VERSION_BYTES_MAX: usize = 1 << 16;

/// Longest version requirement that is looked at, in bytes: room for two versions as bounds.
pub const VERSION_REQ_BYTES_MAX: usize = 2 * VERSION_BYTES_MAX + 16;

/// Largest transcript that is verified, in bytes of its JSON form. It leaves room for about 100,000
/// records.
pub const TRANSCRIPT_BYTES_MAX: usize = 64 << 20;
