//! Reading what is on its way.

use rusqlite::{Connection, Row, params};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, RecordId};
use wargate_registry::store::{
    ContentPlace, ContentRow, Pending, PendingCounts, PendingRecord, PendingState, StoreResult,
};

use crate::SqliteStore;
use crate::columns::{
    all, bound, digest, envelope, limit as cut, log_id, name, number, one, record_id, text,
};
use crate::fault::Fault;

/// Pending records that are read at once where all are.
const PAGE: i64 = 64;

/// States of a pending record, as the database has them.
pub(crate) mod state {
    pub(crate) const SOURCING: i64 = 0;
    pub(crate) const READY: i64 = 1;
    pub(crate) const REJECTED: i64 = 2;
}

/// A statement that reads what [`pending`] takes.
macro_rules! select_pending {
    ($rest:literal) => {
        concat!(
            "SELECT number, log, record, name, envelope, admitted, state, reason FROM pending ",
            $rest
        )
    };
}

impl Pending for SqliteStore {
    fn pending(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<PendingRecord>> {
        let sql = select_pending!("WHERE log = ?1 AND record = ?2");
        self.ask(|on| {
            one(on, sql, params![log.as_bytes(), record.as_bytes()], |row| pending(on, row))
        })
    }

    fn ready(&self, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        // Every number is above zero; saying so makes it a range of the index of those.
        let sql = select_pending!("WHERE state = 1 AND number > 0 ORDER BY number LIMIT ?1");
        self.ask(|on| all(on, sql, [cut(limit)], |row| pending(on, row)))
    }

    fn pending_until(&self, second: u64, limit: usize) -> StoreResult<Vec<PendingRecord>> {
        let sql = select_pending!("WHERE admitted <= ?1 ORDER BY admitted, number LIMIT ?2");
        self.ask(|on| all(on, sql, params![bound(second), cut(limit)], |row| pending(on, row)))
    }

    fn counts(&self) -> StoreResult<PendingCounts> {
        let sql = "SELECT records FROM pending_counts ORDER BY state";
        let counts = self.ask(|on| {
            let counts = all(on, sql, [], |row| number(row, 0))?;
            <[u64; 3]>::try_from(counts).map_err(|_| Fault::damaged("counts are missing"))
        });
        counts.map(|[sourcing, ready, rejected]| PendingCounts { sourcing, ready, rejected })
    }

    fn content(&self, wanted: &Digest) -> StoreResult<Option<ContentRow>> {
        let sql = "SELECT digest, size, arrived, facts, bytes, url FROM contents WHERE digest = ?1";
        self.ask(|on| one(on, sql, [wanted.as_bytes()], content))
    }

    fn contents(&self, after: Option<&Digest>, limit: usize) -> StoreResult<Vec<ContentRow>> {
        let sql = "SELECT digest, size, arrived, facts, bytes, url FROM contents
                   WHERE digest > ?1 ORDER BY digest LIMIT ?2";
        // No bytes at all come before any digest.
        let after = after.map_or(&[][..], |after| after.as_bytes());
        self.ask(|on| all(on, sql, params![after, cut(limit)], content))
    }
}

/// All that is pending, in the order of admission.
pub(crate) fn each(on: &Connection, tell: &mut dyn FnMut(PendingRecord)) -> Result<(), Fault> {
    let sql = select_pending!("WHERE number > ?1 ORDER BY number LIMIT ?2");
    let mut after = 0_i64;
    loop {
        let some = all(on, sql, params![after, PAGE], |row| {
            Ok((row.get::<_, i64>(0)?, pending(on, row)?))
        })?;
        let Some((last, _)) = some.last() else { return Ok(()) };
        after = *last;
        for (_, record) in some {
            tell(record);
        }
    }
}

fn pending(on: &Connection, row: &Row<'_>) -> Result<PendingRecord, Fault> {
    let name = name(row, 3)?.ok_or_else(|| Fault::damaged("a pending record has no package"))?;
    let state = match row.get(6)? {
        state::SOURCING => {
            let sql = "SELECT content FROM missing WHERE pending = ?1 ORDER BY position";
            PendingState::Sourcing(all(on, sql, [row.get::<_, i64>(0)?], |row| digest(row, 0))?)
        }
        state::READY => PendingState::Ready,
        state::REJECTED => {
            PendingState::Rejected { reason: text(row, 7)?.unwrap_or_default().to_owned() }
        }
        other => return Err(Fault::Damaged(format!("a pending record has the state {other}"))),
    };
    Ok(PendingRecord {
        log: log_id(row, 1)?,
        record: record_id(row, 2)?,
        name,
        envelope: envelope(row, 4)?,
        admitted_seconds: number(row, 5)?,
        state,
    })
}

fn content(row: &Row<'_>) -> Result<ContentRow, Fault> {
    Ok(ContentRow {
        digest: digest(row, 0)?,
        size: number(row, 1)?,
        arrived_seconds: number(row, 2)?,
        facts: row.get(3)?,
        place: match (row.get(4)?, row.get(5)?) {
            (Some(bytes), None) => ContentPlace::Inline(bytes),
            (None, None) => ContentPlace::Blob,
            (None, Some(url)) => ContentPlace::Url(url),
            (Some(_), Some(_)) => return Err(Fault::damaged("content is here and elsewhere")),
        },
    })
}
