//! Asking a registry or a monitor about a checkpoint (specification 12.8). The request is a
//! [`SignedCheckpoint`](crate::fetch::SignedCheckpoint).

use serde::{Deserialize, Serialize};

use crate::error::{ErrorBody, api_error};

/// Answer to [`VERIFY_CHECKPOINT`](crate::paths::VERIFY_CHECKPOINT).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyCheckpointResponse {
    /// Whether the roots are those of the log at that length.
    pub checkpoint: Verification,
    /// Whether the signature over the submitted contents is one of the registry's.
    pub signature: Verification,
    /// In how many seconds to ask again about what is unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// The outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verification {
    /// Not known yet.
    Unverified,
    /// It holds.
    Verified,
    /// It does not hold.
    Invalid,
}

/// Error of the monitor API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MonitorError {
    /// Anything.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(MonitorError);

impl MonitorError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        let Self::Message { status, message } = self;
        ErrorBody::message(*status, message)
    }

    fn from_body(body: &ErrorBody) -> Option<Self> {
        Some(Self::Message { status: body.status, message: body.message.clone()? })
    }
}
