//! The suite that all blobs pass.

use wargate_crypto::Digest;
use wargate_registry::blobs::Blobs;

/// What all blobs do, whatever they are kept in.
pub fn behave(blobs: &dyn Blobs) {
    let texts: Vec<Vec<u8>> = (0..40_u8).map(|n| vec![n; usize::from(n) * 3]).collect();
    let mut digests: Vec<_> = texts.iter().map(|bytes| keep(blobs, bytes)).collect();
    for (digest, bytes) in digests.iter().zip(&texts) {
        assert_eq!(read(blobs, digest).as_deref(), Some(&**bytes));
        keep(blobs, bytes);
    }
    let absent = Digest::of(b"absent");
    assert!(blobs.open(&absent).unwrap().is_none());
    blobs.remove(&absent).unwrap();

    let blob = blobs.open(&digests[9]).unwrap().unwrap();
    let mut buffer = [0; 64];
    for (position, count) in [(0, 27), (20, 7), (26, 1), (27, 0), (28, 0), (u64::MAX >> 1, 0)] {
        assert_eq!(blob.read_at(position, &mut buffer).unwrap(), count, "at {position}");
    }
    blobs.remove(&digests[9]).unwrap();
    assert_eq!(blob.read_at(0, &mut buffer).unwrap(), 27, "an open reader goes on");
    assert!(blobs.open(&digests[9]).unwrap().is_none());
    digests.remove(9);

    digests.sort_unstable();
    assert_eq!(blobs.list(None, usize::MAX).unwrap(), digests);
    assert_eq!(blobs.list(None, 0).unwrap(), []);
    for limit in [1, 3, 39] {
        let mut walked: Vec<Digest> = Vec::new();
        loop {
            let next = blobs.list(walked.last(), limit).unwrap();
            assert!(next.len() <= limit);
            if next.is_empty() {
                break;
            }
            walked.extend(next);
        }
        assert_eq!(walked, digests);
    }
    let mut spool = blobs.spool().unwrap();
    spool.write(b"one ").unwrap();
    assert_eq!(spool.read_back().unwrap(), b"one ");
    spool.write(b"two").unwrap();
    assert_eq!(spool.read_back().unwrap(), b"one two");
}

/// Keeps content, which comes in small pieces.
///
/// # Panics
/// If that fails.
pub fn keep(blobs: &dyn Blobs, bytes: &[u8]) -> Digest {
    let digest = Digest::of(bytes);
    let mut spool = blobs.spool().unwrap();
    bytes.chunks(7).for_each(|chunk| spool.write(chunk).unwrap());
    blobs.keep(&digest, spool).unwrap();
    digest
}

/// Reads all of some content in small pieces; `None` if it is not there.
///
/// # Panics
/// If that fails.
pub fn read(blobs: &dyn Blobs, content: &Digest) -> Option<Vec<u8>> {
    let blob = blobs.open(content).unwrap()?;
    let mut bytes = vec![0; usize::try_from(blob.size()).unwrap()];
    for (at, chunk) in bytes.chunks_mut(5).enumerate() {
        assert_eq!(blob.read_at(5 * at as u64, chunk).unwrap(), chunk.len());
    }
    Some(bytes)
}
