//! Content to where a registry wants it (specification 12.5).

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;
use wargate_api::headers::{UPLOAD, UPLOAD_OFFSET};
use wargate_api::publish::{PackageError, UploadEndpoint, UploadHeader, UploadMethod};
use wargate_crypto::AnyDigest;

use super::source::destination;
use crate::error::Error;
use crate::limits::{HEADER_BYTES_MAX, SMALL_ANSWER_BYTES_MAX, SOURCES_MAX};
use crate::remote::{Incoming, Remote, Retry, refusal_of};
use crate::seams::{ChunkSource, Direction, Event, Observer, Random, RequestBody, TransportFault};
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
    /// Whether it may be told the upload's name: it is at the registry itself.
    is_resumable: bool,
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
        let is_resumable = url.origin() == remote.base().as_url().origin();
        Ok(Self { method, url, headers, is_resumable })
    }
}

fn bad(remote: &Remote, reason: String) -> Error {
    let (registry, what) = (remote.domain().clone(), "the places for uploads");
    Error::BadAnswer { registry, what, reason }
}

/// Content that is shorter is sent again from its beginning.
const RESUMED_BYTES_MIN: u64 = 256 << 10;

/// What an upload is called, so that it can go on where it broke off. Registries other than ours take
/// no notice.
struct Name(HeaderValue);

impl Name {
    fn new(random: &dyn Random) -> Self {
        let mut bits = [0; 16];
        random.fill(&mut bits);
        let mut value = HeaderValue::try_from(format!("{:032x}", u128::from_be_bytes(bits)))
            .unwrap_or_else(|_| HeaderValue::from_static("0"));
        // Whoever knows it can go on with the upload.
        value.set_sensitive(true);
        Self(value)
    }

    /// The headers of a request that sends what follows `offset`.
    fn headers(&self, place: &Place, offset: u64) -> HeaderMap {
        let mut headers = place.headers.clone();
        if place.is_resumable {
            headers.insert(HeaderName::from_static(UPLOAD), self.0.clone());
            if offset > 0 {
                headers.insert(HeaderName::from_static(UPLOAD_OFFSET), offset.into());
            }
        }
        headers
    }

    /// How much of the upload the registry has kept; nothing if it does not say.
    async fn offset(&self, remote: &Remote, place: &Place, length: u64) -> u64 {
        if !place.is_resumable || length < RESUMED_BYTES_MIN {
            return 0;
        }
        let (url, headers) = (&place.url, self.headers(place, 0));
        let asked = remote.exchange().stream(Method::GET, url, &headers, RequestBody::Empty);
        let Ok(answer) = asked.await else { return 0 };
        let offset = answer.headers.get(UPLOAD_OFFSET).and_then(|value| value.to_str().ok());
        let offset = offset.filter(|_| answer.status == StatusCode::NO_CONTENT);
        offset.and_then(|text| text.parse().ok()).filter(|at| *at < length).unwrap_or(0)
    }
}

/// Sends content to one place. What broke off goes on where it did, if the registry has kept it.
async fn send(
    remote: &Remote,
    place: &Place,
    digest: &AnyDigest,
    content: OpenContent<'_>,
) -> Result<UploadOutcome, Error> {
    let exchange = remote.exchange();
    let mut retry = Retry::new(exchange.attempts);
    let (mut first, mut offset, mut name) = (true, 0, Name::new(&*exchange.random));
    loop {
        let unreadable = |error: io::Error| Error::Content(error.to_string());
        let (length, mut chunks) = content().map_err(unreadable)?;
        let beginning = skip(&mut *chunks, offset).map_err(unreadable)?;
        let observer = Arc::clone(&exchange.observer);
        let digest_sent = digest.clone();
        let chunks =
            Observed { beginning, chunks, observer, digest: digest_sent, done: offset, length };
        let body = RequestBody::Stream { length: length - offset, chunks: Box::new(chunks) };
        let headers = name.headers(place, offset);
        let sent = exchange.stream(place.method.clone(), &place.url, &headers, body).await;
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
            // What was kept has gone meanwhile.
            Ok(answer) if offset > 0 && answer.status == StatusCode::BAD_REQUEST => {
                (offset, name) = (0, Name::new(&*exchange.random));
                continue;
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
        offset = name.offset(remote, place, length).await;
    }
}

/// Reads over the first bytes of content. Returns what is left of the last piece.
fn skip(chunks: &mut dyn ChunkSource, bytes: u64) -> io::Result<Bytes> {
    let (mut left, mut piece) = (bytes, Bytes::new());
    while left > 0 {
        let ended = || io::Error::other("it has become shorter while it was sent");
        piece = chunks.next()?.ok_or_else(ended)?;
        let over = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len());
        piece = piece.split_off(over);
        left -= over as u64;
    }
    Ok(piece)
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
    /// What comes before the chunks.
    beginning: Bytes,
    chunks: Box<dyn ChunkSource>,
    observer: Arc<dyn Observer>,
    digest: AnyDigest,
    done: u64,
    length: u64,
}

impl ChunkSource for Observed {
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let next = match std::mem::take(&mut self.beginning) {
            beginning if beginning.is_empty() => self.chunks.next()?,
            beginning => Some(beginning),
        };
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
