//! Asking for what is published.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use hyper::body::Bytes;
use hyper::{Method, StatusCode};
use wargate_api::OrderedMap;
use wargate_api::fetch::{FetchLogsRequest, FetchLogsResponse, FetchToken, SignedCheckpoint};
use wargate_api::paths;
use wargate_api::proof::{ConsistencyRequest, InclusionRequest};
use wargate_crypto::Digest;
use wargate_protocol::{LogId, LogLength, RegistryIndex};

use super::Report;
use super::connection::{Connection, Kind};
use super::drive::{Amount, Target, Work, drive};

/// Different requests of a run. They are made before the clock starts.
const REQUESTS_MAX: usize = 1 << 14;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The newest checkpoint.
    Checkpoint,
    /// All records of one package's log.
    Logs,
    /// A proof that one package's newest record is in the log and in the map.
    Inclusion,
    /// A proof that the log of an earlier length is the beginning of today's.
    Consistency,
    /// The content of one package.
    Download,
}

/// What there is to ask for: some of what was published.
#[derive(Clone, Debug)]
pub struct Published {
    /// Packages' logs.
    pub logs: Vec<LogId>,
    /// Where their newest records stand.
    pub places: Vec<RegistryIndex>,
    /// Their contents.
    pub contents: Vec<Digest>,
    /// A checkpoint that covers them.
    pub checkpoint: SignedCheckpoint,
    /// Where to go on behind what the operator has recorded, which every client reads once.
    pub operator: Option<FetchToken>,
}

impl Published {
    /// What there is to ask for of these packages, which were published in these places.
    ///
    /// # Errors
    /// If the server cannot be reached, or answers with an error or something else.
    pub async fn find(
        address: SocketAddr,
        logs: Vec<LogId>,
        contents: Vec<Digest>,
        places: Vec<RegistryIndex>,
    ) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        let checkpoint: SignedCheckpoint = connection.fetch(paths::FETCH_CHECKPOINT).await?;
        let log_length = checkpoint.contents.checkpoint.log_length;
        let first = FetchLogsRequest {
            log_length,
            limit: None,
            operator: None,
            packages: OrderedMap::default(),
        };
        let page: FetchLogsResponse = connection.ask(paths::FETCH_LOGS, &first).await?;
        ensure!(!page.more, "the operator has more records than one answer holds");
        let operator = page.operator.into_iter().next_back().map(|record| record.fetch_token);
        Ok(Self { logs, places, contents, checkpoint, operator })
    }
}

/// Requests to send.
struct Reading(Vec<(Method, String, Option<Bytes>)>);

/// Asks over and over again, each time for another package.
///
/// # Errors
/// If the server cannot be reached, or nothing is published.
pub async fn read(
    target: Target,
    time: Duration,
    question: Question,
    published: &Published,
    progress: &(dyn Fn(usize) + Sync),
) -> Result<Report> {
    let reading = Arc::new(Reading::new(question, published)?);
    let driven = drive(target, Amount::Time(time), reading, progress).await?;
    let busy = driven.busy(target)?;
    let [p50_ms, p99_ms] = driven.quantiles([50, 99]);
    let asked = driven.done.len() + driven.errors.values().sum::<usize>();
    let bytes: usize = driven.done.iter().map(|(_, bytes, _)| *bytes).sum();
    Ok(Report::new(question.name(), target, asked, driven.done.len(), busy)
        .with_times(p50_ms, p99_ms)
        .with_bytes(bytes)
        .with_errors(driven.errors))
}

impl Question {
    /// For tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkpoint => "checkpoints",
            Self::Logs => "logs",
            Self::Inclusion => "inclusion proofs",
            Self::Consistency => "consistency proofs",
            Self::Download => "downloads",
        }
    }
}

impl Reading {
    fn new(question: Question, published: &Published) -> Result<Self> {
        ensure!(!published.places.is_empty(), "nothing is published that could be asked for");
        let count = match question {
            Question::Checkpoint => 1,
            _ => published.places.len().min(REQUESTS_MAX),
        };
        let requests = (0..count).map(|number| request(question, published, number));
        Ok(Self(requests.collect::<Result<_>>()?))
    }
}

/// A request that depends on a number; no two that follow each other are alike.
fn request(
    question: Question,
    published: &Published,
    number: usize,
) -> Result<(Method, String, Option<Bytes>)> {
    let Published { logs, places, contents, checkpoint, operator } = published;
    let at = number.wrapping_mul(7919) % places.len();
    let log_length = checkpoint.contents.checkpoint.log_length;
    let place = places.get(at).copied().unwrap_or(RegistryIndex::FIRST);
    let (path, body) = match question {
        Question::Checkpoint => {
            return Ok((Method::GET, paths::FETCH_CHECKPOINT.to_owned(), None));
        }
        Question::Download => {
            let digest = contents.get(at).context("content of a package")?;
            let path = format!("content/{}", digest.to_string().replace(':', "-"));
            return Ok((Method::GET, path, None));
        }
        Question::Logs => {
            let packages = logs.get(at).map(|log| (*log, None)).into_iter().collect();
            let operator = operator.clone();
            let request = FetchLogsRequest { log_length, limit: None, operator, packages };
            (paths::FETCH_LOGS, serde_json::to_vec(&request)?)
        }
        Question::Inclusion => {
            let request = InclusionRequest { log_length, leafs: vec![place] };
            (paths::PROVE_INCLUSION, serde_json::to_vec(&request)?)
        }
        Question::Consistency => {
            let request =
                ConsistencyRequest { from: LogLength::new(place.get().max(1)), to: log_length };
            (paths::PROVE_CONSISTENCY, serde_json::to_vec(&request)?)
        }
    };
    Ok((Method::POST, path.to_owned(), Some(body.into())))
}

impl Work for Reading {
    /// Bytes of the answer.
    type Done = usize;

    async fn once(&self, connection: &mut Connection, number: usize) -> Result<usize> {
        let request = self.0.get(number % self.0.len()).context("a request")?;
        let (method, path, body) = request.clone();
        let body = body.map(|body| (Kind::Json, body));
        let (status, bytes) = connection.measure(method, &path, body).await?;
        ensure!(status == StatusCode::OK && bytes > 0, "it was answered {status}, {bytes} bytes");
        Ok(bytes)
    }
}
