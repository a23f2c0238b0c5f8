//! A client that does nothing but verify.

use std::collections::HashMap;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::ServiceExt;
use wargate_api::content::{ContentSource, ContentSourcesResponse};
use wargate_api::fetch::FetchError;
use wargate_api::fetch::{
    FetchLogsResponse, FetchToken, FetchTranscriptRequest, FetchTranscriptResponse, LIMIT_MAX,
    SignedCheckpoint,
};
use wargate_api::proof::{ConsistencyResponse, InclusionResponse};
use wargate_crypto::Digest;
use wargate_protocol::verify::{
    ConsistencyBytes, Culprit, Evidence, Fault, Misbehaviour, ProofBytes, Session, TrustAnchor,
    Verified,
};
use wargate_protocol::{LogId, LogLength, ReleaseState, Version};
use wargate_testkit::hostile::{FaultKind, Hostile, Stage, Verdict, log, operator};

/// Most bytes of an answer.
const BYTES_MAX: usize = 16 << 20;

/// Most pages of records.
const PAGES_MAX: usize = 20;

pub(crate) struct Client {
    hostile: Hostile,
    router: Router,
    anchor: TrustAnchor,
    known: Verified,
    tokens: HashMap<LogId, FetchToken>,
}

#[derive(Debug)]
#[expect(dead_code, reason = "shown when a test fails")]
pub(crate) enum Refusal {
    Misbehaviour(Box<Misbehaviour>),
    BadAnswer(String),
    WrongContent,
    Unavailable(u16),
    NotFound,
    /// The registry does not know a token that it once gave, or that somebody gave in its name.
    UnknownToken,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

pub(crate) fn verdict(outcome: &Result<(), Refusal>) -> Verdict {
    match outcome {
        Ok(()) => Verdict::Harmless,
        Err(Refusal::Misbehaviour(found)) => Verdict::Misbehaviour(FaultKind::of(&found.fault)),
        Err(Refusal::BadAnswer(_)) => Verdict::BadAnswer,
        Err(Refusal::WrongContent) => Verdict::WrongContent,
        Err(Refusal::Unavailable(_)) => Verdict::Unavailable,
        Err(Refusal::NotFound | Refusal::UnknownToken) => Verdict::NotFound,
    }
}

impl From<Box<Misbehaviour>> for Refusal {
    fn from(found: Box<Misbehaviour>) -> Self {
        Self::Misbehaviour(found)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "given to `map_err`")]
fn bad(why: impl ToString) -> Refusal {
    Refusal::BadAnswer(why.to_string())
}

/// A session and what it has still to be told.
struct Update {
    session: Session,
    tokens: HashMap<LogId, FetchToken>,
    wanted: Vec<LogId>,
}

impl Client {
    /// It knows the operator's key, the time, and nothing else.
    pub(crate) fn new(hostile: &Hostile) -> Self {
        let now = hostile.story().now_seconds();
        let anchor = TrustAnchor {
            operator_keys: vec![operator().public_key().id()],
            checkpoint: None,
            not_before_seconds: Some(now - 24 * 60 * 60),
            not_after_seconds: Some(now + 60 * 60),
        };
        Self {
            hostile: hostile.clone(),
            router: hostile.router(),
            anchor,
            known: Verified::nothing(),
            tokens: HashMap::new(),
        }
    }

    /// Believes a checkpoint that comes from elsewhere.
    pub(crate) fn believe(&mut self, checkpoint: SignedCheckpoint) {
        self.anchor.checkpoint = Some(checkpoint);
    }

    pub(crate) fn forget_gossip(&mut self) -> Option<SignedCheckpoint> {
        self.anchor.checkpoint.take()
    }

    pub(crate) const fn known(&self) -> &Verified {
        &self.known
    }

    pub(crate) fn length(&self) -> LogLength {
        self.known.checkpoint().unwrap().contents.checkpoint.log_length
    }

    /// Asks with a body in JSON, or for nothing.
    pub(crate) async fn ask(&self, path: &str, body: &Value) -> Result<Answer, Refusal> {
        let request = Request::builder().uri(format!("/{path}"));
        let request = match body {
            Value::Null => request.method("GET").body(Body::empty()),
            body => request
                .method("POST")
                .header("content-type", "application/json")
                .body(Body::from(body.to_string())),
        };
        self.exchange(request.unwrap()).await
    }

