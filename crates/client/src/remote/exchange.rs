//! One request and its answer: redirects, limits, the head of the answer.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use url::Url;

use super::pace::Pace;
use super::retry::Telling;
use crate::error::Error;
use crate::limits::{ANSWER_TIME_MAX, REDIRECTS_MAX, URL_BYTES_MAX};
use crate::origin::{Domain, is_loopback};
use crate::seams::{
    Clock, Observer, Random, RequestBody, ResponseBody, Secrets, Transport, TransportError,
};

/// What requests are made with.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) secrets: Arc<dyn Secrets>,
    pub(crate) observer: Arc<dyn Observer>,
    /// What is being told of failures that are tried again.
    pub(crate) telling: Telling,
    /// How often something that may be tried again is tried in all.
    pub(crate) attempts: u32,
    /// Most bytes of one content.
    pub(crate) content_bytes_max: u64,
}

/// A request that can be sent more than once.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: http::Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Bytes>,
}

/// The head of an answer, and its body to come.
pub(crate) struct Incoming {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Box<dyn ResponseBody>,
    pace: Pace,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum ExchangeError {
    Transport(TransportError),
    /// What is wrong with it.
    Answer(String),
}

impl Exchange {
    /// Sends a request once, and follows redirects.
    ///
    /// To `https`, or from this machine to this machine. What identifies the user is left behind when
    /// the origin is left, which only a `GET` does; other requests follow within it.
    pub(crate) async fn send(&self, mut request: Outgoing) -> Result<Incoming, ExchangeError> {
        for _ in 0..=REDIRECTS_MAX {
            let answer = self.send_once(&request).await?;
            let Some(target) = redirect(&request, &answer)? else { return Ok(answer) };
            if target.origin() != request.url.origin() {
                request.headers.remove(http::header::AUTHORIZATION);
                request.headers.remove(wargate_api::headers::REGISTRY);
            }
            request.url = target;
        }
        Err(ExchangeError::Answer(format!("it redirects more than {REDIRECTS_MAX} times")))
    }

    async fn send_once(&self, request: &Outgoing) -> Result<Incoming, ExchangeError> {
        let body = request.body.clone().map_or(RequestBody::Empty, RequestBody::Bytes);
        let outgoing = build(&request.method, &request.url, &request.headers, body)?;
        let answer = self.transport.send(outgoing).await.map_err(ExchangeError::Transport)?;
        Incoming::new(answer, &self.clock)
    }

    /// Sends a request whose body is read as it goes. It follows no redirect.
    pub(crate) async fn stream(
        &self,
        method: http::Method,
        url: &Url,
        headers: &HeaderMap,
        body: RequestBody,
    ) -> Result<Incoming, ExchangeError> {
        let outgoing = build(&method, url, headers, body)?;
        let answer = self.transport.send(outgoing).await.map_err(ExchangeError::Transport)?;
        Incoming::new(answer, &self.clock)
    }
}

fn build(
    method: &http::Method,
    url: &Url,
    headers: &HeaderMap,
    body: RequestBody,
) -> Result<http::Request<RequestBody>, ExchangeError> {
    let mut sendable = url.clone();
    sendable.set_fragment(None);
    let mut request = http::Request::builder()
        .method(method)
        .uri(sendable.as_str())
        .body(body)
        .map_err(|error| ExchangeError::Answer(format!("its URL cannot be asked: {error}")))?;
    *request.headers_mut() = headers.clone();
    let set = |name: HeaderName, value: &'static str, headers: &mut HeaderMap| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(http::header::USER_AGENT, USER_AGENT, request.headers_mut());
    set(http::header::ACCEPT_ENCODING, "identity", request.headers_mut());
    Ok(request)
}

const USER_AGENT: &str = concat!("wargate/", env!("CARGO_PKG_VERSION"));

/// Where an answer leads, if it is a redirect.
fn redirect(request: &Outgoing, answer: &Incoming) -> Result<Option<Url>, ExchangeError> {
    if !matches!(answer.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let wrong = |reason: &str| ExchangeError::Answer(format!("it redirects {reason}"));
    let location = answer.headers.get(http::header::LOCATION);
    let location = location.and_then(|value| value.to_str().ok());
    let location = location.filter(|text| text.len() <= URL_BYTES_MAX);
    let location = location.ok_or_else(|| wrong("to nowhere"))?;
    let mut target = request.url.join(location).map_err(|_| wrong("to what is no URL"))?;
    if target.origin() != request.url.origin() {
        // They would become credentials. Both fail only for URLs without a host.
        let _ = target.set_username("");
        let _ = target.set_password(None);
    }
    // Only these two keep the method and the body of any request.
    let keeps = [StatusCode::TEMPORARY_REDIRECT, StatusCode::PERMANENT_REDIRECT];
    if request.method != http::Method::GET
        && !(keeps.contains(&answer.status) && target.origin() == request.url.origin())
    {
        return Err(wrong("a request that carries something elsewhere"));
    }
    let here = target.scheme() == "http" && is_loopback(&target) && is_loopback(&request.url);
    if target.scheme() != "https" && !here {
        return Err(wrong("to an insecure place"));
    }
    if is_loopback(&target) && !is_loopback(&request.url) {
        return Err(wrong("to this machine"));
    }
    Ok(Some(target))
}

impl Incoming {
    fn new(
        answer: http::Response<Box<dyn ResponseBody>>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, ExchangeError> {
        let (head, body) = answer.into_parts();
        let mut codings = head.headers.get_all(http::header::CONTENT_ENCODING).iter();
        if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(ExchangeError::Answer("it is compressed, which was not asked for".into()));
        }
        let pace = Pace::new(Arc::clone(clock));
        Ok(Self { status: head.status, headers: head.headers, body, pace })
    }

    /// The next bytes of the body, which may not come too slowly.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let chunk = self.body.chunk().await?;
        if let Some(bytes) = &chunk {
            self.pace.came(bytes.len())?;
        }
        Ok(chunk)
    }

    /// The whole body, if it is no larger and does not take longer than an answer may.
    pub(crate) async fn collect(mut self, bytes_max: usize) -> Result<Bytes, ExchangeError> {
        let too_large = || {
            let reason = format!("it has more than {bytes_max} bytes");
            ExchangeError::Answer(reason)
        };
        if content_length(&self.headers).is_some_and(|length| length > bytes_max as u64) {
            return Err(too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await.map_err(ExchangeError::Transport)? {
            if whole.len().saturating_add(chunk.len()) > bytes_max {
                return Err(too_large());
            }
            whole.extend_from_slice(&chunk);
            self.pace.within(ANSWER_TIME_MAX).map_err(ExchangeError::Transport)?;
        }
        Ok(whole.freeze())
    }
}

/// How long a body says that it is.
pub(crate) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(http::header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

impl ExchangeError {
    /// As an error of the client.
    pub(crate) fn of(self, registry: &Domain, what: &'static str) -> Error {
        let registry = registry.clone();
        match self {
            Self::Transport(source) => Error::Unreachable { registry, source },
            Self::Answer(reason) => Error::BadAnswer { registry, what, reason },
        }
    }
}
