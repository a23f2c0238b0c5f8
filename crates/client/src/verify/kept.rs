//! How far package logs were validated, so that a monitor need not fetch a long one from its start each
//! time it grows.
//!
//! What is kept counts only for a log whose newest record, as the map had it before, is the one it ends
//! with: records are linked by their hashes, so it is then the state that all records up to that one
//! lead to. Whatever else is there, because something was interrupted or failed later, is passed over.

use serde::{Deserialize, Serialize};
use wargate_api::fetch::FetchToken;
use wargate_protocol::{LogId, PackageState, RegistryIndex};

use crate::error::Error;

/// A log with fewer records is fetched again as quickly as it is read here.
pub(crate) const KEPT_RECORDS_MIN: u64 = 32;

/// A log, as far as it was validated.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeptLog {
    /// How many records it had.
    pub(crate) records: u64,
    /// The position of the last of them.
    pub(crate) last: RegistryIndex,
    /// Where it goes on.
    pub(crate) token: FetchToken,
    pub(crate) state: PackageState,
}

/// Keeps logs.
pub(crate) trait Keep: Sync {
    /// A log; `None` if it is not kept, or damaged.
    fn load(&self, log: &LogId) -> Result<Option<KeptLog>, Error>;

    /// Keeps a log in place of what was there, unless it is too large.
    fn save(&self, log: &LogId, kept: &KeptLog) -> Result<(), Error>;
}
