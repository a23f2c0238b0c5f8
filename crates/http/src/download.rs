//! The bytes of content, under a path that never changes its meaning.

use std::ops::Range;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION,
};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use wargate_api::headers::WASM;
use wargate_crypto::Digest;
use wargate_registry::content::{self, Content, Facts};
use wargate_registry::store::{ContentPlace, ContentRow, StoreError};
use wargate_registry::{ReadError, Registry};

use crate::answer::{self, Answer, set};
use crate::call::Call;
use crate::front::Front;
use crate::pieces::{Pieces, read};
use crate::problem::Problem;
use crate::range::{self, Asked};
use crate::throttle::Class;

const OCTETS: &str = "application/octet-stream";

/// What every Wasm file begins with.
const MAGIC: &[u8] = b"\0asm";

/// Whatever somebody has uploaded, a browser must not run it as a page of the registry.
const SANDBOX: HeaderValue = HeaderValue::from_static("sandbox; default-src 'none'");

/// `GET content/sha256-…`
pub(crate) async fn download(call: Call) -> Answer {
    let digest = digest(call.text("file")).ok_or_else(Problem::not_found)?;
    let tag = HeaderValue::from_str(&format!("\"{digest}\"")).map_err(|_| Problem::internal())?;
    let found = call.front.ask(move |registry| registry.find_content(&digest)).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    let asks = call.parts.method != Method::HEAD && !answer::matches(call.headers(), &tag);
    match &found.place {
        ContentPlace::Url(_) if asks && is_followed_by_a_person(&call) => {
            let why = "this content is at its publisher's: a client fetches it there and checks it";
            return Err(Problem::new(StatusCode::FORBIDDEN, why));
        }
        ContentPlace::Url(url) if asks => return redirect(url, answer::NO_CACHE),
        ContentPlace::Url(_) => return Ok(referred(&call, tag, &found)),
        ContentPlace::Blob if asks && call.front.options().content_redirect => {
            if matches!(range::asked(call.headers(), &tag, found.size), Asked::Unsatisfiable) {
                return Err(unsatisfiable(found.size));
            }
            let registry = Arc::clone(call.front.registry());
            let link =
                call.front.registry().offload_content(move || registry.link_content(&digest));
            if let Some(link) = link.await? {
                // It is good for all of it, whatever part was asked for.
                count(&call, found.size)?;
                return redirect(&link, answer::NO_STORE);
            }
        }
        ContentPlace::Blob | ContentPlace::Inline(_) => {}
    }
    let Opened { content, wasm } = opened(&call.front, found).await?;
    let mut response = if answer::matches(call.headers(), &tag) {
        Response::new(Body::empty())
    } else {
        match range::asked(call.headers(), &tag, content.size) {
            Asked::Whole => {
                count(&call, content.size)?;
                whole(&call.front, content)
            }
            Asked::Part(part) => {
                count(&call, part.end - part.start)?;
                self::part(&call.front, content, part)?
            }
            Asked::Unsatisfiable => return Err(unsatisfiable(content.size)),
        }
    };
    set(&mut response, ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(&mut response, CONTENT_SECURITY_POLICY, SANDBOX);
    set(&mut response, CONTENT_TYPE, content_type(wasm));
    answer::cache(&mut response, answer::FOR_EVER);
    Ok(answer::tagged(response, tag, call.headers()))
}

/// Who only looks pays nothing.
fn count(call: &Call, bytes: u64) -> Result<(), Problem> {
    if call.parts.method == Method::HEAD { Ok(()) } else { call.count(Class::DownloadBytes, bytes) }
}

/// The digest of a file name: with `-` in place of the colon, as the reference lays content out.
fn digest(file: &str) -> Option<Digest> {
    let digits = file.strip_prefix("sha256-")?;
    format!("sha256:{digits}").parse().ok()
}

const fn content_type(wasm: bool) -> HeaderValue {
    HeaderValue::from_static(if wasm { WASM } else { OCTETS })
}

/// What there is to be said here of content that is elsewhere.
fn referred(call: &Call, tag: HeaderValue, found: &ContentRow) -> Response {
    let is_wasm = matches!(Facts::from_row(found), Some(Facts::Wasm(_)));
    let mut response = Response::new(Body::empty());
    set(&mut response, CONTENT_LENGTH, answer::number(found.size));
    set(&mut response, CONTENT_TYPE, content_type(is_wasm));
    answer::cache(&mut response, answer::NO_CACHE);
    answer::tagged(response, tag, call.headers())
}

/// Whether a browser would show what it is led to, as if it were the registry's.
fn is_followed_by_a_person(call: &Call) -> bool {
    call.headers().get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// Whoever asked goes there with the same question.
fn redirect(url: &str, cache: &'static str) -> Answer {
    let mut url = HeaderValue::from_str(url).map_err(|_| Problem::internal())?;
    // It may be as good as a password.
    url.set_sensitive(true);
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    set(&mut response, LOCATION, url);
    answer::cache(&mut response, cache);
    Ok(response)
}

struct Opened {
    content: Content,
    wasm: bool,
}

/// Content that is small is opened without waiting behind what is not.
async fn opened(front: &Front, found: ContentRow) -> Result<Opened, ReadError> {
    let registry = Arc::clone(front.registry());
    match found.place {
        ContentPlace::Inline(_) => open(&registry, found),
        ContentPlace::Blob | ContentPlace::Url(_) => {
            front.registry().offload_content(move || open(&registry, found)).await
        }
    }
}

fn open(registry: &Registry, found: ContentRow) -> Result<Opened, ReadError> {
    let content = registry.open_found(found)?;
    let wasm = match &content.body {
        content::Body::Inline(bytes) => bytes.starts_with(MAGIC),
        content::Body::Blob(blob) => {
            let bytes = usize::try_from(blob.size()).unwrap_or(usize::MAX).min(MAGIC.len());
            let head = read(&**blob, 0, bytes);
            let unavailable = |error| StoreError::Unavailable(Box::new(error));
            head.map_err(unavailable)?.as_ref() == MAGIC
        }
    };
    Ok(Opened { content, wasm })
}

fn whole(front: &Front, content: Content) -> Response {
    let size = content.size;
    let mut response = Response::new(body(front, content, 0..size));
    set(&mut response, CONTENT_LENGTH, answer::number(size));
    response
}

fn part(front: &Front, content: Content, part: Range<u64>) -> Answer {
    let (first, last) = (part.start, part.end.saturating_sub(1));
    let range = HeaderValue::from_str(&format!("bytes {first}-{last}/{}", content.size));
    let range = range.map_err(|_| Problem::internal())?;
    let length = part.end - part.start;
    let mut response = Response::new(body(front, content, part));
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    set(&mut response, CONTENT_RANGE, range);
    set(&mut response, CONTENT_LENGTH, answer::number(length));
    Ok(response)
}

fn body(front: &Front, content: Content, part: Range<u64>) -> Body {
    match content.body {
        content::Body::Inline(bytes) => {
            let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            let part = index(part.start)..index(part.end);
            Body::from(Bytes::from(bytes).slice(part))
        }
        content::Body::Blob(blob) => {
            Body::new(Pieces::new(Arc::clone(front.registry()), blob, part))
        }
    }
}

fn unsatisfiable(size: u64) -> Problem {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        format!("the content has {size} bytes, and the range begins behind them"),
    );
    match HeaderValue::from_str(&format!("bytes */{size}")) {
        Ok(range) => problem.with(CONTENT_RANGE, range),
        Err(_) => problem,
    }
}
