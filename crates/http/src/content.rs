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
    let Some((size, elsewhere)) = call.front.registry().content_place(&asked)? else {
        return Err(Problem::of(ContentError::ContentDigestNotFound(digest).to_body()));
    };
    let accept_ranges = elsewhere.is_none();
    let here = || call.front.options().public_url.join(&paths::content(&digest));
    let url = elsewhere.unwrap_or_else(here);
    let source = ContentSource::HttpGet { url, accept_ranges, size: Some(size) };
    let content_sources = OrderedMap::from_iter([(digest, vec![source])]);
    let mut response = answer::json(&ContentSourcesResponse { content_sources })?;
    answer::cache(&mut response, answer::NO_CACHE);
    Ok(response)
}
