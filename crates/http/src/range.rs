//! Parts of content (RFC 9110, 14).

use std::ops::Range;

use axum::http::HeaderValue;
use axum::http::header::{HeaderMap, IF_RANGE, RANGE};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Everything.
    Whole,
    /// One part that is there; never empty.
    Part(Range<u64>),
    /// A part that begins behind the end.
    Unsatisfiable,
}

/// The part of `size` bytes that a request asks for. Several parts at once, other units and what makes
/// no sense count as the whole, which RFC 9110 permits.
pub(crate) fn asked(headers: &HeaderMap, tag: &HeaderValue, size: u64) -> Asked {
    let mut ranges = headers.get_all(RANGE).iter();
    let (Some(range), None) = (ranges.next(), ranges.next()) else { return Asked::Whole };
    // A date never fits: content has a digest and no date.
    if headers.get(IF_RANGE).is_some_and(|had| had != tag) {
        return Asked::Whole;
    }
    let range = range.to_str().unwrap_or_default();
    let Some((unit, range)) = range.split_once('=') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    parse(range.trim(), size).unwrap_or(Asked::Whole)
}

/// `None` if it is not one range.
fn parse(range: &str, size: u64) -> Option<Asked> {
    let (first, last) = range.split_once('-')?;
    let range = match (first, last) {
        ("", suffix) => size.saturating_sub(number(suffix)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if range.start < range.end { Asked::Part(range) } else { Asked::Unsatisfiable })
}

/// A number of decimal digits; one that is too large to count is as good as the largest.
fn number(digits: &str) -> Option<u64> {
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &'static str, size: u64) -> Asked {
        let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
        asked(&headers, &HeaderValue::from_static("\"a\""), size)
    }

    #[test]
    fn single_ranges_are_understood() {
        assert_eq!(of("bytes=0-0", 8), Asked::Part(0..1));
        assert_eq!(of("bytes=4-7", 8), Asked::Part(4..8));
        assert_eq!(of("bytes=4-99999999999999999999999", 8), Asked::Part(4..8));
        assert_eq!(of("bytes=4-", 8), Asked::Part(4..8));
        assert_eq!(of("bytes=-3", 8), Asked::Part(5..8));
        assert_eq!(of("bytes=-30", 8), Asked::Part(0..8));
        assert_eq!(of("BYTES= 1-2", 8), Asked::Part(1..3));
        for behind in ["bytes=8-", "bytes=8-9", "bytes=-0"] {
            assert_eq!(of(behind, 8), Asked::Unsatisfiable, "{behind}");
        }
        assert_eq!(of("bytes=0-", 0), Asked::Unsatisfiable);
        assert_eq!(of("bytes=-1", 0), Asked::Unsatisfiable);
    }

    #[test]
    fn everything_else_is_the_whole() {
        let odd = [
            "bytes=0-1,3-4",
            "items=0-1",
            "bytes",
            "bytes=",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-2",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=0x1-",
        ];
        for range in odd {
            assert_eq!(of(range, 8), Asked::Whole, "{range}");
        }
    }

    #[test]
    fn if_range_must_be_the_tag() {
        let tag = HeaderValue::from_static("\"a\"");
        let range = (RANGE, HeaderValue::from_static("bytes=1-2"));
        for (had, expected) in
            [("\"a\"", Asked::Part(1..3)), ("W/\"a\"", Asked::Whole), ("Sat", Asked::Whole)]
        {
            let had = (IF_RANGE, HeaderValue::from_static(had));
            let headers = HeaderMap::from_iter([range.clone(), had]);
            assert_eq!(asked(&headers, &tag, 8), expected);
        }
    }
}
