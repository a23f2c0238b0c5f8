//! Each log by itself: every record fits onto the one before it, and the state that is kept is the
//! one that follows.

use wargate_crypto::Digest;
use wargate_protocol::{
    Envelope, LogId, LogKind, LogState, Operator, Package, PackageEnvelope, PackageName,
    RegistryIndex, ReleaseState,
};

use super::accounts::Accounts;
use super::{CHUNK, Report};
use crate::store::{Committed, LogRow, LoggedRecord, Store, StoreResult};
use crate::view::rows_of;

/// Replays every log.
pub(super) fn check(store: &dyn Store, newest: &Committed, report: &mut Report) -> StoreResult<()> {
    let mut after = None;
    let mut records = 0;
    let mut accounts = Accounts::open(store)?;
    loop {
        let logs = store.logs(after.as_ref(), CHUNK)?;
        let Some(last) = logs.last() else { break };
        after = Some(last.log);
        for row in &logs {
            let (found, wrong) = log(store, newest, row, &mut accounts, report)?;
            records += found;
            report.verdict("logs", wrong);
        }
    }
    let expected = newest.length().get();
    let lost = (records != expected)
        .then(|| format!("the logs have {records} records, the registry log has {expected}"));
    report.verdict("log index", lost);
    accounts.check(store, newest, report)?;
    pending(store, report)
}

fn log(
    store: &dyn Store,
    newest: &Committed,
    row: &LogRow,
    accounts: &mut Accounts,
    report: &mut Report,
) -> StoreResult<(u64, Option<String>)> {
    let misnamed = match &row.name {
        Some(name) => LogId::package(name) != row.log,
        None => row.log != LogId::operator(),
    };
    if misnamed {
        return Ok((0, Some(format!("{} has the name of another log", row.log))));
    }
    if row.log == LogId::operator() {
        let (records, state) = replay::<Operator>(store, newest, row.log, |_| Ok(()), report)?;
        return Ok((records, compare(store, row, None, &state)?));
    }
    let count = |record: &PackageEnvelope| match &row.name {
        Some(name) => accounts.add(store, name, record),
        None => Ok(()),
    };
    let (records, state) = replay::<Package>(store, newest, row.log, count, report)?;
    for release in state.releases() {
        if let ReleaseState::Released { content } = &release.state
            && let Ok(digest) = Digest::try_from(content)
        {
            let missing = store.content(&digest)?.is_none();
            let name = row.name.as_ref().map_or("", PackageName::as_str);
            let missing = missing.then(|| format!("{name}@{} has no content", release.version));
            report.verdict("releases", missing);
        }
    }
    Ok((records, compare(store, row, row.name.as_ref(), &state)?))
}

/// Every record of a log, with its signature.
fn replay<K: LogKind>(
    store: &dyn Store,
    newest: &Committed,
    log: LogId,
    mut count: impl FnMut(&Envelope<K>) -> StoreResult<()>,
    report: &mut Report,
) -> StoreResult<(u64, LogState<K>)> {
    let (mut state, mut after, mut records) = (LogState::<K>::new(), None, 0);
    loop {
        let page = store.log_records(&log, after, newest.length(), CHUNK)?;
        let Some(last) = page.last() else { return Ok((records, state)) };
        after = Some(last.index);
        for record in page {
            records += 1;
            let index = record.index;
            let wrong = append(store, log, record, &mut state, &mut count)?;
            report.verdict("signatures", wrong.map(|why| format!("record {index}: {why}")));
        }
    }
}

fn append<K: LogKind>(
    store: &dyn Store,
    log: LogId,
    record: LoggedRecord,
    state: &mut LogState<K>,
    count: &mut impl FnMut(&Envelope<K>) -> StoreResult<()>,
) -> StoreResult<Option<String>> {
    let LoggedRecord { index, leaf, envelope } = record;
    let envelope = match Envelope::<K>::decode(envelope) {
        Ok(envelope) => envelope,
        Err(error) => return Ok(Some(error.to_string())),
    };
    count(&envelope)?;
    if leaf.log_id != log || leaf.record_id != envelope.record_id() {
        return Ok(Some("its leaf is that of another record".into()));
    }
    let found: Option<RegistryIndex> = store.record_index(&log, &leaf.record_id)?;
    if found != Some(index) {
        return Ok(Some("it cannot be found by its id".into()));
    }
    Ok(state.append(&envelope).err().map(|invalid| invalid.to_string()))
}

/// The rows of the state, against those that follow from the records.
fn compare<K: LogKind>(
    store: &dyn Store,
    row: &LogRow,
    name: Option<&PackageName>,
    state: &LogState<K>,
) -> StoreResult<Option<String>> {
    let expected = rows_of(name.cloned(), state);
    let mut found = store.all_log_rows(&row.log)?;
    found.items.sort_unstable();
    let what = if Some(row.head) != state.head() || found.head != expected.head {
        "another head"
    } else if found.keys != expected.keys {
        "other keys"
    } else if found.permissions != expected.permissions {
        "other permissions"
    } else if found.items != expected.items {
        "other releases or namespaces"
    } else {
        return Ok(None);
    };
    let name = name.map_or("operator", PackageName::as_str);
    Ok(Some(format!("{name} has {what} than its records say")))
}

/// What waits is not in the log.
fn pending(store: &dyn Store, report: &mut Report) -> StoreResult<()> {
    let mut after = 0;
    for pending in store.ready(CHUNK)? {
        after += 1;
        let logged = store.record_index(&pending.log, &pending.record)?;
        let wrong = logged.map(|index| format!("{} is in the log at {index}", pending.record));
        report.verdict("pending records", wrong);
    }
    if after > 0 {
        report.notes.push(format!("{after} records will be sequenced when the registry starts"));
    }
    Ok(())
}
