//! Content files that belong to nothing: the bytes of an upload that was interrupted before its commit,
//! and of content that was forgotten.
//!
//! A file is removed when it has been seen without a row twice, an hour apart, and has still none. Bytes
//! that are about to be kept begin anew: an upload says so ([`Registry::keeps`]) before it writes, and
//! both happen under one lock. So a file that an upload has found in its place stays for at least as
//! long as its commit may take, and whoever copies the files that a snapshot of the rows names has an
//! hour for it.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use wargate_crypto::Digest;

use super::Registry;
use crate::error::WriteError;
use crate::limits::{STRAY_SECONDS_MIN, STRAYS_MAX};
use crate::sequencer::seconds;
use crate::store::{StoreError, StoreResult};

/// How many files are looked at in one go.
const PAGE: usize = 1000;

/// Files without a row, and where the search goes on.
#[derive(Debug, Default)]
pub(crate) struct Strays {
    after: Option<Digest>,
    /// Since when, in seconds of the Unix epoch.
    seen: HashMap<Digest, u64>,
}

impl Registry {
    /// Content is about to be kept.
    pub(crate) fn keeps(&self, digest: &Digest) {
        self.strays().seen.remove(digest);
    }

    /// One insertion or removal at a time, so it is whole after a panic.
    fn strays(&self) -> MutexGuard<'_, Strays> {
        self.strays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at some files, and removes those that have belonged to nothing for long enough. May wait
    /// for a network; uploads wait for the removal of one file at the most.
    pub(super) fn sweep(&self) -> Result<(), WriteError> {
        let now = seconds(self.tools().clock.now());
        let unavailable = |error: std::io::Error| StoreError::Unavailable(Box::new(error));
        let after = self.strays().after;
        let page = self.blobs().list(after.as_ref(), PAGE).map_err(unavailable)?;
        self.strays().after = page.last().copied().filter(|_| page.len() == PAGE);
        for digest in page {
            let mut strays = self.strays();
            if !self.is_stray(&digest)? {
                strays.seen.remove(&digest);
                continue;
            }
            match strays.seen.get(&digest) {
                Some(since) if now.saturating_sub(*since) >= STRAY_SECONDS_MIN => {
                    self.blobs().remove(&digest).map_err(unavailable)?;
                    strays.seen.remove(&digest);
                    tracing::info!(%digest, "removed a content file that belonged to nothing");
                }
                None if strays.seen.len() < STRAYS_MAX => drop(strays.seen.insert(digest, now)),
                _ => {}
            }
        }
        Ok(())
    }

    fn is_stray(&self, digest: &Digest) -> StoreResult<bool> {
        Ok(self.tools().store.content(digest)?.is_none_or(|row| !row.is_blob()))
    }
}
