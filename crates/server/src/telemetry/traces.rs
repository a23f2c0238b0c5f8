//! Spans for a collector of traces, over OTLP (HTTP and protobuf).
//!
//! Spans wait in a queue of the SDK's, which drops what it has no room for, and a thread of the SDK's
//! sends them. No request waits for either.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::http::HeaderMap;
use bytes::Bytes;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::{Link, SpanKind, SpanRef, TraceContextExt, TraceId, TracerProvider};
use opentelemetry::{KeyValue, global};
use opentelemetry_http::{HeaderExtractor, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SamplingDecision, SamplingResult,
    SdkTracerProvider, ShouldSample, SpanLimits,
};
use prometheus_client::metrics::counter::Counter;
use tokio::runtime::Handle;
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;
use wargate_http::TRACE_TARGET;

use super::REQUEST_TARGET;
use crate::metrics::Metrics;

/// Most spans that wait to be sent. Further ones are dropped.
const QUEUED_SPANS_MAX: usize = 4096;

/// Most spans that are sent at a time.
const BATCH_SPANS_MAX: usize = 512;

/// How long the collector may take for a batch.
const EXPORT_PATIENCE: Duration = Duration::from_secs(10);

/// How long the last batches may take when the process ends.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// Where spans go, and which.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TraceSettings {
    /// The collector's base URL.
    pub(crate) endpoint: String,
    /// Which part of the traces is kept, from 0 to 1.
    pub(crate) ratio: f64,
}

/// Collects spans and sends them.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// To be called in the runtime that sends.
    pub(super) fn new(settings: &TraceSettings, metrics: &Metrics) -> Result<Self> {
        let endpoint = format!("{}/v1/traces", settings.endpoint.trim_end_matches('/'));
        let http = reqwest::Client::builder()
            .timeout(EXPORT_PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .context("traces cannot be sent")?;
        let client = Sender {
            http,
            runtime: Handle::current(),
            sent: metrics.trace_exports(true),
            failed: metrics.trace_exports(false),
            is_failing: Arc::default(),
        };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_endpoint(endpoint)
            .with_timeout(EXPORT_PATIENCE)
            .build()
            // The URL may hold a secret.
            .ok()
            .context("the URL of the collector of traces cannot be used\nhint: such as http://127.0.0.1:4318")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUED_SPANS_MAX)
            .with_max_export_batch_size(BATCH_SPANS_MAX)
            .build();
        let processor = BatchSpanProcessor::builder(exporter).with_batch_config(batches).build();
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("wargate");
        }
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(Selection(Sampler::TraceIdRatioBased(settings.ratio)))
            .with_span_limits(SpanLimits::default())
            .with_resource(resource.with_attribute(version).build())
            .build();
        // For whatever asks others in the course of a request.
        global::set_text_map_propagator(TraceContextPropagator::new());
        Ok(Self(provider))
    }

    /// What takes spans out of the program: those of requests and what they wait for, and what is
    /// wrong meanwhile.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a> + Send + Sync,
    {
        let wanted = Targets::new()
            .with_target(REQUEST_TARGET, Level::ERROR)
            .with_target(TRACE_TARGET, Level::TRACE)
            .with_target("wargate", Level::WARN);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("wargate"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(wanted)
    }

    /// Sends what is left, for a while.
    pub(crate) async fn end(self) {
        let ended =
            tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(END_PATIENCE)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::debug!("the last spans were not sent");
        }
    }
}

/// A request's span begins: perhaps as a part of its sender's trace.
pub(crate) fn begin(span: &Span, method: &'static str, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    if parent.span().span_context().is_valid() {
        // It fails only where nobody collects.
        let _ = span.set_parent(parent);
    }
    span.set_attribute("http.request.method", method);
}

/// The head of the answer is there.
pub(crate) fn end(span: &Span, route: &'static str, status: Option<u16>) {
    span.set_attribute("http.route", route);
    let status = status.unwrap_or_default();
    span.set_attribute("http.response.status_code", i64::from(status));
    if status >= 500 {
        span.set_status(opentelemetry::trace::Status::error("the registry failed"));
    }
}

/// Which traces are kept. A sender may say that his is not, and cannot say that it must be.
#[derive(Clone, Debug)]
struct Selection(Sampler);

impl ShouldSample for Selection {
    fn should_sample(
        &self,
        parent: Option<&opentelemetry::Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let span = parent.filter(|parent| parent.has_active_span()).map(TraceContextExt::span);
        let parent = span.as_ref().map(SpanRef::span_context);
        let mut result = self.0.should_sample(None, trace_id, name, kind, attributes, links);
        if let Some(parent) = parent {
            result.trace_state = parent.trace_state().clone();
            if !parent.is_sampled() {
                result.decision = SamplingDecision::Drop;
            } else if !parent.is_remote() {
                result.decision = SamplingDecision::RecordAndSample;
            }
        }
        result
    }
}

/// Sends batches in the runtime, as the SDK's thread has none.
#[derive(Clone, Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    sent: Counter,
    failed: Counter,
    /// So that a collector that is away is told of once.
    is_failing: Arc<AtomicBool>,
}

impl Sender {
    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let response = match self.http.execute(request.try_into()?).await {
            Ok(response) => response,
            Err(error) => {
                self.failed.inc();
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    let error = error.without_url();
                    tracing::warn!(%error, "traces cannot be sent; spans are dropped meanwhile");
                }
                return Err("the collector cannot be reached".into());
            }
        };
        let status = response.status();
        if status.is_success() {
            self.sent.inc();
            if self.is_failing.swap(false, Ordering::Relaxed) {
                tracing::info!("traces are sent again");
            }
        } else {
            self.failed.inc();
            if !self.is_failing.swap(true, Ordering::Relaxed) {
                tracing::warn!(%status, "the collector refuses traces; spans are dropped meanwhile");
            }
        }
        // What it says beside that is of no use here, and might be long.
        let mut answer = Response::new(Bytes::new());
        *answer.status_mut() = status;
        Ok(answer)
    }
}

impl HttpClient for Sender {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sender = self.clone();
        Box::pin(async move {
            let runtime = sender.runtime.clone();
            // Out of the request's span, if this should ever be called in one.
            let sent = runtime.spawn(async move { sender.send(request).await });
            sent.await.map_err(|_| HttpError::from("the process ends"))?
        })
    }
}
