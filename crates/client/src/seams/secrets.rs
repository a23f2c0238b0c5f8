//! Keys to sign with, and tokens to be let in with.

use std::fmt;

use wargate_crypto::PrivateKey;
use zeroize::Zeroizing;

use crate::origin::RegistryUrl;

/// Has the user's secrets.
pub trait Secrets: Send + Sync {
    /// The key to sign with for a registry; `None` if there is none.
    ///
    /// # Errors
    /// [`SecretError`] if there may be one that cannot be read.
    fn signing_key(&self, registry: &RegistryUrl) -> Result<Option<PrivateKey>, SecretError>;

    /// The token to show to a registry; `None` if there is none. It goes to the registry's API alone,
    /// never to places of uploads or downloads (specification 12.1).
    ///
    /// # Errors
    /// [`SecretError`] if there may be one that cannot be read.
    fn token(&self, asked: Asked<'_>) -> Result<Option<Token>, SecretError>;

    /// The API did not take the token: what was remembered of it is to be forgotten.
    fn refused(&self, _asked: Asked<'_>) {}
}

/// Who is to see a token.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The registry, as the user or another registry names it.
    pub named: &'a RegistryUrl,
    /// Its API, by whose name tokens are kept (specification 15.8). It is where the registry is, or
    /// where the registry's discovery document leads.
    pub api: &'a RegistryUrl,
}

impl<'a> Asked<'a> {
    /// A registry whose API is where it is.
    pub const fn itself(registry: &'a RegistryUrl) -> Self {
        Self { named: registry, api: registry }
    }
}

/// A bearer token. It is wiped when it is dropped, and not shown.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// A token; white space around it does not count.
    ///
    /// # Errors
    /// [`SecretError`] if it is empty or has a character that no HTTP header may have.
    pub fn new(text: &str) -> Result<Self, SecretError> {
        let text = text.trim();
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SecretError {
                message: "the token is not one word of visible text".into(),
            });
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Secrets that cannot be read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct SecretError {
    /// For people, without the secret.
    pub message: String,
}
