//! Errors on their way out: what the engine said, as status and body (specification 13).
//!
//! A failure of the registry itself is logged with all that is known, and answered without it.

use axum::body::Body;
use axum::http::header::{HeaderName, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use wargate_api::ErrorBody;
use wargate_api::content::ContentError;
use wargate_api::dependencies::DependenciesError;
use wargate_api::fetch::{FetchError, FetchToken};
use wargate_api::proof::ProofError;
use wargate_api::publish::PackageError;
use wargate_registry::store::StoreError;
use wargate_registry::{ReadError, WriteError};

use crate::limits::ERROR_TEXT_BYTES_MAX;
use crate::{answer, throttle};

/// An answer with an error status.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    body: ErrorBody,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Seconds after which to try again what the registry could not do now.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

/// The same while the operator has paused the registry.
const PAUSED_RETRY_SECONDS: HeaderValue = HeaderValue::from_static("30");

impl Problem {
    /// The general form.
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self::of(ErrorBody::message(status.as_u16(), message))
    }

    pub(crate) fn of(body: ErrorBody) -> Self {
        Self(Box::new(Parts { body, headers: Vec::new() }))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "the requested resource was not found")
    }

    /// The registry cannot do it now.
    pub(crate) fn unavailable(message: &str) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, message).with(RETRY_AFTER, RETRY_SECONDS)
    }

    /// The fault is ours.
    pub(crate) fn internal() -> Self {
        let message = "the registry made a mistake; its log says more";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, message)
    }

    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    pub(crate) fn into_response(self) -> Response {
        let Parts { mut body, headers } = *self.0;
        for text in [&mut body.message, &mut body.reason].into_iter().flatten() {
            tame(text);
        }
        if let Some(serde_json::Value::String(id)) = &mut body.id {
            tame(id);
        }
        let status = StatusCode::from_u16(body.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = answer::json(&body).unwrap_or_else(|_| Response::new(Body::empty()));
        *response.status_mut() = status;
        for (name, value) in headers {
            response.headers_mut().insert(name, value);
        }
        answer::cache(&mut response, answer::NO_STORE);
        response
    }
}

/// What somebody has sent may come back in what he is told, but not all of it, and nothing that could
/// do harm where it is shown.
fn tame(text: &mut String) {
    if text.chars().any(char::is_control) {
        *text = text.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }).collect();
    }
    if text.len() > ERROR_TEXT_BYTES_MAX {
        text.truncate(text.floor_char_boundary(ERROR_TEXT_BYTES_MAX));
        text.push('…');
    }
}

/// Reads (specification 12.3, 12.6, 12.7). The shapes of the parts of the API do not overlap, so that
/// one table does for all.
impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::CheckpointNotFound(length) => {
                Self::of(FetchError::CheckpointNotFound(length).to_body())
            }
            ReadError::LogNotFound(log) => Self::of(FetchError::LogNotFound(log).to_body()),
            ReadError::FetchTokenNotFound(token) => {
                Self::of(FetchError::FetchTokenNotFound(FetchToken(token)).to_body())
            }
            ReadError::LeafNotFound(index) => Self::of(ProofError::LeafNotFound(index).to_body()),
            ReadError::ContentNotFound(content) => {
                Self::of(ContentError::ContentDigestNotFound(content).to_body())
            }
            ReadError::PackageNotFound(package) => {
                Self::of(DependenciesError::PackageNotFound(package.to_string()).to_body())
            }
            ReadError::ReleaseNotFound { package, version } => {
                let release = format!("{package}@{version}");
                Self::of(DependenciesError::ReleaseNotFound(release).to_body())
            }
            ReadError::Unsolvable(why) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, why),
            ReadError::CannotProve(why) => Self::of(ProofError::BundleFailure(why).to_body()),
            ReadError::IncorrectProof { root, found } => {
                let (root, found) = (root.into(), found.into());
                Self::of(ProofError::IncorrectProof { root, found }.to_body())
            }
            ReadError::BadRequest(why) => Self::bad_request(why),
            ReadError::Store(error) => {
                tracing::error!(%error, "the registry cannot read");
                match error {
                    StoreError::Unavailable(_) => {
                        Self::unavailable("the registry cannot read now; try again in a while")
                    }
                    StoreError::Damaged(_) => Self::internal(),
                }
            }
        }
    }
}

/// Writes (specification 12.4 and 12.5).
impl From<WriteError> for Problem {
    fn from(error: WriteError) -> Self {
        let package = |error: PackageError| Self::of(error.to_body());
        match error {
            WriteError::BadRequest(why) => Self::bad_request(why),
            WriteError::Unauthorized(why) => package(PackageError::Unauthorized(why)),
            WriteError::Rejected(why) => package(PackageError::Rejection(why)),
            WriteError::NamespaceNotDefined(name) => {
                package(PackageError::NamespaceNotDefined(name))
            }
            WriteError::NamespaceImported { namespace, .. } => {
                package(PackageError::NamespaceImported(namespace))
            }
            WriteError::LogNotFound(log) => package(PackageError::LogNotFound(log)),
            WriteError::RecordNotFound(record) => package(PackageError::RecordNotFound(record)),
            WriteError::NotSourcing => package(PackageError::RecordNotSourcing),
            WriteError::ContentTooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            WriteError::TooMany { seconds, .. } => throttle::too_many(error.to_string(), seconds),
            WriteError::QuotaExceeded(_) => Self::new(StatusCode::FORBIDDEN, error.to_string()),
            WriteError::Paused(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
                .with(RETRY_AFTER, PAUSED_RETRY_SECONDS),
            WriteError::Busy(_) => Self::unavailable(&error.to_string()),
            WriteError::Unavailable(_) => {
                tracing::error!(%error, "the registry cannot write");
                Self::unavailable(
                    "the registry cannot write now; ask for the record's state, or try again in a \
                     while",
                )
            }
        }
    }
}
