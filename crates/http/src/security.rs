//! What every answer tells browsers and caches, whatever it is.
//!
//! Nothing here is a page: a browser that is led to an answer must not run what is in it, guess another
//! type for it, or tell others where it came from. What is public may be used by pages of any origin;
//! what publishes is for the registry's own. An answer that does not say how long it may be kept is not
//! to be kept, and errors never are: what is missing now may be there in a moment.

use axum::http::HeaderValue;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::Response;

use crate::answer::{self, set};
use crate::options::Options;
use crate::routes::Access;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Nothing may be loaded, run, or framed, and no form sent.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Completes an answer. What a handler has said itself stays.
pub(crate) fn harden(options: &Options, access: Access, response: &mut Response) {
    set(response, X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    set(response, REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let open = access == Access::Read || options.cross_origin_writes;
    let whose = if open { "cross-origin" } else { "same-origin" };
    set(response, RESOURCE_POLICY, HeaderValue::from_static(whose));
    let headers = response.headers_mut();
    headers.entry(CONTENT_SECURITY_POLICY).or_insert(POLICY);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static(answer::NO_STORE));
}
