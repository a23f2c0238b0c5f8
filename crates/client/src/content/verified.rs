//! Reading content from the cache, whose bytes may have rotted.

use wargate_crypto::{Digest, Sha256};

use crate::error::Error;
use crate::origin::Domain;
use crate::seams::{Cache, CacheError, Content};

/// So much is read at a time.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Reads content to its end, hashes it, and hands on each piece. Returns whether it is what its digest
/// says; if not, it is removed from the cache, and what was handed on must not be used.
pub(crate) fn verified_copy(
    cache: &dyn Cache,
    registry: &Domain,
    digest: &Digest,
    content: &mut dyn Content,
    into: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<bool, Error> {
    let mut read = |offset, piece: &mut [u8]| content.read_at(offset, piece);
    let (hasher, _) = hash(&mut read, into)?;
    let is_right = hasher.finish() == *digest;
    if !is_right {
        cache.remove(registry, digest)?;
    }
    Ok(is_right)
}

type ReadAt<'a> = &'a mut dyn FnMut(u64, &mut [u8]) -> Result<usize, CacheError>;

/// Reads to the end; what was read, hashed, and how much that is.
pub(super) fn hash(
    read_at: ReadAt<'_>,
    into: &mut dyn FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(Sha256, u64), Error> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    let mut offset = 0;
    loop {
        let read = read_at(offset, &mut piece)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((hasher, offset));
        };
        hasher.update(bytes);
        into(bytes)?;
        offset += read as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::MemoryCache;

    #[test]
    fn rotten_content_is_removed() {
        let (cache, registry) = (MemoryCache::default(), "warg.io".parse().unwrap());
        let good: Vec<u8> = (0..=250).cycle().take(PIECE_BYTES * 2 + 1).collect();
        let digest = Digest::of(&good);
        let keep = |bytes: &[u8]| {
            let mut partial = cache.begin(&registry, &digest).unwrap().unwrap();
            partial.append(bytes).unwrap();
            partial.commit().unwrap()
        };
        let copy = |content: &mut dyn Content| {
            let mut copy = Vec::new();
            let mut into = |piece: &[u8]| {
                copy.extend_from_slice(piece);
                Ok(())
            };
            let right = verified_copy(&cache, &registry, &digest, content, &mut into).unwrap();
            (right, copy)
        };
        assert_eq!(copy(&mut *keep(&good)), (true, good.clone()));
        assert!(cache.open(&registry, &digest).unwrap().is_some());
        assert!(!copy(&mut *keep(&good[1..])).0);
        assert!(cache.open(&registry, &digest).unwrap().is_none());
    }
}
