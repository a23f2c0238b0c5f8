//! Fetching checkpoints, logs and names (specification 12.3).

use std::fmt;

use serde::{Deserialize, Serialize};
use wargate_crypto::{KeyId, Signature};
use wargate_protocol::verify::{PlacedEnvelope, ProofBytes};
use wargate_protocol::{LogId, LogLength, PackageName, RegistryIndex, SignedEnvelope};

use crate::OrderedMap;
use crate::error::{ErrorBody, api_error};

/// Answer to [`FETCH_CHECKPOINT`](crate::paths::FETCH_CHECKPOINT); request to
/// [`VERIFY_CHECKPOINT`](crate::paths::VERIFY_CHECKPOINT).
pub use wargate_protocol::SignedCheckpoint;

/// Records per log if a request names no limit.
pub const LIMIT_DEFAULT: u16 = 100;

/// Most records per log that a request may ask for.
pub const LIMIT_MAX: u16 = 1000;

/// Most log ids whose names are looked up in one request.
pub const NAMES_MAX: usize = 1000;

/// Where a list of records goes on. Opaque to whoever did not make it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FetchToken(pub String);

impl fmt::Debug for FetchToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for FetchToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Request to [`FETCH_LOGS`](crate::paths::FETCH_LOGS). An unknown member is refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FetchLogsRequest {
    /// The length of some checkpoint, past or present.
    pub log_length: LogLength,
    /// Most records per log, 1 to [`LIMIT_MAX`]; absent is [`LIMIT_DEFAULT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u16>,
    /// Token of the last operator record known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<FetchToken>,
    /// Token of the last record known of each package log; `None` for all its records.
    #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
    pub packages: OrderedMap<LogId, Option<FetchToken>>,
}

/// Answer to [`FETCH_LOGS`](crate::paths::FETCH_LOGS).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FetchLogsResponse {
    /// Whether any list has as many records as the limit allows. The next page may still be empty.
    pub more: bool,
    /// Operator records behind the token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub operator: Vec<PublishedRecord>,
    /// Records of each requested package log behind its token.
    #[serde(skip_serializing_if = "OrderedMap::is_empty")]
    pub packages: OrderedMap<LogId, Vec<PublishedRecord>>,
    /// To be shown to the user.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// A record with its place in the registry log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", from = "FlatRecord")]
pub struct PublishedRecord {
    /// The record as it was signed, and its position.
    #[serde(flatten)]
    pub record: PlacedEnvelope,
    /// Where to go on behind it.
    pub fetch_token: FetchToken,
}

/// How it is read. Reading into a flattened member would keep all that a stranger adds, at many times
/// its size.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatRecord {
    #[serde(with = "wargate_protocol::base64")]
    content_bytes: Vec<u8>,
    key_id: KeyId,
    signature: Signature,
    registry_index: RegistryIndex,
    fetch_token: FetchToken,
}

impl From<FlatRecord> for PublishedRecord {
    fn from(flat: FlatRecord) -> Self {
        let FlatRecord { content_bytes, key_id, signature, registry_index, fetch_token } = flat;
        let envelope = SignedEnvelope::new(content_bytes, key_id, signature);
        Self { record: PlacedEnvelope { envelope, registry_index }, fetch_token }
    }
}

/// Something that the registry wants the user to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// For people.
    pub message: String,
}

/// Request to [`FETCH_TRANSCRIPT`](crate::paths::FETCH_TRANSCRIPT): what a client that wants some
/// packages would ask for in three to four requests. An unknown member is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FetchTranscriptRequest {
    /// Token of the last operator record known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<FetchToken>,
    /// Token of the last record known of each package log; `None` for all its records.
    #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
    pub packages: OrderedMap<LogId, Option<FetchToken>>,
    /// Lengths from which consistency is to be proven; those that are not below the checkpoint's are
    /// passed over. At most [`CONSISTENT_FROM_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consistent_from: Vec<LogLength>,
}

/// Most lengths from which one request has consistency proven.
pub const CONSISTENT_FROM_MAX: usize = 4;

/// Answer to [`FETCH_TRANSCRIPT`](crate::paths::FETCH_TRANSCRIPT).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FetchTranscriptResponse {
    /// The newest checkpoint. Everything below is as of its length.
    pub checkpoint: SignedCheckpoint,
    /// The records behind the tokens, at most [`LIMIT_MAX`] of each log.
    pub logs: FetchLogsResponse,
    /// The inclusion of the newest record of the operator log, and then of each package log in the
    /// order of the request, and the consistency that was asked for. `None` if there are more records:
    /// they and the proofs are asked for on their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proofs: Option<ProofBytes>,
}

/// Request to [`FETCH_NAMES`](crate::paths::FETCH_NAMES).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FetchNamesRequest {
    /// Log ids, of which the first [`NAMES_MAX`] are looked at.
    pub packages: Vec<LogId>,
}

/// Answer to [`FETCH_NAMES`](crate::paths::FETCH_NAMES).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FetchNamesResponse {
    /// The package name of each log id; `None` if it cannot be given.
    pub packages: OrderedMap<LogId, Option<PackageName>>,
}

/// Error of the fetch API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// No checkpoint has this length.
    #[error("the registry has no checkpoint of length {0}")]
    CheckpointNotFound(LogLength),
    /// The registry has no such log.
    #[error("the registry has no log {0}")]
    LogNotFound(LogId),
    /// The token is not one of this log's.
    #[error("the registry does not know the fetch token {0}")]
    FetchTokenNotFound(FetchToken),
    /// Anything else.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(FetchError);

impl FetchError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        match self {
            Self::CheckpointNotFound(length) => ErrorBody::entity(404, "logLength", length.get()),
            Self::LogNotFound(log) => ErrorBody::entity(404, "log", log.to_string()),
            Self::FetchTokenNotFound(token) => ErrorBody::entity(404, "fetchToken", &*token.0),
            Self::Message { status, message } => ErrorBody::message(*status, message),
        }
    }

    /// The specific shapes first, then any status with a message (specification 13).
    fn from_body(body: &ErrorBody) -> Option<Self> {
        Self::specific(body).or_else(|| {
            let (status, message) = body.general()?;
            Some(Self::Message { status, message })
        })
    }

    fn specific(body: &ErrorBody) -> Option<Self> {
        match (body.status, body.kind.as_deref()?) {
            // The reference tells the first two apart by the type of the id alone.
            (404, "logLength" | "log") if body.id_as_number().is_some() => {
                body.id_as_number().map(LogLength::new).map(Self::CheckpointNotFound)
            }
            (404, "log") => body.id_as().map(Self::LogNotFound),
            (404, "fetchToken") => {
                body.id_as().map(|token| Self::FetchTokenNotFound(FetchToken(token)))
            }
            _ => None,
        }
    }
}
