//! Connections that are kept without being used.
//!
//! HTTP/2 has windows that its client opens, and pings that say that the client is alive. One that
//! answers pings and opens no window would keep its streams, and what they are to send, for ever. So
//! each connection is watched as a whole: it is cut off if for too long nothing of an answer has gone
//! on its way, neither out of its body nor out of the connection, while an answer is owed; or if for
//! twice as long nothing was asked at all.
//!
//! An answer that the registry itself is late with counts as progress: that is not the client's fault.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, interval_at};

/// A write of fewer bytes is no progress: pings, settings, and windows that are opened byte by byte.
const PROGRESS_BYTES_MIN: usize = 512;

/// Watches a connection.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    state: Arc<Mutex<State>>,
    patience: Duration,
}

#[derive(Debug)]
struct State {
    /// Requests whose answer is not complete yet.
    owed: usize,
    /// How many of them wait for the registry, not for the client.
    ours: usize,
    progress: Instant,
}

impl Watch {
    pub(super) fn new(patience: Duration) -> Self {
        let state = State { owed: 0, ours: 0, progress: Instant::now() };
        Self { state: Arc::new(Mutex::new(state)), patience }
    }

    /// Resolves when the connection is to be cut off.
    pub(super) async fn stalled(&self) {
        loop {
            let until = {
                let state = self.state();
                match (state.owed, state.ours) {
                    (0, _) => state.progress + 2 * self.patience,
                    (_, 0) => state.progress + self.patience,
                    _ => Instant::now() + self.patience,
                }
            };
            if until <= Instant::now() {
                return;
            }
            interval_at(until, self.patience).tick().await;
        }
    }

    /// Answers a request, whose answer is owed until its body is through.
    pub(super) fn answer<E, W: Future<Output = Result<Response, E>>>(
        &self,
        work: W,
    ) -> impl Future<Output = Result<Response, E>> + use<E, W> {
        let owed = Owed::new(self.clone());
        async move {
            let response = work.await?;
            owed.wait_for(Whom::Client);
            Ok(response.map(|body| Body::new(WatchedBody { body, owed: Some(owed) })))
        }
    }

    /// A stream whose writes are watched.
    pub(super) fn stream<S>(&self, inner: S) -> WatchedStream<S> {
        WatchedStream { inner, watch: self.clone() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For whom an answer waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whom {
    Registry,
    Client,
}

/// An answer that is not complete yet.
#[derive(Debug)]
struct Owed {
    watch: Watch,
    whom: Mutex<Whom>,
}

impl Owed {
    fn new(watch: Watch) -> Self {
        let mut state = watch.state();
        (state.owed, state.ours) = (state.owed + 1, state.ours + 1);
        drop(state);
        Self { watch, whom: Mutex::new(Whom::Registry) }
    }

    fn wait_for(&self, whom: Whom) {
        let mut before = self.whom.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.watch.state();
        match (*before, whom) {
            (Whom::Registry, Whom::Client) => {
                state.ours = state.ours.saturating_sub(1);
                state.progress = Instant::now();
            }
            (Whom::Client, Whom::Registry) => state.ours += 1,
            _ => {}
        }
        *before = whom;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        self.wait_for(Whom::Client);
        let mut state = self.watch.state();
        state.owed = state.owed.saturating_sub(1);
        state.progress = Instant::now();
    }
}

/// A body of an answer.
#[derive(Debug)]
struct WatchedBody {
    body: Body,
    owed: Option<Owed>,
}

impl http_body::Body for WatchedBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let poll = Pin::new(&mut self.body).poll_frame(context);
        match &poll {
            Poll::Pending => self.owed.iter().for_each(|owed| owed.wait_for(Whom::Registry)),
            Poll::Ready(Some(_)) => {
                // Asked for, and so the one before has gone.
                for whom in [Whom::Registry, Whom::Client] {
                    self.owed.iter().for_each(|owed| owed.wait_for(whom));
                }
            }
            Poll::Ready(None) => self.owed = None,
        }
        poll.map(|frame| frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct WatchedStream<S> {
    inner: S,
    watch: Watch,
}

impl<S> WatchedStream<S> {
    fn written(&self, poll: &Poll<io::Result<usize>>) {
        if matches!(poll, Poll::Ready(Ok(bytes)) if *bytes >= PROGRESS_BYTES_MIN) {
            self.watch.state().progress = Instant::now();
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WatchedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WatchedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.written(&poll);
        poll
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(context, slices);
        self.written(&poll);
        poll
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
