//! `warg login`, `warg logout` and `warg whoami`.

use serde_json::json;
use wargate_client::credentials::{Keyring, KeyringEntry, read_token};
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::Asked;

use super::{config, key};
use crate::args::{Login, LogoutOf};
use crate::config_file::{Change, ConfigFile};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::shell_word;
use crate::output::Report;
use crate::prompt;

fn target(context: &Context, url: Option<&str>) -> Result<RegistryUrl, Failure> {
    url.map_or_else(|| context.home().cloned(), |url| Ok(url.parse()?))
}

/// Where a registry's token is kept.
struct Place {
    registry: RegistryUrl,
    /// Where its API is.
    api: RegistryUrl,
    /// Why that is not known, and taken for the same as the registry.
    unknown: Option<Failure>,
}

impl Place {
    fn of(context: &Context, registry: RegistryUrl) -> Self {
        let (api, unknown) = context.api(&registry);
        Self { registry, api, unknown }
    }

    /// Whether only the registry says that the token by this name is its own. Its word is not enough to
    /// touch one that may be of another registry.
    fn is_claimed(&self) -> bool {
        self.api.domain() != self.registry.domain()
    }

    fn line(&self) -> String {
        api_line(&self.registry, &self.api, self.unknown.as_ref())
    }
}

/// Stores a token, and sees to it that there is a key.
pub(crate) fn login(context: &Context, options: &Login) -> Result<Report, Failure> {
    let registry = target(context, options.url.as_deref())?;
    let keyring = context.keyring()?;
    let (mut text, mut place) = (String::new(), None);
    if !options.no_token {
        if !options.token_stdin && !context.may_ask() {
            return Err(Failure::usage("nobody can be asked for a token here")
                .hint("`--token-stdin` reads it from standard input; `--no-token` does without"));
        }
        let at = Place::of(context, registry.clone());
        let domain = at.api.domain();
        let entry = KeyringEntry::token(&domain);
        if at.is_claimed() && keyring.keyring().read(&entry)?.is_some() {
            may_replace(context, options, &at)?;
        }
        let question = format!("Token for {registry} (not shown): ");
        let given = prompt::secret(&question, !options.token_stdin)?;
        let token =
            read_token(&given, "what was given").map_err(|error| Failure::usage(error.message))?;
        keyring.keyring().write(&entry, token.expose())?;
        let stored = keyring.keyring().place(&entry);
        text = at.line();
        text.push_str(&format!("Stored a token for {domain} in {stored}.\n"));
        let asked = Asked { named: &registry, api: &at.api };
        if let Some(other) = context.credentials()?.locate_token(asked)?
            && other.place != stored
        {
            text.push_str(&format!("But {} has one too, and counts before it.\n", other.place));
        }
        place = Some((at.api, stored));
    }
    write_config(context, options, &registry)?;
    let made = key::make_if_missing(context)?;
    let key = context.credentials()?.locate_signing_key(Some(&registry))?;
    let public = key.map(|located| located.secret.public_key());
    if let Some(public) = &public {
        text.push_str(&format!("Key ID: {}\nPublic Key: {public}\n", public.id()));
        if made.is_some() {
            text.push_str(
                "The key is new. A registry that serves its own machine alone lets every key publish; \
                 at others, whoever runs it or owns the package has to let this one.\n",
            );
        }
    }
    let json = json!({
        "registry": registry.to_string(),
        "token": !options.no_token,
        "api": place.as_ref().map(|(api, _)| api.to_string()),
        "place": place.as_ref().map(|(_, place)| place.as_str()),
        "keyId": public.as_ref().map(|key| key.id().to_string()),
        "publicKey": public.as_ref().map(ToString::to_string),
        "newKey": made.is_some(),
    });
    Ok(Report::new(text, json))
}

/// Whether the token that another registry may have stored under the API's name may be replaced.
fn may_replace(context: &Context, options: &Login, at: &Place) -> Result<(), Failure> {
    let (registry, api) = (&at.registry, &at.api);
    let found = format!("{registry} says that its API is {api}, of which there is a token already");
    if options.url.is_none() && context.config.home_is_of_project {
        let message = format!("{found}, and only a project's file names {registry}");
        let word = shell_word(api.as_url().as_str());
        return Err(Failure::usage(message).hint(format!(
            "to replace that token, name its registry: `warg login --registry {word}`"
        )));
    }
    if options.overwrite {
        return Ok(());
    }
    context.confirm(&format!("{found}. Replace it?"), "--overwrite")
}

/// Says where the API of a registry is, if that is not where the registry is, or not known.
fn api_line(registry: &RegistryUrl, api: &RegistryUrl, unknown: Option<&Failure>) -> String {
    match unknown {
        Some(failure) => format!(
            "API: taken for the same, because the registry could not be asked where it is: {}\n",
            failure.message()
        ),
        None if api != registry => {
            format!("API: {api}, as {} says; tokens are kept by its name\n", registry.domain())
        }
        None => String::new(),
    }
}

