//! Trying again: what may pass, after a pause that grows and that chance spreads, and not before the
//! registry says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use wargate_protocol::Timestamp;

use super::Exchange;
use crate::error::Error;
use crate::limits::{RETRY_AFTER_MAX, RETRY_TOTAL_MAX};
use crate::seams::{Event, TransportFault};

/// The first pause is chance times this, the second chance times twice this, and so on.
const PAUSE: Duration = Duration::from_millis(200);

/// No pause of our own is longer.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The attempts at one thing.
pub(crate) struct Retry {
    done: u32,
    attempts: u32,
    waited: Duration,
    told: Vec<Told>,
}

/// Failures that are tried again, and who is at it: what several requests meet at the same time is told
/// once.
#[derive(Clone, Default)]
pub(crate) struct Telling(Arc<Mutex<BTreeMap<Failure, u32>>>);

/// After which attempt, and what.
type Failure = (u32, String);

/// Something that was told, until whoever met it is done.
struct Told {
    telling: Telling,
    failure: Failure,
}

impl Retry {
    /// For something that is tried so often in all; the first attempt counts.
    pub(crate) const fn new(attempts: u32) -> Self {
        Self { done: 1, attempts, waited: Duration::ZERO, told: Vec::new() }
    }

    /// Whether to try again after this error. Waits before it says yes.
    pub(crate) async fn again(&mut self, exchange: &Exchange, error: &Error) -> bool {
        let Some(told) = may_pass(error) else { return false };
        if self.done >= self.attempts || told > RETRY_AFTER_MAX {
            return false;
        }
        let mut chance = [0; 4];
        exchange.random.fill(&mut chance);
        let limit = PAUSE.saturating_mul(1 << (self.done - 1).min(16)).min(PAUSE_MAX);
        let share = f64::from(u32::from_le_bytes(chance)) / f64::from(u32::MAX);
        // What the registry says is the least; chance comes on top, so that clients do not come back
        // together.
        let after = told + limit.mul_f64(share);
        if self.waited.saturating_add(after) > RETRY_TOTAL_MAX {
            return false;
        }
        let reason = error.to_string();
        let (told, is_new) = exchange.telling.note((self.done, reason.clone()));
        self.told.push(told);
        self.done += 1;
        self.waited += after;
        if is_new {
            exchange.observer.event(Event::Retrying { reason: &reason, after });
        }
        exchange.clock.wait(after).await;
        true
    }
}

impl Telling {
    /// Notes a failure. Whether nobody else is at the same one.
    fn note(&self, failure: Failure) -> (Told, bool) {
        let mut met = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = met.entry(failure.clone()).or_default();
        *count += 1;
        (Told { telling: self.clone(), failure }, *count == 1)
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let mut met = self.telling.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = met.get_mut(&self.failure) {
            *count -= 1;
            if *count == 0 {
                met.remove(&self.failure);
            }
        }
    }
}

/// The pause that the registry demands, which may be none, if an error may pass.
fn may_pass(error: &Error) -> Option<Duration> {
    match error {
        Error::Unreachable { source, .. } => {
            use TransportFault::{Body, Broken, Connect, Timeout, Tls, Unsendable};
            match source.fault {
                Connect | Timeout | Broken => Some(Duration::ZERO),
                Tls | Body | Unsendable => None,
            }
        }
        Error::Unavailable {
            status: 408 | 425 | 429 | 500 | 502 | 503 | 504, retry_after, ..
        } => Some(retry_after.unwrap_or_default()),
        _ => None,
    }
}

