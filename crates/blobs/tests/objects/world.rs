//! A server, and content in it.

use std::io;
use std::net::SocketAddr;

use tempfile::TempDir;
use wargate_blobs::{ObjectBlobs, Target};
use wargate_crypto::Digest;
use wargate_registry::blobs::Blobs;
use wargate_testkit::s3::{BUCKET, S3Server};

pub(crate) const SERVER: &str = "s3_server";
pub(crate) const PIECE: usize = 1 << 20;

/// A bucket of a server, and a folder for what comes in.
pub(crate) struct World {
    pub(crate) server: S3Server,
    pub(crate) spools: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let server = S3Server::start(SERVER).unwrap();
        Self { server, spools: TempDir::new().unwrap() }
    }

    /// Content in the server, or in the one at this address that is in front of it.
    pub(crate) fn blobs(&self, at: SocketAddr) -> ObjectBlobs {
        let mut variables = S3Server::variables(at);
        variables.push(("AWS_TIMEOUT".into(), "1s".into()));
        let target = Target::with(&format!("s3://{BUCKET}/some/prefix"), variables).unwrap();
        ObjectBlobs::open(target, self.spools.path()).unwrap()
    }

    pub(crate) fn own_blobs(&self) -> ObjectBlobs {
        self.blobs(self.server.address())
    }

    /// Names of files in the folder for what comes in.
    pub(crate) fn spooled(&self) -> usize {
        std::fs::read_dir(self.spools.path()).unwrap().count()
    }

    /// The file in which the server has content.
    pub(crate) fn file(&self, content: &Digest) -> std::path::PathBuf {
        let hex = &content.to_text()[7..];
        self.server.bucket().join("some/prefix/content/sha256").join(&hex[..2]).join(hex)
    }
}

pub(crate) fn try_keep(blobs: &dyn Blobs, bytes: &[u8]) -> io::Result<Digest> {
    let digest = Digest::of(bytes);
    let mut spool = blobs.spool()?;
    for chunk in bytes.chunks(100_000) {
        spool.write(chunk)?;
    }
    blobs.keep(&digest, spool)?;
    Ok(digest)
}

/// All bytes of content, read in pieces as the front does it.
pub(crate) fn try_read(blobs: &dyn Blobs, content: &Digest) -> io::Result<Option<Vec<u8>>> {
    let Some(blob) = blobs.open(content)? else { return Ok(None) };
    let mut bytes = vec![0; usize::try_from(blob.size()).unwrap()];
    let mut at = 0;
    while at < bytes.len() {
        let to = bytes.len().min(at + (256 << 10));
        let count = blob.read_at(at as u64, &mut bytes[at..to])?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        at += count;
    }
    Ok(Some(bytes))
}

/// Bytes of which no two pieces are the same.
pub(crate) fn some_bytes(size: usize) -> Vec<u8> {
    let mut state = size as u64 | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}
