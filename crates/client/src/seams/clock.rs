//! Time and randomness.

use std::time::Duration;

use wargate_protocol::Timestamp;

use super::BoxFuture;

/// Tells the time, and waits.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// How much time has passed since some moment. It measures what takes long, so it should not jump
    /// when the clock is set; a clock that can do no better tells the time.
    fn elapsed(&self) -> Duration {
        let now = self.now();
        Duration::new(u64::try_from(now.seconds()).unwrap_or_default(), now.nanos())
    }

    /// Waits.
    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()>;
}

/// Makes random bytes: keys are made of them, and the jitter of retries.
pub trait Random: Send + Sync {
    /// Fills a buffer with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}
