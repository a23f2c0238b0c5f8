//! A place in object storage, for one who waits for each answer.

use std::fmt;
use std::io::{self, Read};

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload, WriteMultipart};
use tokio::runtime::{Builder, Runtime};
use wargate_blobs::limits::{CALL_TIME_MAX, PART_BYTES, PARTS_MAX, PARTS_UNDER_WAY_MAX};
use wargate_blobs::{Failure, Target};

/// A place, and a thread that speaks to it. How often a request is made again, and how long it may
/// take, is said by [`wargate_blobs::limits`].
pub(super) struct Place {
    target: Target,
    runtime: Runtime,
}

impl Place {
    pub(super) fn new(target: Target) -> io::Result<Self> {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("objects").enable_all().build()?;
        Ok(Self { target, runtime })
    }

    /// The name of an object below the prefix.
    pub(super) fn path(&self, below: &str) -> Path {
        self.target.path(below)
    }

    /// Waits for something, but not for ever. It must not be a call that sends something large.
    pub(super) fn wait<T>(
        &self,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> io::Result<T> {
        self.runtime.block_on(async {
            match tokio::time::timeout(CALL_TIME_MAX, call).await {
                Ok(done) => done.map_err(|error| Failure::from(error).into()),
                Err(_) => Err(Failure::TimedOut.into()),
            }
        })
    }

    /// Opens an object; `None` if it is not there.
    pub(super) fn open(&self, path: &Path) -> io::Result<Option<ObjectReader<'_>>> {
        let Some(found) = there(self.wait(self.store().get(path)))? else { return Ok(None) };
        Ok(Some(ObjectReader { place: self, rest: found.into_stream(), piece: Bytes::new() }))
    }

    /// All of an object, at most so many bytes; `None` if it is not there.
    pub(super) fn get(&self, path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(reader) = self.open(path)? else { return Ok(None) };
        let mut bytes = Vec::new();
        reader.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Some(bytes))
    }

    /// What is known of an object without reading it; `None` if it is not there.
    pub(super) fn head(&self, path: &Path) -> io::Result<Option<ObjectMeta>> {
        there(self.wait(self.store().head(path)))
    }

    /// Writes an object at once.
    pub(super) fn put(&self, path: &Path, bytes: Vec<u8>) -> io::Result<()> {
        self.wait(self.store().put(path, PutPayload::from(bytes))).map(drop)
    }

    /// Removes an object. One that is not there is removed.
    pub(super) fn remove(&self, path: &Path) -> io::Result<()> {
        there(self.wait(self.store().delete(path))).map(drop)
    }

    /// Tells of the objects below a folder until one is answered with `false`.
    pub(super) fn list(
        &self,
        folder: Option<&str>,
        each: &mut dyn FnMut(&ObjectMeta) -> bool,
    ) -> io::Result<()> {
        let prefix = folder.map_or_else(|| self.target.prefix().clone(), |name| self.path(name));
        let mut objects = self.store().list(Some(&prefix));
        while let Some(object) = self.wait(async { objects.next().await.transpose() })? {
            if !each(&object) {
                break;
            }
        }
        Ok(())
    }

    /// The parts of an object's name below the prefix.
    pub(super) fn below<'a>(&self, path: &'a Path) -> Vec<&'a str> {
        path.prefix_match(self.target.prefix()).map_or_else(Vec::new, |_| {
            let depth = self.target.prefix().parts().count();
            path.as_ref().split('/').skip(depth).collect()
        })
    }

    /// Begins an object of this size that is sent in pieces. Nobody sees it before [`Upload::end`].
    pub(super) fn upload(&self, path: &Path, bytes: u64) -> io::Result<Upload<'_>> {
        let upload = self.wait(self.store().put_multipart(path))?;
        let piece_bytes = PART_BYTES.max(bytes.div_ceil(PARTS_MAX));
        let piece_bytes = usize::try_from(piece_bytes).map_err(io::Error::other)?;
        let writer = WriteMultipart::new_with_chunk_size(upload, piece_bytes);
        Ok(Upload { place: self, writer: Some(writer) })
    }

    fn store(&self) -> &dyn ObjectStore {
        &**self.target.store()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

/// What was asked for; `None` if it is not there.
fn there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// An object on its way. What comes is not compared with anything.
pub(super) struct ObjectReader<'a> {
    place: &'a Place,
    rest: BoxStream<'static, object_store::Result<Bytes>>,
    piece: Bytes,
}

impl Read for ObjectReader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.place.wait(async { self.rest.next().await.transpose() })? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let taken = self.piece.split_to(self.piece.len().min(into.len()));
        into[..taken.len()].copy_from_slice(&taken);
        Ok(taken.len())
    }
}

/// An object that is being sent in pieces. What was sent goes with the value, unless it was ended.
pub(super) struct Upload<'a> {
    place: &'a Place,
    writer: Option<WriteMultipart>,
}

impl Upload<'_> {
    /// Sends more, when there is room for it.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        self.place.wait(async {
            writer.wait_for_capacity(PARTS_UNDER_WAY_MAX).await?;
            writer.write(bytes);
            Ok(())
        })
    }

    /// Makes an object of what was sent.
    pub(super) fn end(mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        self.place.wait(writer.finish()).map(drop)
    }
}

impl Drop for Upload<'_> {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // What cannot be removed now, the bucket's rule for unfinished uploads removes.
            drop(self.place.wait(writer.abort()));
        }
    }
}
