//! Bytes that come in, from one place after another.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use wargate_crypto::{AnyDigest, Digest, Sha256};

use super::ranges::{ContentRange, ask};
use super::source::Source;
use super::verified::hash;
use crate::error::Error;
use crate::remote::{Incoming, Outgoing, Remote, Retry, content_length, refusal_of};
use crate::seams::{Content, Direction, Event, Partial, TransportError, TransportFault};

/// What comes in parts comes in parts of this size, ...
const PART_BYTES: u64 = 4 << 20;

/// ... so many at a time, which bounds the memory it takes, ...
const PARTS_AT_ONCE: usize = 4;

/// ... if there are more bytes than this.
const WHOLE_BYTES_MAX: u64 = 16 << 20;

/// Whoever has come so far since the last failure may fail as often as at first.
const PROGRESS_BYTES: u64 = 64 << 10;

/// Content that comes in.
///
/// **Invariant**: `hasher` has seen exactly the bytes of `partial`.
pub(super) struct Receiver<'a> {
    remote: &'a Remote,
    digest: Digest,
    name: AnyDigest,
    partial: Box<dyn Partial>,
    hasher: Sha256,
    /// Whether what is there came in more than one go, so that it may be at fault if the digest is not
    /// right, and not who sent the rest.
    pieced: bool,
}

/// Why content did not come.
enum Flaw {
    /// It may come yet.
    Failed(Error),
    /// It will not come from here: what may pass was tried again often enough.
    Final(Error),
    /// What came cannot be it.
    Wrong(String),
    /// The place does not serve parts, though it says so.
    NoParts,
}

impl From<Error> for Flaw {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a> Receiver<'a> {
    /// Takes up what an earlier attempt left.
    pub(super) fn new(
        remote: &'a Remote,
        digest: Digest,
        mut partial: Box<dyn Partial>,
    ) -> Result<Self, Error> {
        let (hasher, length) =
            hash(&mut |offset, into| partial.read_at(offset, into), &mut |_| Ok(()))?;
        let name = AnyDigest::from(digest);
        Ok(Self { remote, digest, name, partial, hasher, pieced: length > 0 })
    }

    /// Whether all is there.
    pub(super) fn is_complete(&self) -> bool {
        self.hasher.clone().finish() == self.digest
    }

    /// Makes content complete that is.
    pub(super) fn commit(self) -> Result<Box<dyn Content>, Error> {
        let content = self.partial.commit()?;
        let length = content.length();
        self.remote.exchange().observer.event(Event::Transfer {
            digest: &self.name,
            direction: Direction::Download,
            done: length,
            length: Some(length),
            complete: true,
        });
        Ok(content)
    }

    /// Fetches what is missing from one place, and tries what may pass again. What came stays for the
    /// next place if this one fails, unless it is wrong.
    pub(super) async fn fetch(&mut self, source: &Source) -> Result<(), Error> {
        let mut restarted = false;
        loop {
            let reason = match self.fetch_on(source).await {
                Ok(()) => return Ok(()),
                Err(Flaw::Failed(error) | Flaw::Final(error)) => {
                    self.pieced |= self.partial.length() > 0;
                    return Err(error);
                }
                Err(Flaw::Wrong(reason)) => reason,
                Err(Flaw::NoParts) => "it does not come in parts".to_owned(),
            };
            let may_be_ours = self.pieced && !restarted;
            self.restart()?;
            if !may_be_ours {
                let reason = format!("at {}, {reason}", place(source));
                let (registry, digest) = (self.remote.domain().clone(), self.name.clone());
                return Err(Error::WrongContent { registry, digest, reason });
            }
            restarted = true;
        }
    }

