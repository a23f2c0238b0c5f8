//! Reading history.

use rusqlite::{Connection, Row, params};
use wargate_protocol::{Checkpoint, LogId, LogLeaf, LogLength, RecordId, RegistryIndex};
use wargate_registry::store::{Committed, Ledger, LoggedRecord, Revision, StoreHead, StoreResult};

use crate::SqliteStore;
use crate::columns::{all, bound, digest, envelope, limit as cut, log_id, number, one, record_id};
use crate::fault::Fault;

impl Ledger for SqliteStore {
    fn head(&self) -> StoreResult<Option<StoreHead>> {
        self.ask(newest)
    }

    fn commits(&self, after: LogLength, limit: usize) -> StoreResult<Vec<Committed>> {
        let sql = "SELECT length, log_root, map_root, seconds FROM commits
                   WHERE length > ?1 ORDER BY length LIMIT ?2";
        self.ask(|on| all(on, sql, params![bound(after.get()), cut(limit)], committed))
    }

    fn commit_of_length(&self, length: LogLength) -> StoreResult<Option<Committed>> {
        let sql = "SELECT length, log_root, map_root, seconds FROM commits WHERE length = ?1";
        self.ask(|on| one(on, sql, [bound(length.get())], committed))
    }

    fn commit_at(&self, second: u64) -> StoreResult<Option<Committed>> {
        let sql = "SELECT length, log_root, map_root, seconds FROM commits
                   WHERE seconds <= ?1 ORDER BY seconds DESC, length DESC LIMIT 1";
        self.ask(|on| one(on, sql, [bound(second)], committed))
    }

    fn log_records(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
    ) -> StoreResult<Vec<LoggedRecord>> {
        let sql = "SELECT place, record, envelope FROM records
                   WHERE log = (SELECT number FROM logs WHERE log = ?1)
                       AND place > ?2 AND place < ?3
                   ORDER BY place LIMIT ?4";
        let after = after.map_or(-1, |after| bound(after.get()));
        let bounds = params![log.as_bytes(), after, bound(below.get()), cut(limit)];
        self.ask(|on| all(on, sql, bounds, |row| logged(row, *log)))
    }

    fn record_index(&self, log: &LogId, record: &RecordId) -> StoreResult<Option<RegistryIndex>> {
        let sql = "SELECT place FROM records
                   WHERE log = (SELECT number FROM logs WHERE log = ?1) AND record = ?2
                   ORDER BY place LIMIT 1";
        self.ask(|on| {
            one(on, sql, params![log.as_bytes(), record.as_bytes()], |row| {
                Ok(RegistryIndex::new(number(row, 0)?))
            })
        })
    }

    fn leaves(&self, indices: &[RegistryIndex]) -> StoreResult<Vec<Option<LogLeaf>>> {
        let sql = "SELECT logs.log, record FROM records JOIN logs ON logs.number = records.log
                   WHERE place = ?1";
        let leaf =
            |row: &Row<'_>| Ok(LogLeaf { log_id: log_id(row, 0)?, record_id: record_id(row, 1)? });
        self.read(|on| {
            indices.iter().map(|index| one(on, sql, [bound(index.get())], leaf)).collect()
        })
    }

    fn records(&self, from: RegistryIndex, limit: usize) -> StoreResult<Vec<LoggedRecord>> {
        let sql = "SELECT place, record, envelope, logs.log
                   FROM records JOIN logs ON logs.number = records.log
                   WHERE place >= ?1 ORDER BY place LIMIT ?2";
        self.ask(|on| {
            all(on, sql, params![bound(from.get()), cut(limit)], |row| logged(row, log_id(row, 3)?))
        })
    }
}

/// The newest state.
pub(crate) fn newest(on: &Connection) -> Result<Option<StoreHead>, Fault> {
    let sql = "SELECT length, log_root, map_root, seconds, revision, checkpoint_seconds
               FROM head LEFT JOIN commits ON length = (SELECT max(length) FROM commits)";
    one(on, sql, [], |row| {
        let is_empty = row.get::<_, Option<i64>>(0)?.is_none();
        Ok(StoreHead {
            revision: Revision(number(row, 4)?),
            committed: if is_empty { None } else { Some(committed(row)?) },
            checkpoint_seconds: number(row, 5)?,
        })
    })
}

fn committed(row: &Row<'_>) -> Result<Committed, Fault> {
    let checkpoint = Checkpoint {
        log_length: LogLength::new(number(row, 0)?),
        log_root: digest(row, 1)?,
        map_root: digest(row, 2)?,
    };
    Ok(Committed { checkpoint, seconds: number(row, 3)? })
}

fn logged(row: &Row<'_>, log_id: LogId) -> Result<LoggedRecord, Fault> {
    Ok(LoggedRecord {
        index: RegistryIndex::new(number(row, 0)?),
        leaf: LogLeaf { log_id, record_id: record_id(row, 1)? },
        envelope: envelope(row, 2)?,
    })
}
