//! Taking content (specification 12.5): streamed, hashed on the way, never whole in memory.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use wargate_crypto::Digest;
use wargate_registry::WriteError;
use wargate_registry::content::Upload;

use crate::answer::Answer;
use crate::call::Call;
use crate::front::Front;
use crate::limits::UPLOAD_BATCH_BYTES;
use crate::problem::Problem;

/// `POST v1/package/{logId}/record/{recordId}/content/{digest}`, or `PUT`.
///
/// Whoever breaks off drops the upload, and with it what came so far. Once all has come, the answer
/// is 201 even if the log then refuses the record: the content itself was in order, and the record's
/// state tells.
pub(crate) async fn upload(mut call: Call) -> Answer {
    let (log, record, content) = (call.log()?, call.record()?, call.digest()?);
    let digest = Digest::try_from(&content).map_err(|_| {
        Problem::bad_request(format!("the record {record} does not need the content {content}"))
    })?;
    let begun = call.front.ask(move |registry| registry.begin_upload(&log, &record, &digest));
    let mut upload = begun.await?;
    let mut batch = Vec::new();
    while let Some(chunk) = call.chunk().await? {
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
    upload.finish().await?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    Ok(response)
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
