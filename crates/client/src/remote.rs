//! What a registry answers to each question of the protocol, as typed values. Nothing here is verified:
//! that is [`crate::sync`]'s.

mod call;
mod exchange;
mod pace;
mod retry;

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use wargate_api::content::{ContentError, ContentSource, ContentSourcesResponse};
use wargate_api::dependencies::{
    DependenciesError, DependenciesRequest, DependenciesResponse, DependentsResponse, SolveRequest,
    SolveResponse,
};
use wargate_api::fetch::{
    FetchError, FetchLogsRequest, FetchLogsResponse, FetchNamesRequest, FetchNamesResponse,
    FetchTranscriptRequest, FetchTranscriptResponse,
};
use wargate_api::ledger::{LedgerError, LedgerSourcesResponse};
use wargate_api::proof::{
    ConsistencyRequest, ConsistencyResponse, InclusionRequest, InclusionResponse, ProofError,
};
use wargate_api::publish::{PackageError, PackageRecord, PublishRecordRequest};
use wargate_api::well_known::WellKnown;
use wargate_api::{headers, paths};
use wargate_crypto::AnyDigest;
use wargate_protocol::{LogId, PackageName, RecordId, SignedCheckpoint};

pub(crate) use self::call::{CallError, refusal_of};
pub(crate) use self::exchange::{Exchange, Incoming, Outgoing, content_length};
pub(crate) use self::retry::{Retry, Telling};
use crate::error::Error;
use crate::limits::{
    DEPENDENCIES_ANSWER_BYTES_MAX, LARGE_ANSWER_BYTES_MAX, SMALL_ANSWER_BYTES_MAX,
};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::Asked;

/// One registry's API, at one URL.
#[derive(Clone)]
pub(crate) struct Remote {
    exchange: Exchange,
    /// What the user calls it.
    named: RegistryUrl,
    /// The base of the API's paths.
    base: RegistryUrl,
    /// Whose data it is, for errors.
    domain: Domain,
    /// Whether it answers with transcripts, once that is known.
    transcripts: Arc<OnceLock<bool>>,
}

impl Remote {
    /// The registry that the user calls `named`, with its API below `base`.
    pub(crate) fn new(exchange: Exchange, named: RegistryUrl, base: RegistryUrl) -> Self {
        let domain = named.domain();
        let transcripts = Arc::default();
        Self { exchange, named, base, domain, transcripts }
    }

    /// What the user calls the registry.
    pub(crate) const fn named(&self) -> &RegistryUrl {
        &self.named
    }

    /// Whether it answers with transcripts; `None` as long as that is not known.
    pub(crate) fn has_transcripts(&self) -> Option<bool> {
        self.transcripts.get().copied()
    }

    /// Notes whether it answers with transcripts.
    pub(crate) fn note_transcripts(&self, has: bool) {
        // Whoever comes second has found the same.
        let _ = self.transcripts.set(has);
    }

    /// The URL that is talked to.
    pub(crate) const fn base(&self) -> &RegistryUrl {
        &self.base
    }

