//! Secrets in variables of the environment.

use std::collections::BTreeMap;
use std::fmt;

use wargate_crypto::PrivateKey;

use super::{Located, SecretText, Source, read_key, read_token};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{SecretError, Token};

/// Variables with secrets: `WARG_SIGNING_KEY`, `WARG_TOKEN_<REGISTRY>` (the registry's name in capitals,
/// with `_` for what is neither letter nor digit), and `WARG_TOKEN` for one registry alone.
#[derive(Default)]
pub struct Environment {
    variables: BTreeMap<String, SecretText>,
    home: Option<Domain>,
}

impl Environment {
    /// Keeps the variables that are for it. `WARG_TOKEN` names no registry, so it is shown to `home`
    /// alone, which must not be the choice of somebody who wants to see the token.
    pub fn new(
        variables: impl IntoIterator<Item = (String, String)>,
        home: Option<&RegistryUrl>,
    ) -> Self {
        let ours = |name: &str| {
            matches!(name, "WARG_SIGNING_KEY" | "WARG_TOKEN") || name.starts_with("WARG_TOKEN_")
        };
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name, SecretText::new(value)))
            .filter(|(name, value)| ours(name) && !value.is_empty())
            .collect();
        Self { variables, home: home.map(RegistryUrl::domain) }
    }

    /// The variable of a registry's token.
    pub fn token_variable(registry: &Domain) -> String {
        let upper = |byte: char| {
            if byte.is_ascii_alphanumeric() { byte.to_ascii_uppercase() } else { '_' }
        };
        format!("WARG_TOKEN_{}", registry.as_str().chars().map(upper).collect::<String>())
    }

    /// Whether `WARG_TOKEN` is set.
    pub fn has_token_of_home(&self) -> bool {
        self.variables.contains_key("WARG_TOKEN")
    }

    fn place(name: &str) -> String {
        format!("the variable {name}")
    }
}

impl Source for Environment {
    fn signing_key(
        &self,
        _registry: Option<&RegistryUrl>,
    ) -> Result<Option<Located<PrivateKey>>, SecretError> {
        let Some(text) = self.variables.get("WARG_SIGNING_KEY") else { return Ok(None) };
        let place = Self::place("WARG_SIGNING_KEY");
        let secret = read_key(text, &place)?;
        Ok(Some(Located { secret, place }))
    }

    fn token(&self, registry: &RegistryUrl) -> Result<Option<Located<Token>>, SecretError> {
        let domain = registry.domain();
        let own = Self::token_variable(&domain);
        let of_home = (self.home.as_ref() == Some(&domain)).then(|| "WARG_TOKEN".to_owned());
        for name in [Some(own), of_home].into_iter().flatten() {
            if let Some(text) = self.variables.get(&name) {
                let place = Self::place(&name);
                let secret = read_token(text, &place)?;
                return Ok(Some(Located { secret, place }));
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.variables.keys()).finish()
    }
}
