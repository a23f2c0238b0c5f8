//! Times for people.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wargate_protocol::Timestamp;

/// `2026-01-02T03:04:05Z`, or the seconds if no calendar has them.
pub(crate) fn absolute(seconds: i64) -> String {
    let since = u64::try_from(seconds).ok().map(Duration::from_secs);
    // Years of more than four digits are beyond the form.
    match since.filter(|since| since.as_secs() < 253_402_300_800) {
        Some(since) => humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string(),
        None => format!("{seconds}s"),
    }
}

/// The absolute time, and how long ago that is.
pub(crate) fn both(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    format!("{} ({})", absolute(seconds), relative(now.saturating_sub(seconds)))
}

/// The absolute time of a record.
pub(crate) fn of(timestamp: Timestamp) -> String {
    absolute(timestamp.seconds())
}

fn relative(seconds: i64) -> String {
    const UNITS: [(i64, &str); 5] = [
        (31_557_600, "year"),
        (2_629_800, "month"),
        (86_400, "day"),
        (3_600, "hour"),
        (60, "minute"),
    ];
    if seconds < 0 {
        return "in the future".into();
    }
    for (length, unit) in UNITS {
        let count = seconds / length;
        if count > 0 {
            let plural = if count == 1 { "" } else { "s" };
            return format!("{count} {unit}{plural} ago");
        }
    }
    "just now".into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_and_relative() {
        assert_eq!(absolute(1_700_000_000), "2023-11-14T22:13:20Z");
        assert_eq!(absolute(-5), "-5s");
        assert_eq!(absolute(i64::MAX), format!("{}s", i64::MAX));
        let relatives = [(-1, "in the future"), (59, "just now"), (61, "1 minute ago")];
        let more = [(7_200, "2 hours ago"), (90_000, "1 day ago"), (99_999_999, "3 years ago")];
        for (seconds, text) in relatives.into_iter().chain(more) {
            assert_eq!(relative(seconds), text);
        }
    }
}
