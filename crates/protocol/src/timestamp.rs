//! Record times (specification 2.8).

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::proto;

const NANOS_PER_SECOND: u32 = 1_000_000_000;

/// A time that cannot be a record's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimestampError {
    /// Nanoseconds that make a whole second or more.
    #[error("nanoseconds are below 1,000,000,000")]
    Nanos,
    /// Carrying the nanoseconds into the seconds overflows them.
    #[error("the time is out of range")]
    Range,
    /// Not the text form `<seconds>.<nanoseconds>` of two integers.
    #[error("a time in a log's state is written <seconds>.<nanoseconds>, two whole numbers")]
    Text,
}

/// A point in time: seconds since 1970-01-01T00:00:00Z, which may be negative, and nanoseconds that
/// count forward from there. Ordered to the nanosecond.
///
/// In JSON it is the text of [`Timestamp::to_state_text`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    seconds: i64,
    nanos: u32,
}

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self { seconds: 0, nanos: 0 };

    /// A time from seconds since the Unix epoch and the nanoseconds on top of them.
    ///
    /// # Errors
    /// [`TimestampError::Nanos`] if they make a second or more.
    pub const fn new(seconds: i64, nanos: u32) -> Result<Self, TimestampError> {
        if nanos < NANOS_PER_SECOND {
            Ok(Self { seconds, nanos })
        } else {
            Err(TimestampError::Nanos)
        }
    }

    /// A time from whole seconds since the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// A time from protobuf's pair, whose nanoseconds may be negative or make more than a second.
    ///
    /// At the ends of the range it is what the reference's system time is: a carry past the last
    /// second stops at the last nanosecond, and the first second, which has no positive counterpart,
    /// is no time (specification 2.8). Logs may hold both, so both sides must decode them alike.
    ///
    /// # Errors
    /// [`TimestampError::Range`] before the first second but one.
    pub const fn normalised(seconds: i64, nanos: i32) -> Result<Self, TimestampError> {
        let per_second = NANOS_PER_SECOND.cast_signed();
        match seconds.checked_add(nanos.div_euclid(per_second) as i64) {
            Some(i64::MIN) => Err(TimestampError::Range),
            Some(seconds) => {
                Ok(Self { seconds, nanos: nanos.rem_euclid(per_second).cast_unsigned() })
            }
            None if nanos < 0 => Err(TimestampError::Range),
            None => Ok(Self { seconds: i64::MAX, nanos: NANOS_PER_SECOND - 1 }),
        }
    }

    /// Whole seconds since the Unix epoch, rounded towards the past.
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds on top of the seconds, below 1,000,000,000.
    pub const fn nanos(self) -> u32 {
        self.nanos
    }

    /// The form in a log's state (specification 5.5): `<seconds>.<nanoseconds>`, two integers
    /// **without padding**. Five nanoseconds past second 10 are `10.5`.
    ///
    /// Times before 1970 have negative seconds; the reference cannot write them at all.
    pub fn to_state_text(self) -> String {
        format!("{}.{}", self.seconds, self.nanos)
    }

    /// Reads the form in a log's state.
    ///
    /// # Errors
    /// [`TimestampError`]
    pub fn from_state_text(text: &str) -> Result<Self, TimestampError> {
        let (seconds, nanos) = text.split_once('.').ok_or(TimestampError::Text)?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(seconds.strip_prefix('-').unwrap_or(seconds)) || !digits(nanos) {
            return Err(TimestampError::Text);
        }
        let seconds = seconds.parse().map_err(|_| TimestampError::Text)?;
        Self::new(seconds, nanos.parse().map_err(|_| TimestampError::Text)?)
    }
}

impl TryFrom<proto::Timestamp> for Timestamp {
    type Error = TimestampError;

    fn try_from(time: proto::Timestamp) -> Result<Self, TimestampError> {
        Self::normalised(time.seconds, time.nanos)
    }
}

impl From<Timestamp> for proto::Timestamp {
    fn from(time: Timestamp) -> Self {
        Self { seconds: time.seconds, nanos: time.nanos.cast_signed() }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_state_text())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        Self::from_state_text(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_carry_into_seconds() {
        let cases = [
            (10, 1_500_000_000, Ok((11, 500_000_000))),
            (10, -1, Ok((9, 999_999_999))),
            (-5, 0, Ok((-5, 0))),
            (0, i32::MIN, Ok((-3, 852_516_352))),
            (i64::MAX, 999_999_999, Ok((i64::MAX, 999_999_999))),
            (i64::MAX, 1_000_000_000, Ok((i64::MAX, 999_999_999))),
            (i64::MAX - 1, i32::MAX, Ok((i64::MAX, 999_999_999))),
            (i64::MIN, -1, Err(TimestampError::Range)),
            (i64::MIN, 0, Err(TimestampError::Range)),
            (i64::MIN + 1, -1, Err(TimestampError::Range)),
            (i64::MIN, 1_000_000_000, Ok((i64::MIN + 1, 0))),
        ];
        for (seconds, nanos, expected) in cases {
            let time = Timestamp::normalised(seconds, nanos);
            assert_eq!(time.map(|time| (time.seconds, time.nanos)), expected);
        }
    }

    #[test]
    fn the_state_text_is_two_integers() {
        for (text, seconds, nanos) in [("10.5", 10, 5), ("0.0", 0, 0), ("-5.7", -5, 7)] {
            let time = Timestamp::new(seconds, nanos).unwrap();
            assert_eq!(time.to_state_text(), text);
            assert_eq!(Timestamp::from_state_text(text), Ok(time));
        }
        for text in
            ["", ".", "1", "1.", ".1", "+1.0", "1.-1", "1.0.0", "1.1000000000", "--1.0", "-.1"]
        {
            assert!(Timestamp::from_state_text(text).is_err(), "{text}");
        }
    }

    #[test]
    fn times_are_ordered_to_the_nanosecond() {
        let time = |seconds, nanos| Timestamp::new(seconds, nanos).unwrap();
        assert!(time(-1, 999_999_999) < time(0, 0));
        assert!(time(1, 0) < time(1, 1));
        assert!(time(1, 999_999_999) < time(2, 0));
    }
}
