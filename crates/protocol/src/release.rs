//! What a package log says about a version (specification 5.5).

use serde::{Deserialize, Serialize};
use wargate_crypto::{AnyDigest, KeyId};

use crate::id::RecordId;
use crate::timestamp::Timestamp;
use crate::version::Version;

/// A version that was released, and perhaps yanked since. Its JSON is that of specification 5.5.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The record that released it.
    pub record_id: RecordId,
    /// The version.
    pub version: Version,
    /// The key that signed that record.
    pub by: KeyId,
    /// The time of that record.
    pub timestamp: Timestamp,
    /// Whether it still stands.
    pub state: ReleaseState,
}

/// Whether a release still stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "camelCase")]
pub enum ReleaseState {
    /// It does.
    Released {
        /// The digest of its content; may be of a length that no content has (specification 2.1).
        content: AnyDigest,
    },
    /// It was withdrawn, for good. The state does not know its content any more.
    Yanked {
        /// The key that signed the record that withdrew it.
        by: KeyId,
        /// The time of that record.
        timestamp: Timestamp,
    },
}

impl Release {
    /// Whether it was withdrawn.
    pub const fn is_yanked(&self) -> bool {
        matches!(self.state, ReleaseState::Yanked { .. })
    }

    /// The digest of its content; `None` if it was yanked.
    pub const fn content(&self) -> Option<&AnyDigest> {
        match &self.state {
            ReleaseState::Released { content } => Some(content),
            ReleaseState::Yanked { .. } => None,
        }
    }
}
