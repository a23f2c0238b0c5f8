//! Time and randomness.

use std::time::Duration;

use wargate_protocol::Timestamp;

use super::BoxFuture;

/// Tells the time, and waits.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Waits.
    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()>;
}

/// Makes random bytes: keys are made of them, and the jitter of retries.
pub trait Random: Send + Sync {
    /// Fills a buffer with bytes that nobody can predict.
    fn fill(&self, bytes: &mut [u8]);
}
