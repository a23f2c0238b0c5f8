//! Connections and bodies that end if the other side does nothing for too long.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Bytes;
use http_body::{Body, Frame, SizeHint};
use prometheus_client::metrics::counter::Counter;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Interval};

/// As many bytes as HTTP/2's preface has. Before they are there, nothing else watches the time.
const PREFACE_BYTES: usize = 24;

/// A stream whose client must say something at first, and must take what it is sent.
#[derive(Debug)]
pub(super) struct PatientStream<S> {
    stream: S,
    /// Bytes that the first ones lack.
    lacking: usize,
    begin: Clock,
    write: Clock,
}

/// A body whose client must go on sending while somebody waits for it.
#[derive(Debug)]
pub(super) struct PatientBody<B> {
    body: B,
    read: Clock,
    /// Counts bytes.
    received: Counter,
}

/// Measures how long something is waited for.
#[derive(Debug)]
struct Clock {
    interval: Interval,
    waiting: bool,
    /// Counts who was too slow.
    late: Counter,
}

impl<S> PatientStream<S> {
    pub(super) fn new(stream: S, patience: Duration, header: Counter, answer: Counter) -> Self {
        let mut begin = Clock::new(patience, header);
        begin.waiting = true;
        Self { stream, lacking: PREFACE_BYTES, begin, write: Clock::new(patience, answer) }
    }
}

impl<B> PatientBody<B> {
    pub(super) fn new(body: B, patience: Duration, late: Counter, received: Counter) -> Self {
        Self { body, read: Clock::new(patience, late), received }
    }
}

impl Clock {
    fn new(patience: Duration, late: Counter) -> Self {
        let interval = tokio::time::interval_at(Instant::now() + patience, patience);
        Self { interval, waiting: false, late }
    }

    /// Whether `poll` has been pending for too long.
    fn watch<T>(&mut self, poll: Poll<T>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if let Poll::Ready(value) = poll {
            self.waiting = false;
            return Poll::Ready(Ok(value));
        }
        if !self.waiting {
            self.waiting = true;
            self.interval.reset();
        }
        ready!(self.interval.poll_tick(context));
        self.late.inc();
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client was too slow")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        let poll = Pin::new(&mut this.stream).poll_read(context, buffer);
        this.lacking = this.lacking.saturating_sub(buffer.filled().len() - before);
        match poll {
            Poll::Pending if this.lacking > 0 => {
                this.begin.watch(Poll::Pending, context).map(Result::flatten)
            }
            poll => poll,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.write.watch(poll, context).map(Result::flatten)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.write.watch(poll, context).map(Result::flatten)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // With TLS, this is where what was written waits.
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.write.watch(poll, context).map(Result::flatten)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.write.watch(poll, context).map(Result::flatten)
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for PatientBody<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let poll = Pin::new(&mut self.body).poll_frame(context);
        match ready!(self.read.watch(poll, context)) {
            Ok(frame) => {
                if let Some(Ok(frame)) = &frame {
                    let bytes = frame.data_ref().map_or(0, Bytes::len);
                    self.received.inc_by(bytes as u64);
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Err(error) => Poll::Ready(Some(Err(error.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// No patience at all.
    const NONE: Duration = Duration::from_millis(1);

    fn patient<S>(stream: S) -> PatientStream<S> {
        PatientStream::new(stream, NONE, Counter::default(), Counter::default())
    }

    fn is_late<T: std::fmt::Debug>(result: io::Result<T>) {
        assert_eq!(result.unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_client_that_begins_nothing_or_takes_nothing_is_cut_off() {
        let (near, _far) = tokio::io::duplex(8);
        is_late(patient(near).read(&mut [0; 8]).await);
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = patient(near);
        far.write_all(b"PRI * HTTP").await.unwrap();
        assert_eq!(near.read(&mut [0; 64]).await.unwrap(), 10);
        is_late(near.read(&mut [0; 64]).await);
        is_late(near.write_all(&[0; 65]).await);
    }

    #[tokio::test]
    async fn who_has_begun_may_wait_for_the_answer() {
        let (near, mut far) = tokio::io::duplex(64);
        let mut near = patient(near);
        far.write_all(&[0; PREFACE_BYTES]).await.unwrap();
        assert_eq!(near.read(&mut [0; 64]).await.unwrap(), PREFACE_BYTES);
        // The clock strikes, and nothing reads it any more.
        let mut buffer = [0; 8];
        tokio::select! {
            read = near.read(&mut buffer) => panic!("{read:?}"),
            _ = tokio::time::timeout(NONE * 20, std::future::pending::<()>()) => {}
        }
        far.write_all(b"more").await.unwrap();
        assert_eq!(near.read(&mut buffer).await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_body_that_does_not_come_ends_in_an_error() {
        struct Never;
        impl Body for Never {
            type Data = Bytes;
            type Error = io::Error;
            fn poll_frame(
                self: Pin<&mut Self>,
                _: &mut Context<'_>,
            ) -> Poll<Option<io::Result<Frame<Self::Data>>>> {
                Poll::Pending
            }
        }
        let late = Counter::default();
        let body =
            axum::body::Body::new(PatientBody::new(Never, NONE, late.clone(), Counter::default()));
        let error = axum::body::to_bytes(body, 8).await.unwrap_err();
        assert!(error.to_string().contains("too slow"), "{error}");
        assert_eq!(late.get(), 1);
    }
}
