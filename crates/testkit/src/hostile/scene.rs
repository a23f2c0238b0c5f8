//! Answers while a lie is told: what the real registry has in the history that is told, with the lie's
//! changes. A transcript is put together from the same changed parts.

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use tower::ServiceExt;
use wargate_api::OrderedMap;
use wargate_api::fetch::{
    FetchLogsRequest, FetchLogsResponse, FetchToken, FetchTranscriptRequest, LIMIT_DEFAULT,
    LIMIT_MAX, PublishedRecord,
};
use wargate_api::proof::{ConsistencyRequest, InclusionRequest};
use wargate_protocol::verify::PlacedEnvelope;
use wargate_protocol::{LogId, LogLength, RegistryIndex, base64};
use wargate_registry::read::LogsRequest;
use wargate_registry::store::LoggedRecord;

use super::lie::{Lie, Trick};
use super::reply::{Asked, Part, Reply, ReplyBody};
use super::story::{Chapter, History, Story};

/// A lie that is being told.
pub(super) struct Scene {
    /// The world.
    pub(super) story: Story,
    pub(super) lie: Lie,
    /// Answers that the lie has changed, for lies that go on from one to the next.
    pub(super) told: AtomicU64,
}

impl Scene {
    /// The history that is told.
    pub(super) fn chapter(&self) -> &Chapter {
        self.story.chapter(self.lie.history)
    }

    /// The answer to a request.
    pub(super) async fn answer(&self, asked: &Asked, with_transcript: bool) -> Reply {
        let part = asked.part();
        let router = &self.chapter().router;
        let composed = match part {
            Part::Checkpoint => Some(self.checkpoint()),
            Part::Logs => parse(asked).and_then(|request| self.logs(&request)),
            Part::Inclusion => parse(asked).map(|request| self.inclusion(&request)),
            Part::Consistency => parse(asked).map(|request| self.consistency(&request)),
            Part::Transcript if !with_transcript => return unknown_path(router, asked).await,
            Part::Transcript => parse(asked).and_then(|request| self.transcript(&request)),
            _ => None,
        };
        let mut reply = match composed {
            Some(body) => Reply::json(&body),
            None => proxy(router, asked).await,
        };
        for trick in &self.lie.tricks {
            if let Trick::Reply(at, change) = trick
                && (*at == part || (part == Part::Transcript && in_transcript(*at)))
            {
                self.told.fetch_add(1, Ordering::SeqCst);
                change(self, asked, &mut reply);
            }
        }
        reply
    }

    fn checkpoint(&self) -> Value {
        let mut value = json!(self.chapter().checkpoint());
        for trick in &self.lie.tricks {
            if let Trick::Checkpoint(change) = trick {
                change(self, &mut value);
            }
        }
        value
    }

    /// `None`: the real server says what is wrong.
    fn logs(&self, request: &FetchLogsRequest) -> Option<Value> {
        let mut value = json!(self.records(self.lie.history, request)?);
        for trick in &self.lie.tricks {
            if let Trick::Logs(change) = trick {
                change(self, request, &mut value);
            }
        }
        Some(value)
    }

    fn inclusion(&self, request: &InclusionRequest) -> Value {
        let length = self.real_length(request.log_length);
        let mut value = inclusion(self.chapter(), length, &request.leafs);
        for trick in &self.lie.tricks {
            if let Trick::Inclusion(change) = trick {
                change(self, request, &mut value);
            }
        }
        value
    }

    fn consistency(&self, request: &ConsistencyRequest) -> Value {
        let to = self.real_length(request.to);
        let mut value = consistency(self.chapter(), request.from.min(to), to);
        for trick in &self.lie.tricks {
            if let Trick::Consistency(change) = trick {
                change(self, request, &mut value);
            }
        }
        value
    }

    fn transcript(&self, request: &FetchTranscriptRequest) -> Option<Value> {
        let checkpoint = self.checkpoint();
        let length = &checkpoint["contents"]["logLength"];
        let length = length.as_u64().map_or(self.chapter().length(), LogLength::new);
        let logs = FetchLogsRequest {
            log_length: length,
            limit: Some(LIMIT_MAX),
            operator: request.operator.clone(),
            packages: request.packages.clone(),
        };
        let answer = self.logs(&logs)?;
        if answer["more"] == true {
            return Some(json!({ "checkpoint": checkpoint, "logs": answer }));
        }
        let leafs = self.heads(request, &answer);
        let mut proofs = self.inclusion(&InclusionRequest { log_length: length, leafs });
        let earlier = LogLength::new(1)..length;
        let from = request.consistent_from.iter().filter(|from| earlier.contains(from));
        let consistency: Vec<_> = from
            .map(|from| {
                let request = ConsistencyRequest { from: *from, to: length };
                let mut value = self.consistency(&request);
                value["from"] = json!(from);
                value
            })
            .collect();
        if !consistency.is_empty() {
            proofs["consistency"] = json!(consistency);
        }
        Some(json!({ "checkpoint": checkpoint, "logs": answer, "proofs": proofs }))
    }

