//! The machine's clock, and its randomness.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use wargate_protocol::Timestamp;

use crate::seams::{BoxFuture, Clock, Random};

/// The machine's clock. It waits on tokio's timer, so it waits only inside a tokio runtime with time.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock before 1970 is wrong, and 1970 is as good as any other wrong time.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
        Timestamp::new(seconds, since.subsec_nanos())
            .unwrap_or_else(|_| Timestamp::from_seconds(seconds))
    }

    fn elapsed(&self) -> Duration {
        static START: LazyLock<Instant> = LazyLock::new(Instant::now);
        START.elapsed()
    }

    fn wait(&self, how_long: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            // Nothing ever comes, so this ends when the time is over.
            let _ = tokio::time::timeout(how_long, std::future::pending::<()>()).await;
        })
    }
}

/// The operating system's random numbers.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(
        clippy::panic,
        reason = "a system without randomness is broken, and keys made without it are no secrets"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            panic!("the operating system has no random numbers: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_ours_and_random_numbers_differ() {
        assert!(SystemClock.now() > Timestamp::from_seconds(1_700_000_000));
        let (mut one, mut other) = ([0; 32], [0; 32]);
        SystemRandom.fill(&mut one);
        SystemRandom.fill(&mut other);
        assert_ne!(one, other);
    }

    #[tokio::test]
    async fn a_wait_ends() {
        SystemClock.wait(Duration::from_millis(1)).await;
    }
}
