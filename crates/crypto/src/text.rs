//! The text form shared by keys and signatures: `ecdsa-p256:` and base64.

use base64ct::{Base64, Encoding};
use zeroize::Zeroizing;

use crate::limits::KEY_TEXT_BYTES_MAX;

/// The only signature algorithm of the protocol (specification 1).
pub(crate) const ECDSA_P256: &str = "ecdsa-p256";

/// Why a text is not `ecdsa-p256:<base64>`.
pub(crate) enum TextError {
    /// The text is longer than any value of its kind.
    TooLong,
    /// There is no colon, or more than one where exactly one may stand.
    Structure,
    /// The part before the colon names no algorithm of the protocol.
    Algorithm,
    /// The part after the colon is not padded base64 in the standard alphabet.
    Base64,
}

/// Reads `ecdsa-p256:<base64>` with exactly one colon, the rule for public keys and signatures.
pub(crate) fn decode_single_colon(text: &str, bytes_max: usize) -> Result<Vec<u8>, TextError> {
    match text.bytes().filter(|byte| *byte == b':').count() {
        1 => decode_first_colon(text, bytes_max),
        _ => Err(TextError::Structure),
    }
}

/// Reads `ecdsa-p256:<base64>`, splitting at the first colon, the rule for private keys.
fn decode_first_colon(text: &str, bytes_max: usize) -> Result<Vec<u8>, TextError> {
    Base64::decode_vec(encoded(text, bytes_max)?).map_err(|_| TextError::Base64)
}

/// Reads a private key by the same rule, through no memory but a buffer that is overwritten.
pub(crate) fn decode_secret(
    text: &str,
    buffer: &mut Zeroizing<[u8; KEY_TEXT_BYTES_MAX]>,
) -> Result<usize, TextError> {
    let encoded = encoded(text, KEY_TEXT_BYTES_MAX)?;
    let decoded = Base64::decode(encoded, buffer.as_mut_slice()).map_err(|_| TextError::Base64)?;
    Ok(decoded.len())
}

/// The base64 behind the first colon.
fn encoded(text: &str, bytes_max: usize) -> Result<&str, TextError> {
    if text.len() > bytes_max {
        return Err(TextError::TooLong);
    }
    let (algorithm, encoded) = text.split_once(':').ok_or(TextError::Structure)?;
    if algorithm != ECDSA_P256 {
        return Err(TextError::Algorithm);
    }
    Ok(encoded)
}

/// Writes `ecdsa-p256:<base64>`. The bytes pass through no memory but the result's.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let start = ECDSA_P256.len() + 1;
    let mut text = Vec::with_capacity(start + Base64::encoded_len(bytes));
    text.extend_from_slice(ECDSA_P256.as_bytes());
    text.push(b':');
    text.resize(start + Base64::encoded_len(bytes), b'=');
    // The room is exactly what the bytes need, and base64 is ASCII: neither can fail.
    let _ = Base64::encode(bytes, &mut text[start..]);
    String::from_utf8(text).unwrap_or_default()
}
