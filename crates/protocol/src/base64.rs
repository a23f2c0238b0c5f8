//! Binary members of JSON bodies (specification 2.3): the standard alphabet, written with padding
//! and read with or without it.
//!
//! For `#[serde(with = "wargate_protocol::base64")]` on a `Vec<u8>`.

use base64ct::{Base64, Base64Unpadded, Encoding};
use serde::{Deserialize, Deserializer, Serializer};

/// A text is no base64 in the standard alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not base64 in the standard alphabet")]
pub struct Base64Error;

/// Writes with padding.
pub fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}

/// Reads with the full padding or with none.
///
/// # Errors
/// [`Base64Error`] for other alphabets, white space, half a padding and unused bits that are not 0.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64Error> {
    let decoded = if text.ends_with('=') {
        Base64::decode_vec(text)
    } else {
        Base64Unpadded::decode_vec(text)
    };
    decoded.map_err(|_| Base64Error)
}

/// Writes a binary member.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&encode(bytes))
}

/// Reads a binary member.
///
/// # Errors
/// Those of the deserializer, and [`Base64Error`] as one of them.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
    decode(&text).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_may_be_there_or_not() {
        assert_eq!(encode(b"a"), "YQ==");
        for text in ["YQ==", "YQ"] {
            assert_eq!(decode(text).unwrap(), b"a");
        }
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("YWJj").unwrap(), b"abc");
    }

    #[test]
    fn other_forms_are_refused() {
        for text in ["YQ=", "_-8=", "YQ ==", "YR==", "Y", "=", "YWJj=", "YQ==YQ=="] {
            assert_eq!(decode(text), Err(Base64Error), "{text}");
        }
    }
}
