//! The one transaction that changes a registry.

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, Row, TransactionBehavior, params};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, RecordId};
use wargate_registry::store::{
    Admitted, Append, AppendedRecord, Batch, Committed, ContentArrived, ContentPlace, LogChange,
    PendingState, Referral, Rejection, Revision,
};
use wargate_transparency::log::StoredTile;
use wargate_transparency::map::{MapVersion, PageId};

use crate::accounts;
use crate::columns::{number, one, run, written};
use crate::fault::Fault;
use crate::nodes;
use crate::pending::state;

/// Makes all of a batch part of the database, or nothing.
///
/// The transaction takes the lock for writing before it reads the revision, so nobody can commit in
/// between. Whatever fails drops the transaction, which rolls it back. When `COMMIT` has returned, the
/// write-ahead log is on the medium.
pub(crate) fn commit(
    connection: &mut Connection,
    expected: Option<Revision>,
    batch: &Batch,
) -> Result<Revision, Fault> {
    let on = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = one(&on, "SELECT revision FROM head", [], |row| number(row, 0))?.map(Revision);
    if found != expected {
        return Err(Fault::Conflict);
    }
    batch.rejected.iter().try_for_each(|rejection| reject(&on, rejection))?;
    batch.dropped.iter().try_for_each(|(log, record)| forget(&on, log, record))?;
    batch.admitted.iter().try_for_each(|admitted| admit(&on, admitted))?;
    // First, though the content comes first: what becomes history waits for nothing, so that mostly
    // nobody is left to be set free.
    batch.append.iter().try_for_each(|append| extend(&on, append))?;
    let named: HashSet<_> = batch.counted.iter().flat_map(|counted| &counted.named).collect();
    let mut fresh = HashSet::new();
    for content in &batch.content {
        match (arrive(&on, content)?, named.contains(&content.digest)) {
            (true, true) => drop(fresh.insert(content.digest)),
            (true, false) => accounts::unname(&on, content)?,
            (false, _) => accounts::want(&on, &content.digest, content.arrived_seconds)?,
        }
    }
    batch.referred.iter().try_for_each(|referral| refer(&on, referral))?;
    accounts::keep(&on, batch, &fresh)?;
    let revision = Revision(expected.map_or(0, |revision| revision.0).saturating_add(1));
    let sql = "INSERT INTO head VALUES (0, ?1, ?2) ON CONFLICT DO UPDATE
               SET revision = excluded.revision, checkpoint_seconds = excluded.checkpoint_seconds";
    run(&on, sql, params![written(revision.0)?, written(batch.checkpoint_seconds)?])?;
    on.commit()?;
    Ok(revision)
}

/// Refuses a pending record, which then waits for nothing. One that was refused keeps its reason.
fn reject(on: &Connection, rejection: &Rejection) -> Result<(), Fault> {
    let Rejection { log, record, reason } = rejection;
    let sql = "UPDATE pending SET state = ?3, reason = ?4
               WHERE log = ?1 AND record = ?2 AND state <> ?3 RETURNING number";
    let params = params![log.as_bytes(), record.as_bytes(), state::REJECTED, reason];
    one(on, sql, params, row_number)?.map_or(Ok(()), |number| unmark(on, number))
}

/// Makes a record no longer pending, if it is.
fn forget(on: &Connection, log: &LogId, record: &RecordId) -> Result<(), Fault> {
    let sql = "DELETE FROM pending WHERE log = ?1 AND record = ?2 RETURNING number";
    let number = one(on, sql, params![log.as_bytes(), record.as_bytes()], row_number)?;
    number.map_or(Ok(()), |number| unmark(on, number))
}

fn unmark(on: &Connection, number: i64) -> Result<(), Fault> {
    run(on, "DELETE FROM missing WHERE pending = ?1", [number]).map(drop)
}

