//! Contents, hashed as they come and not kept.

use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, header};
use url::Url;
use wargate_api::content::ContentSource;
use wargate_api::paths;
use wargate_crypto::{AnyDigest, Digest, Sha256};

use crate::error::Error;
use crate::limits::SOURCES_MAX;
use crate::remote::{CallError, Outgoing, Remote, refusal_of};
use crate::seams::Event;

/// Fetches and hashes contents, and says of each how many bytes it has, or what is amiss.
pub(super) async fn hash_all(
    remote: &Remote,
    digests: Vec<AnyDigest>,
    at_once: usize,
) -> Vec<(AnyDigest, Result<u64, Error>)> {
    let (mut results, of) = (Vec::with_capacity(digests.len()), digests.len() as u64);
    let hashes = stream::iter(digests).map(async |digest| {
        let result = hash(remote, &digest).await;
        (digest, result)
    });
    let mut hashes = std::pin::pin!(hashes.buffer_unordered(at_once.max(1)));
    while let Some(result) = hashes.next().await {
        results.push(result);
        let (registry, done) = (remote.domain(), results.len() as u64);
        let observer = &remote.exchange().observer;
        observer.event(Event::Auditing { registry, what: "contents", done, of });
    }
    results
}

/// Tries where the reference serves content, if that is known to work; then the places that the registry
/// names, one after another.
async fn hash(remote: &Remote, digest: &AnyDigest) -> Result<u64, Error> {
    let missing = || Error::NoContent { registry: remote.domain().clone(), digest: digest.clone() };
    // A digest of another length is no content's (specification 2.1).
    let wanted = Digest::try_from(digest.clone()).map_err(|_| missing())?;
    if remote.has_transcripts() == Some(true) {
        let url = remote.base().join(&paths::content(digest))?;
        if let Ok(bytes) = hash_url(remote, url, &wanted).await {
            return Ok(bytes);
        }
    }
    let sources = match remote.sources(digest).await {
        Ok(sources) => sources,
        Err(CallError::Failed(error)) => return Err(*error),
        Err(CallError::Refused(_)) => return Err(missing()),
    };
    let mut failure = missing();
    for source in sources.iter().take(SOURCES_MAX) {
        match hash_source(remote, source, &wanted).await {
            Ok(bytes) => return Ok(bytes),
            Err(error) if matches!(failure, Error::WrongContent { .. }) => drop(error),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn hash_source(
    remote: &Remote,
    source: &ContentSource,
    wanted: &Digest,
) -> Result<u64, Error> {
    let ContentSource::HttpGet { url, .. } = source;
    let what = "the content's sources";
    let bad = |reason| Error::BadAnswer { registry: remote.domain().clone(), what, reason };
    let url = crate::content::destination(url, remote.base()).map_err(bad)?;
    hash_url(remote, url, wanted).await
}

async fn hash_url(remote: &Remote, url: Url, wanted: &Digest) -> Result<u64, Error> {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    let request = Outgoing { method: Method::GET, url, headers, body: None };
    let sent = remote.exchange().send(request).await;
    let mut answer = sent.map_err(|error| error.of(remote.domain(), "the content"))?;
    if !answer.status.is_success() {
        return Err(refusal_of(remote, answer.status, &answer.headers, None));
    }
    let wrong = |reason: String| Error::WrongContent {
        registry: remote.domain().clone(),
        digest: (*wanted).into(),
        reason,
    };
    let (mut hasher, mut bytes) = (Sha256::new(), 0_u64);
    loop {
        let chunk = answer.chunk().await.map_err(|source| {
            let registry = remote.domain().clone();
            Error::Unreachable { registry, source }
        })?;
        let Some(chunk) = chunk else { break };
        bytes = bytes.saturating_add(chunk.len() as u64);
        let bytes_max = remote.exchange().content_bytes_max;
        if bytes > bytes_max {
            return Err(wrong(format!("it has more than {bytes_max} bytes")));
        }
        hasher.update(&chunk);
    }
    let found = hasher.finish();
    if found == *wanted { Ok(bytes) } else { Err(wrong(format!("it is {found}"))) }
}
