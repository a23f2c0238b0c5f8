//! The front door: takes connections, as many as there is room for, and cuts off those that keep a
//! place without using it.

mod access;
mod connection;
mod patience;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{self as watching, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use self::access::Names;
use self::connection::Shared;
use crate::metrics::{Metrics, Refused};
use crate::tls::Tls;

/// Most requests at a time over one HTTP/2 connection.
const STREAMS_MAX: u32 = 100;

/// What may wait to be sent of each of them, in bytes.
const SEND_BYTES_MAX: usize = 128 << 10;

/// How long a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// How long connections without a request stay open at the stop, or half of the grace if that is less:
/// what is on its way is answered, and says that the connection ends, instead of being cut off.
const LINGER: Duration = Duration::from_millis(500);

/// How long a connection that came before the stop may take to show.
const QUEUE_PATIENCE: Duration = Duration::from_millis(10);

/// How long to wait before the next try, if a connection cannot be taken and none ends before.
const BACK_OFF: Duration = Duration::from_secs(1);

/// File descriptors for everything but connections.
const OTHER_FILES: u64 = 256;

/// File descriptors that a connection may need: its own, and that of the content which it carries.
const FILES_PER_CONNECTION: u64 = 2;

/// A front door, and how it is kept.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    /// Whether somebody else keeps the socket, and with it the connections that nobody has taken.
    pub(crate) passed: bool,
    pub(crate) router: Router,
    /// `None` speaks plain HTTP.
    pub(crate) tls: Option<Arc<Tls>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Whether somebody collects traces.
    pub(crate) traces: bool,
    /// Whether requests are logged.
    pub(crate) access_log: bool,
    /// Most connections at a time. Further ones wait until the operating system refuses them.
    pub(crate) connections_max: u32,
    /// How long connections may go on after the stop.
    pub(crate) shutdown_grace: Duration,
    /// How long a client may take for a request's header, may send nothing of its body, may take
    /// nothing of an answer, and may leave a connection idle.
    pub(crate) patience: Duration,
}

/// How far the stop is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Answers say that their connection ends.
    Lingering,
    /// What has no request ends.
    Closing,
}

/// Serves until `stop`, whose value it returns; then waits for what is under way, for a while.
pub(crate) async fn serve<R>(door: Door, stop: impl Future<Output = R>) -> R {
    let Door { listener, router, tls, metrics, traces, access_log, patience, .. } = door;
    let most = connections_max(door.connections_max);
    metrics.set_connections_max(most);
    let room = Arc::new(Semaphore::new(most));
    let (phase, phases) = watching::channel(Phase::Open);
    let names = Names::new();
    let shared =
        Arc::new(Shared { router, tls, metrics, traces, access_log, patience, names, phases });
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
                connections.spawn(connection::serve(Arc::clone(&shared), stream, peer, permit));
            }
            // Its client has gone again.
            Err(error) if is_clients(&error) => {}
            Err(error) => {
                shared.metrics.refused(Refused::System);
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
    if !door.passed {
        // Whoever came before the stop believes that he was taken.
        for _ in 0..most {
            let queued = tokio::time::timeout(QUEUE_PATIENCE, accept(&listener, &room)).await;
            let Ok(Ok((stream, peer, permit))) = queued else { break };
            connections.spawn(connection::serve(Arc::clone(&shared), stream, peer, permit));
        }
    }
    drop(listener);
    wind_down(connections, &phase, door.shutdown_grace).await;
    reason
}

/// Lets what is under way end, for a while.
async fn wind_down(mut connections: JoinSet<()>, phase: &Sender<Phase>, shutdown_grace: Duration) {
    let linger = LINGER.min(shutdown_grace / 2);
    for (next, patience) in
        [(Phase::Lingering, linger), (Phase::Closing, shutdown_grace.saturating_sub(linger))]
    {
        phase.send_replace(next);
        let ended = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(patience, ended).await.is_ok() {
            return;
        }
    }
    let left = connections.len();
    tracing::info!(left, "connections that did not end in time are cut off");
}

/// The next connection, when there is room for one.
async fn accept(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    // Answers go out at once. A socket that cannot do that still works.
    let _ = stream.set_nodelay(true);
    Ok((stream, peer, permit))
}

fn is_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// As many connections as were asked for, or as the process may have files open for.
fn connections_max(asked: u32) -> usize {
    let needed = files_needed(asked);
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

/// How many files the process needs for so many connections.
pub(crate) const fn files_needed(connections: u32) -> u64 {
    connections as u64 * FILES_PER_CONNECTION + OTHER_FILES
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
