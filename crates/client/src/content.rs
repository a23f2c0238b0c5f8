//! Content, from wherever a registry says it is into the cache, and from files to where it is wanted.
//!
//! Places of content are anybody's. They are told neither who asks nor for which registry; what comes
//! is limited and hashed on its way, and becomes complete only if it is what its digest says.

mod ranges;
mod receive;
mod source;
#[cfg(test)]
mod tests;
mod upload;
mod verified;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use wargate_api::content::ContentSource;
use wargate_api::paths;
use wargate_crypto::{AnyDigest, Digest};

use self::receive::Receiver;
use self::source::Source;
pub(crate) use self::source::destination;
pub(crate) use self::upload::{UploadOutcome, upload};
pub(crate) use self::verified::verified_copy;
use crate::error::Error;
use crate::limits::{OTHER_PROCESS_WAIT_MAX, SOURCES_MAX};
use crate::remote::{CallError, Remote};
use crate::seams::{Cache, CacheError, Content, Partial, TransportFault};

/// Makes content complete in the cache, unless it is.
///
/// `direct`: the registry is known to serve content where the reference server does, so that it need
/// not be asked where the content is, unless that fails. What is in the cache already is not hashed
/// again: whoever reads it does ([`verified_copy`]).
pub(crate) async fn download(
    remote: &Remote,
    cache: &dyn Cache,
    digest: &Digest,
    direct: bool,
) -> Result<Box<dyn Content>, Error> {
    let partial = match acquire(remote, cache, digest).await? {
        Acquired::Complete(content) => return Ok(content),
        Acquired::Incomplete(partial) => partial,
    };
    let mut receiver = Receiver::new(remote, *digest, partial)?;
    if receiver.is_complete() {
        return receiver.commit();
    }
    let mut failures = Failures::default();
    let mut tried = None;
    if direct {
        let url = remote.base().join(&paths::content(&(*digest).into()))?;
        let source = Source { url, ranges: false, size: None };
        match receiver.fetch(&source).await {
            Ok(()) => return receiver.commit(),
            Err(error) if ends_all(&error) || nobody_is_there(&error) => return Err(error),
            // That the registry serves content elsewhere is no failure.
            Err(error) if is_not_found(&error) => {}
            Err(error) => failures.add(error),
        }
        tried = Some(source.url);
    }
    for source in sources(remote, digest).await?.iter().take(SOURCES_MAX) {
        let source = match Source::of(source, remote.base()) {
            Ok(source) if tried.as_ref() == Some(&source.url) => continue,
            Ok(source) => source,
            Err(reason) => {
                let (registry, what) = (remote.domain().clone(), "the content's sources");
                failures.add(Error::BadAnswer { registry, what, reason });
                continue;
            }
        };
        match receiver.fetch(&source).await {
            Ok(()) => return receiver.commit(),
            Err(error) if ends_all(&error) => return Err(error),
            Err(error) => failures.add(error),
        }
    }
    let (registry, digest) = (remote.domain().clone(), (*digest).into());
    Err(failures.worst().unwrap_or(Error::NoContent { registry, digest }))
}

/// Makes several contents complete, so many at once. Each digest counts once.
pub(crate) async fn download_all(
    remote: &Remote,
    cache: &dyn Cache,
    digests: impl IntoIterator<Item = Digest>,
    direct: bool,
    at_once: usize,
) -> Vec<(Digest, Result<Box<dyn Content>, Error>)> {
    let digests: BTreeSet<Digest> = digests.into_iter().collect();
    stream::iter(digests)
        .map(|digest| async move { (digest, download(remote, cache, &digest, direct).await) })
        .buffer_unordered(at_once.max(1))
        .collect()
        .await
}

/// What the cache has.
enum Acquired {
    Complete(Box<dyn Content>),
    Incomplete(Box<dyn Partial>),
}

/// The first pause before the cache is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Takes content from the cache, or the right to fetch it, for which it waits while another process
/// has it. If that process dies, the right is free.
async fn acquire(remote: &Remote, cache: &dyn Cache, digest: &Digest) -> Result<Acquired, Error> {
    let (mut pause, mut waited) = (PAUSE, Duration::ZERO);
    loop {
        if let Some(content) = cache.open(remote.domain(), digest)? {
            return Ok(Acquired::Complete(content));
        }
        if let Some(partial) = cache.begin(remote.domain(), digest)? {
            // Another process may have finished between the two questions.
            return Ok(match cache.open(remote.domain(), digest)? {
                Some(content) => Acquired::Complete(content),
                None => Acquired::Incomplete(partial),
            });
        }
        if waited > OTHER_PROCESS_WAIT_MAX {
            let message = format!("another process has been fetching {digest} for too long");
            return Err(CacheError { message }.into());
        }
        remote.exchange().clock.wait(pause).await;
        waited += pause;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

async fn sources(remote: &Remote, digest: &Digest) -> Result<Vec<ContentSource>, Error> {
    let digest = AnyDigest::from(*digest);
    match remote.sources(&digest).await {
        Ok(sources) => Ok(sources),
        Err(CallError::Failed(error)) => Err(*error),
        Err(CallError::Refused(_)) => {
            Err(Error::NoContent { registry: remote.domain().clone(), digest })
        }
    }
}

/// What went wrong at the places that were tried.
#[derive(Default)]
struct Failures(Option<Error>);

impl Failures {
    /// Wrong bytes weigh more than a place that fails, and what came last more than what came before.
    fn add(&mut self, error: Error) {
        if !matches!(self.0, Some(Error::WrongContent { .. }))
            || matches!(error, Error::WrongContent { .. })
        {
            self.0 = Some(error);
        }
    }

    fn worst(self) -> Option<Error> {
        self.0
    }
}

/// Whether no other place can help.
const fn ends_all(error: &Error) -> bool {
    matches!(error, Error::Cache(_))
}

/// Whether the registry itself cannot be reached, so that it cannot be asked for other places.
const fn nobody_is_there(error: &Error) -> bool {
    matches!(error, Error::Unreachable { source, .. }
        if matches!(source.fault, TransportFault::Connect | TransportFault::Tls))
}

const fn is_not_found(error: &Error) -> bool {
    matches!(error, Error::Unavailable { status: 404, .. })
}
