//! The index, in a file of its own: it can be made again, so it is not flushed, and one that cannot be
//! read is thrown away.

use std::path::{Path, PathBuf};
use std::{fs, io};

use rusqlite::Connection;
use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName};
use wargate_registry::index::{Dependent, Index, IndexStep, IndexedImport, Place, Through};
use wargate_registry::store::StoreResult;

use crate::columns::{self, all, one, run};
use crate::disk;
use crate::fault::Fault;
use crate::open::OpenError;
use crate::pool::{self, Pool, Role};

/// Marks the file: "WrgI".
const APPLICATION_ID: u32 = 0x5772_6749;
/// A file of another format is thrown away.
const FORMAT: u32 = 2;

const TABLES: &str = "
    CREATE TABLE through (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        length INTEGER NOT NULL,
        last BLOB
    ) STRICT;
    INSERT INTO through VALUES (1, 0, NULL);
    CREATE TABLE contents (
        place INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE
    ) STRICT;
    CREATE TABLE imports (
        place INTEGER PRIMARY KEY,
        target TEXT NOT NULL,
        content INTEGER NOT NULL,
        name TEXT NOT NULL
    ) STRICT;
    CREATE INDEX imports_by_target ON imports (target, place);
    CREATE TABLE releases (
        place INTEGER PRIMARY KEY,
        content INTEGER NOT NULL,
        package TEXT NOT NULL,
        version TEXT NOT NULL
    ) STRICT;
    CREATE INDEX releases_by_content ON releases (content, place);
";

/// Connections: one that follows, and those that ask.
const CONNECTIONS: usize = 2;

/// An [`Index`] in an SQLite database.
#[derive(Debug)]
pub struct SqliteIndex {
    pool: Pool,
}

impl SqliteIndex {
    /// Opens an index, or makes one where there is none. Whatever else is in that place is replaced: a
    /// file that is damaged or of another format, and any other.
    ///
    /// # Errors
    /// [`OpenError`]
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let of_file = |source| OpenError::File { path: path.to_owned(), source };
        let of_database = |fault: Fault| OpenError::Database {
            path: path.to_owned(),
            source: Box::new(fault.into_store_error()),
        };
        if path.exists() && !is_usable(path) {
            remove(path).map_err(of_file)?;
        }
        match disk::create_private(path) {
            Ok(_) => make(path).map_err(of_database)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(of_file(error)),
        }
        Ok(Self { pool: Pool::new(path, Role::Index, CONNECTIONS) })
    }
}

/// Whether a file is an index of today's format, with its tables.
fn is_usable(path: &Path) -> bool {
    let look = || -> Result<bool, Fault> {
        let connection = pool::connect(path, Role::Index)?;
        let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        let is_ours = number("application_id")? == APPLICATION_ID;
        Ok(is_ours && number("user_version")? == FORMAT && through(&connection).is_ok())
    };
    look().unwrap_or(false)
}

