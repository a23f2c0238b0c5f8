//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::access::{self, Names};
use super::patience::{PatientBody, PatientStream};
use super::watch::Watch;
use super::{HANDSHAKE_PATIENCE, Phase, SEND_BYTES_MAX, STREAMS_MAX};
use crate::metrics::{Metrics, Refused, Slow};
use crate::tls::{HandshakeError, Tls};

/// What all connections to a door share.
pub(super) struct Shared {
    pub(super) router: Router,
    pub(super) tls: Option<Arc<Tls>>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) traces: bool,
    pub(super) access_log: bool,
    pub(super) patience: Duration,
    pub(super) names: Names,
    pub(super) phases: watch::Receiver<Phase>,
}

/// Counts a connection while it is open.
struct Open<'a>(&'a Metrics);

impl<'a> Open<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.connections.accepted.inc();
        metrics.connections.open.inc();
        Self(metrics)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.connections.open.dec();
    }
}

/// Serves a connection to its end. Its place is free then.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: OwnedSemaphorePermit,
) {
    let _open = Open::new(&shared.metrics);
    match shared.tls.clone() {
        None => converse(&shared, stream, peer).await,
        Some(tls) => {
            if let Some(stream) = shake_hands(&shared, &tls, stream).await {
                converse(&shared, stream, peer).await;
            }
        }
    }
    drop(permit);
}

/// The TLS handshake; `None` if it came to nothing.
async fn shake_hands(
    shared: &Shared,
    tls: &Tls,
    stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match tokio::time::timeout(HANDSHAKE_PATIENCE.min(shared.patience), tls.accept(stream)).await {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(HandshakeError::NotTls)) => shared.metrics.refused(Refused::NotTls),
        // A client that goes without a word, such as a check whether the port is open.
        Ok(Err(HandshakeError::Gone)) => {}
        Ok(Err(HandshakeError::Failed(error))) => {
            tracing::debug!(%error, "a TLS handshake failed");
            shared.metrics.refused(Refused::Handshake);
        }
        Err(_) => {
            shared.metrics.slow(Slow::Handshake).inc();
        }
    }
    None
}

async fn converse<S>(shared: &Arc<Shared>, stream: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (metrics, patience) = (&shared.metrics, shared.patience);
    let watch = Watch::new(patience);
    let (header, answer) = (metrics.slow(Slow::Header), metrics.slow(Slow::Answer));
    let stream = PatientStream::new(stream, patience, header, answer);
    let stream = TokioIo::new(watch.stream(stream));
    let service = service_fn(|request: Request<Incoming>| {
        let metrics = &shared.metrics;
        let (late, received) = (metrics.slow(Slow::Body), metrics.requests.received.clone());
        let request =
            request.map(|body| Body::new(PatientBody::new(body, patience, late, received)));
        access::answer(Arc::clone(shared), peer, watch.clone(), request)
    });
    let builder = builder(patience);
    let mut connection = std::pin::pin!(builder.serve_connection(stream, service));
    let mut phases = shared.phases.clone();
    let served = tokio::select! {
        served = connection.as_mut() => Some(served),
        () = closing(&mut phases) => None,
        () = watch.stalled() => {
            metrics.slow(Slow::Stalled).inc();
            tracing::debug!("a connection that nobody used was cut off");
            return;
        }
    };
    let served = if let Some(served) = served {
        served
    } else {
        connection.as_mut().graceful_shutdown();
        connection.await
    };
    if let Err(error) = served {
        let is_late = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout);
        if is_late {
            metrics.slow(Slow::Header).inc();
        }
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Waits until what has no request has to end.
async fn closing(phases: &mut watch::Receiver<Phase>) {
    // The sender lives longer than its connections.
    let _ = phases.wait_for(|phase| *phase == Phase::Closing).await;
}

fn builder(patience: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(patience).keep_alive(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_send_buf_size(SEND_BYTES_MAX)
        .keep_alive_interval(Some(patience))
        .keep_alive_timeout(patience);
    builder
}
