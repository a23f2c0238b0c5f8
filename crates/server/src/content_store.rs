//! Where large content is kept: in the data directory, or in object storage.
//!
//! The data directory remembers which, in the file `content-store`, so that every command finds the
//! content, and a server that is started without the option does not lose sight of it. The file has
//! a URL and no credentials: those are the environment's, each time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use wargate_blobs::{ObjectBlobs, Target};
use wargate_registry::blobs::Blobs;
use wargate_store_sqlite::FileBlobs;

use crate::data_dir::{DataDir, write_secret};

/// In the data directory.
pub(crate) const FILE: &str = "content-store";

/// Longest URL of object storage in bytes.
const URL_BYTES_MAX: u64 = 4096;

/// Opens what the data directory remembers.
pub(crate) fn open(data_dir: &DataDir) -> Result<Arc<dyn Blobs>> {
    match remembered(data_dir)? {
        Some(text) => Ok(Arc::new(objects(data_dir, &text)?)),
        None => Ok(Arc::new(files(data_dir)?)),
    }
}

/// Remembers what an operator has chosen, if it can be used and loses nothing. In a task of a runtime
/// with several threads.
pub(crate) fn choose(data_dir: &DataDir, chosen: Option<&str>) -> Result<()> {
    let Some(chosen) = chosen else { return Ok(()) };
    let path = path(data_dir);
    if let Some(remembered) = remembered(data_dir)? {
        if remembered == chosen {
            return Ok(());
        }
        bail!(
            "this registry keeps its content in {remembered}, not where --content-store says\nhint: \
             copy the objects to the new place with the server stopped, write that into {}, and start \
             again",
            path.display()
        );
    }
    // Whatever is wrong with the text is found before anything is kept; it is not repeated, since it
    // may have credentials in it.
    let blobs = objects(data_dir, chosen)?;
    // The caller is a task, and this waits for a network.
    let reached = tokio::task::block_in_place(|| blobs.reach());
    reached.with_context(|| format!("cannot use {}", blobs.target()))?;
    if !files(data_dir)?.list(None, 1)?.is_empty() {
        let folder = data_dir.content().join("sha256");
        bail!(
            "this registry has content in {folder}\nhint: copy that folder to {target}/content/sha256 \
             with the server stopped (`aws s3 sync {folder} {target}/content/sha256`), move it out of \
             the data directory, and start again",
            folder = folder.display(),
            target = blobs.target(),
        );
    }
    write_secret(&path, chosen).with_context(|| format!("cannot write {}", path.display()))
}

fn path(data_dir: &DataDir) -> PathBuf {
    data_dir.path().join(FILE)
}

fn remembered(data_dir: &DataDir) -> Result<Option<String>> {
    let path = path(data_dir);
    let wrong = || format!("cannot read {}", path.display());
    let size = match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        found => found.with_context(wrong)?.len(),
    };
    if size > URL_BYTES_MAX {
        bail!("{} is too long to be a place for content", path.display());
    }
    let text = fs::read_to_string(&path).with_context(wrong)?;
    Ok(Some(text.trim().to_owned()))
}

fn objects(data_dir: &DataDir, text: &str) -> Result<ObjectBlobs> {
    if !text.contains("://") || text.starts_with("file:") {
        bail!(
            "content is kept in the data directory or in object storage\nhint: write --content-store \
             s3://BUCKET/PREFIX"
        );
    }
    let target = Target::open(text).context("cannot keep content in object storage")?;
    let spools = spools(data_dir);
    ObjectBlobs::open(target, &spools)
        .with_context(|| format!("cannot use {} for content that comes in", spools.display()))
}

fn spools(data_dir: &DataDir) -> PathBuf {
    data_dir.content().join("incoming")
}

fn files(data_dir: &DataDir) -> Result<FileBlobs> {
    let content: &Path = &data_dir.content();
    FileBlobs::open(content)
        .with_context(|| format!("cannot open the content in {}", content.display()))
}
