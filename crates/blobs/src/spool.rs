//! Bytes that come in, in a file of this machine without a name: whoever judges content reads it back
//! from there, an upload that fails is made again from there, and what comes of a process that is killed
//! vanishes with it.

use std::any::Any;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use wargate_registry::blobs::Spool;

/// Bytes that come in.
#[derive(Debug)]
pub(crate) struct FileSpool(pub(crate) File);

impl Spool for FileSpool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn read_back(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.seek(SeekFrom::Start(0))?;
        // The end is where the next write goes on.
        self.0.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