/// The pause that an answer demands, in seconds or until a date (RFC 9110, 10.2.3). The date is the
/// server's, so the pause is counted from the answer's own date if it has one.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| Some(headers.get(name)?.to_str().ok()?.trim());
    let value = text(http::header::RETRY_AFTER)?;
    if value.bytes().all(|byte| byte.is_ascii_digit()) {
        // So many digits that it is no number any more are long enough.
        return (!value.is_empty())
            .then(|| Duration::from_secs(value.parse().unwrap_or(u32::MAX.into())));
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    let until = date(value)?;
    let seconds = u64::try_from(now.seconds()).unwrap_or_default();
    let ours = std::time::UNIX_EPOCH + Duration::from_secs(seconds);
    let now = text(http::header::DATE).and_then(date).unwrap_or(ours);
    Some(until.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use futures_util::future;
    use http::{HeaderName, HeaderValue, header};

    use super::*;
    use crate::fixture::{Surroundings, registry};
    use crate::seams::TransportError;

    fn unreachable(fault: TransportFault) -> Error {
        let source = TransportError { fault, message: "it broke".into() };
        Error::Unreachable { registry: registry(), source }
    }

    fn busy(status: u16, retry_after: Option<u64>) -> Error {
        let retry_after = retry_after.map(Duration::from_secs);
        Error::Unavailable { registry: registry(), status, message: "busy".into(), retry_after }
    }

    /// The pauses until an error is given up that does not pass.
    async fn pauses(random: u8, attempts: u32, error: Error) -> Vec<Duration> {
        let surroundings = Surroundings::default();
        surroundings.random.set(random);
        let exchange = surroundings.exchange();
        let mut retry = Retry::new(attempts);
        while retry.again(&exchange, &error).await {}
        surroundings.clock.waits()
    }

    #[tokio::test]
    async fn pauses_grow_and_chance_spreads_them() {
        let error = || unreachable(TransportFault::Broken);
        let milliseconds = |pauses: Vec<Duration>| -> Vec<u128> {
            pauses.iter().map(Duration::as_millis).collect()
        };
        assert_eq!(milliseconds(pauses(0xff, 4, error()).await), [200, 400, 800]);
        assert_eq!(milliseconds(pauses(0, 4, error()).await), [0, 0, 0]);
        let half = milliseconds(pauses(0x80, 4, error()).await);
        assert!(
            half.iter().zip([100, 200, 400]).all(|(at, most)| at.abs_diff(most) < 5),
            "{half:?}"
        );
        let many = pauses(0xff, 100, error()).await;
        assert_eq!(many.iter().max(), Some(&PAUSE_MAX));
        assert!(many.iter().sum::<Duration>() <= RETRY_TOTAL_MAX);
        assert!(many.len() < 99, "the time in all is limited");
    }

    #[tokio::test]
    async fn what_the_registry_says_is_the_least() {
        let seconds =
            |pauses: Vec<Duration>| -> Vec<u64> { pauses.iter().map(Duration::as_secs).collect() };
        assert_eq!(seconds(pauses(0, 3, busy(429, Some(7))).await), [7, 7]);
        assert_eq!(seconds(pauses(0xff, 2, busy(503, Some(7))).await), [7]);
        let longest = RETRY_AFTER_MAX.as_secs();
        assert_eq!(seconds(pauses(0, 9, busy(503, Some(longest))).await), [longest, longest]);
        assert!(pauses(0, 3, busy(503, Some(longest + 1))).await.is_empty());
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_tried_again() {
        use TransportFault::{Body, Connect, Timeout, Tls, Unsendable};
        for (fault, tries) in [(Connect, 2), (Timeout, 2), (Tls, 0), (Body, 0), (Unsendable, 0)] {
            assert_eq!(pauses(0, 3, unreachable(fault)).await.len(), tries, "{fault:?}");
        }
        for (status, tries) in [(500, 2), (504, 2), (408, 2), (404, 0), (501, 0), (400, 0)] {
            assert_eq!(pauses(0, 3, busy(status, None)).await.len(), tries, "{status}");
        }
    }

    #[tokio::test]
    async fn what_several_meet_at_once_is_told_once() {
        let surroundings = Surroundings::default();
        let exchange = surroundings.exchange();
        let (same, other) = (busy(503, None), busy(500, None));
        let try_all = async |error: &Error| {
            let mut retry = Retry::new(3);
            while retry.again(&exchange, error).await {}
        };
        future::join4(try_all(&same), try_all(&same), try_all(&same), try_all(&other)).await;
        assert_eq!(surroundings.observer.told().len(), 4, "two attempts again, of two kinds");
        // It is told again when it happens again.
        try_all(&same).await;
        assert_eq!(surroundings.observer.told().len(), 6);
        assert_eq!(surroundings.clock.waits().len(), 10);
    }

    #[test]
    fn pauses_are_read_as_seconds_and_as_dates() {
        let now = Timestamp::from_seconds(1_700_000_000);
        let at = |seconds: u64| {
            httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds))
        };
        let read = |fields: &[(HeaderName, &str)]| {
            let fields = fields.iter().map(|(name, value)| {
                (
                    name.clone(),
                    HeaderValue::try_from(*value).unwrap_or(HeaderValue::from_static("")),
                )
            });
            retry_after(&fields.collect(), now).map(|pause| pause.as_secs())
        };
        let after = header::RETRY_AFTER;
        assert_eq!(read(&[(after.clone(), "12")]), Some(12));
        assert_eq!(read(&[(after.clone(), " 0 ")]), Some(0));
        assert_eq!(read(&[(after.clone(), "99999999999999999999")]), Some(u32::MAX.into()));
        assert_eq!(read(&[(after.clone(), &at(90))]), Some(90));
        assert_eq!(read(&[(after.clone(), &at(90)), (header::DATE, &at(60))]), Some(30));
        assert_eq!(read(&[(after.clone(), &at(5)), (header::DATE, &at(60))]), Some(0));
        for bad in ["", "-1", "soon", "1.5", "0x10"] {
            assert_eq!(read(&[(after.clone(), bad)]), None, "{bad}");
        }
        assert_eq!(read(&[]), None);
    }
}
