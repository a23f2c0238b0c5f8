//! What anybody may ask a registry. Everything here blocks, and reads what was committed.

mod dependencies;
mod proofs;
mod transcript;
mod trees;

use wargate_crypto::{AnyDigest, Digest, KeyId};
use wargate_protocol::{
    Envelope, LogId, LogKind, LogLeaf, LogLength, LogState, Namespace, NamespaceState, Operator,
    OperatorPermission, Package, PackageName, RecordId, RegistryIndex, SignedCheckpoint,
};

use crate::error::ReadError;
use crate::limits::{LOGS_PER_REQUEST_MAX, PAGE_BYTES_MAX};
use crate::registry::Registry;
use crate::sequencer::RecordStatus;
use crate::store::{
    Committed, LogQuery, LoggedRecord, PendingState, Store, StoreError, StoreResult,
};
use crate::view;

pub use self::dependencies::{DependenciesPage, DependentsPage, ListedRelease, SolvedPage};
pub use self::proofs::InclusionProofs;
pub use self::transcript::{TranscriptPage, TranscriptRequest};

/// A request for records of logs (specification 12.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogsRequest {
    /// The length of some checkpoint.
    pub length: LogLength,
    /// Most records of each log.
    pub limit: usize,
    /// The last operator record that is known: its fetch token, which is its id.
    pub operator: Option<String>,
    /// Package logs, each with the last record that is known.
    pub packages: Vec<(LogId, Option<String>)>,
}

/// Records of logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsPage {
    /// Whether to ask again with newer tokens.
    pub more: bool,
    /// Records of the operator log.
    pub operator: Vec<LoggedRecord>,
    /// Records of package logs, in the order asked. A log for which there was no room is left out;
    /// [`Self::more`] is set then.
    pub packages: Vec<(LogId, Vec<LoggedRecord>)>,
}

/// Room for records in one answer.
struct Room {
    bytes: usize,
    full: bool,
}

impl Registry {
    /// Records of logs below a checkpoint's length.
    ///
    /// # Errors
    /// [`ReadError::CheckpointNotFound`], [`ReadError::LogNotFound`] for a log that has no record
    /// below the length and no token (specification 12.3), [`ReadError::FetchTokenNotFound`].
    pub fn fetch_logs(&self, request: &LogsRequest) -> Result<LogsPage, ReadError> {
        let LogsRequest { length, limit, operator, packages } = request;
        if packages.len() > LOGS_PER_REQUEST_MAX {
            return Err(ReadError::BadRequest(format!(
                "{} logs were asked for, but at most {LOGS_PER_REQUEST_MAX} can be at once",
                packages.len()
            )));
        }
        let operator_log = LogId::operator();
        // Most clients know all that the operator has recorded, and then nothing needs to be read.
        let operator = operator.as_deref();
        let knows_all = operator == Some(self.newest().operator_head.to_string().as_str());
        let after = if knows_all { None } else { self.token(&operator_log, operator)? };
        self.committed(*length)?;
        let mut room = Room { bytes: PAGE_BYTES_MAX, full: false };
        let mut page = LogsPage::default();
        if !knows_all {
            page.operator = self.log_page(&operator_log, after, *length, *limit, &mut room)?;
            page.more = page.operator.len() == *limit;
        }
        for (log, token) in packages {
            if *log == operator_log {
                return Err(ReadError::LogNotFound(*log));
            }
            let after = self.token(log, token.as_deref())?;
            if room.full {
                continue;
            }
            let records = self.log_page(log, after, *length, *limit, &mut room)?;
            if records.is_empty() && after.is_none() && !room.full {
                return Err(ReadError::LogNotFound(*log));
            }
            page.more |= records.len() == *limit;
            if !(records.is_empty() && room.full) {
                page.packages.push((*log, records));
            }
        }
        page.more |= room.full;
        Ok(page)
    }

    /// Records of one log, as many as there is room for, but at least one of all logs together.
    fn log_page(
        &self,
        log: &LogId,
        after: Option<RegistryIndex>,
        below: LogLength,
        limit: usize,
        room: &mut Room,
    ) -> Result<Vec<LoggedRecord>, ReadError> {
        /// Records that are read at once: what is read and not used is bounded by this.
        const CHUNK: usize = 32;
        let (mut page, mut after) = (Vec::new(), after);
        while page.len() < limit && !room.full {
            let wanted = CHUNK.min(limit - page.len());
            let chunk = self.store().log_records(log, after, below, wanted)?;
            let last = chunk.len() < wanted;
            for record in chunk {
                let bytes = record.envelope.content_bytes().len() + 256;
                if bytes > room.bytes && room.bytes < PAGE_BYTES_MAX {
                    room.full = true;
                    break;
                }
                room.bytes = room.bytes.saturating_sub(bytes);
                after = Some(record.index);
                page.push(record);
            }
            if last {
                break;
            }
        }
        Ok(page)
    }

