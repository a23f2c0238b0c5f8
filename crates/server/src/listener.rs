//! The front door: takes connections, as many as there is room for, and cuts off those that keep a
//! place without using it.

mod patience;
mod watch;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt;
use wargate_http::throttle::Peer;

use self::patience::{PatientBody, PatientStream};
use self::watch::Watch;

/// Most requests at a time over one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;

/// What may wait to be sent of each of them, in bytes.
const SEND_BYTES_MAX: usize = 128 << 10;

/// How long to wait before the next try, if a connection cannot be taken and none ends before.
const BACK_OFF: Duration = Duration::from_secs(1);

/// File descriptors for everything but connections.
const OTHER_FILES: u64 = 256;

/// File descriptors that a connection may need: its own, and that of the content which it carries.
const FILES_PER_CONNECTION: u64 = 2;

/// How the front door is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Front {
    /// Most connections at a time. Further ones wait until the operating system refuses them.
    pub(crate) connections_max: u32,
    /// How long connections may go on after the stop.
    pub(crate) shutdown_grace: Duration,
    /// How long a client may take for a request's header, may send nothing of its body, may take
    /// nothing of an answer, and may leave a connection idle.
    pub(crate) patience: Duration,
}

/// Serves until `stop`, whose value it returns; then waits for what is under way, for a while.
pub(crate) async fn serve<R>(
    listener: TcpListener,
    router: Router,
    front: &Front,
    stop: impl Future<Output = R>,
) -> R {
    let (builder, patience) = (builder(front.patience), front.patience);
    let room = Arc::new(Semaphore::new(connections_max(front.connections_max)));
    let graceful = GracefulShutdown::new();
    // Dropped at the end, and with it what is still connected then.
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    let reason = loop {
        let accepted = tokio::select! {
            biased;
            reason = &mut stop => break reason,
            accepted = accept(&listener, &room) => accepted,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer, permit)) => {
                let (builder, router) = (builder.clone(), router.clone());
                let watcher = graceful.watcher();
                connections.spawn(async move {
                    let watch = Watch::new(patience);
                    let answers = watch.clone();
                    let service = tower::service_fn(move |request: Request<Incoming>| {
                        let mut request =
                            request.map(|body| Body::new(PatientBody::new(body, patience)));
                        request.extensions_mut().insert(peer);
                        answers.answer(router.clone().oneshot(request))
                    });
                    let service = TowerToHyperService::new(service);
                    let stream = watch.stream(PatientStream::new(stream, patience));
                    let stream = TokioIo::new(stream);
                    let served = watcher.watch(builder.serve_connection(stream, service));
                    tokio::select! {
                        served = served => if let Err(error) = served {
                            tracing::debug!(%error, "a connection ended early");
                        },
                        () = watch.stalled() => {
                            tracing::debug!("a connection that nobody used was cut off");
                        }
                    }
                    drop(permit);
                });
            }
            // Its client has gone again.
            Err(error) if is_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection cannot be taken; waiting for another to end");
                let ended = async {
                    if connections.join_next().await.is_none() {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    reason = &mut stop => break reason,
                    _ = tokio::time::timeout(BACK_OFF, ended) => {}
                }
            }
        }
    };
    drop(listener);
    if tokio::time::timeout(front.shutdown_grace, graceful.shutdown()).await.is_err() {
        tracing::info!("connections that did not end in time are cut off");
    }
    reason
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

/// The next connection, when there is room for one.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, Peer, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers go out at once. A socket that cannot do that still works.
    let _ = stream.set_nodelay(true);
    Ok((stream, Peer(peer.ip()), permit))
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// As many connections as were asked for, or as the process may have files open for.
fn connections_max(asked: u32) -> usize {
    let needed = u64::from(asked) * FILES_PER_CONNECTION + OTHER_FILES;
    let files = files_for(needed);
    let possible = files.saturating_sub(OTHER_FILES) / FILES_PER_CONNECTION;
    let most = u32::try_from(possible).unwrap_or(u32::MAX).clamp(1, asked);
    if most < asked {
        tracing::warn!(
            asked,
            most,
            files,
            "fewer connections at a time than asked for: the process may not open more files"
        );
    }
    usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS)
}

/// How many files the process may have open, after asking for as many as are needed.
#[cfg(unix)]
fn files_for(needed: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    // None is without bound.
    let Some(current) = current else { return u64::MAX };
    if current >= needed {
        return current;
    }
    let raised = maximum.unwrap_or(u64::MAX).min(needed);
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }) {
        Ok(()) => raised,
        Err(error) => {
            tracing::debug!(%error, "the limit of open files stays as it is");
            current
        }
    }
}

#[cfg(not(unix))]
fn files_for(_: u64) -> u64 {
    u64::MAX
}
