//! `warg key`: the keys that sign.

use serde_json::json;
use wargate_client::credentials::{Keyring, KeyringEntry, read_key};
use wargate_client::origin::RegistryUrl;
use wargate_crypto::{PrivateKey, PublicKey};

use crate::args::KeyCommand;
use crate::config_file::{Change, ConfigFile};
use crate::context::Context;
use crate::credentials;
use crate::failure::Failure;
use crate::output::Report;
use crate::prompt;

/// The command.
pub(crate) fn run(context: &Context, command: &KeyCommand) -> Result<Report, Failure> {
    match command {
        KeyCommand::New { overwrite } => {
            let entry = free_entry(context, *overwrite)?;
            store(context, &entry, &credentials::generate())
        }
        KeyCommand::Set { overwrite } => {
            let entry = free_entry(context, *overwrite)?;
            let text = prompt::secret("Private key (not shown): ", context.may_ask())?;
            let key =
                read_key(&text, "what was given").map_err(|error| Failure::usage(error.message))?;
            store(context, &entry, &key)
        }
        KeyCommand::Info => {
            let found = context.credentials()?.locate_signing_key(registry(context))?;
            let found = found.ok_or_else(no_key)?;
            Ok(report(&found.secret.public_key(), &found.place))
        }
        KeyCommand::Delete { yes } => delete(context, *yes),
    }
}

/// The registry whose key is meant: one that is named, or home.
fn registry(context: &Context) -> Option<&RegistryUrl> {
    context.named.as_ref().or(context.config.settings.home.as_ref())
}

/// The entry that a new key goes to. One name is read and written by the same rule: where the registry
/// has a key of its own it is replaced; a registry that is named gets one of its own; otherwise the key
/// is for all.
fn entry(context: &Context) -> Result<KeyringEntry, Failure> {
    let keyring = context.keyring()?;
    if let (None, Some(home)) = (&context.named, &context.config.settings.home) {
        let own = keyring.key_entry(Some(home))?;
        let has_own = keyring.keyring().read(&own)?.is_some();
        return if has_own { Ok(own) } else { Ok(keyring.key_entry(None)?) };
    }
    Ok(keyring.key_entry(context.named.as_ref())?)
}

fn free_entry(context: &Context, overwrite: bool) -> Result<KeyringEntry, Failure> {
    let entry = entry(context)?;
    let keyring = context.keyring()?;
    if !overwrite && keyring.keyring().read(&entry)?.is_some() {
        let place = keyring.keyring().place(&entry);
        return Err(Failure::usage(format!("there is a key already, in {place}"))
            .hint("`--overwrite` replaces it; without a copy of it, what only it may do is lost"));
    }
    Ok(entry)
}

/// Stores a key.
pub(crate) fn store(
    context: &Context,
    entry: &KeyringEntry,
    key: &PrivateKey,
) -> Result<Report, Failure> {
    let keyring = context.keyring()?;
    keyring.keyring().write(entry, &key.to_text())?;
    list(context, &entry.user)?;
    Ok(report(&key.public_key(), &keyring.keyring().place(entry)))
}

/// Makes a key for the registry that is meant, where there is none. `None`: there is one.
pub(crate) fn make_if_missing(context: &Context) -> Result<Option<PublicKey>, Failure> {
    if context.credentials()?.locate_signing_key(registry(context))?.is_some() {
        return Ok(None);
    }
    let key = credentials::generate();
    let entry = context.keyring()?.key_entry(None)?;
    store(context, &entry, &key)?;
    Ok(Some(key.public_key()))
}

/// Lists a key's name where the reference client looks for it, if there is a file of its form.
fn list(context: &Context, name: &str) -> Result<(), Failure> {
    let file = ConfigFile::of(context)?;
    let mut keys = file.listed_keys();
    // The reference client finds a registry's own key if the registry's URL is listed.
    let listed = registry(context).filter(|url| url.domain().as_str() == name);
    let listed = listed.map_or_else(|| name.to_owned(), ToString::to_string);
    if !file.exists() || file.is_toml() || keys.contains(&listed) {
        return Ok(());
    }
    keys.push(listed);
    file.change(&[Change { member: "keys", value: json!(keys), own: None }])
}

fn delete(context: &Context, yes: bool) -> Result<Report, Failure> {
    let keyring = context.keyring()?;
    let (entry, key) = keyring.find_key(registry(context))?.ok_or_else(no_key)?;
    let id = key.public_key().id();
    let place = keyring.keyring().place(&entry);
    if !yes {
        context.confirm(&format!("Delete the key {id}, in {place}?"), "--yes")?;
    }
    keyring.keyring().remove(&entry)?;
    Ok(Report::new(format!("Deleted the key {id}.\n"), json!({ "deleted": id.as_str() })))
}

fn no_key() -> Failure {
    Failure::denied("there is no key").hint("`warg key new` makes one")
}

fn report(key: &PublicKey, place: &str) -> Report {
    let text = format!("Key ID: {}\nPublic Key: {key}\n", key.id());
    let json = json!({ "keyId": key.id().as_str(), "publicKey": key.to_string(), "place": place });
    Report::new(text, json)
}
