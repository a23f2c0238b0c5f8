//! One attempt: asking, and handing the answers to the verifier.

use futures_util::future::{self, Either};
use futures_util::stream::{FuturesOrdered, StreamExt};
use wargate_api::OrderedMap;
use wargate_api::fetch::{
    FetchError, FetchLogsRequest, FetchLogsResponse, FetchToken, FetchTranscriptRequest,
    FetchTranscriptResponse, LIMIT_MAX, PublishedRecord,
};
use wargate_api::proof::{ConsistencyRequest, InclusionRequest, ProofError};
use wargate_protocol::verify::{ConsistencyBytes, ProofBytes, Session, Unproven};
use wargate_protocol::{LogId, LogLength, SignedCheckpoint};

use super::{Sync, SyncError};
use crate::error::Error;
use crate::limits::{FETCH_TOKEN_BYTES_MAX, PAGES_MAX, WARNING_CHARS_MAX, WARNINGS_MAX};
use crate::remote::CallError;
use crate::seams::Event;
use crate::text::tame_to;
use crate::trust::Known;

/// What a session begins with.
struct Opening {
    checkpoint: SignedCheckpoint,
    first: FetchLogsResponse,
    proofs: Option<ProofBytes>,
}

/// A session under way, and where its logs go on.
struct Course {
    session: Session,
    tokens: OrderedMap<LogId, Option<FetchToken>>,
    operator: Option<FetchToken>,
    records: u64,
}

