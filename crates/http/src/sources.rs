//! The seam to whoever fetches content from the sources that a publisher names.

use std::fmt;

use wargate_api::OrderedMap;
use wargate_api::content::ContentSource;
use wargate_crypto::{AnyDigest, Digest, KeyId};
use wargate_protocol::{LogId, RecordId};
use wargate_registry::WriteError;

use crate::limits::{SOURCE_URLS_BYTES_MAX, SOURCED_CONTENTS_MAX, SOURCES_MAX};
use crate::problem::Problem;

/// Where content is, by its digest.
pub type Wanted = Vec<(Digest, Vec<String>)>;

/// Fetches content from elsewhere.
pub trait Sources: fmt::Debug + Send + Sync {
    /// Whether a URL may be fetched at all, as far as that can be told without looking for its host.
    ///
    /// # Errors
    /// Why not, for the publisher.
    fn check(&self, url: &str) -> Result<(), String>;

    /// Takes note of where the content of a record that waits for it can be fetched; durable on return.
    /// It is fetched some time, in the share of the key that has signed the record. May block.
    ///
    /// # Errors
    /// [`WriteError::Busy`], [`WriteError::Unavailable`]; nothing is noted then.
    fn take(
        &self,
        log: LogId,
        record: RecordId,
        signer: KeyId,
        wanted: Wanted,
    ) -> Result<(), WriteError>;

    /// Whether content of a record is still to be fetched, and its publisher should wait for it. Where
    /// it has failed for a while, it is tried again, but the publisher may as well upload.
    fn is_fetching(&self, log: &LogId, record: &RecordId) -> bool;
}

/// The sources of a request, as far as they are sources of anything and may be asked.
pub(crate) fn wanted(
    sources: &dyn Sources,
    of: OrderedMap<AnyDigest, Vec<ContentSource>>,
) -> Result<Wanted, Problem> {
    let (mut wanted, mut bytes) = (Vec::new(), 0_usize);
    for (content, places) in of {
        let digest = Digest::try_from(&content).map_err(|_| {
            Problem::bad_request(format!("`contentSources`: {content} is no digest of content"))
        })?;
        if places.len() > SOURCES_MAX || wanted.len() >= SOURCED_CONTENTS_MAX {
            return Err(Problem::bad_request(format!(
                "`contentSources`: this registry takes {SOURCES_MAX} sources of one content and \
                 {SOURCED_CONTENTS_MAX} contents at most"
            )));
        }
        let mut urls = Vec::new();
        for ContentSource::HttpGet { url, .. } in places {
            sources.check(&url).map_err(|why| {
                Problem::bad_request(format!("`contentSources`: a source of {content} {why}"))
            })?;
            bytes = bytes.saturating_add(url.len());
            urls.push(url);
        }
        wanted.push((digest, urls));
    }
    if bytes > SOURCE_URLS_BYTES_MAX {
        return Err(Problem::bad_request(format!(
            "`contentSources`: this registry takes {SOURCE_URLS_BYTES_MAX} bytes of URLs at most"
        )));
    }
    Ok(wanted)
}