    /// The position that a fetch token stands for. It is the record's id, as the reference has it.
    fn token(&self, log: &LogId, token: Option<&str>) -> Result<Option<RegistryIndex>, ReadError> {
        let Some(token) = token else { return Ok(None) };
        let unknown = || ReadError::FetchTokenNotFound(token.to_owned());
        let record: RecordId = token.parse().map_err(|_| unknown())?;
        let index = self.store().record_index(log, &record)?;
        index.map(Some).ok_or_else(unknown)
    }

    /// The commit of exactly this length.
    pub(crate) fn committed(&self, length: LogLength) -> Result<Committed, ReadError> {
        let newest = self.newest();
        if newest.committed.length() == length {
            return Ok(newest.committed);
        }
        let found = if length < newest.committed.length() {
            self.store().commit_of_length(length)?
        } else {
            None
        };
        found.ok_or(ReadError::CheckpointNotFound(length))
    }

    /// The names of packages by log id, in the order asked.
    ///
    /// # Errors
    /// [`ReadError::LogNotFound`] for the first log that is not there.
    pub fn names(&self, logs: &[LogId]) -> Result<Vec<Option<PackageName>>, ReadError> {
        let logs = logs.iter().take(LOGS_PER_REQUEST_MAX);
        let queries: Vec<_> = logs.map(|log| LogQuery::of_head(*log)).collect();
        let rows = self.store().log_rows(&queries)?;
        let name = |(query, rows): (&LogQuery, crate::store::LogRows)| {
            rows.head.ok_or(ReadError::LogNotFound(query.log)).map(|_| rows.name)
        };
        queries.iter().zip(rows).map(name).collect()
    }

