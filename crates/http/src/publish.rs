//! Publishing records, and how far they are (specification 12.4 and 12.5).

use std::sync::Arc;

use axum::http::StatusCode;
use tracing::Instrument;
use wargate_api::OrderedMap;
use wargate_api::paths;
use wargate_api::publish::{
    MissingContent, PackageError, PackageRecord, PackageRecordState, PublishRecordRequest,
    UploadEndpoint, UploadMethod,
};
use wargate_crypto::{AnyDigest, Digest, KeyId};
use wargate_protocol::{LogId, PackageEnvelope, RecordId};
use wargate_registry::{RecordStatus, Registry, Submission, WriteError};

use crate::answer::{self, Answer};
use crate::answered::{Provable, TRACE_TARGET};
use crate::call::Call;
use crate::front::Front;
use crate::hints;
use crate::problem::Problem;
use crate::sources::{self, Sources, Wanted};
use crate::throttle::Class;

/// `POST v1/package/{logId}/record`
pub(crate) async fn publish(mut call: Call) -> Answer {
    let log = call.log()?;
    let PublishRecordRequest { package_name: name, record, content_sources } = call.json().await?;
    let sources = call.front.options().sources.clone();
    let wanted = match &sources {
        _ if content_sources.is_empty() => Vec::new(),
        Some(sources) => sources::wanted(&**sources, content_sources)?,
        None => return Err(unsupported_sources(&log, &Submission { log, name, record })),
    };
    let signer = record.key_id().clone();
    let submission = Submission { log, name: name.clone(), record };
    // Counted before, or many at once would pass together.
    call.count(Class::Sourcing, 1)?;
    let span = tracing::trace_span!(target: TRACE_TARGET, "admission");
    let published = call.front.registry().publish(submission).instrument(span).await;
    if !matches!(published, Ok((_, RecordStatus::Sourcing(_)))) {
        call.give_back(Class::Sourcing, 1);
    }
    match published {
        Ok((record, status)) => {
            let is_provable = matches!(status, RecordStatus::Published { .. });
            if let (Some(sources), RecordStatus::Sourcing(missing)) = (&sources, &status) {
                let note = Note { log, record, signer, wanted };
                note.leave(&call.front, Arc::clone(sources), missing).await?;
            }
            let state = package_record(&call, &log, record, status);
            let mut response = answer::json(&state)?;
            *response.status_mut() = StatusCode::ACCEPTED;
            answer::cache(&mut response, answer::NO_STORE);
            if is_provable {
                response.extensions_mut().insert(Provable);
            }
            Ok(response)
        }
        Err(error) => {
            let hint = match &error {
                WriteError::NamespaceImported { namespace, registry } => {
                    call.front.hints.remember(log, name);
                    Some(wargate_api::headers::registry_hint(namespace, registry))
                }
                _ => None,
            };
            let problem = Problem::from(error);
            Err(match hint {
                Some(hint) => hints::add(problem, &hint),
                None => problem,
            })
        }
    }
}

/// Where content of a record can be fetched.
struct Note {
    log: LogId,
    record: RecordId,
    signer: KeyId,
    wanted: Wanted,
}

impl Note {
    /// Sees to it that content that is missing is fetched. A publisher who is told that it cannot be has
    /// a record that waits, and sends it again or uploads.
    async fn leave(
        self,
        front: &Front,
        sources: Arc<dyn Sources>,
        missing: &[Digest],
    ) -> Result<(), Problem> {
        let Self { log, record, signer, mut wanted } = self;
        wanted.retain(|(digest, urls)| missing.contains(digest) && !urls.is_empty());
        if wanted.is_empty() || sources.is_fetching(&log, &record) {
            return Ok(());
        }
        let take = move || sources.take(log, record, signer, wanted);
        Ok(front.registry().offload(take).await?)
    }
}

/// Content is uploaded, never fetched from elsewhere. What is wrong with the record itself comes
/// first, as the specification orders it.
fn unsupported_sources(log: &LogId, submission: &Submission) -> Problem {
    if LogId::package(&submission.name) != *log {
        return Problem::bad_request(format!("the package {} has another log", submission.name));
    }
    if let Err(error) = PackageEnvelope::decode(submission.record.clone()) {
        return Problem::bad_request(format!("the record cannot be read: {error}"));
    }
    let why = "content is uploaded to this registry, not fetched: leave out `contentSources`";
    Problem::of(PackageError::NotSupported(why.into()).to_body())
}

/// `GET v1/package/{logId}/record/{recordId}`
pub(crate) async fn state(call: Call) -> Answer {
    let (log, record) = (call.log()?, call.record()?);
    let registry = call.front.registry();
    let status = settled(registry, &log, &record, call.front.options().hold).await?;
    let Some(status) = status else {
        let knows = registry.knows_log(&log)?;
        let error = if knows {
            PackageError::RecordNotFound(record)
        } else {
            PackageError::LogNotFound(log)
        };
        return Err(Problem::of(error.to_body()));
    };
    let mut response = answer::json(&package_record(&call, &log, record, status))?;
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

/// How far a record is. The released client asks once and then sleeps for a second while it sees
/// `processing`, so the question is held for a moment in which that usually passes.
#[cfg(not(target_family = "wasm"))]
async fn settled(
    registry: &std::sync::Arc<Registry>,
    log: &LogId,
    record: &RecordId,
    hold: std::time::Duration,
) -> Result<Option<RecordStatus>, WriteError> {
    let until = tokio::time::Instant::now() + hold;
    // Before the first look, or a change between that and the wait would be missed.
    let mut changes = registry.changes();
    loop {
        let status = registry.status(log, record)?;
        if status != Some(RecordStatus::Processing) {
            return Ok(status);
        }
        match tokio::time::timeout_at(until, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return Ok(status),
        }
    }
}

/// In a Wasm instance, whoever submits a record also sequences it: there is nothing to wait for.
#[cfg(target_family = "wasm")]
async fn settled(
    registry: &std::sync::Arc<Registry>,
    log: &LogId,
    record: &RecordId,
    _hold: std::time::Duration,
) -> Result<Option<RecordStatus>, WriteError> {
    registry.status(log, record)
}

fn package_record(
    call: &Call,
    log: &LogId,
    record_id: RecordId,
    status: RecordStatus,
) -> PackageRecord {
    let sources = call.front.options().sources.as_ref();
    let is_fetched = sources.is_some_and(|sources| sources.is_fetching(log, &record_id));
    let state = match status {
        // Clients that see `sourcing` would upload what is on its way.
        RecordStatus::Sourcing(_) if is_fetched => PackageRecordState::Processing,
        RecordStatus::Sourcing(missing) => {
            let missing =
                missing.into_iter().map(|digest| missing_content(log, &record_id, digest));
            PackageRecordState::Sourcing { missing_content: missing.collect() }
        }
        RecordStatus::Processing => PackageRecordState::Processing,
        RecordStatus::Rejected { reason } => PackageRecordState::Rejected { reason },
        RecordStatus::Published { index } => {
            PackageRecordState::Published { registry_index: index }
        }
    };
    PackageRecord { record_id, state }
}

/// The one place for an upload: clients try no other (specification 20.1, T7).
fn missing_content(log: &LogId, record: &RecordId, digest: Digest) -> (AnyDigest, MissingContent) {
    let content = AnyDigest::from(digest);
    let url = paths::upload(log, record, &content);
    let method = UploadMethod::Post;
    let upload = vec![UploadEndpoint::Http { method, url, headers: OrderedMap::new() }];
    (content, MissingContent { upload })
}
