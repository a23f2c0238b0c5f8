//! Digests in the form of Subresource Integrity.

use std::fmt;
use std::str::FromStr;

use wargate_crypto::Digest;
use wargate_protocol::base64;

use super::ImportNameError;

/// One digest or several of the same content: `sha256-`, `sha384-` or `sha512-` and base64 each,
/// separated by white space.
///
/// It holds the text as it came. That a text has this form does not mean that it can be checked: the
/// reference client wrote hexadecimal digits, which look like base64 too and which
/// [`Self::sha256`] reads as well, and any number of base64 characters is well-formed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Integrity(String);

impl Integrity {
    /// The text for a digest, in base64 as it should be.
    pub fn of(digest: &Digest) -> Self {
        Self(format!("sha256-{}", base64::encode(digest.as_bytes())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The SHA-256 digest that it demands, if it demands exactly one: 44 characters of base64, or 64
    /// hexadecimal digits.
    ///
    /// `None` means that content cannot be checked against it with SHA-256; that is a reason to
    /// refuse the content, never to accept it.
    pub fn sha256(&self) -> Option<Digest> {
        let mut found =
            self.0.split_ascii_whitespace().filter_map(|part| part.strip_prefix("sha256-"));
        let text = found.next()?;
        if found.next().is_some() {
            return None;
        }
        let text = text.split('?').next().unwrap_or(text);
        if text.len() == 64 {
            return format!("sha256:{}", text.to_ascii_lowercase()).parse().ok();
        }
        base64::decode(text).ok()?.try_into().ok().map(Digest::from_bytes)
    }
}

impl FromStr for Integrity {
    type Err = ImportNameError;

    fn from_str(text: &str) -> Result<Self, ImportNameError> {
        let mut parts = text.split_ascii_whitespace().peekable();
        if parts.peek().is_some() && parts.all(is_digest) {
            Ok(Self(text.to_owned()))
        } else {
            Err(ImportNameError::Integrity)
        }
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `sha256-BASE64`, or with another length, and perhaps options behind a question mark.
fn is_digest(part: &str) -> bool {
    let Some((algorithm, rest)) = part.split_once('-') else { return false };
    let digest = rest.split('?').next().unwrap_or(rest);
    let digits = digest.trim_end_matches('=');
    matches!(algorithm, "sha256" | "sha384" | "sha512")
        && !digits.is_empty()
        && digest.len() - digits.len() <= 2
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}
