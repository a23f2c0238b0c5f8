//! Records and proofs in one answer: what a client would ask for in three to four requests.

use wargate_protocol::verify::{ConsistencyBytes, ProofBytes};
use wargate_protocol::{LogId, LogLength, RegistryIndex, SignedCheckpoint};

use super::{LogsPage, LogsRequest};
use crate::error::ReadError;
use crate::limits::{CONSISTENCIES_PER_REQUEST_MAX, LEAVES_PER_REQUEST_MAX};
use crate::registry::Registry;
use crate::store::{LoggedRecord, StoreError};

/// A request for the newest checkpoint, records, and proofs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscriptRequest {
    /// Most records of each log.
    pub limit: usize,
    /// The last operator record that is known: its fetch token, which is its id.
    pub operator: Option<String>,
    /// Package logs, each with the last record that is known.
    pub packages: Vec<(LogId, Option<String>)>,
    /// Lengths from which consistency is to be proven. Those that are 0, or not below the
    /// checkpoint's, are passed over.
    pub consistent_from: Vec<LogLength>,
}

/// A checkpoint, and what the registry has as of its length.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscriptPage {
    /// The newest checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// The records behind the tokens.
    pub logs: LogsPage,
    /// The inclusion of the newest record of the operator log and then of each package log in the
    /// order asked, and the consistency; `None` if there are more records.
    pub proofs: Option<ProofBytes>,
}

impl Registry {
    /// The newest checkpoint, the records that [`Self::fetch_logs`] has at its length, and if there
    /// are no more of them, the proofs that [`Self::prove_inclusion`] and
    /// [`Self::prove_consistency`] have for them.
    ///
    /// # Errors
    /// Those of the three. [`ReadError::BadRequest`] also for more than
    /// [`LEAVES_PER_REQUEST_MAX`] logs, the operator's being one of them, or more than
    /// [`CONSISTENCIES_PER_REQUEST_MAX`] lengths.
    pub fn fetch_transcript(
        &self,
        request: &TranscriptRequest,
    ) -> Result<TranscriptPage, ReadError> {
        let TranscriptRequest { limit, operator, packages, consistent_from } = request;
        if packages.len() >= LEAVES_PER_REQUEST_MAX {
            return Err(ReadError::BadRequest(format!(
                "{} logs were asked for, but at most {} can be at once",
                packages.len(),
                LEAVES_PER_REQUEST_MAX - 1
            )));
        }
        if consistent_from.len() > CONSISTENCIES_PER_REQUEST_MAX {
            return Err(ReadError::BadRequest(format!(
                "consistency was asked for from {} lengths, but at most \
                 {CONSISTENCIES_PER_REQUEST_MAX} can be at once",
                consistent_from.len()
            )));
        }
        // The one look at what is newest: the rest is as of its length.
        let newest = self.newest();
        let (length, checkpoint) = (newest.committed.length(), newest.checkpoint.clone());
        let asked = LogsRequest {
            length,
            limit: *limit,
            operator: operator.clone(),
            packages: packages.clone(),
        };
        let logs = self.fetch_logs(&asked)?;
        let proofs = if logs.more {
            None
        } else {
            let heads = self.heads(&asked, &logs)?;
            Some(self.proofs(length, &heads, consistent_from)?)
        };
        Ok(TranscriptPage { checkpoint, logs, proofs })
    }

    /// The position of the newest record of each log, of which no records are left out of `page`.
    fn heads(&self, asked: &LogsRequest, page: &LogsPage) -> Result<Vec<RegistryIndex>, ReadError> {
        let operator = LogId::operator();
        let first = (&operator, asked.operator.as_deref(), page.operator.as_slice());
        let packages = asked.packages.iter().zip(&page.packages);
        let packages = packages
            .map(|((log, token), (_, records))| (log, token.as_deref(), records.as_slice()));
        std::iter::once(first)
            .chain(packages)
            .map(|(log, token, records)| self.head(log, token, records, asked.length))
            .collect()
    }

    /// The newest record of a log below a length: the last one sent, else the one that is known.
    fn head(
        &self,
        log: &LogId,
        token: Option<&str>,
        sent: &[LoggedRecord],
        below: LogLength,
    ) -> Result<RegistryIndex, ReadError> {
        /// Records that are read at once.
        const CHUNK: usize = 100;
        if let Some(last) = sent.last() {
            return Ok(last.index);
        }
        if let Some(known) = self.token(log, token)?.filter(|known| below.contains(*known)) {
            return Ok(known);
        }
        // Who asks knows a record that was committed a moment ago, and whose checkpoint is being
        // signed. The one before it is not known by name, so it is looked for.
        let mut head = None;
        loop {
            let records = self.store().log_records(log, head, below, CHUNK)?;
            head = records.last().map(|last| last.index).or(head);
            if records.len() < CHUNK {
                break;
            }
        }
        let damaged = || StoreError::Damaged(format!("the log {log} has no first record"));
        match head {
            Some(head) => Ok(head),
            None if *log == LogId::operator() => Err(damaged().into()),
            None => Err(ReadError::LogNotFound(*log)),
        }
    }

    fn proofs(
        &self,
        length: LogLength,
        heads: &[RegistryIndex],
        consistent_from: &[LogLength],
    ) -> Result<ProofBytes, ReadError> {
        let inclusion = self.prove_inclusion(length, heads)?;
        let earlier = LogLength::new(1)..length;
        let wanted = consistent_from.iter().filter(|from| earlier.contains(from));
        let consistency = wanted.map(|from| {
            let proof = self.prove_consistency(*from, length)?;
            Ok::<_, ReadError>(ConsistencyBytes { from: *from, proof })
        });
        let consistency = consistency.collect::<Result<_, _>>()?;
        Ok(ProofBytes { log: inclusion.log, map: inclusion.map, consistency })
    }
}
