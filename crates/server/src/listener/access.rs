//! What every request gets: a name, a span, a line in the log, and a place in the counts.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, STRICT_TRANSPORT_SECURITY};
use axum::http::{HeaderValue, Method, Request, Response, Version};
use getrandom::SysRng;
use http_body::{Frame, SizeHint};
use rand_core::TryRng;
use tower::ServiceExt;
use tracing::Instrument;
use tracing::field::Empty;
use wargate_http::throttle::Peer;
use wargate_http::{Answered, Provable, RequestId};

use super::Phase;
use super::connection::Shared;
use super::watch::Watch;
use crate::telemetry::{ACCESS_TARGET, REQUEST_TARGET, traces};

/// Browsers that have seen the registry over TLS ask for nothing else for a year.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Names for requests: what distinguishes this process, and a number.
pub(super) struct Names {
    process: u64,
    next: AtomicU64,
}

impl Names {
    pub(super) fn new() -> Self {
        // Names are no secrets. Without randomness they are as good, until the process starts again.
        let process = SysRng.try_next_u64().unwrap_or_default();
        Self { process, next: AtomicU64::new(0) }
    }

    fn next(&self) -> RequestId {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        RequestId::from_number(u128::from(self.process) << 64 | u128::from(number))
    }
}

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    peer: SocketAddr,
    watch: Watch,
    mut request: Request<Body>,
) -> Result<Response<Watched>, Infallible> {
    let given = request.headers().get(RequestId::HEADER).and_then(RequestId::from_header);
    let id = given.unwrap_or_else(|| shared.names.next());
    let method = name_of(request.method());
    let version = request.version();
    // Of the highest level, so that each line of a request has its name, however little is logged.
    let span = if shared.traces {
        let kind = "server";
        let span = tracing::error_span!(
            target: REQUEST_TARGET, "request", %id, method, route = Empty, otel.kind = kind
        );
        traces::begin(&span, method, request.headers());
        span
    } else {
        tracing::error_span!(target: REQUEST_TARGET, "request", %id, method, route = Empty)
    };
    request.extensions_mut().insert(id);
    request.extensions_mut().insert(Peer(peer.ip()));
    let mut line = Line::new(Arc::clone(&shared), peer, id, method);
    let work = shared.router.clone().oneshot(request).instrument(span.clone());
    let answered = watch.answer(work).await;
    let Ok(mut response) = answered;
    line.head(&response);
    if shared.traces {
        traces::end(&span, line.route, line.status);
    }
    let headers = response.headers_mut();
    if let Some(id) = id.to_header() {
        headers.insert(RequestId::HEADER, id);
    }
    if shared.tls.is_some() {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if version < Version::HTTP_2 && *shared.phases.borrow() != Phase::Open {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    Ok(response.map(|body| Watched { body, line }))
}

/// The methods that there are routes for; others go by one name, as a client may think of any.
fn name_of(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What the log says of a request. It is written when the value is dropped: when the answer has gone
/// out, or nobody waits for it any more.
struct Line {
    shared: Arc<Shared>,
    peer: SocketAddr,
    id: RequestId,
    method: &'static str,
    began: Instant,
    route: &'static str,
    writes: bool,
    status: Option<u16>,
    bytes: u64,
    /// Whether all of the answer was taken.
    whole: bool,
}

impl Line {
    fn new(shared: Arc<Shared>, peer: SocketAddr, id: RequestId, method: &'static str) -> Self {
        shared.metrics.requests.in_flight.inc();
        let began = Instant::now();
        let (route, writes, status, bytes, whole) = ("", false, None, 0, false);
        Self { shared, peer, id, method, began, route, writes, status, bytes, whole }
    }

    /// The head of the answer is there.
    fn head(&mut self, response: &Response<Body>) {
        if let Some(answered) = response.extensions().get::<Answered>() {
            (self.route, self.writes) = (answered.route, answered.writes);
        }
        self.status = Some(response.status().as_u16());
        let took = self.began.elapsed();
        self.shared.metrics.answered(self.route, self.method, took);
        if response.extensions().get::<Provable>().is_some() {
            self.shared.metrics.provable(took);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let Self { peer, id, method, route, bytes, whole, .. } = self;
        self.shared.metrics.requests.in_flight.dec();
        self.shared.metrics.ended(route, method, self.status, *bytes);
        if !self.shared.access_log {
            return;
        }
        let status = self.status.unwrap_or_default();
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    target: ACCESS_TARGET,
                    %id, method, route, status, bytes, whole, %peer,
                    micros = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX),
                    "answered"
                )
            };
        }
        match (status, self.writes) {
            (500.., _) => log!(warn),
            (_, true) => log!(info),
            (_, false) => log!(debug),
        }
    }
}

/// An answer's body on its way out.
pub(super) struct Watched {
    body: Body,
    line: Line,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                self.line.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                self.line.whole = self.body.is_end_stream();
            }
            Some(Err(_)) => {}
            None => self.line.whole = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
