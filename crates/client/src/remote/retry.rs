//! Trying again: what may pass, after a pause that grows and that chance spreads, and not before the
//! registry says.

use std::time::Duration;

use http::HeaderMap;

use super::Exchange;
use crate::error::Error;
use crate::limits::RETRY_AFTER_MAX;
use crate::seams::{Clock, Event, TransportFault};

/// The first pause is chance times this, the second chance times twice this, and so on.
const PAUSE: Duration = Duration::from_millis(200);

/// No pause of our own is longer.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The attempts at one thing.
pub(crate) struct Retry {
    done: u32,
    attempts: u32,
}

impl Retry {
    /// For something that is tried so often in all; the first attempt counts.
    pub(crate) const fn new(attempts: u32) -> Self {
        Self { done: 1, attempts }
    }

    /// Whether to try again after this error. Waits before it says yes.
    pub(crate) async fn again(&mut self, exchange: &Exchange, error: &Error) -> bool {
        let Some(told) = may_pass(error) else { return false };
        if self.done >= self.attempts || told.is_some_and(|told| told > RETRY_AFTER_MAX) {
            return false;
        }
        let mut chance = [0; 4];
        exchange.random.fill(&mut chance);
        let limit = PAUSE.saturating_mul(1 << (self.done - 1).min(16)).min(PAUSE_MAX);
        let share = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX);
        // What the registry says is the least; chance comes on top, so that clients do not come back
        // together.
        let after = told.unwrap_or_default() + limit.mul_f64(share);
        self.done += 1;
        exchange.observer.event(Event::Retrying { reason: &error.to_string(), after });
        exchange.clock.wait(after).await;
        true
    }
}

/// Whether an error may pass: `Some`, with the pause that the registry demands.
fn may_pass(error: &Error) -> Option<Option<Duration>> {
    match error {
        Error::Unreachable { source, .. } => {
            use TransportFault::{Body, Broken, Connect, Timeout, Tls, Unsendable};
            match source.fault {
                Connect | Timeout | Broken => Some(None),
                Tls | Body | Unsendable => None,
            }
        }
        Error::Unavailable {
            status: 408 | 425 | 429 | 500 | 502 | 503 | 504, retry_after, ..
        } => Some(*retry_after),
        _ => None,
    }
}

/// The pause that an answer demands, in seconds or until a date (RFC 9110, 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, _clock: &dyn Clock) -> Option<Duration> {
    let text = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
