//! What the process counts and measures, for Prometheus.
//!
//! Labels have few values, all of them ours: nothing that a client chooses becomes one. What can be
//! looked up when somebody asks is not counted before. docs/monitoring.md has a table of all, which is
//! made of what is said here.

mod catalogue;
mod exposition;
mod gauges;
mod store;

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use wargate_registry::store::CommitError;

pub(crate) use self::exposition::{Exposition, listen};
pub(crate) use self::gauges::Source;
pub(crate) use self::store::MeasuredStore;

use self::catalogue::Catalogue;
use self::gauges::Gauges;

/// Of a request: all of them known before it comes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    route: &'static str,
    method: &'static str,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: &'static str,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

type OfRoute = Family<RouteLabels, Histogram, fn() -> Histogram>;

/// Everything that is counted.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    gauges: Gauges,
    pub(crate) requests: RequestMetrics,
    pub(crate) connections: ConnectionMetrics,
    provable: Histogram,
    reloads: Family<ReasonLabel, Counter>,
    /// When the certificate in use ends, in seconds of the Unix epoch.
    pub(crate) certificate_end: Gauge,
    trace_exports: Family<ReasonLabel, Counter>,
    store: StoreMetrics,
}

/// What is asked and answered.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    answered: Family<RequestLabels, Counter>,
    durations: OfRoute,
    sent: Family<RouteLabels, Counter>,
    /// Bytes of requests' bodies.
    pub(crate) received: Counter,
    /// Requests that are being answered.
    pub(crate) in_flight: Gauge,
}

/// Who comes.
#[derive(Debug)]
pub(crate) struct ConnectionMetrics {
    /// Connections that were taken.
    pub(crate) accepted: Counter,
    /// Connections that are open.
    pub(crate) open: Gauge,
    refused: Family<ReasonLabel, Counter>,
    slow: Family<ReasonLabel, Counter>,
}

/// What the store is seen to do.
#[derive(Debug)]
struct StoreMetrics {
    commit_durations: Histogram,
    commit_records: Histogram,
    admitted: Counter,
    published: Counter,
    rejected: Counter,
    expired: Counter,
    content: Counter,
    content_bytes: Counter,
    errors: Family<ReasonLabel, Counter>,
}

/// Why a connection was not served.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Refused {
    /// The operating system gave none, for want of file descriptors for example.
    System,
    /// The TLS handshake failed.
    Handshake,
    /// HTTP came where TLS is spoken.
    NotTls,
}

/// Where a client was too slow.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Slow {
    Handshake,
    /// Before the first request was whole, or between two.
    Header,
    Body,
    /// In taking the answer.
    Answer,
    /// In doing anything at all.
    Stalled,
}

impl Refused {
    const ALL: [Self; 3] = [Self::System, Self::Handshake, Self::NotTls];

    const fn label(self) -> ReasonLabel {
        ReasonLabel {
            reason: match self {
                Self::System => "system",
                Self::Handshake => "handshake",
                Self::NotTls => "not-tls",
            },
        }
    }
}

impl Slow {
    const ALL: [Self; 5] = [Self::Handshake, Self::Header, Self::Body, Self::Answer, Self::Stalled];

    const fn label(self) -> ReasonLabel {
        ReasonLabel {
            reason: match self {
                Self::Handshake => "handshake",
                Self::Header => "header",
                Self::Body => "body",
                Self::Answer => "answer",
                Self::Stalled => "stalled",
            },
        }
    }
}

const OK: ReasonLabel = ReasonLabel { reason: "ok" };
const FAILED: ReasonLabel = ReasonLabel { reason: "failed" };
const UNAVAILABLE: ReasonLabel = ReasonLabel { reason: "unavailable" };
const DAMAGED: ReasonLabel = ReasonLabel { reason: "damaged" };
const CONFLICT: ReasonLabel = ReasonLabel { reason: "conflict" };