/// Makes a record pending, unless it is. Numbers grow with every admission.
fn admit(on: &Connection, admitted: &Admitted) -> Result<(), Fault> {
    let (state, missing, reason) = match &admitted.state {
        PendingState::Sourcing(missing) if !missing.is_empty() => {
            (state::SOURCING, missing.as_slice(), None)
        }
        PendingState::Sourcing(_) | PendingState::Ready => (state::READY, &[][..], None),
        PendingState::Rejected { reason } => (state::REJECTED, &[][..], Some(reason)),
    };
    let sql = "INSERT INTO pending (log, record, name, admitted, state, reason, envelope, signer)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING RETURNING number";
    let params = params![
        admitted.log.as_bytes(),
        admitted.record.as_bytes(),
        admitted.name.as_str(),
        written(admitted.admitted_seconds)?,
        state,
        reason,
        admitted.envelope.to_protobuf(),
        admitted.envelope.key_id().as_str(),
    ];
    let Some(number) = one(on, sql, params, row_number)? else { return Ok(()) };
    missing.iter().zip(0..).try_for_each(|(content, at)| mark(on, content, number, at))
}

fn mark(on: &Connection, content: &Digest, pending: i64, position: i64) -> Result<(), Fault> {
    // A list that names a digest twice has it in its first place.
    let sql = "INSERT INTO missing (content, pending, position) VALUES (?1, ?2, ?3)
               ON CONFLICT (content, pending) DO NOTHING";
    run(on, sql, params![content.as_bytes(), pending, position]).map(drop)
}

/// Keeps what is known of content, unless it is known, and sets those free that waited for nothing
/// else, if it is kept. Says whether it was not known.
fn arrive(on: &Connection, content: &ContentArrived) -> Result<bool, Fault> {
    let sql = "INSERT INTO contents (digest, size, arrived, facts, bytes, url)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
    let digest = content.digest.as_bytes();
    let (size, arrived) = (written(content.size)?, written(content.arrived_seconds)?);
    let facts = &content.facts;
    let (inline, url) = match &content.place {
        ContentPlace::Inline(bytes) => (Some(bytes), None),
        ContentPlace::Blob => (None, None),
        ContentPlace::Url(url) => (None, Some(url)),
    };
    let is_new = run(on, sql, params![digest, size, arrived, facts, inline, url])? > 0;
    if !is_new {
        let sql = "UPDATE contents SET size = ?2, arrived = ?3, facts = ?4, bytes = ?5, url = ?6
                   WHERE digest = ?1 AND url IS NOT NULL";
        run(on, sql, params![digest, size, arrived, facts, inline, url])?;
    }
    if !content.is_kept() {
        return Ok(is_new);
    }
    let marked = one(on, "SELECT 1 FROM missing WHERE content = ?1 LIMIT 1", [digest], |_| Ok(()))?;
    if marked.is_none() {
        return Ok(is_new);
    }
    // Found by the marks of this content, of which only sourcing records have any.
    let sql = "UPDATE pending SET state = ?2
               WHERE number IN (SELECT pending FROM missing WHERE content = ?1)
                   AND NOT EXISTS (SELECT 1 FROM missing AS other
                                   WHERE other.pending = number AND other.content <> ?1)";
    run(on, sql, params![digest, state::READY])?;
    run(on, "DELETE FROM missing WHERE content = ?1", [digest])?;
    Ok(is_new)
}

/// Takes a digest off what one record misses.
fn refer(on: &Connection, referral: &Referral) -> Result<(), Fault> {
    let Referral { log, record, content } = referral;
    let sql = "DELETE FROM missing WHERE content = ?3 AND pending =
                   (SELECT number FROM pending WHERE log = ?1 AND record = ?2)";
    if run(on, sql, params![log.as_bytes(), record.as_bytes(), content.as_bytes()])? == 0 {
        return Ok(());
    }
    // Only sourcing records have marks, so it was one.
    let sql = "UPDATE pending SET state = ?3 WHERE log = ?1 AND record = ?2
                   AND NOT EXISTS (SELECT 1 FROM missing WHERE pending = number)";
    run(on, sql, params![log.as_bytes(), record.as_bytes(), state::READY]).map(drop)
}

