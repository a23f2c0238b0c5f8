//! Limits on what a stranger controls. The unit is the last word before `MAX`.

/// Largest encoded proof bundle that is decoded, in bytes. The largest honest one answers a request
/// for 1,000 leaves of a map with 2^40 keys: 1,000 × 40 × 38 bytes.
pub const PROOF_BUNDLE_BYTES_MAX: usize = 4 << 20;

/// Longest list of sibling hashes in one map proof: one for each level.
pub const MAP_PROOF_HASHES_MAX: usize = 256;

/// Largest signed note that is parsed, in bytes. It leaves room for 16 post-quantum signatures of
/// 5 kB (C2SP signed-note).
pub const NOTE_BYTES_MAX: usize = 128 << 10;

/// Most signature lines in one note. C2SP asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 64;
