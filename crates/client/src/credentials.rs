//! Where the user's keys and tokens are, in this order; the first that has one counts:
//!
//! 1. the environment ([`Environment`]): `WARG_SIGNING_KEY`, `WARG_TOKEN_<REGISTRY>`, `WARG_TOKEN`;
//! 2. a file with the key ([`KeyFile`](crate::native::KeyFile));
//! 3. a helper, a program that the user configured ([`Helper`](crate::native::Helper));
//! 4. a keyring ([`InKeyring`]), by default the reference client's directory of flat files
//!    ([`FlatFiles`](crate::native::FlatFiles)), which needs no session bus and no terminal; else
//!    the operating system's ([`system_keyring`](crate::native::system_keyring)).
//!
//! A source that may have a secret and cannot be read ends the search with an error: going on would
//! sign with another key than the user thinks.
//!
//! **Invariant**: no error and no `Debug` form has a secret in it, and texts of secrets are wiped when
//! they are dropped.

mod environment;
mod keyring;

use wargate_crypto::PrivateKey;
use zeroize::Zeroizing;

pub use self::environment::Environment;
#[cfg(feature = "os-keyring")]
pub(crate) use self::keyring::INSTEAD;
pub use self::keyring::{InKeyring, Keyring, KeyringEntry, NoKeyring, key_names};
use crate::origin::RegistryUrl;
use crate::seams::{Asked, SecretError, Secrets, Token};

/// Most bytes of a secret's text.
pub const SECRET_BYTES_MAX: usize = 64 << 10;

/// A secret, and where it was found.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The secret.
    pub secret: T,
    /// For people: a variable, a file, a program.
    pub place: String,
}

/// A place that may have secrets.
pub trait Source: Send + Sync {
    /// The key to sign with for a registry; without one, for any.
    ///
    /// # Errors
    /// [`SecretError`] if there may be one that cannot be read.
    fn signing_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError>;

    /// The token to show to a registry.
    ///
    /// # Errors
    /// [`SecretError`] if there may be one that cannot be read.
    fn token(&self, asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError>;

    /// The API did not take the token: what is remembered of it is forgotten.
    fn refused(&self, _asked: Asked<'_>) {}
}

/// Places that may have secrets, the first one first.
#[derive(Default)]
pub struct Credentials(Vec<Box<dyn Source>>);

impl Credentials {
    /// Adds a place behind the others.
    pub fn push(&mut self, source: impl Source + 'static) {
        self.0.push(Box::new(source));
    }

    /// The key to sign with, and where it is.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn locate_signing_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        first(&self.0, |source| source.signing_key(registry))
    }

    /// The token, and where it is.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn locate_token(&self, asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError> {
        first(&self.0, |source| source.token(asked))
    }
}

fn first<T>(
    sources: &[Box<dyn Source>],
    ask: impl Fn(&dyn Source) -> Result<Option<T>, SecretError>,
) -> Result<Option<T>, SecretError> {
    for source in sources {
        if let Some(found) = ask(source.as_ref())? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

impl Secrets for Credentials {
    fn signing_key(&self, registry: &RegistryUrl) -> Result<Option<PrivateKey>, SecretError> {
        let found = self.locate_signing_key(Some(registry))?;
        Ok(found.map(|located| located.secret))
    }

    fn token(&self, asked: Asked<'_>) -> Result<Option<Token>, SecretError> {
        Ok(self.locate_token(asked)?.map(|located| located.secret))
    }

    fn refused(&self, asked: Asked<'_>) {
        self.0.iter().for_each(|source| source.refused(asked));
    }
}

/// Reads the text of a private key that was found in `place`; white space around it does not count.
///
/// # Errors
/// [`SecretError`], without the text.
pub fn read_key(text: &str, place: &str) -> Result<PrivateKey, SecretError> {
    PrivateKey::from_text(text.trim_ascii())
        .map_err(|error| SecretError { message: format!("no private key is in {place}: {error}") })
}

/// Reads the text of a token that was found in `place`.
///
/// # Errors
/// [`SecretError`], without the text.
pub fn read_token(text: &str, place: &str) -> Result<Token, SecretError> {
    Token::new(text)
        .map_err(|error| SecretError { message: format!("no token is in {place}: {error}") })
}

/// The text of a secret.
pub type SecretText = Zeroizing<String>;

#[cfg(test)]
mod tests;
