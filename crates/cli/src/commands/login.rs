//! `warg login`, `warg logout` and `warg whoami`.

use serde_json::json;
use wargate_client::credentials::{Keyring, KeyringEntry, read_token};
use wargate_client::origin::RegistryUrl;
use wargate_client::seams::Asked;

use super::{config, key};
use crate::args::Login;
use crate::config_file::{Change, ConfigFile};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::prompt;

fn target(context: &Context, url: Option<&str>) -> Result<RegistryUrl, Failure> {
    url.map_or_else(|| context.home().cloned(), |url| Ok(url.parse()?))
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
        let question = format!("Token for {registry} (not shown): ");
        let given = prompt::secret(&question, !options.token_stdin)?;
        let token =
            read_token(&given, "what was given").map_err(|error| Failure::usage(error.message))?;
        let (api, unknown) = context.api(&registry);
        let domain = api.domain();
        let entry = KeyringEntry::token(&domain);
        keyring.keyring().write(&entry, token.expose())?;
        let stored = keyring.keyring().place(&entry);
        text = api_line(&registry, &api, unknown.as_ref());
        text.push_str(&format!("Stored a token for {domain} in {stored}.\n"));
        let asked = Asked { named: &registry, api: &api };
        if let Some(other) = context.credentials()?.locate_token(asked)?
            && other.place != stored
        {
            text.push_str(&format!("But {} has one too, and counts before it.\n", other.place));
        }
        place = Some((api, stored));
    }
    write_config(context, options, &registry)?;
    let made = key::make_if_missing(context)?;
    let key = context.credentials()?.locate_signing_key(Some(&registry))?;
    let public = key.map(|located| located.secret.public_key());
    if let Some(public) = &public {
        text.push_str(&format!("Key ID: {}\nPublic Key: {public}\n", public.id()));
        if made.is_some() {
            text.push_str(
                "The key is new. Whoever may publish has to grant it what it shall do.\n",
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
pub(crate) fn logout(context: &Context, url: Option<&str>) -> Result<Report, Failure> {
    let registry = target(context, url)?;
    let keyring = context.keyring()?;
    let (api, unknown) = context.api(&registry);
    let mut text = api_line(&registry, &api, unknown.as_ref());
    // Under the registry's own name, too: its API may have been there, or not have been known.
    let mut domains = vec![api.domain(), registry.domain()];
    domains.dedup();
    let mut removed = false;
    for domain in &domains {
        if keyring.keyring().remove(&KeyringEntry::token(domain))? {
            removed = true;
            text.push_str(&format!("Removed the token for {domain}.\n"));
        }
    }
    if !removed {
        text.push_str(&format!("There was no token for {} in the keyring.\n", api.domain()));
    }
    let asked = Asked { named: &registry, api: &api };
    if let Some(other) = context.credentials()?.locate_token(asked)? {
        text.push_str(&format!("But {} has one.\n", other.place));
    }
    let json = json!({ "registry": registry.to_string(), "removed": removed });
    Ok(Report::new(text, json))
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
