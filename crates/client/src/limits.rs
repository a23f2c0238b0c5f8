//! Limits on everything that a registry controls.

use std::time::Duration;

/// Most bytes of a checkpoint, a record's state, a discovery document or an error.
pub const SMALL_ANSWER_BYTES_MAX: usize = 1 << 20;

/// Most bytes of a page of records, of proofs, or of the ledger.
pub const LARGE_ANSWER_BYTES_MAX: usize = 64 << 20;

/// Most bytes of what packages depend on.
pub const DEPENDENCIES_ANSWER_BYTES_MAX: usize = 64 << 20;

/// Most releases that depend on a package and are listed.
pub const DEPENDENTS_MAX: usize = 100_000;

/// How often a registry is asked for more packages, or for content, to answer one question.
pub const RESOLVE_ROUNDS_MAX: u32 = 512;

/// Most pages of records in one update: 2 million records of a log at the largest page.
pub const PAGES_MAX: u32 = 2_000;

/// Most redirects that one request follows.
pub const REDIRECTS_MAX: u32 = 5;

/// Most bytes of one header that is looked at.
pub const HEADER_BYTES_MAX: usize = 4 << 10;

/// Most sources of one content that are tried.
pub const SOURCES_MAX: usize = 8;

/// Most bytes of a fetch token that is kept.
pub const FETCH_TOKEN_BYTES_MAX: usize = 4 << 10;

/// Most package logs that one request asks for.
pub const LOGS_PER_REQUEST_MAX: usize = 500;

/// Most records of a registry whose whole log is verified, at about 70 bytes of memory each.
pub const AUDIT_RECORDS_MAX: u64 = 1 << 25;

/// Most warnings of one answer that are passed on, and most characters of each.
pub const WARNINGS_MAX: usize = 5;
/// See [`WARNINGS_MAX`].
pub const WARNING_CHARS_MAX: usize = 500;

/// Most characters of a registry's own words in an error.
pub const MESSAGE_CHARS_MAX: usize = 1_000;

/// Longest time that a registry may make the client wait before it tries again.
pub const RETRY_AFTER_MAX: Duration = Duration::from_mins(2);

/// Most pieces of evidence that are kept about a registry.
pub const EVIDENCE_PIECES_MAX: usize = 64;

/// Most bytes of a record and of proofs in a piece of evidence that is kept.
pub const EVIDENCE_BYTES_MAX: usize = 1 << 20;

/// Most names that are proposed in place of one that is not known.
pub const SIMILAR_MAX: usize = 3;

/// Longest time that is waited in all before one thing is given up.
pub const RETRY_TOTAL_MAX: Duration = Duration::from_mins(5);

/// Most bytes of one content.
pub const CONTENT_BYTES_MAX: u64 = 4 << 30;

/// Most bytes of a URL that a registry names.
pub const URL_BYTES_MAX: usize = 8 << 10;

/// Longest time that is waited for another process that fetches the same content.
pub const OTHER_PROCESS_WAIT_MAX: Duration = Duration::from_hours(1);

/// Longest time that an answer may take that is read whole, such as JSON, from its head to its end.
pub const ANSWER_TIME_MAX: Duration = Duration::from_mins(5);

/// Fewest bytes of any body that must come in each [`PACE_WINDOW`], unless it ends: far less than the
/// slowest line brings while 30 others share it, and enough that nobody is held for ever.
pub const PACE_BYTES_MIN: u64 = 16 << 10;
/// See [`PACE_BYTES_MIN`].
pub const PACE_WINDOW: Duration = Duration::from_mins(1);

/// Most packages that no registry has and that a question may need, before it counts as one that cannot be
/// answered: each costs some requests.
pub const MISSING_PACKAGES_MAX: usize = 100;

/// Most bytes of names in a list of what depends on a package.
pub const DEPENDENTS_BYTES_MAX: usize = 16 << 20;

/// Longest word of a registry for a place in a list, in bytes.
pub(crate) const PLACE_BYTES_MAX: usize = 64;

/// Most packages of which a file may say that it was made of them, for all of that to be verified: each is
/// derived from its log.
pub(crate) const SOURCE_PACKAGES_MAX: usize = 1 << 10;