    /// Sends bytes.
    pub(crate) async fn send(&self, path: &str, bytes: &[u8]) -> Result<Answer, Refusal> {
        let request = Request::builder().uri(format!("/{path}")).method("POST");
        self.exchange(request.body(Body::from(bytes.to_vec())).unwrap()).await
    }

    async fn exchange(&self, request: Request<Body>) -> Result<Answer, Refusal> {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        if head.headers.contains_key("content-encoding") {
            return Err(bad("it is packed"));
        }
        let body = Limited::new(body, BYTES_MAX).collect().await.map_err(bad)?.to_bytes();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// What the real server answers, whatever is told.
    pub(crate) async fn ask_truth(&self, path: &str, body: &Value) -> Value {
        let stage = self.hostile.stage();
        self.hostile.set(Stage::After);
        let answer = self.ask(path, body).await.unwrap();
        self.hostile.set(stage);
        serde_json::from_slice(&answer.body).unwrap()
    }

    async fn call<T: DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T, Refusal> {
        let answer = self.ask(path, body).await?;
        let json = answer.headers.get("content-type").is_some_and(|it| it == "application/json");
        match answer.status {
            200 if json => serde_json::from_slice(&answer.body).map_err(bad),
            200..=399 => Err(bad("it is no answer")),
            404 => Err(not_found(&answer)),
            status => Err(Refusal::Unavailable(status)),
        }
    }

    /// Brings packages up to date, from their beginnings if the registry does not know the tokens.
    pub(crate) async fn update(&mut self, packages: &[&str]) -> Result<(), Refusal> {
        let wanted: Vec<_> = packages.iter().map(|package| log(package)).collect();
        match self.update_once(&wanted).await {
            Err(Refusal::UnknownToken) => {
                self.tokens.clear();
                self.update_once(&wanted).await
            }
            Err(Refusal::NotFound) => Err(self.denied(&wanted).await),
            done => done,
        }
    }

    /// What it means that there is no such log, which nobody signs: logs only grow.
    async fn denied(&mut self, wanted: &[LogId]) -> Refusal {
        let shown = wanted.iter().find(|log| self.known.package(log).is_some());
        if let Err(refusal) = self.update_once(&[]).await {
            return refusal;
        }
        let (Some(log), Some(offered)) = (shown, self.known.checkpoint().cloned()) else {
            return Refusal::NotFound;
        };
        let evidence = Evidence {
            summary: "a log that was shown is not there".into(),
            offered,
            seen: None,
            log_id: Some(*log),
            record: None,
            proofs: None,
        };
        let (culprit, fault) = (Culprit::Server, Fault::MissingLog { log: *log });
        Refusal::Misbehaviour(Box::new(Misbehaviour { culprit, fault, evidence }))
    }

    async fn update_once(&mut self, wanted: &[LogId]) -> Result<(), Refusal> {
        match self.transcript(wanted).await {
            Err(Refusal::NotFound) => {}
            done => return done,
        }
        let checkpoint: SignedCheckpoint = self.call("v1/fetch/checkpoint", &Value::Null).await?;
        let mut update = self.begin(checkpoint, wanted.to_vec());
        self.pages(&mut update).await?;
        self.prove(update).await
    }

    fn begin(&self, checkpoint: SignedCheckpoint, wanted: Vec<LogId>) -> Update {
        let (anchor, known) = (self.anchor.clone(), self.known.clone());
        let session = Session::new(anchor, known, checkpoint, wanted.iter().copied());
        Update { session, tokens: self.tokens.clone(), wanted }
    }

    async fn transcript(&mut self, wanted: &[LogId]) -> Result<(), Refusal> {
        let seen = [self.known.checkpoint(), self.anchor.checkpoint.as_ref()];
        let seen = seen.into_iter().flatten().map(|seen| seen.contents.checkpoint.log_length);
        let request = FetchTranscriptRequest {
            operator: self.tokens.get(&LogId::operator()).cloned(),
            packages: wanted.iter().map(|log| (*log, self.tokens.get(log).cloned())).collect(),
            consistent_from: seen.collect(),
        };
        // The order of the packages is that of the proofs, which `Value` does not keep.
        let request = Request::builder()
            .uri("/v1/fetch/transcript")
            .method("POST")
            .header("content-type", "application/json")
            .body(Body::from(serde_json::to_vec(&request).unwrap()));
        let answer = self.exchange(request.unwrap()).await?;
        let json = answer.headers.get("content-type").is_some_and(|it| it == "application/json");
        let answer: FetchTranscriptResponse = match answer.status {
            200 if json => serde_json::from_slice(&answer.body).map_err(bad)?,
            200..=399 => return Err(bad("it is no answer")),
            404 => return Err(not_found(&answer)),
            status => return Err(Refusal::Unavailable(status)),
        };
        let mut update = self.begin(answer.checkpoint, wanted.to_vec());
        let more = answer.logs.more;
        receive(&mut update, answer.logs)?;
        if more {
            self.pages(&mut update).await?;
        }
        let Some(proofs) = answer.proofs else { return self.prove(update).await };
        self.known = update.session.close()?.prove(proofs)?;
        self.tokens = update.tokens;
        Ok(())
    }

    async fn pages(&self, update: &mut Update) -> Result<(), Refusal> {
        for _ in 0..PAGES_MAX {
            let packages: serde_json::Map<_, _> = update
                .wanted
                .iter()
                .map(|log| (log.to_string(), json!(update.tokens.get(log))))
                .collect();
            let mut body = json!({
                "logLength": update.session.offered().log_length,
                "limit": LIMIT_MAX,
                "packages": packages,
            });
            if let Some(token) = update.tokens.get(&LogId::operator()) {
                body["operator"] = json!(token);
            }
            let page: FetchLogsResponse = self.call("v1/fetch/logs", &body).await?;
            let more = page.more;
            let received = receive(update, page)?;
            if !more {
                return Ok(());
            }
            if received == 0 {
                return Err(bad("there is more, and nothing comes"));
            }
        }
        Err(bad("there are too many pages"))
    }

    async fn prove(&mut self, update: Update) -> Result<(), Refusal> {
        let unproven = update.session.close()?;
        let length = unproven.log_length();
        let leafs: Vec<_> = unproven.leaves().collect();
        let body = json!({ "logLength": length, "leafs": leafs });
        let InclusionResponse { log, map } = self.call("v1/proof/inclusion", &body).await?;
        let mut consistency = Vec::new();
        for from in unproven.consistent_from() {
            let body = json!({ "from": from, "to": length });
            let answer: ConsistencyResponse = self.call("v1/proof/consistency", &body).await?;
            consistency.push(ConsistencyBytes { from, proof: answer.proof });
        }
        self.known = unproven.prove(ProofBytes { log, map, consistency })?;
        self.tokens = update.tokens;
        Ok(())
    }

    /// Gets the content of a release.
    pub(crate) async fn get(&mut self, package: &str, version: &str) -> Result<Bytes, Refusal> {
        self.update(&[package]).await?;
        let version: Version = version.parse().unwrap();
        let state = self.known.package(&log(package)).unwrap().state();
        let digest = match state.release(&version).map(|release| &release.state) {
            Some(ReleaseState::Released { content }) => content.clone(),
            _ => return Err(Refusal::NotFound),
        };
        let path = format!("v1/content/{digest}");
        let sources: ContentSourcesResponse = self.call(&path, &Value::Null).await?;
        let places = sources.content_sources.get(&digest).cloned().unwrap_or_default();
        for place in places.into_iter().take(8) {
            let ContentSource::HttpGet { url, .. } = place;
            let here = &self.hostile.story().url;
            let Some(path) = url.strip_prefix(here.as_str()) else { continue };
            let Ok(answer) = self.ask(path, &Value::Null).await else { continue };
            if answer.status == 200 && digest == Digest::of(&answer.body) {
                return Ok(answer.body);
            }
        }
        Err(Refusal::WrongContent)
    }
}

fn not_found(answer: &Answer) -> Refusal {
    match FetchError::from_json(&answer.body) {
        Ok(FetchError::FetchTokenNotFound(_)) => Refusal::UnknownToken,
        _ => Refusal::NotFound,
    }
}

/// How many records have come.
fn receive(update: &mut Update, page: FetchLogsResponse) -> Result<usize, Refusal> {
    let mut received = 0;
    let operator = [(LogId::operator(), page.operator)];
    for (log, records) in operator.into_iter().chain(page.packages) {
        received += records.len();
        if let Some(last) = records.last() {
            update.tokens.insert(log, last.fetch_token.clone());
        }
        update.session.receive(log, records.into_iter().map(|record| record.record))?;
    }
    Ok(received)
}
