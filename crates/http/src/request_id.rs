//! What a request is called in answers, logs and traces.

use std::fmt;

use axum::http::{HeaderName, HeaderValue};

use crate::limits::REQUEST_ID_BYTES_MAX;

/// What a request is called. Its sender may choose: a proxy in front has a name for it already. It has
/// only letters, digits, `-`, `_` and `.`, so it can stand in a log and in a header as it is.
///
/// Whoever serves a [`router`](crate::router) puts it into the request's extensions if it wants to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    bytes: [u8; REQUEST_ID_BYTES_MAX],
    length: usize,
}

impl RequestId {
    /// The header in which it comes and goes.
    pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");

    /// The name that a sender chose; `None` if it is empty, too long, or has other characters.
    pub fn from_header(value: &HeaderValue) -> Option<Self> {
        let given = value.as_bytes();
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        if given.is_empty() || !given.iter().all(is_plain) {
            return None;
        }
        let mut bytes = [0; REQUEST_ID_BYTES_MAX];
        bytes.get_mut(..given.len())?.copy_from_slice(given);
        Some(Self { bytes, length: given.len() })
    }

    /// A name of 32 hexadecimal digits.
    pub fn from_number(number: u128) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut bytes = [0; REQUEST_ID_BYTES_MAX];
        for (at, byte) in bytes.iter_mut().take(32).enumerate() {
            let digit = (number >> (124 - 4 * at)) & 0xf;
            *byte = DIGITS.get(usize::try_from(digit).unwrap_or(0)).copied().unwrap_or(b'0');
        }
        Self { bytes, length: 32 }
    }

    /// As a text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }

    /// For [`RequestId::HEADER`] of an answer.
    pub fn to_header(self) -> Option<HeaderValue> {
        HeaderValue::from_str(self.as_str()).ok()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_short_and_harmless_names_are_taken() {
        let taken = |text: &[u8]| RequestId::from_header(&HeaderValue::from_bytes(text).unwrap());
        for good in ["a", "018f-3A_b.c", &"x".repeat(REQUEST_ID_BYTES_MAX)] {
            assert_eq!(taken(good.as_bytes()).unwrap().as_str(), good);
        }
        let long = "x".repeat(REQUEST_ID_BYTES_MAX + 1);
        for bad in ["", " ", "a b", "a\tb", "a=b", "a\"", "a,b", "{}", &long] {
            assert_eq!(taken(bad.as_bytes()), None, "{bad:?}");
        }
        assert_eq!(taken("é".as_bytes()), None);
        let made = RequestId::from_number(0x0123_4567_89ab_cdef << 64);
        assert_eq!(made.as_str(), "0123456789abcdef0000000000000000");
        assert_eq!(taken(made.as_str().as_bytes()), Some(made));
        assert_eq!(made.to_header().unwrap(), made.as_str());
    }
}
