//! Answers: bodies, caching, and entity tags.

use axum::body::{Body, Bytes};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, IF_NONE_MATCH,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use http_body::Body as _;
use serde::Serialize;
use wargate_api::headers::JSON;
use wargate_crypto::Digest;

use crate::problem::Problem;

/// What a handler answers.
pub(crate) type Answer = Result<Response, Problem>;

/// Not to be kept anywhere.
pub(crate) const NO_STORE: &str = "no-store";

/// To be kept only if it is asked for again each time.
pub(crate) const NO_CACHE: &str = "no-cache";

/// Never changes.
pub(crate) const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// JSON, with exactly the content type that clients compare (specification 12.1).
pub(crate) fn json<T: Serialize>(body: &T) -> Answer {
    Ok(of_bytes(written(body)?, JSON))
}

/// JSON that is named by its digest, and left out if whoever asks has it.
pub(crate) fn tagged_json<T: Serialize>(body: &T, asked: &HeaderMap) -> Answer {
    let bytes = written(body)?;
    let tag = HeaderValue::from_str(&format!("\"{}\"", Digest::of(&bytes)));
    let tag = tag.map_err(|_| Problem::internal())?;
    Ok(tagged(of_bytes(bytes, JSON), tag, asked))
}

fn written<T: Serialize>(body: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::internal()
    })
}

/// Bytes of a type.
pub(crate) fn of_bytes(bytes: impl Into<Bytes>, content_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(bytes.into()));
    set(&mut response, CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Says how long an answer may be kept.
pub(crate) fn cache(response: &mut Response, control: &'static str) {
    set(response, CACHE_CONTROL, HeaderValue::from_static(control));
}

pub(crate) fn set(response: &mut Response, name: HeaderName, value: HeaderValue) {
    response.headers_mut().insert(name, value);
}

/// A number as a header.
pub(crate) fn number(value: u64) -> HeaderValue {
    HeaderValue::from(value)
}

/// Names the answer, and leaves out its body if whoever asks has it.
pub(crate) fn tagged(mut response: Response, tag: HeaderValue, asked: &HeaderMap) -> Response {
    if matches(asked, &tag) {
        response.headers_mut().remove(CONTENT_TYPE);
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::empty();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    set(&mut response, ETAG, tag);
    response
}

/// Whether `If-None-Match` names the tag (RFC 9110, 13.1.2: compared weakly).
pub(crate) fn matches(asked: &HeaderMap, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
    let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|it| it == "*" || it.strip_prefix("W/").unwrap_or(it) == tag)
}

/// What is left for `HEAD`: the headers, and how long the body would be.
pub(crate) fn without_body(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    let bodiless = response.status() == StatusCode::NOT_MODIFIED;
    if let Some(length) = length.filter(|_| !bodiless)
        && !response.headers().contains_key(CONTENT_LENGTH)
    {
        set(&mut response, CONTENT_LENGTH, number(length));
    }
    *response.body_mut() = Body::empty();
    response
}
