//! Parts of content (RFC 9110, 14).

use std::ops::Range;

use http::{HeaderMap, HeaderValue, header};

/// What an answer of status 206 says that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) bytes: Range<u64>,
    /// How many there are in all.
    pub(super) whole: Option<u64>,
}

/// Asks for the bytes from an offset on, or to an end.
pub(super) fn ask(headers: &mut HeaderMap, from: u64, to: Option<u64>) {
    let range = match to {
        Some(to) => format!("bytes={from}-{}", to.saturating_sub(1)),
        None => format!("bytes={from}-"),
    };
    if let Ok(value) = HeaderValue::try_from(range) {
        headers.insert(header::RANGE, value);
    }
}

impl ContentRange {
    /// Reads the header; `None` if there is none that makes sense.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (unit, rest) = text.split_once(' ')?;
        let (range, whole) = rest.split_once('/')?;
        let (first, last) = range.split_once('-')?;
        let (first, last) = (number(first)?, number(last)?);
        let whole = if whole == "*" { None } else { Some(number(whole)?) };
        let end = last.checked_add(1)?;
        let sound = unit.eq_ignore_ascii_case("bytes")
            && first <= last
            && whole.is_none_or(|whole| end <= whole);
        sound.then_some(Self { bytes: first..end, whole })
    }
}

fn number(digits: &str) -> Option<u64> {
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str) -> Option<ContentRange> {
        let value = HeaderValue::try_from(value).unwrap();
        ContentRange::of(&HeaderMap::from_iter([(header::CONTENT_RANGE, value)]))
    }

    #[test]
    fn ranges_are_read_strictly() {
        assert_eq!(of("bytes 4-7/9"), Some(ContentRange { bytes: 4..8, whole: Some(9) }));
        assert_eq!(of("Bytes 0-0/*"), Some(ContentRange { bytes: 0..1, whole: None }));
        let bad = [
            "",
            "bytes",
            "bytes */9",
            "bytes 4-7",
            "bytes 7-4/9",
            "bytes 4-9/9",
            "lines 4-7/9",
            "bytes 4-18446744073709551615/*",
            "bytes +4-7/9",
            "bytes 4-7/",
            "bytes -7/9",
        ];
        for bad in bad {
            assert_eq!(of(bad), None, "{bad}");
        }
    }

    #[test]
    fn parts_are_asked_for() {
        let mut headers = HeaderMap::new();
        ask(&mut headers, 5, None);
        assert_eq!(headers[header::RANGE], "bytes=5-");
        ask(&mut headers, 5, Some(9));
        assert_eq!(headers[header::RANGE], "bytes=5-8");
    }
}