    /// What whoever asks will take for the newest records.
    fn heads(&self, request: &FetchTranscriptRequest, logs: &Value) -> Vec<RegistryIndex> {
        let known = |log: &LogId, token: Option<&FetchToken>| {
            let histories = [self.lie.history, History::Now, History::Before];
            let token = token?;
            histories.iter().find_map(|it| self.story.chapter(*it).index(log, &token.0))
        };
        let last = |records: &Value| records.as_array()?.last()?["registryIndex"].as_u64();
        let operator = LogId::operator();
        let first = (&operator, request.operator.as_ref(), &logs["operator"]);
        let packages = request.packages.iter();
        let packages =
            packages.map(|(log, token)| (log, token.as_ref(), &logs["packages"][log.to_string()]));
        let all = std::iter::once(first).chain(packages);
        let head = |(log, token, records): (&LogId, Option<&FetchToken>, &Value)| {
            let sent = last(records).map(RegistryIndex::new);
            // A client passes over what it knows.
            sent.max(known(log, token)).unwrap_or(RegistryIndex::FIRST)
        };
        all.map(head).collect()
    }

    /// Lengths that the history does not have are taken for its newest one.
    fn real_length(&self, length: LogLength) -> LogLength {
        let newest = self.chapter().length();
        if (LogLength::new(1)..newest).contains(&length) { length } else { newest }
    }

    /// Records that a history has. Tokens that it does not know are passed over.
    pub(super) fn records(
        &self,
        history: History,
        request: &FetchLogsRequest,
    ) -> Option<FetchLogsResponse> {
        let chapter = self.story.chapter(history);
        let newest = chapter.length();
        let length = request.log_length;
        let length = if (LogLength::new(1)..newest).contains(&length) { length } else { newest };
        let known = |log: &LogId, token: &Option<FetchToken>| {
            token.clone().map(|token| token.0).filter(|token| chapter.index(log, token).is_some())
        };
        let packages = request.packages.iter().map(|(log, it)| (*log, known(log, it))).collect();
        let request = LogsRequest {
            length,
            limit: usize::from(request.limit.unwrap_or(LIMIT_DEFAULT)),
            operator: known(&LogId::operator(), &request.operator),
            packages,
        };
        let page = chapter.registry.fetch_logs(&request).ok()?;
        let records = |them: Vec<LoggedRecord>| them.into_iter().map(published).collect();
        let packages: OrderedMap<_, _> =
            page.packages.into_iter().map(|(log, them)| (log, records(them))).collect();
        let (more, operator) = (page.more, records(page.operator));
        Some(FetchLogsResponse { more, operator, packages, warnings: Vec::new() })
    }
}

/// Proofs as the API has them.
pub(super) fn inclusion(chapter: &Chapter, length: LogLength, at: &[RegistryIndex]) -> Value {
    let (log, map) = chapter.inclusion(length, at);
    json!({ "log": base64::encode(&log), "map": base64::encode(&map) })
}

/// Likewise.
pub(super) fn consistency(chapter: &Chapter, from: LogLength, to: LogLength) -> Value {
    let from = from.max(LogLength::new(1));
    let proof = chapter.registry.prove_consistency(from, to).unwrap();
    json!({ "proof": base64::encode(&proof) })
}

fn published(record: LoggedRecord) -> PublishedRecord {
    let LoggedRecord { index, leaf, envelope } = record;
    let record = PlacedEnvelope { envelope, registry_index: index };
    PublishedRecord { record, fetch_token: FetchToken(leaf.record_id.to_string()) }
}

fn parse<T: DeserializeOwned>(asked: &Asked) -> Option<T> {
    serde_json::from_slice(&asked.body).ok()
}

const fn in_transcript(part: Part) -> bool {
    matches!(part, Part::Checkpoint | Part::Logs | Part::Inclusion | Part::Consistency)
}

/// What a real server answers.
pub(super) async fn proxy(router: &Router, asked: &Asked) -> Reply {
    let mut request = Request::builder().method(&*asked.method).uri(format!("/{}", asked.path));
    for (name, value) in &asked.headers {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(asked.body.clone())).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Reply { status: head.status.as_u16(), headers: head.headers, body: ReplyBody::Whole(body) }
}

/// What a real server answers that does not know the path.
pub(super) async fn unknown_path(router: &Router, asked: &Asked) -> Reply {
    proxy(router, &Asked { path: "v1/unknown".into(), ..asked.clone() }).await
}
