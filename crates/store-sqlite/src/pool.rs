//! Connections, each used by one thread at a time.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::fault::Fault;

/// How long a call waits for its turn, here and at locks of the file that another process holds.
const PATIENCE: Duration = Duration::from_secs(2);
/// More statements than there are.
const STATEMENTS_MAX: usize = 96;
/// Pages that the write-ahead log may have before they are moved into the database: 32 MiB. In a longer
/// one more pages have a newer copy and need not be moved, but a start after a crash reads all of it.
const WAL_PAGES_MAX: u32 = 8192;
/// What remains of a write-ahead log that had to grow further, in bytes.
const WAL_KEPT_BYTES_MAX: u32 = 64 << 20;
/// Memory for pages of the connection that writes, in KiB. Little, because what is not here is in the
/// system's cache of the file, two microseconds away; and what is here is taken by a large database and
/// not by a small one.
const WRITER_CACHE_KIB_MAX: i32 = 4 << 10;
/// The same for each that reads. Every commit empties it.
const READER_CACHE_KIB_MAX: i32 = 512;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Reads a file that nobody writes.
    Looker,
    Reader,
    Writer,
    /// Reads and writes what can be made again.
    Index,
}

/// A fixed number of connections, opened when they are first needed, and again after they broke.
#[derive(Debug)]
pub(crate) struct Pool {
    path: PathBuf,
    role: Role,
    idle: Mutex<Idle>,
    freed: Condvar,
}

#[derive(Debug)]
struct Idle {
    /// Those that nobody uses; `None` is one that is to be opened.
    connections: Vec<Option<Connection>>,
    /// How many threads wait for one, or look whether they must. Where there is none, nobody needs to
    /// be woken, which would take a call of the system.
    waiting: usize,
}

impl Pool {
    pub(crate) fn new(path: &Path, role: Role, size: usize) -> Self {
        let idle = Idle { connections: (0..size).map(|_| None).collect(), waiting: 0 };
        Self { path: path.to_owned(), role, idle: Mutex::new(idle), freed: Condvar::new() }
    }

    /// Does something with a connection. A transaction that the work leaves open is rolled back.
    pub(crate) fn run<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let mut lease = Lease { pool: self, connection: self.take()? };
        let connection = match &mut lease.connection {
            Some(connection) => connection,
            vacant => vacant.insert(connect(&self.path, self.role)?),
        };
        let result = work(connection);
        if result.as_ref().is_err_and(Fault::breaks_connection) {
            lease.connection = None;
        }
        result
    }

    fn take(&self) -> Result<Option<Connection>, Fault> {
        let mut idle = self.idle();
        idle.waiting += 1;
        let is_empty = |idle: &mut Idle| idle.connections.is_empty();
        let wait = self.freed.wait_timeout_while(idle, PATIENCE, is_empty);
        let (mut idle, _) = wait.unwrap_or_else(PoisonError::into_inner);
        idle.waiting -= 1;
        idle.connections.pop().ok_or(Fault::Exhausted)
    }

    /// A thread that panicked held the lock only to push or pop, which leaves the list whole.
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a pool, which goes back to it whatever happens.
struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // One whose transaction could not even be rolled back is closed, which does it.
        let connection = self.connection.take().filter(Connection::is_autocommit);
        let mut idle = self.pool.idle();
        idle.connections.push(connection);
        let is_awaited = idle.waiting > 0;
        drop(idle);
        if is_awaited {
            self.pool.freed.notify_one();
        }
    }
}

/// Opens a database that is there. A file that has vanished is not made anew: it would be empty.
pub(crate) fn connect(path: &Path, role: Role) -> Result<Connection, Fault> {
    if role == Role::Looker {
        return look(path);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    // Statements are compiled once, and not again for every other bound or limit that they are given.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    let set = |name: &str, value: &dyn rusqlite::ToSql| connection.pragma_update(None, name, value);
    // A commit has reached the medium when it returns; where `fsync` alone does not see to that
    // (macOS), by the call that does.
    let flushed = if role == Role::Index { "NORMAL" } else { "FULL" };
    set("synchronous", &flushed)?;
    set("fullfsync", &true)?;
    set("checkpoint_fullfsync", &true)?;
    set("wal_autocheckpoint", &WAL_PAGES_MAX)?;
    set("journal_size_limit", &WAL_KEPT_BYTES_MAX)?;
    let cache_kib_max = match role {
        Role::Writer => WRITER_CACHE_KIB_MAX,
        Role::Reader | Role::Looker | Role::Index => READER_CACHE_KIB_MAX,
    };
    // A positive number would be one of pages.
    set("cache_size", &-cache_kib_max)?;
    set("temp_store", &"MEMORY")?;
    // Of a mapped file, a sector that cannot be read would be a signal that ends the process. Read,
    // it is an error that the caller sees.
    set("mmap_size", &0)?;
    // The file may be damaged: look before following, and run nothing that a schema might bring
    // along beyond what is harmless.
    set("trusted_schema", &false)?;
    set("cell_size_check", &true)?;
    set("query_only", &(role == Role::Reader))?;
    Ok(connection)
}

/// Opens a database that nobody writes, without making what a write-ahead log needs beside it.
fn look(path: &Path) -> Result<Connection, Fault> {
    let mut uri = String::from("file:");
    let escape = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02x}"),
    };
    uri.extend(path.as_os_str().as_encoded_bytes().iter().map(escape));
    uri.push_str("?mode=ro&immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    // Reads the schema, too: without it, the first statement would be compiled twice.
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB_MAX)?;
    Ok(connection)
}
