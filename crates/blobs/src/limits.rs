//! Limits on what is asked of object storage, and on what it may cost. The unit is the last word
//! before `MAX`.

use std::time::Duration;

/// Bytes of content that are read in one request, and held in memory for each download. Their hash
/// is what a part of a file is checked with.
pub const PIECE_BYTES: u64 = 1 << 20;

/// Bytes of content that are written in one request. Larger content goes in several.
pub const PART_BYTES: u64 = 8 << 20;

/// Most parts of an upload, which is S3's own limit. Content above as many times [`PART_BYTES`] goes in
/// larger parts.
pub const PARTS_MAX: u64 = 10_000;

/// Parts of one upload that are under way, each in memory.
pub const PARTS_UNDER_WAY_MAX: usize = 2;

/// Uploads that are under way; further ones wait.
pub const UPLOADS_MAX: usize = 4;

/// Threads that wait for object storage; further work waits for them. They are not those that serve
/// the log, which goes on when object storage does not.
pub const THREADS_MAX: usize = 64;

/// How long a connection may take.
pub const CONNECT_SECONDS_MAX: u64 = 5;

/// How long a request may take, with its body and its answer, unless `AWS_TIMEOUT` says otherwise.
pub const REQUEST_SECONDS_MAX: u64 = 30;

/// How often a request is made again, with growing pauses in between.
pub const RETRIES_MAX: usize = 5;

/// How long a request is made again. It ends at the latest after this time and one request's.
pub const RETRY_TIME_MAX: Duration = Duration::from_secs(30);

/// How long any call takes at the most, with all that is made again, and for a large upload for each
/// of its parts.
pub const CALL_TIME_MAX: Duration = Duration::from_secs(90);

/// How often a piece is read again that came with wrong bytes.
pub const REREADS_MAX: usize = 2;

/// Hashes of pieces that are remembered: of 64 GiB of content, in 2 MiB.
pub const PIECE_HASHES_MAX: usize = 64 << 10;

/// For how long a URL with which anybody can read content may be used. Clocks may differ by some of it.
pub const LINK_TIME_MAX: Duration = Duration::from_mins(5);
