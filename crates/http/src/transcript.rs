//! A checkpoint, records and proofs in one answer.
//!
//! The reference does not have it: a client asks it for each on its own, one after the other, and
//! begins anew if the log has grown in between.

use wargate_api::fetch::{FetchTranscriptRequest, FetchTranscriptResponse, LIMIT_MAX};
use wargate_registry::ReadError;
use wargate_registry::read::TranscriptRequest;

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::fetch;
use crate::front::FEW;

/// `POST v1/fetch/transcript`
pub(crate) async fn transcript(mut call: Call) -> Answer {
    let request: FetchTranscriptRequest = call.json().await?;
    let request = TranscriptRequest {
        limit: usize::from(LIMIT_MAX),
        operator: request.operator.map(|token| token.0),
        packages: fetch::tokens(request.packages),
        consistent_from: request.consistent_from,
    };
    let few = request.packages.len() <= FEW;
    // Writing the answer takes as long as reading what it is made of.
    let answered = call.front.ask_about(few, move |registry| {
        let page = registry.fetch_transcript(&request)?;
        Ok::<_, ReadError>(answer::json(&FetchTranscriptResponse {
            checkpoint: page.checkpoint,
            logs: fetch::response(page.logs),
            proofs: page.proofs,
        }))
    });
    let mut response = match answered.await {
        Ok(response) => response?,
        Err(error) => return Err(fetch::hinted(&call.front, error)),
    };
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// The engine's limit and the API's are the same.
const _: () = assert!(
    wargate_api::fetch::CONSISTENT_FROM_MAX
        == wargate_registry::limits::CONSISTENCIES_PER_REQUEST_MAX
);