    /// Who is to see a token.
    pub(crate) const fn asked(&self) -> Asked<'_> {
        Asked { named: &self.named, api: &self.base }
    }

    /// Whose data it is.
    pub(crate) const fn domain(&self) -> &Domain {
        &self.domain
    }

    pub(crate) const fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// The discovery document; `None` if there is none (specification 12.11).
    pub(crate) async fn well_known(&self) -> Result<Option<WellKnown>, Error> {
        self.discover().await
    }

    /// The newest checkpoint.
    pub(crate) async fn checkpoint(&self) -> Result<SignedCheckpoint, CallError<FetchError>> {
        let what = "the checkpoint";
        self.get(paths::FETCH_CHECKPOINT, what, SMALL_ANSWER_BYTES_MAX).await
    }

    /// Records.
    pub(crate) async fn logs(
        &self,
        request: &FetchLogsRequest,
    ) -> Result<FetchLogsResponse, CallError<FetchError>> {
        self.post(paths::FETCH_LOGS, request, "the records", LARGE_ANSWER_BYTES_MAX).await
    }

    /// Checkpoint, records and proofs at once. Registries of other makers do not know this and answer
    /// 404 or 405.
    pub(crate) async fn transcript(
        &self,
        request: &FetchTranscriptRequest,
    ) -> Result<FetchTranscriptResponse, CallError<FetchError>> {
        self.post(paths::FETCH_TRANSCRIPT, request, "the transcript", LARGE_ANSWER_BYTES_MAX).await
    }

    /// Names of packages.
    pub(crate) async fn names(
        &self,
        request: &FetchNamesRequest,
    ) -> Result<FetchNamesResponse, CallError<FetchError>> {
        self.post(paths::FETCH_NAMES, request, "the names", LARGE_ANSWER_BYTES_MAX).await
    }

    pub(crate) async fn inclusion(
        &self,
        request: &InclusionRequest,
    ) -> Result<InclusionResponse, CallError<ProofError>> {
        let what = "the proof of inclusion";
        self.post(paths::PROVE_INCLUSION, request, what, LARGE_ANSWER_BYTES_MAX).await
    }

    pub(crate) async fn consistency(
        &self,
        request: &ConsistencyRequest,
    ) -> Result<ConsistencyResponse, CallError<ProofError>> {
        let what = "the proof of consistency";
        self.post(paths::PROVE_CONSISTENCY, request, what, SMALL_ANSWER_BYTES_MAX).await
    }

    /// What packages depend on. Registries of other makers do not know this, nor what follows, and answer
    /// 404 or 405.
    pub(crate) async fn dependencies(
        &self,
        request: &DependenciesRequest,
    ) -> Result<DependenciesResponse, CallError<DependenciesError>> {
        let what = "what packages depend on";
        self.post(paths::DEPENDENCIES, request, what, DEPENDENCIES_ANSWER_BYTES_MAX).await
    }

    /// Releases that depend on a package, from a place on that an earlier answer named.
    pub(crate) async fn dependents(
        &self,
        package: &PackageName,
        after: Option<&str>,
    ) -> Result<DependentsResponse, CallError<DependenciesError>> {
        let mut path = paths::dependents(package);
        if let Some(after) = after {
            path.extend(["?after=", after]);
        }
        self.get(&path, "what depends on a package", LARGE_ANSWER_BYTES_MAX).await
    }

    /// Which releases answer imports, by the registry's own word.
    pub(crate) async fn solve(
        &self,
        request: &SolveRequest,
    ) -> Result<SolveResponse, CallError<DependenciesError>> {
        self.post(paths::SOLVE, request, "the solver's answer", LARGE_ANSWER_BYTES_MAX).await
    }

    /// Where the content of a digest is.
    pub(crate) async fn sources(
        &self,
        digest: &AnyDigest,
    ) -> Result<Vec<ContentSource>, CallError<ContentError>> {
        let path = paths::content_sources(digest);
        let mut answer: ContentSourcesResponse =
            self.get(&path, "the content's sources", SMALL_ANSWER_BYTES_MAX).await?;
        Ok(answer.content_sources.swap_remove(digest).unwrap_or_default())
    }

    /// Where the ledger is.
    pub(crate) async fn ledger(&self) -> Result<LedgerSourcesResponse, CallError<LedgerError>> {
        self.get(paths::LEDGER, "the ledger's sources", LARGE_ANSWER_BYTES_MAX).await
    }

    /// A part of the ledger, from a place that the registry named. A place elsewhere is not told who asks.
    pub(crate) async fn ledger_part(&self, url: &str, bytes_max: usize) -> Result<Bytes, Error> {
        let what = "a part of the ledger";
        let url = crate::content::destination(url, &self.base)
            .map_err(|reason| self.bad_answer(what, reason))?;
        let mut request = if url.origin() == self.base.as_url().origin() {
            self.request(Method::GET, url.as_str(), None)?
        } else {
            Outgoing { method: Method::GET, url, headers: HeaderMap::new(), body: None }
        };
        request.headers.insert(header::ACCEPT, HeaderValue::from_static(headers::PACKED_LEDGER));
        let mut retry = Retry::new(self.exchange.attempts);
        loop {
            let error = match self.exchange.send(request.clone()).await {
                Ok(answer) if answer.status.is_success() => match answer.collect(bytes_max).await {
                    Ok(body) => return Ok(body),
                    Err(error) => error.of(&self.domain, what),
                },
                Ok(answer) => refusal_of(self, answer.status, &answer.headers, None),
                Err(error) => error.of(&self.domain, what),
            };
            if !retry.again(&self.exchange, &error).await {
                return Err(error);
            }
        }
    }

    /// Sends a record. Not tried again: whether it arrived is asked with [`Self::record`].
    pub(crate) async fn publish(
        &self,
        log: &LogId,
        request: &PublishRecordRequest,
    ) -> Result<PackageRecord, CallError<PackageError>> {
        let body = self.encode(request, "the record")?;
        let request = self.request(Method::POST, &paths::publish(log), Some(body))?;
        self.once(request, "the record's state", SMALL_ANSWER_BYTES_MAX).await
    }

    /// The state of a record.
    pub(crate) async fn record(
        &self,
        log: &LogId,
        record: &RecordId,
    ) -> Result<PackageRecord, CallError<PackageError>> {
        let path = paths::package_record(log, record);
        self.get(&path, "the record's state", SMALL_ANSWER_BYTES_MAX).await
    }
}

/// Where a registry's answer to a log that it does not have leads: the header's namespace and domain.
pub(crate) fn hint(refusal: &http::HeaderMap) -> Option<(String, String)> {
    let value = refusal.get(headers::REGISTRY_HINT)?;
    let value = value.to_str().ok().filter(|text| text.len() <= crate::limits::HEADER_BYTES_MAX)?;
    let (namespace, domain) = headers::parse_registry_hint(value)?;
    Some((namespace.to_owned(), domain.to_owned()))
}
