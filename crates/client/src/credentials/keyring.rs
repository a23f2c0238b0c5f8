//! Keyrings: secrets by service and user, named as the reference client names them (specification
//! 15.8), by one rule instead of its two.
//!
//! Reading, the first of these names that has a key counts: the registry's label; its URL in the ways
//! in which it can be typed; `default`. The reference client stores under a URL what it looks for
//! under a label, so both are tried. Writing, a key replaces the one that would be read if it is the
//! registry's own, and gets the label otherwise.

use wargate_crypto::PrivateKey;

use super::{Located, SecretText, Source, read_key, read_token};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{Asked, SecretError, Token};

/// The name of the key for all registries that have none of their own.
const DEFAULT: &str = "default";

/// Names a secret in a keyring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringEntry {
    /// What kind of secret.
    pub service: String,
    /// Whose.
    pub user: String,
}

impl KeyringEntry {
    /// A private key.
    pub fn signing_key(name: &str) -> Self {
        Self { service: "warg-signing-key".into(), user: name.into() }
    }

    /// A token, for the registry whose API has this name (specification 15.8).
    pub fn token(registry: &Domain) -> Self {
        Self { service: format!("warg-auth-token:{registry}"), user: registry.as_str().into() }
    }

    /// The name of its file in a directory of flat files.
    pub fn file_name(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("service", &self.service)
            .append_pair("user", &self.user)
            .finish()
    }
}

/// Keeps secrets.
pub trait Keyring: Send + Sync {
    /// Reads a secret.
    ///
    /// # Errors
    /// [`SecretError`] if there may be one that cannot be read.
    fn read(&self, entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError>;

    /// Adds or replaces a secret; as a whole or not at all.
    ///
    /// # Errors
    /// [`SecretError`]
    fn write(&self, entry: &KeyringEntry, secret: &str) -> Result<(), SecretError>;

    /// Removes a secret; whether it was there.
    ///
    /// # Errors
    /// [`SecretError`]
    fn remove(&self, entry: &KeyringEntry) -> Result<bool, SecretError>;

    /// For people: where a secret is.
    fn place(&self, entry: &KeyringEntry) -> String;
}

/// What whoever has no keyring can do.
pub(crate) const INSTEAD: &str = "`keyring-backend` `flat-file` keeps secrets in files, and variables \
    (`WARG_SIGNING_KEY`, `WARG_TOKEN`), `key-file` and `credential-helper` count before any keyring";

/// A keyring that this program does not have, or that nobody wants.
#[derive(Clone, Debug)]
pub struct NoKeyring {
    backend: String,
    others: Vec<&'static str>,
}

impl NoKeyring {
    /// Stands for a backend. `others` are the keyrings of the operating system that there are.
    pub fn new(backend: &str, others: Vec<&'static str>) -> Self {
        Self { backend: backend.to_owned(), others }
    }

    fn refuse<T>(&self) -> Result<T, SecretError> {
        let message = if self.backend == "none" {
            "there is no keyring: `keyring-backend` is `none`".to_owned()
        } else if self.others.is_empty() {
            format!(
                "this program was built without the keyrings of operating systems (feature \
                 `os-keyring`), so it has no keyring `{}`; {INSTEAD}",
                self.backend
            )
        } else {
            let others = self.others.join("`, `");
            format!("there is no keyring `{}` here, but `{others}`; {INSTEAD}", self.backend)
        };
        Err(SecretError { message })
    }
}

impl Keyring for NoKeyring {
    fn read(&self, _entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError> {
        if self.backend == "none" { Ok(None) } else { self.refuse() }
    }

    fn write(&self, _entry: &KeyringEntry, _secret: &str) -> Result<(), SecretError> {
        self.refuse()
    }

    fn remove(&self, _entry: &KeyringEntry) -> Result<bool, SecretError> {
        self.refuse()
    }

    fn place(&self, _entry: &KeyringEntry) -> String {
        format!("the keyring `{}`", self.backend)
    }
}

/// Names under which a registry's key may be, the best first. `listed` are the names that the reference
/// client's configuration lists.
pub fn key_names(registry: Option<&RegistryUrl>, listed: &[String]) -> Vec<String> {
    let mut names = Vec::new();
    let mut add = |name: String| {
        if !names.contains(&name) {
            names.push(name);
        }
    };
    if let Some(registry) = registry {
        let domain = registry.domain();
        add(domain.as_str().to_owned());
        let same = |name: &&String| {
            name.parse::<RegistryUrl>().is_ok_and(|listed| listed.domain() == domain)
        };
        listed.iter().filter(same).for_each(|name| add(name.clone()));
        let url = registry.to_string();
        let bare = url.split_once("://").map_or("", |(_, bare)| bare).to_owned();
        for text in [url, bare] {
            add(text.trim_end_matches('/').to_owned());
            add(text);
        }
    }
    add(DEFAULT.to_owned());
    names
}

/// The secrets in a keyring.
pub struct InKeyring<K> {
    keyring: K,
    listed: Vec<String>,
}

impl<K: Keyring> InKeyring<K> {
    /// `listed`: see [`key_names`].
    pub fn new(keyring: K, listed: Vec<String>) -> Self {
        Self { keyring, listed }
    }

    /// The entry that has a registry's key.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn find_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<(KeyringEntry, PrivateKey)>, SecretError> {
        for name in key_names(registry, &self.listed) {
            let entry = KeyringEntry::signing_key(&name);
            if let Some(text) = self.keyring.read(&entry)? {
                let key = read_key(&text, &self.keyring.place(&entry))?;
                return Ok(Some((entry, key)));
            }
        }
        Ok(None)
    }

    /// The entry into which a key has to go so that it is found for a registry, or, without one, for
    /// all that have none of their own.
    ///
    /// # Errors
    /// [`SecretError`]
    pub fn key_entry(&self, registry: Option<&RegistryUrl>) -> Result<KeyringEntry, SecretError> {
        let Some(registry) = registry else { return Ok(KeyringEntry::signing_key(DEFAULT)) };
        for name in key_names(Some(registry), &self.listed) {
            let entry = KeyringEntry::signing_key(&name);
            // What stands there need not be a key: it is to be replaced.
            if name != DEFAULT && self.keyring.read(&entry)?.is_some() {
                return Ok(entry);
            }
        }
        Ok(KeyringEntry::signing_key(registry.domain().as_str()))
    }

    /// The keyring.
    pub const fn keyring(&self) -> &K {
        &self.keyring
    }
}

impl<K: Keyring> Source for InKeyring<K> {
    fn signing_key(
        &self,
        registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        let found = self.find_key(registry)?;
        Ok(found.map(|(entry, secret)| Located { secret, place: self.keyring.place(&entry) }))
    }

    fn token(&self, asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError> {
        let entry = KeyringEntry::token(&asked.api.domain());
        let Some(text) = self.keyring.read(&entry)? else { return Ok(None) };
        let place = self.keyring.place(&entry);
        let secret = read_token(&text, &place)?;
        Ok(Some(Located { secret, place }))
    }
}

impl<K: Keyring + ?Sized> Keyring for Box<K> {
    fn read(&self, entry: &KeyringEntry) -> Result<Option<SecretText>, SecretError> {
        (**self).read(entry)
    }

    fn write(&self, entry: &KeyringEntry, secret: &str) -> Result<(), SecretError> {
        (**self).write(entry, secret)
    }

    fn remove(&self, entry: &KeyringEntry) -> Result<bool, SecretError> {
        (**self).remove(entry)
    }

    fn place(&self, entry: &KeyringEntry) -> String {
        (**self).place(entry)
    }
}
