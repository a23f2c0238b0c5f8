//! Reading trees and the state of logs, and dropping pages that nobody needs.

use std::sync::Arc;

use rusqlite::{Connection, Row, ToSql, params};
use wargate_crypto::{KeyId, PublicKey};
use wargate_protocol::{LogId, PackageName, Timestamp, state};
use wargate_registry::store::{LogQuery, LogRow, LogRows, Nodes, StoreResult};
use wargate_transparency::log::{Tile, TileId, TileRef};
use wargate_transparency::map::{MapVersion, Page, PageId};

use crate::SqliteStore;
use crate::columns::{
    all, bound, bytes, limit as cut, log_id, name, one, record_id, run, some_bytes, text,
};
use crate::fault::Fault;

impl Nodes for SqliteStore {
    fn tiles(&self, wanted: &[TileRef]) -> StoreResult<Vec<Arc<Tile>>> {
        self.read(|on| wanted.iter().map(|wanted| tile(on, *wanted)).collect())
    }

    fn pages(&self, wanted: &[PageId]) -> StoreResult<Vec<Arc<Page>>> {
        self.read(|on| wanted.iter().map(|wanted| page(on, wanted)).collect())
    }

    fn log_rows(&self, wanted: &[LogQuery]) -> StoreResult<Vec<LogRows>> {
        self.read(|on| wanted.iter().map(|wanted| log_rows(on, wanted)).collect())
    }

    fn all_log_rows(&self, log: &LogId) -> StoreResult<LogRows> {
        let keys = "SELECT point FROM log_keys WHERE log = ?1 ORDER BY id";
        let permissions = "SELECT id, held FROM log_permissions WHERE log = ?1 ORDER BY id";
        let items = "SELECT item, state FROM log_items WHERE log = ?1 ORDER BY item";
        self.read(|on| {
            let Some(Log { number, name, head }) = find(on, log)? else {
                return Ok(LogRows::default());
            };
            Ok(LogRows {
                head: Some(head),
                name,
                keys: all(on, keys, [number], key)?,
                permissions: all(on, permissions, [number], |row| {
                    Ok((KeyId::from(string(row, 0)?), string(row, 1)?))
                })?,
                items: all(on, items, [number], |row| Ok((string(row, 0)?, string(row, 1)?)))?,
            })
        })
    }

    fn logs(&self, after: Option<&LogId>, limit: usize) -> StoreResult<Vec<LogRow>> {
        let sql = "SELECT number, name, head_record, head_seconds, head_nanos, log FROM logs
                   WHERE log > ?1 ORDER BY log LIMIT ?2";
        let after = after.map_or(&[][..], |after| after.as_bytes());
        self.ask(|on| {
            all(on, sql, params![after, cut(limit)], |row| {
                let Log { name, head, .. } = log(row)?;
                Ok(LogRow { log: log_id(row, 5)?, name, head })
            })
        })
    }

    fn prune(&self, oldest: MapVersion, limit: usize) -> StoreResult<usize> {
        let pruned = self.writer.run(|connection| prune(connection, oldest, limit));
        pruned.map_err(Fault::into_store_error)
    }
}

/// Where a tile stands in its table: those of one level lie together.
pub(crate) fn place(id: TileId) -> i64 {
    // Levels are at most 7, and an index has at most 55 bits.
    bound((u64::from(id.level()) << 56) | id.index())
}

fn tile(on: &Connection, wanted: TileRef) -> Result<Arc<Tile>, Fault> {
    let sql = "SELECT hashes, middle FROM tiles WHERE place = ?1";
    let found = one(on, sql, [place(wanted.id)], |row| {
        let tile = Tile::decode(bytes(row, 0)?);
        // Tiles that were written before format 4 have none.
        let tile = match some_bytes(row, 1)? {
            Some(middle) => tile.and_then(|tile| tile.with_middle(middle)),
            None => tile,
        };
        tile.map_err(|error| Fault::Damaged(format!("{wanted} of the log: {error}")))
    });
    let found = found?.filter(|tile| tile.width() >= wanted.width).map(Arc::new);
    found.ok_or_else(|| Fault::Damaged(format!("{wanted} of the log is missing or too narrow")))
}