/// Seconds, for requests.
fn durations() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        30.0, 60.0,
    ])
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut all = Catalogue::default();
        let metrics = Self::register(&mut all);
        Self { registry: all.registry, ..metrics }
    }

    /// All metrics, in the order of the page.
    fn register(all: &mut Catalogue) -> Self {
        Self {
            requests: RequestMetrics::new(all),
            connections: ConnectionMetrics::new(all),
            provable: all.plain(
                "wargate_publish_provable_seconds",
                "Time from a record's request to a signed checkpoint that shows it, of \
                 records that miss no content",
                durations(),
            ),
            store: StoreMetrics::new(all),
            reloads: all.reasons(
                "wargate_tls_reloads",
                "Replacements of the certificate: `ok`, or `failed` with the one before \
                 kept",
                [OK, FAILED],
            ),
            certificate_end: all.plain(
                "wargate_tls_certificate_end_timestamp_seconds",
                "When the certificate in use ends, in seconds of the Unix epoch; 0 without \
                 TLS",
                Gauge::default(),
            ),
            trace_exports: all.reasons(
                "wargate_trace_exports",
                "Batches of spans sent to the collector",
                [OK, FAILED],
            ),
            gauges: Gauges::new(all),
            registry: Registry::default(),
        }
    }

    /// The head of an answer is ready.
    pub(crate) fn answered(&self, route: &'static str, method: &'static str, took: Duration) {
        let route = named(route);
        self.requests
            .durations
            .get_or_create(&RouteLabels { route, method })
            .observe(took.as_secs_f64());
    }

    /// An answer has gone out, or its client has gone.
    pub(crate) fn ended(
        &self,
        route: &'static str,
        method: &'static str,
        status: Option<u16>,
        bytes: u64,
    ) {
        let route = named(route);
        let status = match status {
            None => "left",
            Some(..200) => "1xx",
            Some(200..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..) => "5xx",
        };
        self.requests.answered.get_or_create(&RequestLabels { route, method, status }).inc();
        if bytes > 0 {
            self.requests.sent.get_or_create(&RouteLabels { route, method }).inc_by(bytes);
        }
    }

    /// A record was published in answer to its request.
    pub(crate) fn provable(&self, took: Duration) {
        self.provable.observe(took.as_secs_f64());
    }

    pub(crate) fn refused(&self, why: Refused) {
        self.connections.refused.get_or_create(&why.label()).inc();
    }

    /// Counts the clients that are too slow in one way.
    pub(crate) fn slow(&self, what: Slow) -> Counter {
        self.connections.slow.get_or_create_owned(&what.label())
    }

    pub(crate) fn reloaded(&self, well: bool) {
        self.reloads.get_or_create(if well { &OK } else { &FAILED }).inc();
    }

    pub(crate) fn trace_exports(&self, well: bool) -> Counter {
        self.trace_exports.get_or_create_owned(if well { &OK } else { &FAILED })
    }

    fn store_failed(&self, label: &ReasonLabel) {
        self.store.errors.get_or_create(label).inc();
    }

    fn commit_failed(&self, error: &CommitError) {
        use wargate_registry::store::StoreError::{Damaged, Unavailable};
        self.store_failed(match error {
            CommitError::Conflict => &CONFLICT,
            CommitError::Store(Unavailable(_)) => &UNAVAILABLE,
            CommitError::Store(Damaged(_)) => &DAMAGED,
        });
    }
}

/// What no route answers, labels call so.
const fn named(route: &'static str) -> &'static str {
    if route.is_empty() { "none" } else { route }
}

impl RequestMetrics {
    fn new(all: &mut Catalogue) -> Self {
        Self {
            answered: all.family(
                "wargate_http_requests",
                &["route", "method", "status"],
                "Requests by route, method and class of the status; `left` if the client \
                 went before the answer",
                Family::default(),
            ),
            durations: all.family(
                "wargate_http_request_duration_seconds",
                &["route", "method"],
                "Time from a request's head to its answer's head",
                OfRoute::new_with_constructor(durations),
            ),
            sent: all.family(
                "wargate_http_sent_bytes",
                &["route", "method"],
                "Bytes of answers' bodies that were handed to connections",
                Family::default(),
            ),
            received: all.plain(
                "wargate_http_received_bytes",
                "Bytes of requests' bodies that were read",
                Counter::default(),
            ),
            in_flight: all.plain(
                "wargate_http_requests_in_flight",
                "Requests that are being answered",
                Gauge::default(),
            ),
        }
    }
}

impl ConnectionMetrics {
    fn new(all: &mut Catalogue) -> Self {
        Self {
            accepted: all.plain(
                "wargate_connections_accepted",
                "Connections that were taken",
                Counter::default(),
            ),
            open: all.plain(
                "wargate_connections_open",
                "Connections that are open",
                Gauge::default(),
            ),
            refused: all.reasons(
                "wargate_connections_refused",
                "Connections that were not served: `system` (no file descriptors), \
                 `handshake` (TLS failed), `not-tls` (plain HTTP where TLS is spoken)",
                Refused::ALL.map(Refused::label),
            ),
            slow: all.reasons(
                "wargate_connections_slow",
                "Clients that were given up because nothing came or nothing was taken, by \
                 what was waited for",
                Slow::ALL.map(Slow::label),
            ),
        }
    }
}

impl StoreMetrics {
    fn new(all: &mut Catalogue) -> Self {
        let records =
            || Histogram::new([0.0, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]);
        Self {
            commit_durations: all.plain(
                "wargate_commit_duration_seconds",
                "Time of a commit to the store, with its fsync",
                durations(),
            ),
            commit_records: all.plain(
                "wargate_commit_records",
                "Records that one commit appended to the log",
                records(),
            ),
            admitted: all.plain(
                "wargate_records_admitted",
                "Records that were taken, whether they waited for content or not",
                Counter::default(),
            ),
            published: all.plain(
                "wargate_records_published",
                "Records that were appended to the log, the operator's included",
                Counter::default(),
            ),
            rejected: all.plain(
                "wargate_records_rejected",
                "Records that were refused after they had been taken",
                Counter::default(),
            ),
            expired: all.plain(
                "wargate_records_expired",
                "Records that were forgotten, mostly because they waited for content too \
                 long",
                Counter::default(),
            ),
            content: all.plain(
                "wargate_content_stored",
                "Contents that were stored",
                Counter::default(),
            ),
            content_bytes: all.plain(
                "wargate_content_stored_bytes",
                "Bytes of content that were stored",
                Counter::default(),
            ),
            errors: all.reasons(
                "wargate_store_errors",
                "Failures of the store: `unavailable` (disk full, input or output), \
                 `damaged`, `conflict` (another writer)",
                [UNAVAILABLE, DAMAGED, CONFLICT],
            ),
        }
    }
}
