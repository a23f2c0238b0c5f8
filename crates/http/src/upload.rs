//! Taking content (specification 12.5): streamed, hashed on the way, never whole in memory.

use std::fmt::Display;
use std::str::FromStr;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_LENGTH, HeaderName};
use axum::response::Response;
use tracing::Instrument;
use wargate_api::headers;
use wargate_crypto::Digest;
use wargate_registry::content::{Upload, UploadName};
use wargate_registry::limits::INLINE_CONTENT_BYTES_MAX;
use wargate_registry::{RecordStatus, WriteError};

use crate::answer::{self, Answer};
use crate::answered::TRACE_TARGET;
use crate::call::Call;
use crate::front::Front;
use crate::limits::UPLOAD_BATCH_BYTES;
use crate::problem::Problem;
use crate::throttle::Class;

/// `POST v1/package/{logId}/record/{recordId}/content/{digest}`, or `PUT`.
///
/// Whoever breaks off drops the upload, and with it what came so far, unless the request names the
/// upload: then [`progress`] tells how much came, and a request that says so goes on there. Once all
/// has come, the answer is 201 even if the log then refuses the record: the content itself was in
/// order, and the record's state tells.
pub(crate) async fn upload(call: Call) -> Answer {
    let span = tracing::trace_span!(target: TRACE_TARGET, "content");
    receive(call).instrument(span).await
}

async fn receive(mut call: Call) -> Answer {
    let (log, record, digest) = (call.log()?, call.record()?, digest(&call)?);
    let name = header(&call, headers::UPLOAD)?;
    let offset = header(&call, headers::UPLOAD_OFFSET)?.unwrap_or(0);
    if name.is_none() && offset > 0 {
        let message = "an upload that goes on needs its name, in the header warg-upload; without one, \
                       send all of the content";
        return Err(Problem::bad_request(message));
    }
    if offset == 0
        && let Some(bytes) = small(&mut call).await?
    {
        let registry = call.front.registry();
        let (needed, status) = registry.upload_small(log, record, digest, bytes).await?;
        return Ok(created(&call, needed, &status));
    }
    // Whoever comes again has given up the connection over which bytes may still seem to come.
    let running = match name {
        Some(name) => {
            call.front.uploads.interrupt(&(record, digest, name)).await;
            Some((call.front.uploads.run((record, digest, name)), name))
        }
        None => None,
    };
    let begun = call.front.ask(move |registry| match name {
        Some(name) if offset > 0 => registry.resume_upload(&log, &record, &digest, name, offset),
        _ => registry.begin_upload(&log, &record, &digest),
    });
    let mut upload = begun.await?;
    let mut batch = Vec::new();
    loop {
        let chunk = match &running {
            Some((run, _)) => run.unless_interrupted(call.chunk()).await,
            None => call.chunk().await,
        };
        let chunk = match chunk {
            Ok(Some(chunk)) => chunk,
            Ok(None) => break,
            Err(problem) => {
                if let Some((_, name)) = running {
                    park(&call.front, upload, batch, name).await;
                }
                return Err(problem);
            }
        };
        if batch.is_empty() && !upload.may_block(chunk.len()) {
            upload.write(&chunk)?;
            continue;
        }
        batch.extend_from_slice(&chunk);
        if batch.len() >= UPLOAD_BATCH_BYTES {
            (upload, batch) = written(&call.front, upload, batch).await?;
        }
    }
    if !batch.is_empty() {
        (upload, _) = written(&call.front, upload, batch).await?;
    }
    let needed = upload.is_needed();
    let status = upload.finish().await?;
    Ok(created(&call, needed, &status))
}

fn created(call: &Call, needed: bool, status: &RecordStatus) -> Response {
    if needed && !matches!(status, RecordStatus::Sourcing(_)) {
        call.give_back(Class::Sourcing, 1);
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    response
}

/// The whole body, if it says that it is small.
async fn small(call: &mut Call) -> Result<Option<Vec<u8>>, Problem> {
    let length = call.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let length = length.and_then(|text| text.parse::<u64>().ok());
    let is_small = length.is_some_and(|length| length <= INLINE_CONTENT_BYTES_MAX);
    if !is_small {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = call.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > INLINE_CONTENT_BYTES_MAX {
            return Err(Problem::bad_request("more bytes came than the request has announced"));
        }
    }
    Ok(Some(bytes))
}

/// `GET v1/package/{logId}/record/{recordId}/content/{digest}`: how much came of an upload that broke
/// off. Not part of the reference's API: other registries answer 404 or 405.
pub(crate) async fn progress(call: Call) -> Answer {
    let (record, digest) = (call.record()?, digest(&call)?);
    let nothing =
        || Problem::new(StatusCode::NOT_FOUND, "no such upload broke off: send all of the content");
    let name = header(&call, headers::UPLOAD)?.ok_or_else(nothing)?;
    call.front.uploads.interrupt(&(record, digest, name)).await;
    let parked = call.front.registry().parked_upload(&record, &digest, name);
    let offset = parked.ok_or_else(nothing)?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    answer::set(
        &mut response,
        HeaderName::from_static(headers::UPLOAD_OFFSET),
        answer::number(offset),
    );
    answer::cache(&mut response, answer::NO_STORE);
    Ok(response)
}

fn digest(call: &Call) -> Result<Digest, Problem> {
    let (record, content) = (call.record()?, call.digest()?);
    Digest::try_from(&content).map_err(|_| {
        Problem::bad_request(format!("the record {record} does not need the content {content}"))
    })
}

/// A header's value, if it is there.
fn header<T: FromStr<Err: Display>>(call: &Call, name: &str) -> Result<Option<T>, Problem> {
    let Some(value) = call.headers().get(name) else { return Ok(None) };
    let value = value.to_str().unwrap_or_default().parse();
    value.map(Some).map_err(|error| {
        Problem::bad_request(format!("the header {name} is not well-formed: {error}"))
    })
}

/// Keeps what came, as far as it can be written.
async fn park(front: &Front, upload: Upload, batch: Vec<u8>, name: UploadName) {
    match written(front, upload, batch).await {
        Ok((upload, _)) => front.registry().offload(move || upload.park(name)).await,
        // Whoever sent it hears of the body that broke off.
        Err(error) => tracing::debug!(%error, "an upload that broke off is not kept"),
    }
}

/// Writes where writing may block. Upload and buffer go there and come back.
async fn written(
    front: &Front,
    mut upload: Upload,
    mut batch: Vec<u8>,
) -> Result<(Upload, Vec<u8>), WriteError> {
    let work = move || {
        upload.write(&batch)?;
        batch.clear();
        Ok((upload, batch))
    };
    front.registry().offload(work).await
}
