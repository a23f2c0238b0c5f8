//! The tables, format by format.
//!
//! A format never changes once it was released, or once it was on the main branch. To change it:
//!
//! 1. See to it that `testdata/formats` has a data directory of the format before, made by a program of
//!    that time; its README says how they are read.
//! 2. Add a row to [`FORMATS`]: statements that make the new format of the one before, `CREATE TABLE`,
//!    `ALTER TABLE`, `UPDATE`. They may say nothing of transactions: `open::migrate` runs all rows that
//!    a database lacks in one, writes the new number in it, and so a program that is killed leaves
//!    either format whole. They must be quick: nobody is served meanwhile, and all must fit onto the
//!    disk twice.
//! 3. Data of a new table that is part of the registry goes into snapshots, too
//!    (`wargate_registry::snapshot`), as something that every store has; what only counts or caches
//!    does not, and must be able to begin empty.
//! 4. The tests of `testdata/formats` then open every older directory, bring it up to date, check it
//!    with `fsck` and write to it.
//!
//! A database of a newer format is refused and stays as it is, and so is an older one where a running
//! server may be using it ([`SqliteStore::open_as_it_is`](crate::SqliteStore::open_as_it_is)).

/// Marks a database as ours: "WrgR".
pub(crate) const APPLICATION_ID: u32 = 0x5772_6752;

/// Row `n` makes format `n + 1` of format `n`; format 0 is a database without tables.
pub(crate) const FORMATS: &[&str] = &[FORMAT_1, FORMAT_2, FORMAT_3, FORMAT_4];

/// The newest format, which is the one that is written. It stands in the header of a database as its
/// `user_version`.
#[expect(clippy::cast_possible_truncation, reason = "a list that is written by hand")]
pub const FORMAT: u32 = FORMATS.len() as u32;

/// Ids and digests are their 32 bytes. Logs have a number here, because their ids are long and stand
/// with every record.
///
/// The state of a pending record is 0 (content is missing), 1 (ready) or 2 (refused); how many there
/// are of each is kept by triggers, so that nobody needs to count.
const FORMAT_1: &str = "
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE head (
    only               INTEGER NOT NULL PRIMARY KEY CHECK (only = 0),
    revision           INTEGER NOT NULL,
    checkpoint_seconds INTEGER NOT NULL
) STRICT;

CREATE TABLE commits (
    length   INTEGER NOT NULL PRIMARY KEY,
    log_root BLOB    NOT NULL,
    map_root BLOB    NOT NULL,
    seconds  INTEGER NOT NULL
) STRICT;
CREATE INDEX commits_by_seconds ON commits (seconds);

CREATE TABLE logs (
    number       INTEGER NOT NULL PRIMARY KEY,
    log          BLOB    NOT NULL UNIQUE,
    name         TEXT,
    head_record  BLOB    NOT NULL,
    head_seconds INTEGER NOT NULL,
    head_nanos   INTEGER NOT NULL
) STRICT;
CREATE TABLE log_keys (
    log   INTEGER NOT NULL,
    id    TEXT    NOT NULL,
    point BLOB    NOT NULL,
    PRIMARY KEY (log, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_permissions (
    log  INTEGER NOT NULL,
    id   TEXT    NOT NULL,
    held TEXT    NOT NULL,
    PRIMARY KEY (log, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE log_items (
    log   INTEGER NOT NULL,
    item  TEXT    NOT NULL,
    state TEXT    NOT NULL,
    PRIMARY KEY (log, item)
) STRICT, WITHOUT ROWID;

CREATE TABLE records (
    place    INTEGER NOT NULL PRIMARY KEY,
    log      INTEGER NOT NULL,
    record   BLOB    NOT NULL,
    envelope BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX records_by_log ON records (log, place);
CREATE INDEX records_by_id ON records (log, record);

CREATE TABLE pending (
    number   INTEGER NOT NULL PRIMARY KEY,
    log      BLOB    NOT NULL,
    record   BLOB    NOT NULL,
    name     TEXT    NOT NULL,
    admitted INTEGER NOT NULL,
    state    INTEGER NOT NULL,
    reason   TEXT,
    envelope BLOB    NOT NULL,
    UNIQUE (log, record)
) STRICT;
CREATE INDEX pending_ready ON pending (number) WHERE state = 1;
CREATE INDEX pending_by_admission ON pending (admitted, number);
CREATE TABLE missing (
    content  BLOB    NOT NULL,
    pending  INTEGER NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (content, pending)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX missing_by_pending ON missing (pending, position);

CREATE TABLE pending_counts (
    state   INTEGER NOT NULL PRIMARY KEY,
    records INTEGER NOT NULL
) STRICT;
INSERT INTO pending_counts VALUES (0, 0), (1, 0), (2, 0);
CREATE TRIGGER pending_added AFTER INSERT ON pending BEGIN
    UPDATE pending_counts SET records = records + 1 WHERE state = NEW.state;
END;
CREATE TRIGGER pending_removed AFTER DELETE ON pending BEGIN
    UPDATE pending_counts SET records = records - 1 WHERE state = OLD.state;
END;
CREATE TRIGGER pending_moved AFTER UPDATE OF state ON pending BEGIN
    UPDATE pending_counts SET records = records - 1 WHERE state = OLD.state;
    UPDATE pending_counts SET records = records + 1 WHERE state = NEW.state;
END;

CREATE TABLE contents (
    number  INTEGER NOT NULL PRIMARY KEY,
    digest  BLOB    NOT NULL UNIQUE,
    size    INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    facts   TEXT    NOT NULL,
    bytes   BLOB
) STRICT;

CREATE TABLE tiles (
    place  INTEGER NOT NULL PRIMARY KEY,
    width  INTEGER NOT NULL,
    hashes BLOB    NOT NULL
) STRICT;

CREATE TABLE pages (
    number INTEGER NOT NULL PRIMARY KEY,
    id     BLOB    NOT NULL UNIQUE,
    page   BLOB    NOT NULL
) STRICT;
CREATE TABLE superseded (
    version INTEGER NOT NULL,
    page    BLOB    NOT NULL,
    PRIMARY KEY (version, page)
) STRICT, WITHOUT ROWID;
";

/// What is counted beside the log. The registry counts what its log has when it is opened, and until
/// then nobody knows which content is named.
const FORMAT_2: &str = "
CREATE TABLE usage (
    kind     INTEGER NOT NULL,
    name     TEXT    NOT NULL,
    packages INTEGER NOT NULL,
    releases INTEGER NOT NULL,
    bytes    INTEGER NOT NULL,
    PRIMARY KEY (kind, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE counted (
    only   INTEGER NOT NULL PRIMARY KEY CHECK (only = 0),
    length INTEGER NOT NULL
) STRICT;
INSERT INTO counted VALUES (0, 0);

CREATE TABLE unnamed (
    content BLOB    NOT NULL PRIMARY KEY,
    seconds INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX unnamed_by_seconds ON unnamed (seconds, content);
INSERT INTO unnamed SELECT digest, arrived FROM contents;

ALTER TABLE pending ADD COLUMN signer TEXT NOT NULL DEFAULT '';
CREATE INDEX pending_by_signer ON pending (signer) WHERE state = 0;
";

/// Content that is not kept has the URL where it is.
const FORMAT_3: &str = "
ALTER TABLE contents ADD COLUMN url TEXT;
";

/// Nodes halfway to the root of full tiles, so that a proof does not compute them; none with tiles that
/// were written before.
const FORMAT_4: &str = "
ALTER TABLE tiles ADD COLUMN middle BLOB;
";