    /// Fetches what is missing, in as many goes as it takes.
    async fn fetch_on(&mut self, source: &Source) -> Result<(), Flaw> {
        let exchange = self.remote.exchange();
        let mut retry = Retry::new(exchange.attempts);
        let mut parts = source.ranges;
        loop {
            let before = self.partial.length();
            let missing = source.size.map_or(0, |size| size.saturating_sub(before));
            let fetched = if parts && missing > WHOLE_BYTES_MAX {
                self.fetch_parts(source, before + missing).await
            } else {
                self.fetch_rest(source).await
            };
            let error = match fetched {
                Err(Flaw::NoParts) if parts => {
                    parts = false;
                    continue;
                }
                Err(Flaw::Failed(error)) => error,
                done => return done,
            };
            if self.is_complete() {
                // Only the end of the answer was wrong.
                return Ok(());
            }
            let after = self.partial.length();
            self.pieced |= after > 0;
            if after >= before.saturating_add(PROGRESS_BYTES) {
                retry = Retry::new(exchange.attempts);
            }
            if !retry.again(exchange, &error).await {
                return Err(Flaw::Final(error));
            }
        }
    }

    /// Fetches what is missing in one go.
    async fn fetch_rest(&mut self, source: &Source) -> Result<(), Flaw> {
        let from = self.partial.length();
        let mut answer = get(self.remote, source, from, None).await?;
        // A place that does not serve parts sends all of it again.
        let (mut position, whole) = match (answer.status, ContentRange::of(&answer.headers)) {
            (StatusCode::OK, _) => (0, content_length(&answer.headers)),
            (StatusCode::PARTIAL_CONTENT, Some(range)) if from > 0 && range.bytes.start == from => {
                (from, range.whole.or(Some(range.bytes.end)))
            }
            (StatusCode::PARTIAL_CONTENT, _) => {
                return Err(Flaw::Wrong("another part came than was asked for".into()));
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, _) if from > 0 => {
                return Err(Flaw::Wrong(format!("there are no more than {from} bytes")));
            }
            _ => return Err(refusal_of(self.remote, answer.status, &answer.headers, None).into()),
        };
        let limit = self.remote.exchange().content_bytes_max;
        let bytes_max = source.size.unwrap_or(limit).min(limit);
        let too_many = |bytes: u64| {
            Flaw::Wrong(format!(
                "there are {bytes} bytes or more, and at most {bytes_max} were expected"
            ))
        };
        if let Some(whole) = whole.filter(|whole| *whole > bytes_max) {
            return Err(too_many(whole));
        }
        while let Some(chunk) = next(self.remote, source, &mut answer).await? {
            let known = self.partial.length().saturating_sub(position);
            position += chunk.len() as u64;
            if position > bytes_max.min(whole.unwrap_or(bytes_max)) {
                return Err(too_many(position));
            }
            let known = usize::try_from(known).unwrap_or(usize::MAX).min(chunk.len());
            self.append(&chunk[known..], whole.or(source.size))?;
        }
        self.judge(position, whole.or(source.size), source)
    }

    /// Fetches what is missing in parts, several at a time.
    async fn fetch_parts(&mut self, source: &Source, size: u64) -> Result<(), Flaw> {
        if size > self.remote.exchange().content_bytes_max {
            return Err(Flaw::Wrong(format!(
                "there are {size} bytes, more than any content may have"
            )));
        }
        let (remote, mut from) = (self.remote, self.partial.length());
        let ranges = std::iter::from_fn(|| {
            let range = from..size.min(from + PART_BYTES);
            from = range.end;
            (!range.is_empty()).then_some(range)
        });
        let parts = stream::iter(ranges).map(|range| fetch_part(remote, source, range, size));
        let mut parts = std::pin::pin!(parts.buffered(PARTS_AT_ONCE));
        while let Some(part) = parts.next().await {
            self.append(&part?, Some(size))?;
        }
        self.judge(size, Some(size), source)
    }

    /// Whether what is there is all, now that nothing more comes.
    fn judge(&self, came: u64, expected: Option<u64>, source: &Source) -> Result<(), Flaw> {
        if self.is_complete() {
            return Ok(());
        }
        if let Some(expected) = expected.filter(|expected| came < *expected) {
            let message = format!("the answer ended after {came} of {expected} bytes");
            let error = TransportError { fault: TransportFault::Broken, message };
            return Err(unreachable(self.remote, source, error).into());
        }
        let found = self.hasher.clone().finish();
        let length = self.partial.length();
        if length > came {
            return Err(Flaw::Wrong(format!("there are only {came} bytes")));
        }
        Err(Flaw::Wrong(format!("what came, {length} bytes, has the digest {found}")))
    }

