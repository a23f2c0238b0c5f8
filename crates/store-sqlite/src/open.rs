//! Finding out whose file it is, and making it the format of today.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};
use wargate_registry::store::BoxError;

use crate::disk;
use crate::fault::Fault;
use crate::pool::{self, Role};
use crate::schema::{APPLICATION_ID, FORMATS};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// How a rollback journal begins.
const JOURNAL_MAGIC: [u8; 8] = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7];
const HEADER_BYTES: u64 = 100;
/// Where the header has the application id, big endian.
const APPLICATION_ID_AT: std::ops::Range<usize> = 68..72;

/// Why a database was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file cannot be read or made.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The file is something else.
    #[error(
        "{path} is not a registry's database, and is left as it is: name another file",
        path = path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// A newer program has written it.
    #[error(
        "{path} has format {found}, this program knows formats up to {newest}: use a newer program",
        path = path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known.
        newest: u32,
    },
    /// An older program has written it, and it is not to be changed now.
    #[error(
        "{path} has format {found}, this program writes format {newest}: it is brought up to date when \
         the server of this program starts, or by `wargate fsck` while no server runs",
        path = path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that is known.
        newest: u32,
    },
    /// The database does not work.
    #[error("{path}: {source}", path = path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: BoxError,
    },
}

/// Sees to it that there is a database of ours, in the format of today.
///
/// A crash at any moment leaves no file, an empty one, or a database of one format or another, all of
/// which are taken up again.
pub(crate) fn prepare(path: &Path) -> Result<(), OpenError> {
    let of_file = |source| OpenError::File { path: path.to_owned(), source };
    match disk::create_private(path) {
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if !is_ours(path).map_err(of_file)? {
                return Err(OpenError::NotOurs { path: path.to_owned() });
            }
        }
        Err(error) => return Err(of_file(error)),
    }
    let of_database = |error: Fault| OpenError::Database {
        path: path.to_owned(),
        source: Box::new(error.into_store_error()),
    };
    let mut connection = pool::connect(path, Role::Writer).map_err(of_database)?;
    let found = migrate(&mut connection, FORMATS).map_err(of_database)?;
    let newest = newest(FORMATS);
    if found > newest {
        return Err(OpenError::Newer { path: path.to_owned(), found, newest });
    }
    write_ahead(&connection).map_err(of_database)?;
    // The name of the file; SQLite does the same for the names of its logs.
    disk::sync_directory(disk::directory_of(path)).map_err(of_file)
}

/// Refuses a database that is not ours in the format of today, and changes nothing.
pub(crate) fn inspect(path: &Path) -> Result<(), OpenError> {
    let of_file = |source| OpenError::File { path: path.to_owned(), source };
    if !is_ours(path).map_err(of_file)? {
        return Err(OpenError::NotOurs { path: path.to_owned() });
    }
    let of_database = |error: Fault| OpenError::Database {
        path: path.to_owned(),
        source: Box::new(error.into_store_error()),
    };
    let connection = pool::connect(path, Role::Reader).map_err(of_database)?;
    let (found, newest) = (format_of(&connection).map_err(of_database)?, newest(FORMATS));
    let path = path.to_owned();
    match found.cmp(&newest) {
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Less => Err(OpenError::Older { path, found, newest }),
        std::cmp::Ordering::Greater => Err(OpenError::Newer { path, found, newest }),
    }
}

/// Whether a file is empty or a database of ours. Looked at without SQLite, which would tidy up what
/// another program has left unfinished in a database of its own.
fn is_ours(path: &Path) -> io::Result<bool> {
    let header = start_of(path, HEADER_BYTES)?;
    if header.iter().all(|byte| *byte == 0) {
        return Ok(header.is_empty() || is_journal(path)?);
    }
    let id = header.get(APPLICATION_ID_AT);
    Ok(header.starts_with(MAGIC) && id == Some(APPLICATION_ID.to_be_bytes().as_slice()))
}

/// Whether SQLite's journal is beside a file. Where the power was lost while the first pages were
/// written, the file may be long and have none of them yet; the journal says how to undo that.
fn is_journal(database: &Path) -> io::Result<bool> {
    let mut journal = database.as_os_str().to_owned();
    journal.push("-journal");
    match start_of(Path::new(&journal), JOURNAL_MAGIC.len() as u64) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        start => Ok(start? == JOURNAL_MAGIC),
    }
}

fn start_of(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(bytes).read_to_end(&mut start)?;
    Ok(start)
}

/// Makes the newest of the formats of an older one, and returns the format that it is then: the
/// newest, or a newer one that was left alone.
pub(crate) fn migrate(connection: &mut Connection, formats: &[&str]) -> Result<u32, Fault> {
    if format_of(connection)? == newest(formats) {
        return Ok(newest(formats));
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let old = format_of(&transaction)?;
    let steps = usize::try_from(old).ok().and_then(|old| formats.get(old..)).unwrap_or_default();
    if steps.is_empty() {
        return Ok(old);
    }
    for step in steps {
        transaction.execute_batch(step)?;
    }
    let new = newest(formats);
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", new)?;
    transaction.execute("INSERT OR REPLACE INTO meta VALUES ('format', ?1)", [new])?;
    transaction.commit()?;
    Ok(new)
}

fn newest(formats: &[&str]) -> u32 {
    u32::try_from(formats.len()).unwrap_or(u32::MAX)
}

/// The format, which stands in two places: in the header, where other programs find it, and in a
/// table, so that one that was changed by hand is noticed.
fn format_of(connection: &Connection) -> Result<u32, Fault> {
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format == 0 {
        let tables: u32 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        let damaged = Fault::damaged("a database without a format has tables");
        return if tables == 0 { Ok(0) } else { Err(damaged) };
    }
    let sql = "SELECT value FROM meta WHERE key = 'format'";
    let again: u32 = connection.query_row(sql, [], |row| row.get(0))?;
    if format == again {
        Ok(format)
    } else {
        Err(Fault::Damaged(format!("the header says format {format}, the table `meta` {again}")))
    }
}

/// Turns the write-ahead log on, which the database remembers.
fn write_ahead(connection: &Connection) -> Result<(), Fault> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode == "wal" {
        Ok(())
    } else {
        Err(Fault::damaged(
            "the file system has no memory that processes share, which a write-ahead log needs",
        ))
    }
}
