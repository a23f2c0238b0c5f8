//! The raw registry log (specification 12.9). Its records are read and written by
//! `wargate_protocol`.

use serde::{Deserialize, Serialize};
use wargate_protocol::RegistryIndex;

use crate::error::{ErrorBody, api_error};
use crate::is_false;

/// Most records in one source.
pub const SOURCE_RECORDS_MAX: u64 = 1000;

/// Answer to [`LEDGER`](crate::paths::LEDGER).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSourcesResponse {
    /// The algorithm of every digest in the ledger.
    pub hash_algorithm: HashAlgorithm,
    /// Ascending, without gaps, up to the newest checkpoint.
    pub sources: Vec<LedgerSource>,
}

/// The algorithm of the digests in a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
}

/// A part of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerSource {
    /// The first record.
    pub first_registry_index: RegistryIndex,
    /// The last record, which is part of it. The body may go on; what is behind does not count.
    pub last_registry_index: RegistryIndex,
    /// Absolute, or relative to the base URL.
    pub url: String,
    /// The form of the body.
    pub content_type: LedgerContentType,
    /// Whether `Range` requests work.
    #[serde(default, skip_serializing_if = "is_false")]
    pub accept_ranges: bool,
}

/// The form of a part of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerContentType {
    /// For each record the raw log id and the raw record id: 64 bytes.
    #[serde(rename = "application/vnd.warg.ledger.packed")]
    Packed,
}

/// Error of the ledger API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// Anything.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(LedgerError);

impl LedgerError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        let Self::Message { status, message } = self;
        ErrorBody::message(*status, message)
    }

    fn from_body(body: &ErrorBody) -> Option<Self> {
        Some(Self::Message { status: body.status, message: body.message.clone()? })
    }
}
