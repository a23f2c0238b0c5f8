//! Calls of the API: JSON there, JSON back, errors in their forms (specification 12.1 and 13).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wargate_api::well_known::WellKnown;
use wargate_api::{UnreadableError, headers, paths};

use super::Remote;
use super::exchange::{ExchangeError, Incoming, Outgoing};
use super::retry;
use crate::error::Error;
use crate::limits::SMALL_ANSWER_BYTES_MAX;
use crate::seams::SecretError;
use crate::text::tame;

/// Why a call has no result.
#[derive(Debug)]
pub(crate) enum CallError<E> {
    /// The registry refuses, in a form that the API knows.
    Refused(Refusal<E>),
    /// Anything else.
    Failed(Box<Error>),
}

/// A refusal.
#[derive(Debug)]
pub(crate) struct Refusal<E> {
    pub(crate) error: E,
    pub(crate) headers: HeaderMap,
}

impl<E> From<Error> for CallError<E> {
    fn from(error: Error) -> Self {
        Self::Failed(Box::new(error))
    }
}

/// An error of one part of the API.
pub(crate) trait ApiError: Sized {
    fn read(body: &[u8]) -> Result<Self, UnreadableError>;
    /// The text, if it is the general form: a status and a message.
    fn into_message(self) -> Result<String, Self>;
}

macro_rules! api_error {
    ($error:ty $(, $other:ident)?) => {
        impl ApiError for $error {
            fn read(body: &[u8]) -> Result<Self, UnreadableError> {
                Self::from_json(body)
            }

            fn into_message(self) -> Result<String, Self> {
                match self {
                    Self::Message { message, .. } => Ok(message),
                    $($other => Err($other),)?
                }
            }
        }
    };
}
api_error!(wargate_api::fetch::FetchError, other);
api_error!(wargate_api::proof::ProofError, other);
api_error!(wargate_api::content::ContentError, other);
api_error!(wargate_api::dependencies::DependenciesError, other);
api_error!(wargate_api::publish::PackageError, other);
api_error!(wargate_api::ledger::LedgerError);