/// A name that the registry gives to nothing else, and that may be there in part.
fn remove(path: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(PathBuf::from(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn make(path: &Path) -> Result<(), Fault> {
    let mut connection = pool::connect(path, Role::Index)?;
    let _: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    Ok(transaction.commit()?)
}

impl Index for SqliteIndex {
    fn through(&self) -> StoreResult<Through> {
        self.pool.run(|on| through(on)).map_err(Fault::into_store_error)
    }

    fn apply(&self, step: &IndexStep) -> StoreResult<()> {
        let apply = |on: &mut Connection| {
            let transaction = on.transaction()?;
            for (digest, imports) in &step.contents {
                add_content(&transaction, digest, imports)?;
            }
            for release in &step.releases {
                let sql = "INSERT INTO releases (content, package, version)
                           SELECT place, ?2, ?3 FROM contents WHERE digest = ?1";
                let version = release.version.to_string();
                let params = (release.digest.as_bytes(), release.package.as_str(), version);
                run(&transaction, sql, params)?;
            }
            set_through(&transaction, step.through)?;
            Ok(transaction.commit()?)
        };
        self.pool.run(apply).map_err(Fault::into_store_error)
    }

    fn clear(&self) -> StoreResult<()> {
        let clear = |on: &mut Connection| {
            let transaction = on.transaction()?;
            transaction
                .execute_batch("DELETE FROM contents; DELETE FROM imports; DELETE FROM releases")?;
            set_through(&transaction, Through::START)?;
            Ok(transaction.commit()?)
        };
        self.pool.run(clear).map_err(Fault::into_store_error)
    }

    fn has_content(&self, digest: &Digest) -> StoreResult<bool> {
        self.pool
            .run(|on| content_place(on, digest))
            .map_err(Fault::into_store_error)
            .map(|it| it.is_some())
    }

    fn dependents(
        &self,
        package: &PackageName,
        after: Place,
        limit: usize,
    ) -> StoreResult<Vec<(Place, Dependent)>> {
        // Both indexes have the order and begin at the place, so that a page is read and nothing else.
        // Places begin with 1.
        let sql = "SELECT imports.place, releases.place, package, version, digest, name
                   FROM imports
                       CROSS JOIN contents ON contents.place = imports.content
                       CROSS JOIN releases ON releases.content = contents.place
                   WHERE target = ?1 AND imports.place >= ?2
                       AND releases.place > CASE WHEN imports.place = ?2 THEN ?3 ELSE 0 END
                   ORDER BY imports.place, releases.place LIMIT ?4";
        let (import, release) = (columns::bound(after.import), columns::bound(after.release));
        let params = (package.as_str(), import, release, columns::limit(limit));
        let read = |row: &rusqlite::Row<'_>| {
            let place =
                Place { import: columns::number(row, 0)?, release: columns::number(row, 1)? };
            let nameless = || Fault::damaged("a dependent has no name");
            let package = columns::name(row, 2)?.ok_or_else(nameless)?;
            let version: String = row.get(3)?;
            let version =
                version.parse().map_err(|error| Fault::Damaged(format!("a version: {error}")))?;
            let (digest, import) = (columns::digest(row, 4)?, row.get(5)?);
            Ok((place, Dependent { package, version, digest, import }))
        };
        self.pool.run(|on| all(on, sql, params, read)).map_err(Fault::into_store_error)
    }
}

fn content_place(on: &Connection, digest: &Digest) -> Result<Option<u64>, Fault> {
    let sql = "SELECT place FROM contents WHERE digest = ?1";
    one(on, sql, (digest.as_bytes(),), |row| columns::number(row, 0))
}

/// Keeps what content imports, unless it is there.
fn add_content(on: &Connection, digest: &Digest, imports: &[IndexedImport]) -> Result<(), Fault> {
    if content_place(on, digest)?.is_some() {
        return Ok(());
    }
    run(on, "INSERT INTO contents (digest) VALUES (?1)", (digest.as_bytes(),))?;
    let content = on.last_insert_rowid();
    for (target, name) in imports {
        let sql = "INSERT INTO imports (target, content, name) VALUES (?1, ?2, ?3)";
        run(on, sql, (target.as_str(), content, name))?;
    }
    Ok(())
}

fn through(on: &Connection) -> Result<Through, Fault> {
    let read = |row: &rusqlite::Row<'_>| {
        let last = columns::some_bytes(row, 1)?.is_some();
        let last = last.then(|| columns::record_id(row, 1)).transpose()?;
        Ok(Through { length: LogLength::new(columns::number(row, 0)?), last })
    };
    let found = one(on, "SELECT length, last FROM through WHERE only = 1", [], read)?;
    found.ok_or_else(|| Fault::damaged("the index does not say how far it is"))
}

fn set_through(on: &Connection, through: Through) -> Result<(), Fault> {
    let last = through.last.map(|last| *last.digest().as_bytes());
    let params = (columns::written(through.length.get())?, last);
    run(on, "UPDATE through SET length = ?1, last = ?2 WHERE only = 1", params).map(drop)
}
