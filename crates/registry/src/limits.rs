//! Limits on what a stranger controls. The unit is the last word before `MAX`. An operator can set
//! those in [`Limits`]; the rest is fixed.

use crate::throttle::Rate;

/// Most entries in a record that a registry takes.
pub const RECORD_ENTRIES_MAX: usize = 1000;

/// How far in the future a record's time may lie, in seconds: room for clocks that are a little off
/// (specification 20.3, N8).
pub const FUTURE_SECONDS_MAX: i64 = 300;

/// Records of all logs together in one page, in bytes as stored. A page with one record may be larger.
pub const PAGE_BYTES_MAX: usize = 1 << 20;

/// Most package logs in one request for records, and most names in one for names.
pub const LOGS_PER_REQUEST_MAX: usize = 1000;

/// Most leaves in one request for inclusion proofs. More would make a bundle that readers refuse.
pub const LEAVES_PER_REQUEST_MAX: usize = 1000;

/// Most lengths from which one request has consistency proven.
pub const CONSISTENCIES_PER_REQUEST_MAX: usize = 4;

/// Most records that an index takes in at once.
pub const FOLLOWED_RECORDS_MAX: usize = 500;

/// Names of imports that an index takes in at once, in bytes; those of the last record may go beyond.
pub const FOLLOWED_NAMES_BYTES_MAX: usize = 1 << 20;

/// Most packages in one request for what they depend on.
pub const DEPENDENCIES_PACKAGES_MAX: usize = 1000;

/// What packages depend on in one page, in bytes; that of the last package may go beyond.
pub const DEPENDENCIES_BYTES_MAX: usize = 4 << 20;

/// Most releases in one page of those that depend on a package.
pub const DEPENDENTS_PER_REQUEST_MAX: usize = 100;

/// What one request for dependencies may look through, in bytes of records and of what was found in
/// content: some 50,000 releases.
pub const LOOKED_THROUGH_BYTES_MAX: usize = 128 << 20;

/// Most questions to the solver that are answered at the same time.
pub const SOLVED_AT_ONCE_MAX: usize = 2;

/// How long the solver goes on asking for packages, in seconds.
pub const SOLVE_SECONDS_MAX: u64 = 5;

/// Largest record that a registry takes, in bytes of its protobuf form: room for
/// [`RECORD_ENTRIES_MAX`] entries.
pub const RECORD_BYTES_MAX: usize = 256 << 10;

/// Longest package name that a registry takes, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Most refused records that are remembered although they never waited for anything.
pub const REJECTED_RECORDS_MAX: u64 = 10_000;

/// Most commands that become one commit.
pub const BATCH_COMMANDS_MAX: usize = 1024;

/// What the commands of one commit may take, in bytes. One alone may take more.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// What the commands that wait for the sequencer may take, in bytes.
pub const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Most commands that wait for the sequencer. A further one is refused as [`Busy`](crate::WriteError).
pub const QUEUE_COMMANDS_MAX: usize = 16_384;

/// Most pending records that one arrival of content, or one look for work left behind, takes up.
pub const BACKLOG_RECORDS_MAX: usize = 1024;

/// Content up to this size is kept in the store, where it becomes durable with the rest of a commit. A
/// file of its own would take two more writes to the medium.
pub const INLINE_CONTENT_BYTES_MAX: u64 = 16 << 10;

/// Most uploads that broke off and are kept for whoever goes on with them.
pub const UPLOADS_PARKED_MAX: usize = 256;

/// Most of them that are kept of one content for one record.
pub const UPLOADS_PARKED_OF_ONE_MAX: usize = 4;

/// How long such an upload is kept, in seconds.
pub const UPLOAD_PARKED_SECONDS_MAX: u64 = 600;

/// Content that nobody names and that is forgotten in one commit.
pub const DISCARDED_CONTENTS_MAX: usize = 1000;

/// Content files without a row that are remembered until they are old enough to be removed.
pub const STRAYS_MAX: usize = 10_000;

/// How long a content file must have been without a row before it is removed, in seconds.
pub const STRAY_SECONDS_MIN: u64 = 3600;

/// Records in a full segment of a snapshot: as many as are written anew when one more came.
pub const SNAPSHOT_SEGMENT_RECORDS: u64 = 2048;

/// A segment of a snapshot is full, too, when it has as many bytes.
pub const SNAPSHOT_SEGMENT_BYTES: usize = 4 << 20;

/// Largest part of a snapshot that is no content, in bytes: a segment and one record more, with all
/// the content that a record can bring.
pub const SNAPSHOT_PART_BYTES_MAX: u64 = 64 << 20;

/// Largest manifest of a snapshot, in bytes: room for some 400 million records.
pub const SNAPSHOT_MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// Most tiles of the log that are kept in memory for proofs, 9 KiB each; twice as many, at the most.
pub const TILES_KEPT_MAX: usize = 104;

/// Most pages of the map that are kept in memory for proofs, 2 KiB each or less; twice as many, at the most.
pub const PAGES_KEPT_MAX: usize = 384;

/// Most namespaces whose state is kept in memory; twice as many, at the most.
pub const NAMESPACES_KEPT_MAX: usize = 1024;

/// What the newest records may take in memory, of which is kept how far they are, in bytes; twice as
/// much, at the most.
pub const RECENT_BYTES_MAX: usize = 3 << 19;

/// What an operator can set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Largest content, in bytes.
    pub content_bytes_max: u64,
    /// Most content that is looked into at the same time, in bytes: looking takes it into memory.
    pub inspected_bytes_max: u64,
    /// Most content that is coming in at the same time and does not fit into memory, in bytes; never
    /// less than the largest content.
    pub spooled_bytes_max: u64,
    /// Most records that wait for content.
    pub sourcing_records_max: u64,
    /// Most records of one key that wait for content.
    pub sourcing_records_of_key_max: u64,
    /// How often a key may publish; `None` is without limit.
    pub publishes_of_key: Option<Rate>,
    /// How long content is kept that no record names, in seconds; never shorter than a record may wait.
    pub unnamed_seconds_max: u64,
    /// How long a record waits for content, and how long a refused one is remembered, in seconds.
    pub pending_seconds_max: u64,
    /// For how long the map of an old checkpoint can be asked for, in seconds. The newest always can.
    pub map_window_seconds: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            content_bytes_max: 256 << 20,
            inspected_bytes_max: 512 << 20,
            spooled_bytes_max: 4 << 30,
            sourcing_records_max: 10_000,
            sourcing_records_of_key_max: 10_000,
            publishes_of_key: None,
            unnamed_seconds_max: 7 * 24 * 60 * 60,
            pending_seconds_max: 24 * 60 * 60,
            map_window_seconds: 7 * 24 * 60 * 60,
        }
    }
}