/// Changes what was given and nothing else (specification 20.3, N14).
fn write_config(context: &Context, options: &Login, registry: &RegistryUrl) -> Result<(), Failure> {
    let file = ConfigFile::of(context)?;
    let set = |flag: bool| flag.then_some(true);
    let mut changes = config::hints(
        set(options.ignore_federation_hints),
        set(options.disable_auto_accept_federation_hints),
    );
    changes.extend(config::creation(set(options.disable_auto_package_init)));
    changes.extend(config::backend(options.keyring_backend.as_deref()));
    // Whoever names a registry here means it from now on, unless another one is at home already.
    let named = context.named.is_some() && !file.names_home()?;
    if context.config.settings.home.is_none() || named {
        changes.push(config::home(registry));
    }
    if !file.is_toml() && !options.no_token && (file.exists() || !changes.is_empty()) {
        changes.push(Change { member: "keyringAuth", value: true.into(), own: None });
    }
    if changes.is_empty() { Ok(()) } else { file.change(&changes) }
}

/// Removes the token.
pub(crate) fn logout(context: &Context, options: &LogoutOf) -> Result<Report, Failure> {
    let at = Place::of(context, target(context, options.url.as_deref())?);
    let keyring = context.keyring()?;
    let mut text = at.line();
    // Under the registry's own name, too: its API may have been there, or not have been known.
    let own = at.registry.domain();
    let mut removed = keyring.keyring().remove(&KeyringEntry::token(&own))?;
    if removed {
        text.push_str(&format!("Removed the token for {own}.\n"));
    }
    let report = |text: &str, removed: bool| {
        let json = json!({ "registry": at.registry.to_string(), "removed": removed });
        Report::new(text, json)
    };
    let entry = KeyringEntry::token(&at.api.domain());
    if at.is_claimed() && keyring.keyring().read(&entry)?.is_some() {
        if let Err(failure) = may_remove(context, options, &at) {
            return Err(if removed { failure.after(report(&text, true)) } else { failure });
        }
        keyring.keyring().remove(&entry)?;
        removed = true;
        text.push_str(&format!("Removed the token for {}.\n", at.api.domain()));
    }
    if !removed {
        if let Some(failure) = &at.unknown {
            return Err(still_there(&at.registry, failure));
        }
        text.push_str(&format!("There was no token for {} in the keyring.\n", at.api.domain()));
    }
    let asked = Asked { named: &at.registry, api: &at.api };
    if let Some(other) = context.credentials()?.locate_token(asked)? {
        text.push_str(&format!("But {} has one.\n", other.place));
    }
    Ok(report(&text, removed))
}

/// Whether the token that another registry may have stored under the API's name may be removed.
fn may_remove(context: &Context, options: &LogoutOf, at: &Place) -> Result<(), Failure> {
    if options.yes {
        return Ok(());
    }
    let (registry, api) = (&at.registry, &at.api);
    let question = format!("{registry} says that its API is {api}. Remove the token for that?");
    context.confirm(&question, "--yes")
}

/// Nothing was found under the registry's own name, and its token may have another one.
fn still_there(registry: &RegistryUrl, unknown: &Failure) -> Failure {
    let message = format!(
        "no token is kept by the name {}, and there may be one by the name of its API, which is not \
         known: {}",
        registry.domain(),
        unknown.message()
    );
    unknown
        .clone()
        .saying(message)
        .hint("`warg logout --registry URL` with the URL of the API removes it")
}

/// Shows who the user is to a registry.
pub(crate) fn whoami(context: &Context) -> Result<Report, Failure> {
    let credentials = context.credentials()?;
    let registry = context.config.settings.home.as_ref();
    let key = credentials.locate_signing_key(registry)?;
    let (mut text, mut token, mut api) = ("Registry: none\n".to_owned(), None, None);
    if let Some(registry) = registry {
        let (found, unknown) = context.api(registry);
        token = credentials.locate_token(Asked { named: registry, api: &found })?;
        text = format!("Registry: {registry}\n");
        text.push_str(&api_line(registry, &found, unknown.as_ref()));
        api = Some(found).filter(|_| unknown.is_none());
    }
    match &key {
        Some(key) => {
            let public = key.secret.public_key();
            text.push_str(&format!(
                "Key ID: {}\nPublic Key: {public}\nKey from: {}\n",
                public.id(),
                key.place
            ));
        }
        None => text.push_str("Key: none (`warg key new` makes one)\n"),
    }
    match &token {
        Some(token) => text.push_str(&format!("Token from: {}\n", token.place)),
        None if context.token_is_held_back() => text.push_str(
            "Token: WARG_TOKEN is not sent to a registry that only a project's file names; name it \
             yourself, in WARG_REGISTRY for example\n",
        ),
        None => text.push_str("Token: none\n"),
    }
    let public = key.as_ref().map(|key| key.secret.public_key());
    let json = json!({
        "registry": registry.map(ToString::to_string),
        "api": api.as_ref().map(ToString::to_string),
        "keyId": public.as_ref().map(|key| key.id().to_string()),
        "publicKey": public.as_ref().map(ToString::to_string),
        "keyFrom": key.as_ref().map(|key| key.place.as_str()),
        "tokenFrom": token.as_ref().map(|token| token.place.as_str()),
    });
    Ok(Report::new(text, json))
}