/// Makes records history, with all that follows from them.
fn extend(on: &Connection, append: &Append) -> Result<(), Fault> {
    let mut numbers = HashMap::with_capacity(append.logs.len());
    for change in &append.logs {
        numbers.insert(change.log, change_log(on, change)?);
    }
    for record in &append.records {
        let log = numbers.get(&record.leaf.log_id).copied();
        let log = log.ok_or_else(|| Fault::damaged("a record of a log that does not change"))?;
        add_record(on, record, log)?;
        forget(on, &record.leaf.log_id, &record.leaf.record_id)?;
    }
    append.tiles.iter().try_for_each(|tile| write_tile(on, tile))?;
    for (id, page) in &append.pages {
        let sql = "INSERT INTO pages (id, page) VALUES (?1, ?2)";
        run(on, sql, params![id.to_bytes(), page.encode(id)])?;
    }
    let version = append.committed.map_head().version;
    append.superseded.iter().try_for_each(|page| supersede(on, version, page))?;
    append.earlier.iter().try_for_each(|committed| add_commit(on, committed))?;
    add_commit(on, &append.committed)
}

/// Writes what becomes of a log, and returns its number.
fn change_log(on: &Connection, change: &LogChange) -> Result<i64, Fault> {
    let head = change.rows.head.ok_or_else(|| Fault::damaged("a log changes without a head"))?;
    let sql = "INSERT INTO logs (log, name, head_record, head_seconds, head_nanos)
               VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
               SET name = excluded.name, head_record = excluded.head_record,
                   head_seconds = excluded.head_seconds, head_nanos = excluded.head_nanos
               RETURNING number";
    let params = params![
        change.log.as_bytes(),
        change.name().map(wargate_protocol::PackageName::as_str),
        head.record_id.as_bytes(),
        head.timestamp.seconds(),
        head.timestamp.nanos(),
    ];
    let number = one(on, sql, params, row_number)?;
    let number = number.ok_or_else(|| Fault::damaged("a log has no number"))?;
    for key in &change.rows.keys {
        let sql = "INSERT OR REPLACE INTO log_keys (log, id, point) VALUES (?1, ?2, ?3)";
        run(on, sql, params![number, key.id().as_str(), key.as_sec1_bytes()])?;
    }
    for (key, held) in &change.rows.permissions {
        let sql = "INSERT OR REPLACE INTO log_permissions (log, id, held) VALUES (?1, ?2, ?3)";
        run(on, sql, params![number, key.as_str(), held])?;
    }
    for (item, state) in &change.rows.items {
        let sql = "INSERT OR REPLACE INTO log_items (log, item, state) VALUES (?1, ?2, ?3)";
        run(on, sql, params![number, item, state])?;
    }
    Ok(number)
}

fn add_record(on: &Connection, record: &AppendedRecord, log: i64) -> Result<(), Fault> {
    let sql = "INSERT INTO records (place, log, record, envelope) VALUES (?1, ?2, ?3, ?4)";
    let (place, envelope) = (written(record.index.get())?, record.envelope.to_protobuf());
    run(on, sql, params![place, log, record.leaf.record_id.as_bytes(), envelope]).map(drop)
}

fn write_tile(on: &Connection, stored: &StoredTile) -> Result<(), Fault> {
    let sql = "INSERT INTO tiles (place, width, hashes, middle) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT DO UPDATE
               SET width = excluded.width, hashes = excluded.hashes, middle = excluded.middle
               WHERE excluded.width > width";
    let StoredTile { at, tile } = stored;
    let params = params![nodes::place(at.id), tile.width().get(), tile.encode(), tile.middle()];
    run(on, sql, params).map(drop)
}

fn supersede(on: &Connection, version: MapVersion, page: &PageId) -> Result<(), Fault> {
    let sql = "INSERT OR IGNORE INTO superseded (version, page) VALUES (?1, ?2)";
    run(on, sql, params![written(version.0)?, page.to_bytes()]).map(drop)
}

fn add_commit(on: &Connection, committed: &Committed) -> Result<(), Fault> {
    let sql = "INSERT INTO commits (length, log_root, map_root, seconds) VALUES (?1, ?2, ?3, ?4)";
    let Committed { checkpoint, seconds } = committed;
    let (length, seconds) = (written(committed.length().get())?, written(*seconds)?);
    let params =
        params![length, checkpoint.log_root.as_bytes(), checkpoint.map_root.as_bytes(), seconds];
    run(on, sql, params).map(drop)
}

fn row_number(row: &Row<'_>) -> Result<i64, Fault> {
    Ok(row.get(0)?)
}
