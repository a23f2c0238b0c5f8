//! SHA-256 over a stream.

use crate::digest::Digest;
use crate::provider::{Active, Provider};

/// A running SHA-256, for content that comes in chunks. For bytes at hand see [`Digest::of`].
#[derive(Clone)]
pub struct Sha256(<Active as Provider>::Hasher);

impl Sha256 {
    /// A hasher that has seen nothing.
    pub fn new() -> Self {
        Self(Active::hasher())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        Active::update(&mut self.0, bytes);
    }

    /// The digest of everything taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        Digest::from_bytes(Active::finish(self.0))
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}
