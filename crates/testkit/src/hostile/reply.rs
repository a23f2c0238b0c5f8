//! Requests as they come, and answers before they leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use serde_json::Value;
use wargate_api::headers::JSON;

/// A request, read to its end.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// The path with its query, without the first `/`.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// What a request is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The newest checkpoint.
    Checkpoint,
    /// Records.
    Logs,
    /// Inclusion proofs.
    Inclusion,
    /// Consistency proofs.
    Consistency,
    /// All of these at once.
    Transcript,
    /// Names of log ids.
    Names,
    /// A record that is published.
    Publish,
    /// The state of a record.
    State,
    /// Content on its way in.
    Upload,
    /// Where content is.
    Sources,
    /// Content on its way out.
    Content,
    /// The discovery document.
    Discovery,
    /// Anything else.
    Rest,
}

impl Asked {
    /// What it is about.
    pub fn part(&self) -> Part {
        let path = self.path.split('?').next().unwrap_or_default();
        let segments: Vec<_> = path.split('/').collect();
        match segments[..] {
            ["v1", "fetch", "checkpoint"] => Part::Checkpoint,
            ["v1", "fetch", "logs"] => Part::Logs,
            ["v1", "fetch", "transcript"] => Part::Transcript,
            ["v1", "fetch", "names"] => Part::Names,
            ["v1", "proof", "inclusion"] => Part::Inclusion,
            ["v1", "proof", "consistency"] => Part::Consistency,
            ["v1", "package", _, "record"] => Part::Publish,
            ["v1", "package", _, "record", _] => Part::State,
            ["v1", "package", _, "record", _, "content", _] => Part::Upload,
            ["v1", "content", _] => Part::Sources,
            ["content", _] => Part::Content,
            [".well-known", "wasm-pkg", "registry.json"] => Part::Discovery,
            _ => Part::Rest,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    /// The headers.
    pub(super) headers: HeaderMap,
    /// The body.
    pub(super) body: ReplyBody,
}

/// The body of an answer.
#[derive(Clone, Debug)]
pub(super) enum ReplyBody {
    /// All of it.
    Whole(Bytes),
    /// A beginning, and then a piece again and again until whoever asked goes away; in the end, so that
    /// a test ends, nothing comes any more after [`ENDLESS_BYTES`].
    Endless(Bytes, Bytes),
    /// A beginning of something longer that is announced, behind which the connection is cut.
    Cut(Bytes, u64),
}

/// What an endless body has at the most. No client takes that much.
pub const ENDLESS_BYTES: u64 = 1 << 30;

impl Reply {
    /// JSON.
    pub(super) fn json(body: &Value) -> Self {
        Self::text(200, JSON, body.to_string())
    }

    /// A text of a type.
    pub(super) fn text(status: u16, content_type: &'static str, text: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: ReplyBody::Whole(text.into()) }
    }

    /// A redirect.
    pub(super) fn redirect(status: u16, to: &str) -> Self {
        Self::text(status, "text/plain", "elsewhere").with("location", to)
    }

    /// With a header in the place of any other of its name.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    /// Puts a header in the place of any other of its name.
    pub(super) fn set(&mut self, name: &'static str, value: &str) {
        let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
        self.headers.insert(HeaderName::from_static(name), value);
    }

    /// The body, if it is whole.
    pub(super) fn bytes(&self) -> &[u8] {
        match &self.body {
            ReplyBody::Whole(bytes) => bytes,
            ReplyBody::Endless(..) | ReplyBody::Cut(..) => &[],
        }
    }

    /// Another body.
    pub(super) fn set_bytes(&mut self, bytes: impl Into<Bytes>) {
        self.headers.remove(CONTENT_LENGTH);
        self.body = ReplyBody::Whole(bytes.into());
    }

    /// Changes the body, which is JSON.
    pub(super) fn edit(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(self.bytes()).unwrap_or_default();
        change(&mut value);
        self.set_bytes(value.to_string());
    }

    /// The answer as it leaves. `sent` counts the bytes of bodies.
    pub(super) fn into_response(mut self, sent: Arc<AtomicU64>) -> Response {
        let body = match self.body {
            ReplyBody::Whole(bytes) => {
                sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                Body::from(bytes)
            }
            ReplyBody::Endless(first, again) => {
                self.headers.remove(CONTENT_LENGTH);
                endless(first, again, sent)
            }
            ReplyBody::Cut(first, announced) => {
                self.headers.insert(CONTENT_LENGTH, HeaderValue::from(announced));
                let broken = std::io::Error::other("the connection is cut");
                Body::from_stream(stream::iter([Ok(first), Err(broken)]))
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap();
        *response.headers_mut() = self.headers;
        response
    }
}

fn endless(first: Bytes, again: Bytes, sent: Arc<AtomicU64>) -> Body {
    let pieces = stream::unfold((first, again, 0_u64), move |(next, again, before)| {
        let sent = Arc::clone(&sent);
        async move {
            let bytes = next.len() as u64;
            sent.fetch_add(bytes, Ordering::Relaxed);
            let going_on = before < ENDLESS_BYTES;
            going_on
                .then(|| (Ok::<_, std::io::Error>(next), (again.clone(), again, before + bytes)))
        }
    });
    Body::from_stream(pieces)
}