impl Remote {
    pub(super) async fn get<A: DeserializeOwned, E: ApiError>(
        &self,
        path: &str,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<A, CallError<E>> {
        let request = self.request(Method::GET, path, None)?;
        self.repeatedly(request, what, bytes_max).await
    }

    pub(super) async fn post<A: DeserializeOwned, E: ApiError>(
        &self,
        path: &str,
        body: &impl Serialize,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<A, CallError<E>> {
        let body = self.encode(body, what)?;
        let request = self.request(Method::POST, path, Some(body))?;
        self.repeatedly(request, what, bytes_max).await
    }

    /// Sends a request that changes nothing, again if it fails in a way that may pass.
    async fn repeatedly<A: DeserializeOwned, E: ApiError>(
        &self,
        request: Outgoing,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<A, CallError<E>> {
        let mut retry = retry::Retry::new(self.exchange.attempts);
        loop {
            let error = match self.once(request.clone(), what, bytes_max).await {
                Err(CallError::Failed(error)) => error,
                done => return done,
            };
            if !retry.again(&self.exchange, &error).await {
                return Err(CallError::Failed(error));
            }
        }
    }

    /// Sends a request, and reads its answer.
    pub(super) async fn once<A: DeserializeOwned, E: ApiError>(
        &self,
        request: Outgoing,
        what: &'static str,
        bytes_max: usize,
    ) -> Result<A, CallError<E>> {
        let fail = |error: ExchangeError| CallError::from(error.of(&self.domain, what));
        let answer = self.exchange.send(request).await.map_err(fail)?;
        let (status, head) = (answer.status, answer.headers.clone());
        if !status.is_success() {
            return Err(self.refusal(answer).await);
        }
        let body = answer.collect(bytes_max).await.map_err(fail)?;
        let bad = |reason: String| self.bad_answer(what, reason).into();
        if !is_json(&head) {
            return Err(bad("it is not JSON".into()));
        }
        serde_json::from_slice(&body).map_err(|error| bad(tame(&error.to_string())))
    }

    /// What an answer with an error status means.
    async fn refusal<E: ApiError>(&self, answer: Incoming) -> CallError<E> {
        let (status, headers) = (answer.status, answer.headers.clone());
        // The status tells enough if the body does not come, or is too large.
        let body = answer.collect(SMALL_ANSWER_BYTES_MAX).await.unwrap_or_default();
        let message = match E::read(&body).map(E::into_message) {
            Ok(Err(error)) => return CallError::Refused(Refusal { error, headers }),
            Ok(Ok(message)) => Some(tame(&message)),
            Err(UnreadableError) => None,
        };
        refusal_of(self, status, &headers, message).into()
    }

    pub(super) fn encode(&self, body: &impl Serialize, what: &'static str) -> Result<Bytes, Error> {
        let encoded = serde_json::to_vec(body);
        let encoded = encoded.map_err(|error| self.bad_answer(what, error.to_string()))?;
        Ok(encoded.into())
    }

    /// A request below the base, with what identifies the user.
    pub(super) fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Outgoing, Error> {
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT, HeaderValue::from_static(headers::JSON));
        if body.is_some() {
            fields.insert(header::CONTENT_TYPE, HeaderValue::from_static(headers::JSON));
        }
        if let Some(token) = self.exchange.secrets.token(self.asked())? {
            let bearer = format!("Bearer {}", token.expose());
            let mut value = HeaderValue::try_from(bearer)
                .map_err(|_| SecretError { message: "the token has illegal characters".into() })?;
            value.set_sensitive(true);
            fields.insert(header::AUTHORIZATION, value);
        }
        let url = self.base.join(path)?;
        Ok(Outgoing { method, url, headers: fields, body })
    }

    pub(super) fn bad_answer(&self, what: &'static str, reason: String) -> Error {
        Error::BadAnswer { registry: self.domain.clone(), what, reason }
    }

    /// Discovery: without token, and any status but 2xx means that there is no document.
    pub(super) async fn discover(&self) -> Result<Option<WellKnown>, Error> {
        let what = "the discovery document";
        let url = self.base.join(paths::WELL_KNOWN)?;
        let mut fields = HeaderMap::new();
        fields.insert(header::ACCEPT, HeaderValue::from_static(headers::JSON));
        let request = Outgoing { method: Method::GET, url, headers: fields, body: None };
        let mut retry = retry::Retry::new(self.exchange.attempts);
        let body = loop {
            let error = match self.exchange.send(request.clone()).await {
                Ok(answer) if !answer.status.is_success() => return Ok(None),
                Ok(answer) => match answer.collect(SMALL_ANSWER_BYTES_MAX).await {
                    Ok(body) => break body,
                    Err(error) => error.of(&self.domain, what),
                },
                Err(error) => error.of(&self.domain, what),
            };
            if !retry.again(&self.exchange, &error).await {
                return Err(error);
            }
        };
        let read = serde_json::from_slice(&body);
        read.map(Some).map_err(|error| self.bad_answer(what, tame(&error.to_string())))
    }
}

/// An answer with an error status as an error; the message is tame, the status's name if there is none.
pub(crate) fn refusal_of(
    remote: &Remote,
    status: StatusCode,
    headers: &HeaderMap,
    message: Option<String>,
) -> Error {
    let registry = remote.domain.clone();
    let message = message.unwrap_or_else(|| reason_of(status).to_owned());
    if status == StatusCode::UNAUTHORIZED {
        remote.exchange.secrets.refused(remote.asked());
    }
    match status.as_u16() {
        401 | 403 => Error::Unauthorized { registry, message },
        status => {
            let retry_after = retry::retry_after(headers, remote.exchange.clock.now());
            Error::Unavailable { registry, status, message, retry_after }
        }
    }
}

/// Whether an answer says that it is JSON, parameters or not.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = value.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(wargate_api::headers::JSON))
}

fn reason_of(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("an error without a reason")
}
