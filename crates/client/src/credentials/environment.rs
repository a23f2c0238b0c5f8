//! Secrets in variables of the environment.

use std::collections::BTreeMap;
use std::fmt;

use wargate_crypto::PrivateKey;

use super::{Located, SecretText, Source, read_key, read_token};
use crate::origin::{Domain, RegistryUrl};
use crate::seams::{Asked, SecretError, Token};

/// What the name of every variable with a registry's token begins with.
const TOKEN_OF: &str = "WARG_TOKEN_";

/// Variables with secrets: `WARG_SIGNING_KEY`, `WARG_TOKEN_<REGISTRY>` for the registry that it names
/// ([`Environment::token_variable`]), and `WARG_TOKEN` for one registry alone.
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
            matches!(name, "WARG_SIGNING_KEY" | "WARG_TOKEN") || name.starts_with(TOKEN_OF)
        };
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name, SecretText::new(value)))
            .filter(|(name, value)| ours(name) && !value.is_empty())
            .collect();
        Self { variables, home: home.map(RegistryUrl::domain) }
    }

    /// The variable of a registry's token: `WARG_TOKEN_` and the registry's name in capitals, with `_`
    /// for `.`, `__` for `-` and `___` for `_`. What that leaves open (several of these in a row,
    /// capitals in a path) stands as `____`, its bytes in hexadecimal, and `_`.
    ///
    /// No two names share a variable: in each run of underscores their number says what follows, and
    /// [`Self::registry_of`] reads it back.
    pub fn token_variable(registry: &Domain) -> String {
        let mut name = TOKEN_OF.to_owned();
        let plain = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut rest = registry.as_str().as_bytes();
        while let Some(first) = rest.first() {
            let run = rest.iter().take_while(|byte| plain(byte) == plain(first)).count();
            let (now, later) = rest.split_at(run);
            rest = later;
            match now {
                b"." => name.push('_'),
                b"-" => name.push_str("__"),
                b"_" => name.push_str("___"),
                _ if plain(first) => {
                    name.extend(now.iter().map(|byte| char::from(byte.to_ascii_uppercase())));
                }
                _ => {
                    let digits = now.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
                    let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
                    name.push_str("____");
                    name.extend(digits.map(|digit| digit.to_ascii_uppercase()));
                    name.push('_');
                }
            }
        }
        name
    }

    /// The registry whose token a variable has; `None` if there is none of that name.
    pub fn registry_of(variable: &str) -> Option<Domain> {
        let mut name = String::new();
        let mut rest = variable.strip_prefix(TOKEN_OF)?;
        while !rest.is_empty() {
            let next = rest.trim_start_matches('_');
            let underscores = rest.len() - next.len();
            rest = next;
            match underscores {
                0 => {
                    let end = rest.find('_').unwrap_or(rest.len());
                    name.push_str(&rest[..end].to_ascii_lowercase());
                    rest = &rest[end..];
                }
                1 => name.push('.'),
                2 => name.push('-'),
                3 => name.push('_'),
                4 => {
                    let (hex, later) = rest.split_once('_')?;
                    let byte = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
                    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
                    name.push_str(&String::from_utf8(bytes?).ok()?);
                    rest = later;
                }
                _ => return None,
            }
        }
        // One that could be written in two ways is not taken in the other one.
        let registry = name.parse().ok()?;
        (Self::token_variable(&registry) == variable).then_some(registry)
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

    fn token(&self, asked: Asked<'_>) -> Result<Option<Located<Token>>, SecretError> {
        let (named, api) = (asked.named.domain(), asked.api.domain());
        // Who names a registry in a variable, or as the home registry, means the API that it leads to.
        let of_home = (self.home.as_ref() == Some(&named)).then(|| "WARG_TOKEN".to_owned());
        let own = [Self::token_variable(&api), Self::token_variable(&named)];
        for name in own.into_iter().chain(of_home) {
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
