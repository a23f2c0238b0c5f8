//! What is counted beside the log.

use std::collections::HashSet;

use rusqlite::{Connection, params};
use wargate_crypto::{Digest, KeyId};
use wargate_protocol::LogLength;
use wargate_registry::store::{Accounts, Batch, ContentArrived, Counted, StoreResult};
use wargate_registry::usage::{Subject, Usage};

use crate::SqliteStore;
use crate::columns::{all, bound, digest, limit as cut, number, one, run, text, written};
use crate::fault::Fault;

/// Kinds of subjects, as the database has them, in the order of the seam.
mod kind {
    pub(super) const NAMESPACE: i64 = 0;
    pub(super) const KEY: i64 = 1;
}

impl Accounts for SqliteStore {
    fn usages(&self, wanted: &[Subject]) -> StoreResult<Vec<Usage>> {
        let sql = "SELECT packages, releases, bytes FROM usage WHERE kind = ?1 AND name = ?2";
        self.read(|on| {
            let usage = |subject: &Subject| {
                let found =
                    one(on, sql, params![kind_of(subject), subject.name()], |row| usage(row, 0));
                Ok(found?.unwrap_or_default())
            };
            wanted.iter().map(usage).collect()
        })
    }

    fn all_usages(
        &self,
        after: Option<&Subject>,
        limit: usize,
    ) -> StoreResult<Vec<(Subject, Usage)>> {
        let sql = "SELECT kind, name, packages, releases, bytes FROM usage
                   WHERE (kind, name) > (?1, ?2) ORDER BY kind, name LIMIT ?3";
        let (kind, name) = after.map_or((-1, ""), |it| (kind_of(it), it.name()));
        self.read(|on| {
            all(on, sql, params![kind, name, cut(limit)], |row| {
                let name = text(row, 1)?.unwrap_or_default().to_owned();
                let subject = match row.get(0)? {
                    kind::NAMESPACE => Subject::Namespace(name),
                    kind::KEY => Subject::Key(name),
                    other => {
                        return Err(Fault::Damaged(format!(
                            "something of the kind {other} is used"
                        )));
                    }
                };
                Ok((subject, usage(row, 2)?))
            })
        })
    }

    fn counted(&self) -> StoreResult<LogLength> {
        let length =
            self.read(|on| one(on, "SELECT length FROM counted", [], |row| number(row, 0)));
        Ok(LogLength::new(length?.unwrap_or(0)))
    }

    fn sourcing_of(&self, signer: &KeyId) -> StoreResult<u64> {
        let sql = "SELECT count(*) FROM pending WHERE signer = ?1 AND state = 0";
        Ok(self.read(|on| one(on, sql, [signer.as_str()], |row| number(row, 0)))?.unwrap_or(0))
    }

    fn unnamed_until(&self, second: u64, limit: usize) -> StoreResult<Vec<Digest>> {
        let sql = "SELECT content FROM unnamed WHERE seconds <= ?1
                   ORDER BY seconds, content LIMIT ?2";
        self.read(|on| all(on, sql, params![bound(second), cut(limit)], |row| digest(row, 0)))
    }
}

/// Keeps what a batch says of the accounts. Content that is fresh came with the batch and was never
/// without a name.
pub(crate) fn keep(on: &Connection, batch: &Batch, fresh: &HashSet<Digest>) -> Result<(), Fault> {
    batch.wanted.iter().try_for_each(|(content, seconds)| want(on, content, *seconds))?;
    batch.counted.iter().try_for_each(|counted| count(on, counted, fresh))?;
    for content in &batch.discarded {
        if run(on, "DELETE FROM unnamed WHERE content = ?1", [content.as_bytes()])? > 0 {
            run(on, "DELETE FROM contents WHERE digest = ?1", [content.as_bytes()])?;
        }
    }
    Ok(())
}

/// Content has come that no record names yet.
pub(crate) fn unname(on: &Connection, content: &ContentArrived) -> Result<(), Fault> {
    let sql = "INSERT OR REPLACE INTO unnamed (content, seconds) VALUES (?1, ?2)";
    run(on, sql, params![content.digest.as_bytes(), written(content.arrived_seconds)?]).map(drop)
}

/// Content that no record names is wanted, though.
pub(crate) fn want(on: &Connection, content: &Digest, seconds: u64) -> Result<(), Fault> {
    let sql = "UPDATE unnamed SET seconds = ?2 WHERE content = ?1";
    run(on, sql, params![content.as_bytes(), written(seconds)?]).map(drop)
}

fn count(on: &Connection, counted: &Counted, fresh: &HashSet<Digest>) -> Result<(), Fault> {
    for (subject, more) in &counted.added {
        let sql = "INSERT INTO usage (kind, name, packages, releases, bytes)
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO UPDATE
                   SET packages = packages + excluded.packages,
                       releases = releases + excluded.releases, bytes = bytes + excluded.bytes";
        let Usage { packages, releases, bytes } = *more;
        let (packages, releases) = (written(packages)?, written(releases)?);
        let params = params![kind_of(subject), subject.name(), packages, releases, written(bytes)?];
        run(on, sql, params)?;
    }
    for content in counted.named.iter().filter(|content| !fresh.contains(*content)) {
        run(on, "DELETE FROM unnamed WHERE content = ?1", [content.as_bytes()])?;
    }
    run(on, "UPDATE counted SET length = ?1", [written(counted.until.get())?]).map(drop)
}

const fn kind_of(subject: &Subject) -> i64 {
    match subject {
        Subject::Namespace(_) => kind::NAMESPACE,
        Subject::Key(_) => kind::KEY,
    }
}

fn usage(row: &rusqlite::Row<'_>, from: usize) -> Result<Usage, Fault> {
    Ok(Usage {
        packages: number(row, from)?,
        releases: number(row, from + 1)?,
        bytes: number(row, from + 2)?,
    })
}
