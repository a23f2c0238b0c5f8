//! Spooled bytes become an object.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use wargate_crypto::Digest;

use crate::failure::Failure;
use crate::limits::{CALL_TIME_MAX, PART_BYTES, PARTS_MAX, PARTS_UNDER_WAY_MAX};
use crate::piece_hashes::{Hasher, Hashes};

/// Why bytes did not become an object.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// Object storage did not take them.
    #[error(transparent)]
    Storage(#[from] Failure),
    /// They could not be read.
    #[error(transparent)]
    Disk(#[from] io::Error),
}

impl From<object_store::Error> for UploadError {
    fn from(error: object_store::Error) -> Self {
        Self::Storage(Failure::of(&error))
    }
}

impl From<UploadError> for io::Error {
    fn from(error: UploadError) -> Self {
        match error {
            UploadError::Storage(failure) => failure.into(),
            UploadError::Disk(error) => error,
        }
    }
}

/// Writes a file as the object of a digest. Nobody sees the object before all of it has come, and it
/// comes to that only if the bytes still have the digest.
pub(crate) async fn upload(
    store: &dyn ObjectStore,
    path: &Path,
    mut file: File,
    digest: &Digest,
) -> Result<(u64, Hashes), UploadError> {
    let size = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    if size <= PART_BYTES {
        let bytes = take(&mut file, size)?;
        let mut all = Hasher::new();
        all.update(&bytes);
        let hashes = check(all, digest)?;
        in_time(store.put(path, bytes.into())).await?;
        return Ok((size, hashes));
    }
    let mut parts = in_time(store.put_multipart(path)).await?;
    match in_parts(&mut *parts, &mut file, size, digest).await {
        Ok(hashes) => Ok((size, hashes)),
        Err(error) => {
            // What cannot be removed now, the bucket's rule for unfinished uploads removes.
            drop(in_time(parts.abort()).await);
            Err(error)
        }
    }
}

async fn in_parts(
    parts: &mut dyn MultipartUpload,
    file: &mut File,
    size: u64,
    digest: &Digest,
) -> Result<Hashes, UploadError> {
    let part_bytes = PART_BYTES.max(size.div_ceil(PARTS_MAX));
    let mut all = Hasher::new();
    let mut under_way = FuturesUnordered::new();
    let mut left = size;
    while left > 0 {
        let bytes = take(file, left.min(part_bytes))?;
        left -= bytes.len() as u64;
        all.update(&bytes);
        if under_way.len() >= PARTS_UNDER_WAY_MAX
            && let Some(done) = under_way.next().await
        {
            done?;
        }
        under_way.push(in_time(parts.put_part(PutPayload::from(bytes))));
    }
    while let Some(done) = under_way.next().await {
        done?;
    }
    let hashes = check(all, digest)?;
    in_time(parts.complete()).await?;
    Ok(hashes)
}

/// So many bytes of a file.
fn take(file: &mut File, bytes: u64) -> io::Result<Bytes> {
    let mut part = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    file.read_exact(&mut part)?;
    Ok(part.into())
}

/// Bytes that have lain on a disk are not what came, only because they were.
fn check(all: Hasher, digest: &Digest) -> io::Result<Hashes> {
    let (found, hashes) = all.finish();
    if found == *digest {
        return Ok(hashes);
    }
    let why = format!("the bytes of {digest} have changed on this machine's disk");
    Err(io::Error::new(io::ErrorKind::InvalidData, why))
}

pub(crate) async fn in_time<T>(
    call: impl Future<Output = object_store::Result<T>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(CALL_TIME_MAX, call).await {
        Ok(done) => done.map_err(Failure::from),
        Err(_) => Err(Failure::TimedOut),
    }
}
