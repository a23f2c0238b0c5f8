//! The ledger: all leaves of the registry's log, a part at a time (specification 12.9).

use std::ops::Range;

use futures_util::{Stream, StreamExt, stream};
use wargate_protocol::ledger::{LEDGER_RECORD_BYTES, unpack};
use wargate_protocol::{LogLeaf, LogLength};

use super::finding::{Finding, Flaw};
use crate::error::Error;
use crate::limits::{AUDIT_RECORDS_MAX, LARGE_ANSWER_BYTES_MAX};
use crate::remote::{CallError, Remote};

/// Parts that are fetched at a time.
const PARTS_AT_ONCE: usize = 4;

/// A place with some of the leaves.
struct Part {
    /// The positions that it has.
    has: Range<u64>,
    url: String,
}

/// The leaves with these positions, in order, a part at a time.
pub(crate) async fn fetch(
    remote: &Remote,
    wanted: Range<u64>,
) -> Result<impl Stream<Item = Result<Vec<LogLeaf>, Flaw>>, Flaw> {
    let parts = parts(remote, &wanted).await?;
    let fetch = move |part: Part| {
        let wanted = wanted.clone();
        async move { fetch_part(remote, &part, &wanted).await }
    };
    Ok(stream::iter(parts).map(fetch).buffered(PARTS_AT_ONCE))
}

/// The places that have what is wanted. They follow one another without a gap.
async fn parts(remote: &Remote, wanted: &Range<u64>) -> Result<Vec<Part>, Flaw> {
    if wanted.end > AUDIT_RECORDS_MAX {
        let (registry, what) = (remote.domain().clone(), "the checkpoint");
        let reason = format!("more than {AUDIT_RECORDS_MAX} records are not verified here");
        return Err(Error::BadAnswer { registry, what, reason }.into());
    }
    let answer = match remote.ledger().await {
        Ok(answer) => answer,
        Err(CallError::Failed(error)) => return Err(Flaw::Failed(error)),
        Err(CallError::Refused(refusal)) => {
            let why = crate::text::tame(&refusal.error.to_string());
            return Err(Finding::Ledger(format!("is not shown: {why}")).into());
        }
    };
    let mut parts: Vec<Part> = Vec::new();
    let mut next = wanted.start;
    for source in answer.sources {
        let (first, last) = (source.first_registry_index.get(), source.last_registry_index.get());
        let has = first..last.saturating_add(1);
        if next >= wanted.end || has.end <= next {
            continue;
        }
        if has.start > next {
            return Err(Finding::Ledger(format!("leaves record {next} out")).into());
        }
        if has.end - has.start > (LARGE_ANSWER_BYTES_MAX / LEDGER_RECORD_BYTES / 2) as u64 {
            return Err(Finding::Ledger("has a part that is too large".into()).into());
        }
        next = has.end;
        parts.push(Part { has, url: source.url });
    }
    if next < wanted.end {
        let length = LogLength::new(wanted.end);
        let what = format!("ends before record {next}, and {length} records are signed");
        return Err(Finding::Ledger(what).into());
    }
    Ok(parts)
}

async fn fetch_part(
    remote: &Remote,
    part: &Part,
    wanted: &Range<u64>,
) -> Result<Vec<LogLeaf>, Flaw> {
    let body = remote.ledger_part(&part.url, LARGE_ANSWER_BYTES_MAX).await?;
    // What is behind the last record of a part does not count (specification 20.2, S11).
    let (from, to) = (wanted.start.max(part.has.start), wanted.end.min(part.has.end));
    let bytes = |index: u64| {
        let records = usize::try_from(index - part.has.start).ok()?;
        records.checked_mul(LEDGER_RECORD_BYTES)
    };
    let range = bytes(from).zip(bytes(to)).map(|(from, to)| from..to);
    let Some(bytes) = range.and_then(|range| body.get(range)) else {
        let what = format!("has fewer records from {} on than it says", part.has.start);
        return Err(Finding::Ledger(what).into());
    };
    let leaves = unpack(bytes).map_err(|error| Finding::Ledger(error.to_string()))?;
    Ok(leaves.collect())
}
