//! Which web pages may do what (specification 12.1).
//!
//! Whatever only reads is open to every page: answers are public, and nothing here looks at cookies.
//! Publishing and uploading are for the registry's own pages, unless the operator opens them: a
//! registry that believes whoever can reach it must not be written to by any page that its owner
//! happens to look at. `Vary` is not sent, since no answer differs by its asker.

use axum::body::Body;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ALLOW, HeaderMap, ORIGIN,
};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;

use crate::answer::set;
use crate::options::Options;
use crate::problem::Problem;
use crate::routes::Access;

const ANY: HeaderValue = HeaderValue::from_static("*");

/// Whether pages of other origins may use such a route.
fn is_open(options: &Options, access: Access) -> bool {
    access == Access::Read || options.cross_origin_writes
}

/// A write that comes from a page of another origin is refused. Programs send no `Origin`.
pub(crate) fn check(
    options: &Options,
    access: Access,
    headers: &HeaderMap,
    host: Option<&str>,
) -> Result<(), Problem> {
    if is_open(options, access) {
        return Ok(());
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    // As it is called from outside, or as this very request calls it.
    let own = origin == options.public_url.origin()
        || origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    if own {
        return Ok(());
    }
    let message = "web pages of other origins may not publish to this registry";
    Err(Problem::new(StatusCode::FORBIDDEN, message))
}

/// Opens an answer to pages.
pub(crate) fn open(options: &Options, access: Access, response: &mut Response) {
    if is_open(options, access) {
        const EXPOSED: &str = "etag, retry-after, upload-offset, warg-registry, warg-registry-hint";
        set(response, ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
        set(response, ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// The answer to a browser that asks before it sends something.
pub(crate) fn preflight(options: &Options, access: Access, allow: &HeaderValue) -> Response {
    const HEADERS: &str =
        "content-type, accept, authorization, range, upload-offset, warg-registry, warg-upload";
    let mut answer = Response::new(Body::empty());
    set(&mut answer, ALLOW, allow.clone());
    if is_open(options, access) {
        set(&mut answer, ACCESS_CONTROL_ALLOW_METHODS, allow.clone());
        set(&mut answer, ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        set(&mut answer, ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    }
    answer
}
