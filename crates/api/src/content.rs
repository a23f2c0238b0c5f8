//! Where content is (specification 12.6).

use serde::{Deserialize, Serialize};
use wargate_crypto::AnyDigest;

use crate::error::{ErrorBody, api_error};
use crate::{OrderedMap, is_false};

/// Answer to [`content_sources`](crate::paths::content_sources).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentSourcesResponse {
    /// Sources of the digest asked for, and perhaps of others that go with it.
    pub content_sources: OrderedMap<AnyDigest, Vec<ContentSource>>,
}

/// A place to download content from. The digest authenticates what comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ContentSource {
    /// A plain HTTP GET.
    HttpGet {
        /// Absolute.
        url: String,
        /// Whether `Range` requests work.
        #[serde(default, alias = "accept_ranges", skip_serializing_if = "is_false")]
        accept_ranges: bool,
        /// The size in bytes, if it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
    },
}

/// Error of the content API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// The registry does not have the content.
    #[error("the registry has no content {0}")]
    ContentDigestNotFound(AnyDigest),
    /// Anything else.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(ContentError);

impl ContentError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        match self {
            Self::ContentDigestNotFound(digest) => {
                ErrorBody::entity(404, "contentDigest", digest.to_string())
            }
            Self::Message { status, message } => ErrorBody::message(*status, message),
        }
    }

    /// The specific shape first, then any status with a message (specification 13).
    fn from_body(body: &ErrorBody) -> Option<Self> {
        let specific = (body.status == 404 && body.kind.as_deref() == Some("contentDigest"))
            .then(|| body.id_as().map(Self::ContentDigestNotFound));
        specific.flatten().or_else(|| {
            let (status, message) = body.general()?;
            Some(Self::Message { status, message })
        })
    }
}
