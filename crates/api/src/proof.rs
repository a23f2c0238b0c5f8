//! Proofs (specification 12.7).

use serde::{Deserialize, Serialize};
use wargate_crypto::AnyDigest;
use wargate_protocol::{LogId, LogLength, RegistryIndex};

use crate::error::{ErrorBody, api_error};

/// Request to [`PROVE_INCLUSION`](crate::paths::PROVE_INCLUSION).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InclusionRequest {
    /// The length of some checkpoint, past or present.
    pub log_length: LogLength,
    /// Positions of records, each the newest of its log at that length; repeats are allowed.
    pub leafs: Vec<RegistryIndex>,
}

/// Answer to [`PROVE_INCLUSION`](crate::paths::PROVE_INCLUSION).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionResponse {
    /// A log bundle with one inclusion proof for each leaf, in request order.
    #[serde(with = "wargate_protocol::base64")]
    pub log: Vec<u8>,
    /// A map bundle, likewise.
    #[serde(with = "wargate_protocol::base64")]
    pub map: Vec<u8>,
}

/// Request to [`PROVE_CONSISTENCY`](crate::paths::PROVE_CONSISTENCY). The lengths need not be those
/// of checkpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyRequest {
    /// The earlier length, at least 1.
    pub from: LogLength,
    /// The later length, at least `from`.
    pub to: LogLength,
}

/// Answer to [`PROVE_CONSISTENCY`](crate::paths::PROVE_CONSISTENCY).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsistencyResponse {
    /// A log bundle with one consistency proof.
    #[serde(with = "wargate_protocol::base64")]
    pub proof: Vec<u8>,
}

/// Error of the proof API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// No checkpoint has this length, or none whose map is still kept.
    #[error("the registry has no checkpoint of length {0}, or no longer its map")]
    CheckpointNotFound(LogLength),
    /// The log is not that long.
    #[error("the registry has no record at position {0}")]
    LeafNotFound(RegistryIndex),
    /// The proof cannot be made.
    #[error("the registry cannot make the proof: {0}")]
    BundleFailure(String),
    /// The log is not in the map.
    #[error("the log {0} is not in the registry's map")]
    PackageLogNotIncluded(LogId),
    /// The proof made leads elsewhere; a record that is not the newest of its log is one reason.
    #[error("the proof leads to the root {found}, not to {root}")]
    IncorrectProof {
        /// The root that it should have led to.
        root: AnyDigest,
        /// The root that it led to.
        found: AnyDigest,
    },
    /// Anything else.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(ProofError);

impl ProofError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        let failed =
            |reason: &str| ErrorBody { reason: Some(reason.into()), ..ErrorBody::status(422) };
        match self {
            Self::CheckpointNotFound(length) => ErrorBody::entity(404, "logLength", length.get()),
            Self::LeafNotFound(index) => ErrorBody::entity(404, "leaf", index.get()),
            Self::BundleFailure(message) => {
                ErrorBody { message: Some(message.clone()), ..failed("failure") }
            }
            Self::PackageLogNotIncluded(log) => {
                ErrorBody { log_id: Some(log.to_string()), ..failed("packageNotIncluded") }
            }
            Self::IncorrectProof { root, found } => ErrorBody {
                root: Some(root.to_string()),
                found: Some(found.to_string()),
                ..failed("incorrectProof")
            },
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
        match (body.status, body.kind.as_deref(), body.reason.as_deref()) {
            (404, Some("logLength"), _) => {
                body.id_as_number().map(LogLength::new).map(Self::CheckpointNotFound)
            }
            (404, Some("leaf"), _) => {
                body.id_as_number().map(RegistryIndex::new).map(Self::LeafNotFound)
            }
            (422, _, Some("failure")) => body.message.clone().map(Self::BundleFailure),
            (422, _, Some("packageNotIncluded")) => {
                body.log_id.as_ref()?.parse().ok().map(Self::PackageLogNotIncluded)
            }
            (422, _, Some("incorrectProof")) => {
                let root = body.root.as_ref()?.parse().ok()?;
                let found = body.found.as_ref()?.parse().ok()?;
                Some(Self::IncorrectProof { root, found })
            }
            _ => None,
        }
    }
}
