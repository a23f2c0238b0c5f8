//! Publishing records and the content they need (specification 12.4 and 12.5).

use serde::{Deserialize, Serialize};
use wargate_crypto::AnyDigest;
use wargate_protocol::{LogId, PackageName, RecordId, RegistryIndex, SignedEnvelope};

use crate::OrderedMap;
use crate::content::ContentSource;
use crate::error::{ErrorBody, api_error};

/// Request to [`publish`](crate::paths::publish).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishRecordRequest {
    /// The package whose log the record is for; the path has its log id.
    pub package_name: PackageName,
    /// The signed record.
    pub record: SignedEnvelope,
    /// Where the registry can find content that the record needs.
    #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
    pub content_sources: OrderedMap<AnyDigest, Vec<ContentSource>>,
}

/// Answer to [`publish`](crate::paths::publish) and
/// [`package_record`](crate::paths::package_record).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "FlatRecord")]
pub struct PackageRecord {
    /// The record.
    pub record_id: RecordId,
    /// How far it is.
    #[serde(flatten)]
    pub state: PackageRecordState,
}

/// How far a record is (specification 14.1).
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum PackageRecordState {
    /// Content is missing.
    Sourcing {
        /// What, and where it can be uploaded.
        missing_content: OrderedMap<AnyDigest, MissingContent>,
    },
    /// Accepted, and not yet in a checkpoint.
    Processing,
    /// Refused for ever.
    Rejected {
        /// For people.
        reason: String,
    },
    /// In the log, and in the newest checkpoint.
    Published {
        /// Its position in the registry log.
        registry_index: RegistryIndex,
    },
}

/// How a [`PackageRecord`] is read. Reading into a flattened member would keep all that a stranger
/// adds, at many times its size.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FlatRecord {
    record_id: RecordId,
    state: StateName,
    missing_content: Option<OrderedMap<AnyDigest, MissingContent>>,
    reason: Option<String>,
    registry_index: Option<RegistryIndex>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum StateName {
    Sourcing,
    Processing,
    Rejected,
    Published,
}

impl TryFrom<FlatRecord> for PackageRecord {
    type Error = &'static str;

    fn try_from(flat: FlatRecord) -> Result<Self, &'static str> {
        let state = match flat.state {
            StateName::Sourcing => PackageRecordState::Sourcing {
                missing_content: flat.missing_content.ok_or("missing field `missingContent`")?,
            },
            StateName::Processing => PackageRecordState::Processing,
            StateName::Rejected => PackageRecordState::Rejected {
                reason: flat.reason.ok_or("missing field `reason`")?,
            },
            StateName::Published => PackageRecordState::Published {
                registry_index: flat.registry_index.ok_or("missing field `registryIndex`")?,
            },
        };
        Ok(Self { record_id: flat.record_id, state })
    }
}

/// Content that a record needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MissingContent {
    /// Where it can be uploaded. The reference client tries the first one only, and skips the digest
    /// silently if there is none.
    pub upload: Vec<UploadEndpoint>,
}

/// A place for an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum UploadEndpoint {
    /// A plain HTTP request whose body is the content.
    Http {
        /// The method.
        method: UploadMethod,
        /// Absolute, or relative to the base URL.
        url: String,
        /// Headers to send. The reference client sends wrong values, so servers put credentials into
        /// the URL (specification 20.1, T1).
        #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
        headers: OrderedMap<UploadHeader, String>,
    },
}

/// The methods that an upload may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum UploadMethod {
    /// `POST`.
    Post,
    /// `PUT`.
    Put,
}

/// The headers that an upload may carry: with others, a registry could make its clients send
/// arbitrary requests elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UploadHeader {
    /// `authorization`.
    Authorization,
    /// `content-type`.
    ContentType,
}

/// Error of the package API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackageError {
    /// The request is not allowed.
    #[error("not authorised: {0}")]
    Unauthorized(String),
    /// The registry has no such log.
    #[error("the registry has no log {0}")]
    LogNotFound(LogId),
    /// Nothing with this id was submitted to the log.
    #[error("the registry has no record {0} in this log")]
    RecordNotFound(RecordId),
    /// The namespace is not defined.
    #[error("the namespace {0} is not defined in the registry")]
    NamespaceNotDefined(String),
    /// The namespace belongs to another registry.
    #[error("the namespace {0} is imported from another registry; publish there")]
    NamespaceImported(String),
    /// Another record of the log is pending.
    #[error("the record {0} of this log is pending")]
    ConflictPendingPublish(RecordId),
    /// The record waits for no content.
    #[error("the record does not wait for content")]
    RecordNotSourcing,
    /// The record or its content is refused.
    #[error("the registry rejects the record: {0}")]
    Rejection(String),
    /// The registry cannot do this.
    #[error("the registry does not support this: {0}")]
    NotSupported(String),
    /// Anything else.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(PackageError);

impl PackageError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        match self {
            Self::Unauthorized(message) => ErrorBody::message(401, message),
            Self::LogNotFound(log) => ErrorBody::entity(404, "log", log.to_string()),
            Self::RecordNotFound(record) => ErrorBody::entity(404, "record", record.to_string()),
            Self::NamespaceNotDefined(namespace) => {
                ErrorBody::entity(404, "namespace", namespace.as_str())
            }
            Self::NamespaceImported(namespace) => {
                ErrorBody::entity(409, "namespaceImport", namespace.as_str())
            }
            Self::ConflictPendingPublish(record) => {
                ErrorBody::entity(409, "record", record.to_string())
            }
            Self::RecordNotSourcing => ErrorBody::status(405),
            Self::Rejection(message) => ErrorBody::message(422, message),
            Self::NotSupported(message) => ErrorBody::message(501, message),
            Self::Message { status, message } => ErrorBody::message(*status, message),
        }
    }

    /// The specific shapes first, then any status with a message (specification 13). An entity of
    /// another kind is refused, as the reference refuses it.
    fn from_body(body: &ErrorBody) -> Option<Self> {
        match (body.status, body.kind.as_deref(), &body.id) {
            (404, Some("log"), Some(_)) => body.id_as().map(Self::LogNotFound),
            (404, Some("record"), Some(_)) => body.id_as().map(Self::RecordNotFound),
            (404, Some("namespace"), Some(_)) => body.id_as().map(Self::NamespaceNotDefined),
            (409, Some("namespaceImport"), Some(_)) => body.id_as().map(Self::NamespaceImported),
            (409, Some("record"), Some(_)) => body.id_as().map(Self::ConflictPendingPublish),
            (404 | 409, Some(_), Some(_)) => None,
            (405, ..) => Some(Self::RecordNotSourcing),
            _ => {
                let (status, message) = body.general()?;
                Some(match status {
                    401 => Self::Unauthorized(message),
                    422 => Self::Rejection(message),
                    501 => Self::NotSupported(message),
                    status => Self::Message { status, message },
                })
            }
        }
    }
}
