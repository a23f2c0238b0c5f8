//! How much of everything there is in the comparison.

use std::time::Duration;

/// How often each side of a row is measured. Odd, so that a median is one of the values.
pub(crate) const ROUNDS: usize = 15;

/// How long one side works in one round, at least; a single piece of work may take longer.
pub(crate) const ROUND_TIME: Duration = Duration::from_millis(20);

/// The version of the reference's crates, pinned in `Cargo.toml`.
pub(crate) const REFERENCE: &str = "0.10.0";

/// The version of the crates of `wac`, likewise.
pub(crate) const WAC: &str = "0.12.0";

/// Length of a message that is signed, in bytes: about that of a record.
pub(crate) const MESSAGE_BYTES: usize = 256;

/// Releases in the package logs that one more is added to.
pub(crate) const RELEASES: [usize; 2] = [10, 10_000];

/// Leaves of the registry log.
pub(crate) const LOG_LEAVES: usize = 100_000;

/// Leaves that come with one checkpoint.
pub(crate) const LOG_BATCH: usize = 1_000;

/// Keys of the map.
pub(crate) const MAP_KEYS: usize = 100_000;

/// Keys that are added with one checkpoint.
pub(crate) const MAP_BATCH: usize = 1_000;

/// Different leaves, lengths, keys or messages that a row goes through in turn, so that neither the
/// caches nor the branch predictor know one by heart.
pub(crate) const INPUTS: usize = 1_024;

/// The component of which each level of the tower is made that is bundled.
pub(crate) const TOWER_COMPONENT: &str = "tower-go";

/// Levels of the tower: 35 MB.
pub(crate) const TOWER_LEVELS: usize = 14;

/// How often the memory of each side is measured, each time in a process of its own.
pub(crate) const MEMORY_ROUNDS: usize = 3;
