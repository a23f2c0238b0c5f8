//! Limits on what a stranger controls. The unit is the last word before `MAX`.

/// Longest digest text that is looked at, in bytes. A SHA-256 text has 71; the protocol's dynamic
/// digest form carries any length, but no algorithm that exists needs more than 64 digest bytes.
pub const DIGEST_TEXT_BYTES_MAX: usize = 7 + 2 * 64;

/// Longest key text that is looked at, in bytes (an uncompressed P-256 point needs 99).
pub const KEY_TEXT_BYTES_MAX: usize = 256;

/// Longest signature text that is looked at, in bytes (a P-256 signature needs at most 107).
pub const SIGNATURE_TEXT_BYTES_MAX: usize = 256;