impl Sync<'_> {
    /// Asks for everything, and verifies it.
    pub(super) async fn verify(&self, before: &Known, logs: &[LogId]) -> Result<Known, SyncError> {
        let (registry, observer) = (self.remote.domain(), &self.remote.exchange().observer);
        observer.event(Event::Updating { registry, packages: logs.len() });
        let opening = self.open(before, logs).await?;
        Box::pin(self.follow(before, logs, opening)).await
    }

    /// Verifies a checkpoint that is not the registry's answer, with what the registry says at its length.
    pub(super) async fn verify_offered(
        &self,
        before: &Known,
        offered: SignedCheckpoint,
    ) -> Result<Known, SyncError> {
        let opening = self.open_with(before, &[], Ok(offered)).await?;
        Box::pin(self.follow(before, &[], opening)).await
    }

    async fn follow(
        &self,
        before: &Known,
        logs: &[LogId],
        opening: Opening,
    ) -> Result<Known, SyncError> {
        let anchor = self.anchor(before)?;
        let known = before.verified.clone();
        let mut course = Course {
            session: Session::new(anchor, known, opening.checkpoint, logs.iter().copied()),
            tokens: tokens(before, logs),
            operator: before.token(&LogId::operator()).cloned(),
            records: 0,
        };
        let mut more = self.receive(&mut course, opening.first)?;
        let mut pages = 0;
        while let Some(logs) = more {
            pages += 1;
            if pages > PAGES_MAX {
                return Err(self.bad("there are more pages than are fetched").into());
            }
            let page = self.page(&course, &logs).await?;
            more = self.receive(&mut course, page)?;
        }
        let close = course.session.close();
        let unproven = close.map_err(|found| self.misbehaviour(found))?;
        let proofs = match opening.proofs {
            Some(proofs) if pages == 0 => proofs,
            _ => self.proofs(&unproven).await?,
        };
        let verified = unproven.prove(proofs).map_err(|found| self.misbehaviour(found))?;
        let mut now = Known { names: before.names.clone(), ..Known::default() };
        now.checkpoint = verified.checkpoint().cloned();
        now.verified = verified;
        let tokens = course.tokens.into_iter();
        now.tokens.extend(tokens.filter_map(|(log, token)| Some((log, token?))));
        now.tokens.extend(course.operator.map(|token| (LogId::operator(), token)));
        Ok(now)
    }

    /// Asks for a transcript; where that is not known to work, beside it for a checkpoint.
    async fn open(&self, before: &Known, logs: &[LogId]) -> Result<Opening, SyncError> {
        let request = FetchTranscriptRequest {
            operator: before.token(&LogId::operator()).cloned(),
            packages: tokens(before, logs),
            consistent_from: consistent_from(before),
        };
        if self.remote.has_transcripts() == Some(false) {
            let checkpoint = self.remote.checkpoint().await;
            return self.open_with(before, logs, checkpoint).await;
        }
        let transcript = Box::pin(self.remote.transcript(&request));
        if self.remote.has_transcripts() == Some(true) {
            return match transcript.await {
                Ok(transcript) => Ok(transcript.into()),
                Err(error) if is_unknown_token(&error) => self.open_afresh(logs).await,
                Err(error) => Err(self.refused(error)),
            };
        }
        // The checkpoint is asked for only where this has to wait.
        let checkpoint = Box::pin(self.remote.checkpoint());
        let (transcript, checkpoint) = match future::select(transcript, checkpoint).await {
            Either::Left((transcript, checkpoint)) => (transcript, Either::Left(checkpoint)),
            Either::Right((checkpoint, transcript)) => {
                (transcript.await, Either::Right(checkpoint))
            }
        };
        match transcript {
            Ok(transcript) => {
                self.remote.note_transcripts(true);
                Ok(transcript.into())
            }
            Err(error) if is_unknown_token(&error) => self.open_afresh(logs).await,
            Err(CallError::Failed(error)) if is_unsupported(&error) => {
                self.remote.note_transcripts(false);
                let checkpoint = match checkpoint {
                    Either::Left(pending) => pending.await,
                    Either::Right(done) => done,
                };
                self.open_with(before, logs, checkpoint).await
            }
            Err(error) => Err(self.refused(error)),
        }
    }

    /// Asks for the first page of records under a checkpoint.
    async fn open_with(
        &self,
        before: &Known,
        logs: &[LogId],
        checkpoint: Result<SignedCheckpoint, CallError<FetchError>>,
    ) -> Result<Opening, SyncError> {
        let checkpoint = checkpoint.map_err(|error| self.refused(error))?;
        let request = FetchLogsRequest {
            log_length: checkpoint.contents.checkpoint.log_length,
            limit: Some(LIMIT_MAX),
            operator: before.token(&LogId::operator()).cloned(),
            packages: tokens(before, logs),
        };
        let first = match self.remote.logs(&request).await {
            Err(error) if is_unknown_token(&error) => {
                let (operator, packages) = (None, tokens(&Known::default(), logs));
                self.remote.logs(&FetchLogsRequest { operator, packages, ..request }).await
            }
            first => first,
        };
        let first = first.map_err(|error| self.refused(error))?;
        Ok(Opening { checkpoint, first, proofs: None })
    }

    /// All records from the start: the registry does not know how far they are known. Those that are
    /// known are passed over.
    async fn open_afresh(&self, logs: &[LogId]) -> Result<Opening, SyncError> {
        let checkpoint = self.remote.checkpoint().await;
        self.open_with(&Known::default(), logs, checkpoint).await
    }

    async fn page(&self, course: &Course, logs: &[LogId]) -> Result<FetchLogsResponse, SyncError> {
        let next = |log: &LogId| (*log, course.tokens.get(log).cloned().flatten());
        let request = FetchLogsRequest {
            log_length: course.session.offered().log_length,
            limit: Some(LIMIT_MAX),
            operator: course.operator.clone(),
            packages: logs.iter().map(next).collect(),
        };
        self.remote.logs(&request).await.map_err(|error| self.refused(error))
    }

    /// Hands a page to the verifier. Returns the package logs to go on with, if there is more; the
    /// operator log comes with every page.
    fn receive(
        &self,
        course: &mut Course,
        page: FetchLogsResponse,
    ) -> Result<Option<Vec<LogId>>, Error> {
        self.warn(&page);
        let is_full = |records: &Vec<PublishedRecord>| records.len() >= usize::from(LIMIT_MAX);
        let operator_goes_on = is_full(&page.operator);
        let full = |(log, records): (&LogId, &Vec<_>)| is_full(records).then_some(*log);
        let rest: Vec<_> = page.packages.iter().filter_map(full).collect();
        if page.more && !operator_goes_on && rest.is_empty() {
            return Err(
                self.bad("it says that there is more, and no log has as many as were asked for")
            );
        }
        if let Some(token) = self.take(course, LogId::operator(), page.operator)? {
            course.operator = Some(token);
        }
        for (log, records) in page.packages {
            if let Some(token) = self.take(course, log, records)? {
                course.tokens.insert(log, Some(token));
            }
        }
        let (registry, records) = (self.remote.domain(), course.records);
        self.remote.exchange().observer.event(Event::Records { registry, records });
        Ok(page.more.then_some(rest))
    }

    /// Hands some records of a log to the verifier. Returns the last one's token.
    fn take(
        &self,
        course: &mut Course,
        log: LogId,
        records: Vec<PublishedRecord>,
    ) -> Result<Option<FetchToken>, Error> {
        let token = records.last().map(|last| last.fetch_token.clone());
        if token.as_ref().is_some_and(|token| token.0.len() > FETCH_TOKEN_BYTES_MAX) {
            return Err(self.bad("it has a fetch token that is too long"));
        }
        course.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        let placed = records.into_iter().map(|published| published.record);
        let received = course.session.receive(log, placed);
        received.map_err(|found| self.misbehaviour(found))?;
        Ok(token)
    }

    /// Asks for all proofs, side by side.
    async fn proofs(&self, unproven: &Unproven) -> Result<ProofBytes, Error> {
        let to = unproven.log_length();
        let request = InclusionRequest { log_length: to, leafs: unproven.leaves().collect() };
        let inclusion = self.remote.inclusion(&request);
        let consistency: FuturesOrdered<_> = unproven
            .consistent_from()
            .map(|from| async move {
                let answer = self.remote.consistency(&ConsistencyRequest { from, to }).await;
                answer.map(|answer| ConsistencyBytes { from, proof: answer.proof })
            })
            .collect();
        let (inclusion, consistency) =
            future::join(inclusion, consistency.collect::<Vec<_>>()).await;
        // A registry that refuses proves nothing; what it does not prove is what counts.
        let inclusion = Self::proven(inclusion)?;
        let mut proofs = ProofBytes::default();
        if let Some(inclusion) = inclusion {
            (proofs.log, proofs.map) = (inclusion.log, inclusion.map);
        }
        for proof in consistency {
            proofs.consistency.extend(Self::proven(proof)?);
        }
        Ok(proofs)
    }

    fn proven<A>(answer: Result<A, CallError<ProofError>>) -> Result<Option<A>, Error> {
        match answer {
            Ok(proof) => Ok(Some(proof)),
            Err(CallError::Failed(error)) => Err(*error),
            Err(CallError::Refused(_)) => Ok(None),
        }
    }

    fn warn(&self, page: &FetchLogsResponse) {
        for warning in page.warnings.iter().take(WARNINGS_MAX) {
            let said = tame_to(&warning.message, WARNING_CHARS_MAX);
            let message = format!("{} says: {said}", self.remote.domain());
            self.remote.exchange().observer.event(Event::Warning { message: &message });
        }
    }

    fn bad(&self, reason: &str) -> Error {
        Error::BadAnswer {
            registry: self.remote.domain().clone(),
            what: "the page of records",
            reason: reason.to_owned(),
        }
    }
}

