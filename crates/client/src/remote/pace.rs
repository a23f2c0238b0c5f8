//! How slowly a body may come.
//!
//! The transport limits the time between two chunks. Whoever sends one byte before each such limit would
//! hold the client for ever, so it is also counted how much comes in a minute.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{PACE_BYTES_MIN, PACE_WINDOW};
use crate::seams::{Clock, TransportError, TransportFault};

/// Watches one body.
pub(super) struct Pace {
    clock: Arc<dyn Clock>,
    began: Duration,
    /// When the present window began, and what has come since.
    window: Duration,
    bytes: u64,
}

impl Pace {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        let began = clock.elapsed();
        Self { clock, began, window: began, bytes: 0 }
    }

    /// Bytes have come.
    ///
    /// # Errors
    /// A timeout, if they were too few for too long.
    pub(super) fn came(&mut self, bytes: usize) -> Result<(), TransportError> {
        self.bytes = self.bytes.saturating_add(bytes as u64);
        let now = self.clock.elapsed();
        let passed = now.saturating_sub(self.window);
        if passed < PACE_WINDOW {
            return Ok(());
        }
        if self.bytes < PACE_BYTES_MIN {
            let (bytes, seconds) = (self.bytes, passed.as_secs());
            return Err(too_slow(format!("only {bytes} bytes came in {seconds} s")));
        }
        (self.window, self.bytes) = (now, 0);
        Ok(())
    }

    /// Whether the whole has taken no longer than this.
    ///
    /// # Errors
    /// A timeout.
    pub(super) fn within(&self, limit: Duration) -> Result<(), TransportError> {
        if self.clock.elapsed().saturating_sub(self.began) > limit {
            let seconds = limit.as_secs();
            return Err(too_slow(format!("the answer did not end within {seconds} s")));
        }
        Ok(())
    }
}

fn too_slow(message: String) -> TransportError {
    TransportError { fault: TransportFault::Timeout, message }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use bytes::Bytes;
    use http::Method;

    use super::super::{Exchange, Outgoing};
    use crate::fixture::{FakeClock, Surroundings};
    use crate::limits::ANSWER_TIME_MAX;
    use crate::seams::{BoxFuture, RequestBody, ResponseBody, Transport};

    use super::*;

    /// Answers with chunks, each of which takes its time.
    struct Slow {
        clock: Arc<FakeClock>,
        chunks: Vec<(u64, usize)>,
    }

    struct Chunks(Arc<FakeClock>, VecDeque<(u64, usize)>);

    impl ResponseBody for Chunks {
        fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, TransportError>> {
            let next = self.1.pop_front().map(|(seconds, bytes)| {
                self.0.pass(Duration::from_secs(seconds));
                Bytes::from(vec![b' '; bytes])
            });
            Box::pin(std::future::ready(Ok(next)))
        }
    }

    impl Transport for Slow {
        fn send(
            &self,
            _: http::Request<RequestBody>,
        ) -> BoxFuture<'_, Result<http::Response<Box<dyn ResponseBody>>, TransportError>> {
            let body = Chunks(Arc::clone(&self.clock), self.chunks.iter().copied().collect());
            let answer = http::Response::new(Box::new(body) as Box<dyn ResponseBody>);
            Box::pin(std::future::ready(Ok(answer)))
        }
    }

    fn slow(chunks: Vec<(u64, usize)>) -> (Exchange, Arc<FakeClock>) {
        let mut surroundings = Surroundings::default();
        let clock = Arc::clone(&surroundings.clock);
        surroundings.transport = Arc::new(Slow { clock: Arc::clone(&clock), chunks });
        (surroundings.exchange(), clock)
    }

    fn request() -> Outgoing {
        let url = "https://warg.io/".parse().unwrap();
        Outgoing { method: Method::GET, url, headers: http::HeaderMap::new(), body: None }
    }

    async fn collect(chunks: Vec<(u64, usize)>) -> Result<usize, String> {
        let answer = slow(chunks).0.send(request()).await.unwrap();
        let body = answer.collect(usize::MAX).await;
        body.map(|body| body.len()).map_err(|error| format!("{error:?}"))
    }

    #[tokio::test]
    async fn an_answer_that_drips_is_left() {
        let error = collect(vec![(29, 1); 100]).await.unwrap_err();
        assert!(
            error.contains("Timeout") && error.contains("only 3 bytes came in 87 s"),
            "{error}"
        );
        // What is small may take long between its parts, and what is large may take its time.
        assert_eq!(collect(vec![(29, 1), (29, 1)]).await, Ok(2));
        assert_eq!(collect(vec![(29, 8 << 10); 10]).await, Ok(80 << 10));
    }

    #[tokio::test]
    async fn an_answer_that_is_read_whole_has_an_end() {
        let error = collect(vec![(10, 4 << 10); 31]).await.unwrap_err();
        assert!(error.contains("did not end within 300 s"), "{error}");
        assert_eq!(collect(vec![(10, 4 << 10); 30]).await, Ok(120 << 10));
    }

    #[tokio::test]
    async fn content_may_take_as_long_as_it_comes() {
        let (exchange, clock) = slow(vec![(20, 6 << 10); 100]);
        let before = clock.elapsed();
        let mut answer = exchange.send(request()).await.unwrap();
        let mut came = 0;
        while let Some(chunk) = answer.chunk().await.unwrap() {
            came += chunk.len();
        }
        assert_eq!(came, 600 << 10);
        assert!(clock.elapsed() > before + ANSWER_TIME_MAX);
        let (exchange, _) = slow(vec![(20, 5 << 10); 100]);
        let mut answer = exchange.send(request()).await.unwrap();
        let error = loop {
            if let Err(error) = answer.chunk().await {
                break error;
            }
        };
        assert_eq!(error.fault, TransportFault::Timeout);
    }
}
