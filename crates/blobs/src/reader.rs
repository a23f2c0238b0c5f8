//! Reading content from object storage, so that wrong bytes are never served as content.
//!
//! Content is read in pieces. Where the hashes of its pieces are known, because it was written or read
//! by this process before, every piece is checked before any of its bytes is handed on. Where they are
//! not, whoever reads from the beginning gets each piece as it comes, and the last one only if all of
//! them together have the digest: a download breaks off that went wrong. Whoever begins elsewhere waits
//! until all of it was read and checked once.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, ObjectStoreExt};
use wargate_crypto::Digest;
use wargate_registry::blobs::Blob;

use crate::failure::Failure;
use crate::limits::{PIECE_BYTES, REREADS_MAX};
use crate::object_blobs::Shared;
use crate::piece_hashes::{Hasher, Hashes};
use crate::upload::in_time;

/// Content that is open.
pub(crate) struct Reader {
    shared: Arc<Shared>,
    digest: Digest,
    path: Path,
    size: u64,
    state: Mutex<State>,
}

struct State {
    /// The piece that was read last: its number and its bytes.
    held: (u64, Bytes),
    /// Of the pieces up to the next one that nobody has read.
    hasher: Option<Hasher>,
    hashes: Option<Hashes>,
}

impl Reader {
    /// Opens content; `None` if it is not there. The first piece comes with it.
    pub(crate) fn open(
        shared: Arc<Shared>,
        digest: Digest,
        path: Path,
    ) -> io::Result<Option<Self>> {
        let (size, first) = match shared.wait(first(&*shared.target.store().clone(), &path)) {
            Ok(first) => first,
            Err(Failure::NotFound) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let hashes = shared.hashes.known(&digest);
        let state = State { held: (u64::MAX, Bytes::new()), hasher: Some(Hasher::new()), hashes };
        let reader = Self { shared, digest, path, size, state: Mutex::new(state) };
        let mut state = reader.state();
        if reader.accept(&mut state, 0, &first).is_ok() {
            state.held = (0, first);
        } else if reader.pieces() == 1 {
            // All of it came, and is wrong; it is read once more, and not opened if it is so again.
            reader.piece(&mut state, 0)?;
        }
        drop(state);
        Ok(Some(reader))
    }

    /// The piece of this number, as far as it can be checked now.
    fn piece(&self, state: &mut State, number: u64) -> io::Result<Bytes> {
        if state.held.0 == number {
            return Ok(state.held.1.clone());
        }
        if state.hashes.is_none() {
            state.hashes = self.shared.hashes.known(&self.digest);
        }
        let next = state.hasher.as_ref().map(Hasher::pieces);
        if state.hashes.is_none() && next != Some(number) {
            state.hashes = Some(self.read_all()?);
        }
        let mut tries = 0;
        loop {
            let bytes = self.fetch(number)?;
            match self.accept(state, number, &bytes) {
                Ok(()) => {
                    state.held = (number, bytes.clone());
                    return Ok(bytes);
                }
                Err(failure) if tries < REREADS_MAX && state.hashes.is_some() => {
                    tracing::warn!(digest = %self.digest, number, %failure, "reading a piece again");
                    tries += 1;
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Whether a piece is right, as far as that is known. The last one is right only if all are.
    fn accept(&self, state: &mut State, number: u64, bytes: &[u8]) -> Result<(), Failure> {
        let wrong = Failure::Wrong("other bytes");
        if let Some(hashes) = &state.hashes {
            let expected = usize::try_from(number).ok().and_then(|number| hashes.get(number));
            let right = match expected {
                Some(expected) => Digest::of(bytes) == *expected,
                None => bytes.is_empty(),
            };
            return if right { Ok(()) } else { Err(wrong) };
        }
        let Some(so_far) = state.hasher.as_mut() else { return Err(wrong) };
        so_far.update(bytes);
        if number.saturating_add(1) < self.pieces() {
            return Ok(());
        }
        let Some(all) = state.hasher.take() else { return Err(wrong) };
        let (digest, hashes) = all.finish();
        if digest != self.digest {
            tracing::error!(digest = %self.digest, "object storage has other bytes for this content");
            return Err(wrong);
        }
        self.shared.hashes.remember(digest, Arc::clone(&hashes));
        state.hashes = Some(hashes);
        Ok(())
    }

    /// Reads and checks all of it, keeping nothing but hashes.
    fn read_all(&self) -> io::Result<Hashes> {
        let mut all = Hasher::new();
        for number in 0..self.pieces() {
            all.update(&self.fetch(number)?);
        }
        let (digest, hashes) = all.finish();
        if digest != self.digest {
            tracing::error!(digest = %self.digest, "object storage has other bytes for this content");
            return Err(Failure::Wrong("other bytes").into());
        }
        self.shared.hashes.remember(digest, Arc::clone(&hashes));
        Ok(hashes)
    }

    fn fetch(&self, number: u64) -> Result<Bytes, Failure> {
        let from = number.saturating_mul(PIECE_BYTES);
        let to = from.saturating_add(PIECE_BYTES).min(self.size);
        if from >= to {
            return Ok(Bytes::new());
        }
        let store = self.shared.target.store();
        let (size, bytes) = self.shared.wait(range(&**store, &self.path, from, to))?;
        if size != self.size {
            return Err(Failure::Wrong("another size"));
        }
        Ok(bytes)
    }

    /// How many pieces there are; also nothing is a piece.
    const fn pieces(&self) -> u64 {
        let pieces = self.size.div_ceil(PIECE_BYTES);
        if pieces == 0 { 1 } else { pieces }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Blob for Reader {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, position: u64, into: &mut [u8]) -> io::Result<usize> {
        if position >= self.size || into.is_empty() {
            return Ok(0);
        }
        let mut state = self.state();
        let piece = self.piece(&mut state, position / PIECE_BYTES)?;
        let at = usize::try_from(position % PIECE_BYTES).unwrap_or(usize::MAX);
        let rest = piece.get(at..).unwrap_or_default();
        let count = rest.len().min(into.len());
        into[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// The size of an object, and its first piece.
async fn first(store: &dyn ObjectStore, path: &Path) -> Result<(u64, Bytes), Failure> {
    match range(store, path, 0, PIECE_BYTES).await {
        // No part of an object without bytes can be asked for.
        Err(Failure::Status(416) | Failure::Wrong(_)) => {
            let size = in_time(store.head(path)).await?.size;
            if size == 0 { Ok((0, Bytes::new())) } else { Err(Failure::Wrong("another size")) }
        }
        done => done,
    }
}

/// The size of an object, and a part of it.
async fn range(
    store: &dyn ObjectStore,
    path: &Path,
    from: u64,
    to: u64,
) -> Result<(u64, Bytes), Failure> {
    let part = Some(GetRange::Bounded(from..to));
    let got = in_time(store.get_opts(path, GetOptions { range: part, ..GetOptions::default() }));
    let got = got.await?;
    let (size, expected) = (got.meta.size, got.range.clone());
    if expected.start != from || expected.end != to.min(size) {
        return Err(Failure::Wrong("another part of the file"));
    }
    let bytes = in_time(got.bytes()).await?;
    if bytes.len() as u64 == expected.end - expected.start {
        Ok((size, bytes))
    } else {
        Err(Failure::Wrong("another number of bytes"))
    }
}

/// Whether an object has the bytes of a digest, and so many of them.
pub(crate) async fn is_whole(
    store: &dyn ObjectStore,
    path: &Path,
    digest: &Digest,
    size: u64,
) -> Result<bool, Failure> {
    let mut hasher = wargate_crypto::Sha256::new();
    let mut at = 0;
    while at < size {
        let to = at.saturating_add(PIECE_BYTES).min(size);
        let (found, bytes) = range(store, path, at, to).await?;
        if found != size {
            return Ok(false);
        }
        hasher.update(&bytes);
        at = to;
    }
    Ok(hasher.finish() == *digest)
}
