//! Where content can be had (specification 12.6).

use wargate_api::OrderedMap;
use wargate_api::content::{ContentError, ContentSource, ContentSourcesResponse};
use wargate_api::paths;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::problem::Problem;

/// `GET v1/content/{digest}`
pub(crate) async fn sources(call: Call) -> Answer {
    let digest = call.digest()?;
    let asked = digest.clone();
    let size = call.front.registry().content_size(&asked)?;
    if size.is_none() {
        return Err(Problem::of(ContentError::ContentDigestNotFound(digest).to_body()));
    }
    let url = call.front.options().public_url.join(&paths::content(&digest));
    let source = ContentSource::HttpGet { url, accept_ranges: true, size };
    let content_sources = OrderedMap::from_iter([(digest, vec![source])]);
    let mut response = answer::json(&ContentSourcesResponse { content_sources })?;
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}
