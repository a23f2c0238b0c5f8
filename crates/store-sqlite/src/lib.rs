//! The embedded stores: [`SqliteStore`], a database in one file, [`FileBlobs`], content in a folder,
//! and [`SqliteIndex`], what can be found otherwise, in another file. With them, a registry needs nothing but a directory.
//!
//! # The database
//!
//! SQLite, compiled in, with a write-ahead log that is flushed to the medium before a commit
//! returns. One connection writes, a few others read what was committed when they began; none waits
//! for another of the other kind. What costs how much does not depend on the size of the registry:
//! every read is a lookup or a range of an index.
//!
//! **Invariant**: a file that is not ours, or that a newer program wrote, is refused and stays as it
//! is.

mod accounts;
mod blobs;
mod columns;
mod commit;
mod disk;
mod fault;
mod index;
mod ledger;
mod nodes;
mod open;
mod pending;
mod pool;
mod schema;
#[cfg(test)]
mod tests;

use std::path::Path;

use rusqlite::Connection;
use wargate_registry::store::{
    Batch, CommitError, PendingRecord, Revision, Store, StoreHead, StoreResult,
};

use self::fault::Fault;
use self::pool::{Pool, Role};

pub use self::blobs::FileBlobs;
pub use self::index::SqliteIndex;
pub use self::open::OpenError;
pub use self::schema::FORMAT;

/// How many reads run at the same time; a further one waits for its turn. Each has memory of its own.
fn readers() -> usize {
    const READERS_MIN: usize = 4;
    std::thread::available_parallelism()
        .map_or(READERS_MIN, |count| 2 * count.get())
        .max(READERS_MIN)
}

/// A registry's data in an SQLite database.
///
/// Several may be open on one file, in one process or in many: a commit names the revision that it
/// goes on from, so the slower of two writers is told so.
#[derive(Debug)]
pub struct SqliteStore {
    writer: Pool,
    /// None are needed where whoever writes is the only one who reads.
    readers: Option<Pool>,
}

impl SqliteStore {
    /// Opens a database, or makes one where there is no file. An older format becomes the one of
    /// today.
    ///
    /// The file and those beside it (`-wal`, `-shm`) can be read by their owner only.
    ///
    /// # Errors
    /// [`OpenError`]; the file is unchanged then.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        open::prepare(path)?;
        let readers = Some(Pool::new(path, Role::Reader, readers()));
        Ok(Self { writer: Pool::new(path, Role::Writer, 1), readers })
    }

    /// The same for one that writes and reads what it has written, with a single connection. What a
    /// connection keeps of the file in memory outlives its own commits, but not those of another.
    ///
    /// # Errors
    /// [`OpenError`]; the file is unchanged then.
    pub fn open_for_one(path: &Path) -> Result<Self, OpenError> {
        open::prepare(path)?;
        Ok(Self { writer: Pool::new(path, Role::Writer, 1), readers: None })
    }

    fn reading(&self) -> &Pool {
        self.readers.as_ref().unwrap_or(&self.writer)
    }

    /// Reads with one statement, which is a transaction by itself.
    fn ask<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> StoreResult<T> {
        self.reading().run(|connection| work(connection)).map_err(Fault::into_store_error)
    }

    /// Looks into a database that no process has open, and which was closed in an orderly way. Nothing
    /// is changed, not even what stands beside the file; nothing can be written. Failures show when
    /// something is read.
    pub fn look(path: &Path) -> Self {
        Self { writer: Pool::new(path, Role::Looker, 1), readers: None }
    }

    /// Opens a database that another process may be using. One that is not there is not made, and an
    /// older format is refused instead of changed under that process.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open_as_it_is(path: &Path) -> Result<Self, OpenError> {
        open::inspect(path)?;
        let writer = Pool::new(path, Role::Writer, 1);
        Ok(Self { writer, readers: Some(Pool::new(path, Role::Reader, readers())) })
    }

    /// Reads in one transaction, so that all that is read is of one moment.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> StoreResult<T> {
        let result = self.reading().run(|connection| {
            // Statements that are kept: rusqlite's own transactions compile theirs every time. A
            // connection whose transaction does not end is not used again.
            columns::run(connection, "BEGIN", [])?;
            let found = work(connection);
            let ended = columns::run(connection, "COMMIT", []);
            let found = found?;
            ended?;
            Ok(found)
        });
        result.map_err(Fault::into_store_error)
    }
}

impl Store for SqliteStore {
    fn commit(&self, expected: Option<Revision>, batch: &Batch) -> Result<Revision, CommitError> {
        self.writer
            .run(|connection| commit::commit(connection, expected, batch))
            .map_err(Fault::into_commit_error)
    }

    fn moment(&self, each: &mut dyn FnMut(PendingRecord)) -> StoreResult<Option<StoreHead>> {
        self.read(|on| {
            let head = ledger::newest(on)?;
            pending::each(on, each)?;
            Ok(head)
        })
    }
}