    /// Whether a namespace is defined here, or imported; `None` if neither.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn namespace(&self, namespace: &Namespace) -> Result<Option<NamespaceState>, ReadError> {
        let items = vec![namespace.as_str().to_owned()];
        let query = LogQuery { items, ..LogQuery::of_head(LogId::operator()) };
        let rows = self.store().log_rows(&[query])?;
        let item = rows.into_iter().next().and_then(|rows| rows.items.into_iter().next());
        Ok(item.map(|(_, state)| view::item_state::<Operator>(&state)).transpose()?)
    }

    /// How far a record is; `None` if it was never submitted to the log.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn record_status(
        &self,
        log: &LogId,
        record: &RecordId,
    ) -> Result<Option<RecordStatus>, ReadError> {
        let status = record_status(self.store(), log, record)?;
        let length = self.newest().committed.length();
        Ok(status.map(|status| match status {
            // Committed, and not yet shown to anybody.
            RecordStatus::Published { index } if !length.contains(index) => {
                RecordStatus::Processing
            }
            status => status,
        }))
    }

    /// Whether a log has records. One whose records all wait is not there yet.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn knows_log(&self, log: &LogId) -> Result<bool, ReadError> {
        let rows = self.store().log_rows(&[LogQuery::of_head(*log)])?;
        Ok(rows.first().is_some_and(|rows| rows.head.is_some()))
    }

    /// The size of content, and the URL that it has elsewhere if it is only referred to; `None` if it is
    /// not here.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn content_place(
        &self,
        content: &AnyDigest,
    ) -> Result<Option<(u64, Option<String>)>, ReadError> {
        let Ok(digest) = Digest::try_from(content) else { return Ok(None) };
        Ok(self.store().content(&digest)?.map(|row| (row.size, row.place.url().cloned())))
    }

    /// Leaves of the registry log from a position on, at most `limit`, none behind the newest
    /// checkpoint.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn leaves(&self, from: RegistryIndex, limit: usize) -> Result<Vec<LogLeaf>, ReadError> {
        let length = self.newest().committed.length().get();
        let until = from.get().saturating_add(limit as u64).min(length);
        let indices: Vec<_> = (from.get()..until).map(RegistryIndex::new).collect();
        let leaves = self.store().leaves(&indices)?;
        let missing = || StoreError::Damaged("a leaf of the log is missing".into());
        Ok(leaves.into_iter().map(|leaf| leaf.ok_or_else(missing)).collect::<Result<_, _>>()?)
    }

    /// Whether the roots of a checkpoint are ours, and whether its signature over what it says is by
    /// a key that may sign checkpoints (specification 12.8; 20.3, N10).
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn verify_checkpoint(
        &self,
        checkpoint: &SignedCheckpoint,
    ) -> Result<(bool, bool), ReadError> {
        let contents = checkpoint.contents.checkpoint;
        let ours = match self.committed(contents.log_length) {
            Ok(committed) => committed.checkpoint == contents,
            Err(ReadError::CheckpointNotFound(_)) => false,
            Err(error) => return Err(error),
        };
        Ok((ours, self.signed_by_operator(checkpoint)?))
    }

    fn signed_by_operator(&self, checkpoint: &SignedCheckpoint) -> Result<bool, ReadError> {
        let key = &checkpoint.key_id;
        let keys = vec![key.clone()];
        let query =
            LogQuery { permissions: keys.clone(), keys, ..LogQuery::of_head(LogId::operator()) };
        let rows = self.store().log_rows(&[query])?;
        let Some(rows) = rows.first() else { return Ok(false) };
        let Some(public) = rows.keys.first() else { return Ok(false) };
        if checkpoint.verify_signature(public).is_err() {
            return Ok(false);
        }
        let held = rows.permissions.iter().find(|(holder, _)| holder == key);
        let held = held.map(|(_, names)| view::permissions::<Operator>(names)).transpose()?;
        if held.is_some_and(|held| held.contains(OperatorPermission::Commit)) {
            return Ok(true);
        }
        // It was taken from the key since; whether the key had it then, only the log tells.
        self.held_commit_at(key, checkpoint.contents.checkpoint.log_length)
    }

    fn held_commit_at(&self, key: &KeyId, length: LogLength) -> Result<bool, ReadError> {
        let state = self.operator_state_at(length)?;
        let held = state.permissions().get(key);
        Ok(held.is_some_and(|held| held.contains(OperatorPermission::Commit)))
    }

    /// The state of the operator log at the newest checkpoint, replayed.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn operator_state(&self) -> Result<LogState<Operator>, ReadError> {
        self.operator_state_at(self.newest().committed.length())
    }

    fn operator_state_at(&self, length: LogLength) -> Result<LogState<Operator>, ReadError> {
        self.log_state_at(&LogId::operator(), length)
    }

    /// The state of a package's log at the newest checkpoint, replayed; that of an empty log if there is
    /// no such package.
    ///
    /// # Errors
    /// [`ReadError::Store`]
    pub fn package_state(&self, name: &PackageName) -> Result<LogState<Package>, ReadError> {
        self.log_state_at(&LogId::package(name), self.newest().committed.length())
    }

    fn log_state_at<K: LogKind>(
        &self,
        log: &LogId,
        length: LogLength,
    ) -> Result<LogState<K>, ReadError> {
        let mut state = LogState::<K>::new();
        let mut after = None;
        loop {
            let records = self.store().log_records(log, after, length, 100)?;
            let Some(last) = records.last() else { break };
            after = Some(last.index);
            for record in records {
                let damaged = |why: String| StoreError::Damaged(why);
                let envelope = Envelope::<K>::decode(record.envelope)
                    .map_err(|error| damaged(error.to_string()))?;
                state.append(&envelope).map_err(|error| damaged(error.to_string()))?;
            }
        }
        Ok(state)
    }
}

/// How far a record is in a store. What is pending is looked at first: a record moves from there into
/// the log, and must not be missed on its way.
pub(crate) fn record_status(
    store: &dyn Store,
    log: &LogId,
    record: &RecordId,
) -> StoreResult<Option<RecordStatus>> {
    if let Some(pending) = store.pending(log, record)? {
        return Ok(Some(match pending.state {
            PendingState::Sourcing(missing) => RecordStatus::Sourcing(missing),
            PendingState::Ready => RecordStatus::Processing,
            PendingState::Rejected { reason } => RecordStatus::Rejected { reason },
        }));
    }
    let index = store.record_index(log, record)?;
    Ok(index.map(|index| RecordStatus::Published { index }))
}
