//! Checkpoints, logs and names (specification 12.3).

use std::sync::Arc;

use axum::http::StatusCode;
use wargate_api::OrderedMap;
use wargate_api::fetch::{
    FetchLogsRequest, FetchLogsResponse, FetchNamesRequest, FetchNamesResponse, FetchToken,
    LIMIT_DEFAULT, LIMIT_MAX, NAMES_MAX, PublishedRecord,
};
use wargate_protocol::LogId;
use wargate_protocol::verify::PlacedEnvelope;
use wargate_registry::read::{LogsPage, LogsRequest};
use wargate_registry::store::LoggedRecord;
use wargate_registry::{ReadError, Registry};

use crate::answer::{self, Answer};
use crate::call::Call;
use crate::front::{FEW, Front};
use crate::hints;
use crate::problem::Problem;

/// `GET v1/fetch/checkpoint`
pub(crate) async fn checkpoint(call: Call) -> Answer {
    let newest = call.front.registry().newest();
    let mut response = answer::json(&newest.checkpoint)?;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// `POST v1/fetch/logs`
pub(crate) async fn logs(mut call: Call) -> Answer {
    let request: FetchLogsRequest = call.json().await?;
    let limit = request.limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        let message = format!("the limit is a number from 1 to {LIMIT_MAX}, not {limit}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, message));
    }
    let request = LogsRequest {
        length: request.log_length,
        limit: usize::from(limit),
        operator: request.operator.map(|token| token.0),
        packages: tokens(request.packages),
    };
    let few = request.packages.len() <= FEW;
    // Writing the answer takes as long as reading what it is made of.
    let answer = move |registry: &Arc<Registry>| {
        let page = registry.fetch_logs(&request)?;
        Ok(answer::json(&response(page)))
    };
    match call.front.ask_about(few, answer).await {
        Ok(response) => response,
        Err(error) => Err(hinted(&call.front, error)),
    }
}

/// Logs with the tokens as the engine takes them.
pub(crate) fn tokens(
    packages: OrderedMap<LogId, Option<FetchToken>>,
) -> Vec<(LogId, Option<String>)> {
    packages.into_iter().map(|(log, token)| (log, token.map(|token| token.0))).collect()
}

/// The problem, with a hint if it is a log that may be in another registry.
pub(crate) fn hinted(front: &Front, error: ReadError) -> Problem {
    let ReadError::LogNotFound(log) = error else { return error.into() };
    let problem = Problem::from(ReadError::LogNotFound(log));
    let Some(namespace) = front.hints.namespace(&log) else { return problem };
    match hints::of_namespace(front.registry(), &namespace) {
        Some(hint) => hints::add(problem, &hint),
        None => problem,
    }
}

pub(crate) fn response(page: LogsPage) -> FetchLogsResponse {
    let records = |records: Vec<LoggedRecord>| records.into_iter().map(published).collect();
    FetchLogsResponse {
        more: page.more,
        operator: records(page.operator),
        packages: page.packages.into_iter().map(|(log, them)| (log, records(them))).collect(),
        warnings: Vec::new(),
    }
}

/// A record's fetch token is its id, as the reference has it.
fn published(record: LoggedRecord) -> PublishedRecord {
    let LoggedRecord { index, leaf, envelope } = record;
    let record = PlacedEnvelope { envelope, registry_index: index };
    PublishedRecord { record, fetch_token: FetchToken(leaf.record_id.to_string()) }
}

/// `POST v1/fetch/names`
pub(crate) async fn names(mut call: Call) -> Answer {
    let FetchNamesRequest { mut packages } = call.json().await?;
    packages.truncate(NAMES_MAX);
    let found = call.front.ask_about(packages.len() <= FEW, move |registry| {
        let names = registry.names(&packages)?;
        Ok::<OrderedMap<_, _>, ReadError>(packages.into_iter().zip(names).collect())
    });
    answer::json(&FetchNamesResponse { packages: found.await? })
}
