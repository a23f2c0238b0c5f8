//! What the client tells while it works.

use std::time::Duration;

use wargate_crypto::{AnyDigest, KeyId};
use wargate_protocol::{LogLength, PackageName, RecordId};

use crate::origin::Domain;

/// Is told what happens. Nothing depends on it; it must not block.
pub trait Observer: Send + Sync {
    /// Something happens.
    fn event(&self, event: Event<'_>);
}

/// Is told, and says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: Event<'_>) {}
}

/// What happens.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Logs are brought up to date.
    Updating {
        /// Of this registry.
        registry: &'a Domain,
        /// How many package logs.
        packages: usize,
    },
    /// More records have come and were checked.
    Records {
        /// Of this registry.
        registry: &'a Domain,
        /// How many in all since [`Event::Updating`].
        records: u64,
    },
    /// A whole registry is being verified.
    Auditing {
        /// The registry.
        registry: &'a Domain,
        /// What is at hand: `ledger`, `logs`, `names` or `contents`.
        what: &'static str,
        /// How many are done, and how many there are.
        done: u64,
        /// See `done`.
        of: u64,
    },
    /// Everything was proven.
    Verified {
        /// Of this registry.
        registry: &'a Domain,
        /// The length of its log.
        length: LogLength,
    },
    /// A registry is seen for the first time, and believed to be what it says.
    FirstUse {
        /// The registry.
        registry: &'a Domain,
        /// The key that signed its first record.
        operator_key: &'a KeyId,
    },
    /// A package belongs to another registry than the one that was asked.
    Redirected {
        /// The package.
        package: &'a PackageName,
        /// The registry.
        registry: &'a Domain,
    },
    /// Content comes in, or goes out.
    Transfer {
        /// Its digest.
        digest: &'a AnyDigest,
        /// Which way.
        direction: Direction,
        /// How far: bytes that are done, and all of them if that is known.
        done: u64,
        /// See `done`.
        length: Option<u64>,
        /// Nothing more will come of it, for it is complete.
        complete: bool,
    },
    /// A record was signed and is being sent.
    Submitting {
        /// The package.
        package: &'a PackageName,
        /// The record.
        record: &'a RecordId,
    },
    /// The registry has a record and has not put it into its log yet.
    Waiting {
        /// The package.
        package: &'a PackageName,
        /// The record.
        record: &'a RecordId,
    },
    /// Something failed and is tried again.
    Retrying {
        /// What failed; without secrets.
        reason: &'a str,
        /// After this time.
        after: Duration,
    },
    /// Something that the user should know.
    Warning {
        /// For people. A registry's own words are marked as such and freed of control characters.
        message: &'a str,
    },
}

/// Which way content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the registry.
    Download,
    /// To the registry.
    Upload,
}
