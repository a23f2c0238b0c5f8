//! Statements and columns: from Rust to SQLite and back.
//!
//! SQLite's numbers are 64 bits with a sign. What is written must fit, which all lengths, positions
//! and times do; bounds of a question are cut to what fits, which changes no answer.

use rusqlite::{Connection, Params, Row, Statement, StatementStatus};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, PackageName, RecordId, SignedEnvelope};

use crate::fault::Fault;

/// Runs a statement; says how many rows it changed.
pub(crate) fn run(on: &Connection, sql: &str, params: impl Params) -> Result<usize, Fault> {
    let mut statement = on.prepare_cached(sql)?;
    let changed = statement.execute(params)?;
    assert_indexed(&statement, sql);
    Ok(changed)
}

/// The first row that a statement returns.
pub(crate) fn one<T>(
    on: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T, Fault>,
) -> Result<Option<T>, Fault> {
    let mut statement = on.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let found = rows.next()?.map(read).transpose();
    drop(rows);
    assert_indexed(&statement, sql);
    found
}

/// All rows that a statement returns.
pub(crate) fn all<T>(
    on: &Connection,
    sql: &str,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = on.prepare_cached(sql)?;
    let mut rows = statement.query(params)?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        out.push(read(row)?);
    }
    drop(rows);
    assert_indexed(&statement, sql);
    Ok(out)
}

/// **Invariant**: no statement walks through a table or sorts, so none costs more in a larger registry.
/// The tables with one row, or one for each state, are exempt.
fn assert_indexed(statement: &Statement<'_>, sql: &str) {
    if cfg!(debug_assertions) {
        let walked = statement.reset_status(StatementStatus::FullscanStep);
        let sorted = statement.reset_status(StatementStatus::Sort);
        assert!(walked <= 3 && sorted == 0, "walks {walked} rows, sorts {sorted} times: {sql}");
        let compiled = statement.reset_status(StatementStatus::RePrepare);
        assert!(compiled == 0, "is compiled again to be run: {sql}");
    }
}

/// A number to write.
pub(crate) fn written(number: u64) -> Result<i64, Fault> {
    i64::try_from(number)
        .map_err(|_| Fault::Damaged(format!("{number} is more than a database can keep")))
}

/// A bound of a question.
pub(crate) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows a question is to return at most.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn number(row: &Row<'_>, column: usize) -> Result<u64, Fault> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| Fault::Damaged(format!("a number is below zero: {number}")))
}

pub(crate) fn digest(row: &Row<'_>, column: usize) -> Result<Digest, Fault> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(Digest::from_bytes(bytes))
}

pub(crate) fn log_id(row: &Row<'_>, column: usize) -> Result<LogId, Fault> {
    digest(row, column).map(LogId::from_digest)
}

pub(crate) fn record_id(row: &Row<'_>, column: usize) -> Result<RecordId, Fault> {
    digest(row, column).map(RecordId::from_digest)
}

/// A column of bytes, without a copy.
pub(crate) fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8], Fault> {
    let bytes = row.get_ref(column)?.as_blob();
    bytes.map_err(|_| Fault::Damaged(format!("column {column} has no bytes")))
}

/// A column of bytes that may be absent, without a copy.
pub(crate) fn some_bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r [u8]>, Fault> {
    let bytes = row.get_ref(column)?.as_blob_or_null();
    bytes.map_err(|_| Fault::Damaged(format!("column {column} has no bytes")))
}

/// A column of text that may be absent, without a copy.
pub(crate) fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<Option<&'r str>, Fault> {
    let text = row.get_ref(column)?.as_str_or_null();
    text.map_err(|_| Fault::Damaged(format!("column {column} has no text")))
}

pub(crate) fn envelope(row: &Row<'_>, column: usize) -> Result<SignedEnvelope, Fault> {
    SignedEnvelope::from_protobuf(bytes(row, column)?)
        .map_err(|error| Fault::Damaged(format!("a record: {error}")))
}

pub(crate) fn name(row: &Row<'_>, column: usize) -> Result<Option<PackageName>, Fault> {
    let parse = |name: &str| {
        name.parse().map_err(|error| Fault::Damaged(format!("the package name {name:?}: {error}")))
    };
    text(row, column)?.map(parse).transpose()
}
