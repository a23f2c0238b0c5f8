//! Limits on what a stranger controls, beside those of the engine and of
//! [`Options`](crate::Options). The unit is the last word before `MAX`.

use std::time::Duration;

/// How long a request's body may pause. Longer, and the request is given up with 408.
pub const BODY_PAUSE_MAX: Duration = Duration::from_mins(1);

/// Largest body of JSON, in bytes, that is read where it came in; others may take milliseconds.
pub const BRIEF_BODY_BYTES_MAX: usize = 64 << 10;

/// Bytes of an upload that are gathered before they are written in one go.
pub const UPLOAD_BATCH_BYTES: usize = 256 << 10;

/// Bytes of a download that are read in one go. At most two such pieces are in memory for a download:
/// one on its way out and the next.
pub const DOWNLOAD_PIECE_BYTES: usize = 256 << 10;

/// Most sources of one content that a request may name.
pub const SOURCES_MAX: usize = 8;

/// Bytes of all URLs of sources that a request may name.
pub const SOURCE_URLS_BYTES_MAX: usize = 32 << 10;

/// Most contents for which a request may name sources.
pub const SOURCED_CONTENTS_MAX: usize = 64;

/// Most logs of imported namespaces that are remembered, to answer with a hint.
pub const HINTS_MAX: usize = 4096;

/// Largest body of a JSON request unless [`Options`](crate::Options) say otherwise, in bytes.
pub const BODY_BYTES_MAX: usize = 2 << 20;

/// How long a question for a record's state waits for an answer that does not change any more, unless
/// [`Options`](crate::Options) say otherwise.
pub const HOLD_MAX: Duration = Duration::from_secs(2);

/// Longest text of an error, in bytes; what is longer is cut. Room for two digests and a sentence.
pub const ERROR_TEXT_BYTES_MAX: usize = 1024;

/// Longest name of a request that its sender may choose, in bytes.
pub const REQUEST_ID_BYTES_MAX: usize = 64;

/// Longest time that a question waits until others have been solved.
pub const SOLVING_WAIT_MAX: Duration = Duration::from_secs(2);
