//! The engine's seam for content, over object storage.

use std::io;
use std::path::{Path as FsPath, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use object_store::signer::Method;
use tokio::sync::Semaphore;
use wargate_crypto::Digest;
use wargate_registry::blobs::{Blob, Blobs, Spool};
use wargate_registry::seams::Offload;

use crate::failure::Failure;
use crate::keys;
use crate::limits::{CALL_TIME_MAX, LINK_TIME_MAX, UPLOADS_MAX};
use crate::piece_hashes::PieceHashes;
use crate::reader::{Reader, is_whole};
use crate::spool::FileSpool;
use crate::target::Target;
use crate::threads::Threads;
use crate::upload::{UploadError, in_time, upload};

/// Keeping large content has no limit of its own: each of its parts has one, and it may have many.
const FOR_EVER: Duration = Duration::from_secs(1 << 32);

/// Content in object storage. What comes in waits in a folder of this machine until all of it is there
/// and was found right.
pub struct ObjectBlobs {
    shared: Arc<Shared>,
    spools: PathBuf,
    uploads: Semaphore,
}

/// What those who read have in common.
pub(crate) struct Shared {
    pub(crate) target: Target,
    pub(crate) hashes: PieceHashes,
    threads: Threads,
}

impl Shared {
    /// Waits for a call, every step of which has its own limit of time.
    pub(crate) fn wait<T>(
        &self,
        call: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        self.threads.wait(CALL_TIME_MAX * 3, call)
    }
}

impl ObjectBlobs {
    /// Opens object storage, with a folder for what comes in, which is made if it is not there.
    ///
    /// Nothing is asked yet: see [`ObjectBlobs::reach`].
    ///
    /// # Errors
    /// Those of the folder, and of making threads.
    pub fn open(target: Target, spools: &FsPath) -> io::Result<Self> {
        std::fs::create_dir_all(spools)?;
        let shared = Shared { target, hashes: PieceHashes::default(), threads: Threads::start()? };
        let (spools, uploads) = (spools.to_owned(), Semaphore::new(UPLOADS_MAX));
        Ok(Self { shared: Arc::new(shared), spools, uploads })
    }

    /// Whether object storage answers, and lets us in.
    ///
    /// # Errors
    /// [`Failure`]
    pub fn reach(&self) -> Result<(), Failure> {
        self.least(None, 1).map(drop)
    }

    /// Where it is.
    pub fn target(&self) -> &Target {
        &self.shared.target
    }

    fn path(&self, content: &Digest) -> Path {
        keys::content(&self.shared.target, content)
    }

    /// Uploads, and looks at what is there then. An answer that was lost is no failure if all is there.
    async fn put(&self, content: &Digest, file: std::fs::File) -> Result<(), UploadError> {
        let _permit = self.uploads.acquire().await;
        let (store, path) = (&**self.shared.target.store(), self.path(content));
        let size = file.metadata()?.len();
        match upload(store, &path, file, content).await {
            Ok((size, hashes)) => {
                if in_time(store.head(&path)).await?.size != size {
                    return Err(Failure::Wrong("another size").into());
                }
                self.shared.hashes.remember(*content, hashes);
                Ok(())
            }
            Err(UploadError::Storage(failure)) => {
                match is_whole(store, &path, content, size).await {
                    Ok(true) => {
                        tracing::warn!(%content, %failure, "an upload failed, and all is there");
                        Ok(())
                    }
                    Ok(false) | Err(_) => Err(failure.into()),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn least(&self, after: Option<&Digest>, limit: usize) -> Result<Vec<Digest>, Failure> {
        let target = &self.shared.target;
        let contents = keys::contents(target);
        let from = after.map(|after| keys::content(target, after));
        let mut found: Vec<Digest> = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.shared.wait(async {
            let mut objects = match &from {
                Some(from) => target.store().list_with_offset(Some(&contents), from),
                None => target.store().list(Some(&contents)),
            };
            while let Some(object) = objects.next().await {
                let object = object.map_err(Failure::from)?;
                // What somebody else has put there is not ours to list.
                let Some(digest) = keys::digest(target, &object.location) else { continue };
                if found.last().or(after).is_some_and(|last| *last >= digest) {
                    return Err(Failure::Wrong("a list in another order"));
                }
                found.push(digest);
                if found.len() >= limit {
                    break;
                }
            }
            Ok(())
        })?;
        Ok(found)
    }
}

impl Blobs for ObjectBlobs {
    fn spool(&self) -> io::Result<Box<dyn Spool>> {
        Ok(Box::new(FileSpool(tempfile::tempfile_in(&self.spools)?)))
    }

    fn keep(&self, content: &Digest, spool: Box<dyn Spool>) -> io::Result<()> {
        let foreign = |_| io::Error::new(io::ErrorKind::InvalidInput, "a spool of other blobs");
        let FileSpool(file) = *spool.into_any().downcast::<FileSpool>().map_err(foreign)?;
        let done = self
            .shared
            .threads
            .wait(FOR_EVER, async { Ok::<_, Failure>(self.put(content, file).await) })?;
        done.map_err(io::Error::from)
    }

    fn open(&self, content: &Digest) -> io::Result<Option<Box<dyn Blob>>> {
        let reader = Reader::open(Arc::clone(&self.shared), *content, self.path(content))?;
        Ok(reader.map(|reader| Box::new(reader) as Box<dyn Blob>))
    }

    fn remove(&self, content: &Digest) -> io::Result<()> {
        let path = self.path(content);
        match self.shared.wait(in_time(self.shared.target.store().delete(&path))) {
            Ok(()) | Err(Failure::NotFound) => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    fn list(&self, after: Option<&Digest>, limit: usize) -> io::Result<Vec<Digest>> {
        Ok(self.least(after, limit)?)
    }

    fn link(&self, content: &Digest) -> io::Result<Option<String>> {
        let Some(signer) = self.shared.target.signer() else { return Ok(None) };
        let path = self.path(content);
        // The credentials may have to be asked for first.
        let link = signer.signed_url(Method::GET, &path, LINK_TIME_MAX);
        Ok(Some(self.shared.wait(in_time(link))?.into()))
    }

    fn offload(&self) -> Option<&dyn Offload> {
        Some(&self.shared.threads)
    }
}
