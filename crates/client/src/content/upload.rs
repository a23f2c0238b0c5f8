//! Content to where a registry wants it (specification 12.5).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;
use wargate_api::publish::{PackageError, UploadEndpoint, UploadHeader, UploadMethod};
use wargate_crypto::AnyDigest;

use super::source::destination;
use crate::error::Error;
use crate::limits::{HEADER_BYTES_MAX, SMALL_ANSWER_BYTES_MAX, SOURCES_MAX};
use crate::remote::{Incoming, Remote, Retry, refusal_of};
use crate::seams::{ChunkSource, Direction, Event, Observer, RequestBody, TransportFault};
use crate::text::tame;

/// Opens content anew, for each attempt: how long it is, and its bytes.
pub(crate) type OpenContent<'a> = &'a (dyn Fn() -> io::Result<(u64, Box<dyn ChunkSource>)> + Sync);

/// What became of an upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UploadOutcome {
    /// The registry has it.
    Done,
    /// The registry does not want it any more, so it should have it: the state of the record tells.
    AlreadyThere,
    /// The registry refuses it, and the record with it. Its words, tame.
    Rejected(String),
}

/// Sends content to the first of these places that takes it.
pub(crate) async fn upload(
    remote: &Remote,
    endpoints: &[UploadEndpoint],
    digest: &AnyDigest,
    content: OpenContent<'_>,
) -> Result<UploadOutcome, Error> {
    let mut failure = None;
    for endpoint in endpoints.iter().take(SOURCES_MAX) {
        let place = match Place::of(endpoint, remote) {
            Ok(place) => place,
            Err(error) => {
                failure.get_or_insert(error);
                continue;
            }
        };
        match send(remote, &place, digest, content).await {
            Ok(outcome) => return Ok(outcome),
            // The content is the same for all places.
            Err(error @ Error::Content(_)) => return Err(error),
            Err(error) => failure = Some(error),
        }
    }
    Err(failure.unwrap_or_else(|| bad(remote, format!("it names no place for {digest}"))))
}

/// Where and how content is sent.
struct Place {
    method: Method,
    url: Url,
    headers: HeaderMap,
}

impl Place {
    fn of(endpoint: &UploadEndpoint, remote: &Remote) -> Result<Self, Error> {
        let UploadEndpoint::Http { method, url, headers: named } = endpoint;
        let url = destination(url, remote.base()).map_err(|reason| bad(remote, reason))?;
        let method = match method {
            UploadMethod::Post => Method::POST,
            UploadMethod::Put => Method::PUT,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            let name: HeaderName = match name {
                UploadHeader::Authorization => header::AUTHORIZATION,
                UploadHeader::ContentType => header::CONTENT_TYPE,
            };
            let value = Some(value).filter(|value| value.len() <= HEADER_BYTES_MAX);
            let value = value.and_then(|value| HeaderValue::try_from(value).ok());
            let illegal = || bad(remote, format!("its value of {name} is no header"));
            let mut value = value.ok_or_else(illegal)?;
            value.set_sensitive(name == header::AUTHORIZATION);
            headers.insert(name, value);
        }
        Ok(Self { method, url, headers })
    }
}

fn bad(remote: &Remote, reason: String) -> Error {
    let (registry, what) = (remote.domain().clone(), "the places for uploads");
    Error::BadAnswer { registry, what, reason }
}

/// Sends content to one place, from its beginning each time.
async fn send(
    remote: &Remote,
    place: &Place,
    digest: &AnyDigest,
    content: OpenContent<'_>,
) -> Result<UploadOutcome, Error> {
    let exchange = remote.exchange();
    let mut retry = Retry::new(exchange.attempts);
    let mut first = true;
    loop {
        let (length, chunks) = content().map_err(|error| Error::Content(error.to_string()))?;
        let observer = Arc::clone(&exchange.observer);
        let chunks = Observed { chunks, observer, digest: digest.clone(), done: 0, length };
        let body = RequestBody::Stream { length, chunks: Box::new(chunks) };
        let sent = exchange.stream(place.method.clone(), &place.url, &place.headers, body).await;
        let error = match sent {
            Ok(answer) if answer.status.is_success() => {
                let (direction, done, length) = (Direction::Upload, length, Some(length));
                let complete = true;
                exchange.observer.event(Event::Transfer {
                    digest,
                    direction,
                    done,
                    length,
                    complete,
                });
                return Ok(UploadOutcome::Done);
            }
            Ok(answer) => match understood(remote, answer, first).await {
                Ok(outcome) => return Ok(outcome),
                Err(error) => error,
            },
            Err(error) => match error.of(remote.domain(), "the answer to the upload") {
                Error::Unreachable { source, .. } if source.fault == TransportFault::Body => {
                    return Err(Error::Content(source.message));
                }
                error => error,
            },
        };
        first = false;
        if !retry.again(exchange, &error).await {
            return Err(error);
        }
    }
}

/// What an answer means that is no success.
async fn understood(
    remote: &Remote,
    answer: Incoming,
    first: bool,
) -> Result<UploadOutcome, Error> {
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = answer.collect(SMALL_ANSWER_BYTES_MAX).await.unwrap_or_default();
    match (status.as_u16(), PackageError::from_json(&body)) {
        (422, Ok(PackageError::Rejection(reason))) => Ok(UploadOutcome::Rejected(tame(&reason))),
        (422, _) => Ok(UploadOutcome::Rejected("it does not say why".into())),
        (405, _) => Ok(UploadOutcome::AlreadyThere),
        // An earlier attempt may have arrived whole, though its answer did not come back.
        (400 | 404 | 409, _) if !first => Ok(UploadOutcome::AlreadyThere),
        (_, error) => {
            let message = error.ok().map(|error| tame(&error.to_string()));
            Err(refusal_of(remote, status, &headers, message))
        }
    }
}

/// Bytes that are sent, each of which is told.
struct Observed {
    chunks: Box<dyn ChunkSource>,
    observer: Arc<dyn Observer>,
    digest: AnyDigest,
    done: u64,
    length: u64,
}

impl ChunkSource for Observed {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let next = self.chunks.next()?;
        if let Some(bytes) = &next {
            self.done += bytes.len() as u64;
            self.observer.event(Event::Transfer {
                digest: &self.digest,
                direction: Direction::Upload,
                done: self.done,
                length: Some(self.length),
                complete: false,
            });
        }
        Ok(next)
    }
}