    fn append(&mut self, bytes: &[u8], length: Option<u64>) -> Result<(), Flaw> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.partial.append(bytes).map_err(Error::from)?;
        self.hasher.update(bytes);
        self.remote.exchange().observer.event(Event::Transfer {
            digest: &self.name,
            direction: Direction::Download,
            done: self.partial.length(),
            length,
            complete: false,
        });
        Ok(())
    }

    fn restart(&mut self) -> Result<(), Error> {
        self.partial.restart()?;
        self.hasher = Sha256::new();
        self.pieced = false;
        Ok(())
    }
}

/// Fetches one part, in as many goes as it takes.
async fn fetch_part(
    remote: &Remote,
    source: &Source,
    range: Range<u64>,
    size: u64,
) -> Result<Bytes, Flaw> {
    let mut retry = Retry::new(remote.exchange().attempts);
    let mut part = BytesMut::new();
    loop {
        let before = part.len() as u64;
        let error = match fetch_into(&mut part, remote, source, &range, size).await {
            Ok(()) => return Ok(part.freeze()),
            Err(Flaw::Failed(error)) => error,
            Err(flaw) => return Err(flaw),
        };
        if part.len() as u64 >= before.saturating_add(PROGRESS_BYTES) {
            retry = Retry::new(remote.exchange().attempts);
        }
        if !retry.again(remote.exchange(), &error).await {
            return Err(Flaw::Final(error));
        }
    }
}

/// Fetches what is missing of a part.
async fn fetch_into(
    part: &mut BytesMut,
    remote: &Remote,
    source: &Source,
    range: &Range<u64>,
    size: u64,
) -> Result<(), Flaw> {
    let from = range.start + part.len() as u64;
    let mut answer = get(remote, source, from, Some(range.end)).await?;
    match (answer.status, ContentRange::of(&answer.headers)) {
        (StatusCode::OK, _) => return Err(Flaw::NoParts),
        (StatusCode::PARTIAL_CONTENT, Some(came))
            if came.bytes.start == from
                && came.bytes.end <= range.end
                && came.whole.is_none_or(|whole| whole == size) => {}
        (StatusCode::PARTIAL_CONTENT, _) => {
            return Err(Flaw::Wrong("another part came than was asked for".into()));
        }
        (StatusCode::RANGE_NOT_SATISFIABLE, _) => {
            return Err(Flaw::Wrong(format!("there are not the {size} bytes that were expected")));
        }
        _ => return Err(refusal_of(remote, answer.status, &answer.headers, None).into()),
    }
    let length = range.end - range.start;
    while let Some(chunk) = next(remote, source, &mut answer).await? {
        if part.len() as u64 + chunk.len() as u64 > length {
            return Err(Flaw::Wrong("more came than was asked for".into()));
        }
        part.extend_from_slice(&chunk);
    }
    if (part.len() as u64) < length {
        let message = format!("the answer ended after {} of {length} bytes", part.len());
        let error = TransportError { fault: TransportFault::Broken, message };
        return Err(unreachable(remote, source, error).into());
    }
    Ok(())
}

/// Asks for content. It is not said who asks.
async fn get(
    remote: &Remote,
    source: &Source,
    from: u64,
    to: Option<u64>,
) -> Result<Incoming, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    if from > 0 || to.is_some() {
        ask(&mut headers, from, to);
    }
    let url = source.url.clone();
    let request = Outgoing { method: Method::GET, url, headers, body: None };
    let sent = remote.exchange().send(request).await;
    sent.map_err(|error| match error.of(remote.domain(), "the content") {
        Error::Unreachable { source: error, .. } => unreachable(remote, source, error),
        error => error,
    })
}

async fn next(
    remote: &Remote,
    source: &Source,
    answer: &mut Incoming,
) -> Result<Option<Bytes>, Error> {
    answer.chunk().await.map_err(|error| unreachable(remote, source, error))
}

/// A failure of a place, which is named if it is not the registry's.
fn unreachable(remote: &Remote, source: &Source, mut error: TransportError) -> Error {
    if source.url.origin() != remote.base().as_url().origin() {
        error.message = format!("its content at {}: {}", place(source), error.message);
    }
    Error::Unreachable { registry: remote.domain().clone(), source: error }
}

fn place(source: &Source) -> &str {
    source.url.host_str().unwrap_or_default()
}