fn tokens(known: &Known, logs: &[LogId]) -> OrderedMap<LogId, Option<FetchToken>> {
    logs.iter().map(|log| (*log, known.token(log).cloned())).collect()
}

/// The lengths that a registry has to show to be earlier states of its log.
fn consistent_from(before: &Known) -> Vec<LogLength> {
    let seen = before.checkpoint.iter().chain(&before.believed);
    let mut lengths: Vec<_> = seen.map(|seen| seen.contents.checkpoint.log_length).collect();
    lengths.retain(|length| *length != LogLength::EMPTY);
    lengths.dedup();
    lengths
}

fn is_unknown_token(error: &CallError<FetchError>) -> bool {
    matches!(error, CallError::Refused(refusal)
        if matches!(refusal.error, FetchError::FetchTokenNotFound(_)))
}

/// Whether an answer to a request for a transcript is that of a registry that knows none.
fn is_unsupported(error: &Error) -> bool {
    matches!(error, Error::Unavailable { status: 400 | 404 | 405 | 415 | 422, .. })
}

impl From<FetchTranscriptResponse> for Opening {
    fn from(transcript: FetchTranscriptResponse) -> Self {
        let FetchTranscriptResponse { checkpoint, logs, proofs } = transcript;
        Self { checkpoint, first: logs, proofs }
    }
}
