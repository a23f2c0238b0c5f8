//! A request on its way to its handler: the path's parameters and the body.

use std::str::FromStr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use axum::http::{StatusCode, request};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use wargate_crypto::AnyDigest;
use wargate_protocol::{LogId, Namespace, PackageName, RecordId, RegistryIndex, Version};
use wargate_registry::index::Place;

use crate::front::Front;
use crate::limits::{BODY_PAUSE_MAX, BRIEF_BODY_BYTES_MAX};
use crate::problem::Problem;
use crate::throttle::{Class, Client};

/// A request whose path is known and well-formed.
pub(crate) struct Call {
    pub(crate) front: Arc<Front>,
    pub(crate) parts: request::Parts,
    pub(crate) body: Body,
    params: Params,
    /// Who asks; `None` if nobody counts.
    pub(crate) client: Option<Client>,
}

/// The path's parameters by name, percent-decoded.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn new(params: Vec<(String, String)>) -> Self {
        Self(params)
    }

    /// All must be what their names say, before anything else of a request is looked at
    /// (specification 12.1).
    pub(crate) fn check(&self) -> Result<(), Problem> {
        self.0.iter().try_for_each(|(name, value)| match name.as_str() {
            "logId" => parse::<LogId>(name, value).map(drop),
            "recordId" => parse::<RecordId>(name, value).map(drop),
            "digest" => parse::<AnyDigest>(name, value).map(drop),
            "start" => parse::<u64>(name, value).map(drop),
            "namespace" => parse::<Namespace>(name, value).map(drop),
            "version" => parse::<Version>(name, value).map(drop),
            _ => Ok(()),
        })
    }

    fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

fn parse<T: FromStr<Err: std::fmt::Display>>(name: &str, value: &str) -> Result<T, Problem> {
    value.parse().map_err(|error| {
        Problem::bad_request(format!("the path has no valid {name} where it should: {error}"))
    })
}

impl Call {
    pub(crate) fn new(
        front: Arc<Front>,
        parts: request::Parts,
        body: Body,
        params: Params,
        client: Option<Client>,
    ) -> Self {
        Self { front, parts, body, params, client }
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    pub(crate) fn log(&self) -> Result<LogId, Problem> {
        parse("logId", self.params.text("logId"))
    }

    pub(crate) fn record(&self) -> Result<RecordId, Problem> {
        parse("recordId", self.params.text("recordId"))
    }

    pub(crate) fn digest(&self) -> Result<AnyDigest, Problem> {
        parse("digest", self.params.text("digest"))
    }

    pub(crate) fn start(&self) -> Result<RegistryIndex, Problem> {
        parse("start", self.params.text("start")).map(RegistryIndex::new)
    }

    /// The package that a namespace and a name in the path make.
    pub(crate) fn package(&self) -> Result<PackageName, Problem> {
        let name = format!("{}:{}", self.params.text("namespace"), self.params.text("name"));
        parse("name of a package", &name)
    }

    pub(crate) fn version(&self) -> Result<Version, Problem> {
        parse("version", self.params.text("version"))
    }

    /// The place in a list in a query parameter; the beginning if there is none.
    pub(crate) fn place(&self, name: &str) -> Result<Place, Problem> {
        let place = |value: &str| {
            value.parse().map_err(|error| Problem::bad_request(format!("`{name}`: {error}")))
        };
        Ok(self.query(name).map(place).transpose()?.unwrap_or_default())
    }

    fn query(&self, name: &str) -> Option<&str> {
        let mut pairs = self.parts.uri.query().unwrap_or_default().split('&');
        pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// A parameter that the handler itself makes sense of.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.params.text(name)
    }

    /// Counts so many of something for whoever asks, or refuses them.
    pub(crate) fn count(&self, class: Class, count: u64) -> Result<(), Problem> {
        self.front.throttle.take(self.client, class, count)
    }

    /// What was counted did not come to pass, or has ended.
    pub(crate) fn give_back(&self, class: Class, count: u64) {
        self.front.throttle.give_back(self.client, class, count);
    }

    /// The body, which must be JSON: 415, 413, 400 and 422, in this order.
    pub(crate) async fn json<T>(&mut self) -> Result<T, Problem>
    where
        T: DeserializeOwned + Send + 'static,
    {
        if !is_json(&self.parts.headers) {
            let message = "the body must be JSON: send it with `Content-Type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        let bytes = self.collect().await?;
        if bytes.len() <= BRIEF_BODY_BYTES_MAX {
            return read_json(&bytes);
        }
        self.front.registry().offload(move || read_json(&bytes)).await
    }

    async fn collect(&mut self) -> Result<Vec<u8>, Problem> {
        let bytes_max = self.front.options().body_bytes_max;
        let too_large = || {
            let message = format!("the body of this request may have at most {bytes_max} bytes");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message)
        };
        let announced = self.parts.headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok());
        if announced.and_then(|it| it.parse().ok()).is_some_and(|bytes: usize| bytes > bytes_max) {
            return Err(too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if chunk.len() > bytes_max - bytes.len() {
                return Err(too_large());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    /// The next bytes of the body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            let frame = patiently(self.body.frame()).await.ok_or_else(|| {
                let seconds = BODY_PAUSE_MAX.as_secs();
                let message = format!("nothing came for {seconds} seconds; send it again");
                Problem::new(StatusCode::REQUEST_TIMEOUT, message)
            })?;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                tracing::debug!(%error, "a body broke off");
                Problem::bad_request("the body broke off; send it again")
            })?;
            // What is no data are trailers, which mean nothing here.
            if let Ok(data) = frame.into_data() {
                return Ok(Some(data));
            }
        }
    }
}

fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let read = serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        Category::Data => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the body has another form than this request needs: {error}"),
        ),
        Category::Io | Category::Syntax | Category::Eof => {
            Problem::bad_request(format!("the body is not JSON: {error}"))
        }
    })?;
    // A reader of objects also takes their members one after the other in an array.
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let message = "the body is an array; this request needs an object";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
    }
    Ok(read)
}

/// `None` if it takes too long.
#[cfg(not(target_family = "wasm"))]
async fn patiently<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(BODY_PAUSE_MAX, work).await.ok()
}

/// The host of a Wasm instance has timeouts of its own.
#[cfg(target_family = "wasm")]
async fn patiently<T>(work: impl Future<Output = T>) -> Option<T> {
    Some(work.await)
}

/// `application/json` or `application/*+json`, with any parameters.
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let Some(kind) = essence.strip_prefix("application/") else { return false };
    kind == "json" || kind.strip_suffix("+json").is_some_and(|kind| !kind.is_empty())
}