fn page(on: &Connection, wanted: &PageId) -> Result<Arc<Page>, Fault> {
    let sql = "SELECT page FROM pages WHERE id = ?1";
    let found = one(on, sql, [wanted.to_bytes()], |row| {
        Page::decode(wanted, bytes(row, 0)?)
            .map_err(|error| Fault::Damaged(format!("the page {wanted:?} of the map: {error}")))
    });
    let missing = || Fault::Damaged(format!("the page {wanted:?} of the map is missing"));
    Ok(Arc::new(found?.ok_or_else(missing)?))
}

/// A log and its number.
struct Log {
    number: i64,
    name: Option<PackageName>,
    head: state::Head,
}

fn find(on: &Connection, wanted: &LogId) -> Result<Option<Log>, Fault> {
    let sql = "SELECT number, name, head_record, head_seconds, head_nanos FROM logs WHERE log = ?1";
    one(on, sql, [wanted.as_bytes()], log)
}

fn log(row: &Row<'_>) -> Result<Log, Fault> {
    let timestamp = Timestamp::new(row.get(3)?, row.get(4)?);
    let timestamp =
        timestamp.map_err(|error| Fault::Damaged(format!("the time of a record: {error}")))?;
    let head = state::Head { record_id: record_id(row, 2)?, timestamp };
    Ok(Log { number: row.get(0)?, name: name(row, 1)?, head })
}

fn log_rows(on: &Connection, wanted: &LogQuery) -> Result<LogRows, Fault> {
    let Some(Log { number, name, head }) = find(on, &wanted.log)? else {
        return Ok(LogRows::default());
    };
    let of_key = "SELECT point FROM log_keys WHERE log = ?1 AND id = ?2";
    let of_permission = "SELECT id, held FROM log_permissions WHERE log = ?1 AND id = ?2";
    let of_item = "SELECT item, state FROM log_items WHERE log = ?1 AND item = ?2";
    let keys = sorted(wanted.keys.iter().map(KeyId::as_str));
    let permissions = sorted(wanted.permissions.iter().map(KeyId::as_str));
    let items = sorted(wanted.items.iter().map(String::as_str));
    Ok(LogRows {
        head: Some(head),
        name,
        keys: lookup(on, of_key, number, &keys, key)?,
        permissions: lookup(on, of_permission, number, &permissions, |row| {
            Ok((KeyId::from(string(row, 0)?), string(row, 1)?))
        })?,
        items: lookup(on, of_item, number, &items, |row| Ok((string(row, 0)?, string(row, 1)?)))?,
    })
}

/// What is there of what is wanted, in its order.
fn lookup<T>(
    on: &Connection,
    sql: &str,
    log: i64,
    wanted: &[&str],
    read: fn(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let found = wanted.iter().map(|name| {
        let params: [&dyn ToSql; 2] = [&log, name];
        one(on, sql, params, read)
    });
    found.filter_map(Result::transpose).collect()
}

fn sorted<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<_> = texts.collect();
    texts.sort_unstable();
    texts.dedup();
    texts
}

fn key(row: &Row<'_>) -> Result<PublicKey, Fault> {
    PublicKey::from_sec1_bytes(bytes(row, 0)?)
        .map_err(|error| Fault::Damaged(format!("a key of a log: {error}")))
}

fn string(row: &Row<'_>, column: usize) -> Result<String, Fault> {
    Ok(text(row, column)?.unwrap_or_default().to_owned())
}

fn prune(connection: &mut Connection, oldest: MapVersion, limit: usize) -> Result<usize, Fault> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let sql = "SELECT version, page FROM superseded
               WHERE version <= ?1 ORDER BY version, page LIMIT ?2";
    let pages: Vec<(i64, Vec<u8>)> =
        all(&transaction, sql, params![bound(oldest.0), cut(limit)], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    for (version, page) in &pages {
        run(&transaction, "DELETE FROM pages WHERE id = ?1", [page])?;
        let sql = "DELETE FROM superseded WHERE version = ?1 AND page = ?2";
        run(&transaction, sql, params![version, page])?;
    }
    transaction.commit()?;
    Ok(pages.len())
}
