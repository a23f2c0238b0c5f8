//! Content: downloads and uploads.

use wargate_crypto::Digest;

use crate::error::Error;
use crate::remote::Remote;
use crate::seams::{Cache, Content};

/// Content to download.
pub(crate) struct Download {
    pub(crate) digest: Digest,
    pub(crate) size: Option<u64>,
}

/// Downloads what is not in the cache.
pub(crate) async fn download_all(
    _remote: &Remote,
    _cache: &dyn Cache,
    _downloads: Vec<Download>,
    _direct: bool,
    _at_once: usize,
) -> Vec<(Digest, Result<Box<dyn Content>, Error>)> {
    Vec::new()
}
