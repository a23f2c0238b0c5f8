//! Which keys may publish where: the file of the reference server (specification 16.3).

use std::collections::{HashMap, HashSet};

use serde::Deserialize;
use wargate_crypto::KeyId;
use wargate_protocol::{Entry, PackageEnvelope, PackageName};

use super::{RecordPolicy, Refusal};

/// Keys by namespace and by package.
///
/// A record is taken if for each of its entries the signer is listed for the namespace or for the
/// package, or a table that matches says `delegation = true` and the entry does not begin the
/// package. A file without tables means that nobody may publish.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorizedKeys {
    #[serde(default)]
    namespace: HashMap<String, Table>,
    #[serde(default)]
    package: HashMap<String, Table>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    keys: HashSet<KeyId>,
    #[serde(default)]
    delegation: bool,
}

/// Why a text is no file of authorised keys.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorizedKeysError {
    /// It is not TOML of the right form.
    #[error("the file of authorised keys is not valid: {0}")]
    Toml(#[from] toml::de::Error),
    /// A package's name is no name.
    #[error("the file of authorised keys names the package {name:?}, which is no package name")]
    PackageName {
        /// What stands there.
        name: String,
    },
}

impl AuthorizedKeys {
    /// Reads the file's text.
    ///
    /// # Errors
    /// [`AuthorizedKeysError`]
    pub fn from_toml(text: &str) -> Result<Self, AuthorizedKeysError> {
        let keys: Self = toml::from_str(text)?;
        match keys.package.keys().find(|name| name.parse::<PackageName>().is_err()) {
            Some(name) => Err(AuthorizedKeysError::PackageName { name: name.clone() }),
            None => Ok(keys),
        }
    }

    /// The namespaces that have a table, sorted.
    pub fn namespaces(&self) -> Vec<&str> {
        let mut namespaces: Vec<_> = self.namespace.keys().map(String::as_str).collect();
        namespaces.sort_unstable();
        namespaces
    }

    fn tables<'a>(&'a self, name: &PackageName) -> impl Iterator<Item = &'a Table> + use<'a> {
        let namespace = self.namespace.get(name.namespace().as_str());
        namespace.into_iter().chain(self.package.get(name.as_str()))
    }
}

impl RecordPolicy for AuthorizedKeys {
    fn check(&self, name: &PackageName, record: &PackageEnvelope) -> Result<(), Refusal> {
        let signer = record.key_id();
        if self.tables(name).any(|table| table.keys.contains(signer)) {
            return Ok(());
        }
        let delegated = self.tables(name).any(|table| table.delegation);
        let begins = |entry: &Entry<_>| matches!(entry, Entry::Init { .. });
        let entries = &record.record().entries;
        if entries.iter().all(|entry| delegated && !begins(entry)) {
            return Ok(());
        }
        let hint = if delegated {
            "; somebody whose key is listed must create the package first"
        } else {
            "; ask the operator to add it"
        };
        Err(Refusal::Unauthorized(format!(
            "the key {signer} is not authorised to publish {name}{hint}"
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_strictly() {
        let read = AuthorizedKeys::from_toml;
        assert!(read("").unwrap().namespaces().is_empty());
        assert!(read("[namespace.a]\nkeys = [\"sha256:00\", \"sha256:00\"]").is_ok());
        assert!(read("[namespaces.a]\nkeys = []").is_err());
        assert!(read("[namespace.a]\n").is_err());
        assert!(read("[namespace.a]\nkeys = []\nother = 1").is_err());
        assert!(read("[package.\"a:b\"]\nkeys = []\ndelegation = true").is_ok());
        let wrong = read("[package.b]\nkeys = []");
        assert_eq!(wrong, Err(AuthorizedKeysError::PackageName { name: "b".into() }));
    }
}
