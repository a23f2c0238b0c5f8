//! `warg config`: write a configuration, or show the one that counts.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use wargate_client::config::{TABLE, closest};
use wargate_client::origin::RegistryUrl;
use wargate_console::Table;

use crate::args::{ConfigArguments, ConfigCommand};
use crate::config_file::{Change, ConfigFile};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// The command.
pub(crate) fn run(context: &Context, options: &ConfigArguments) -> Result<Report, Failure> {
    match &options.command {
        Some(ConfigCommand::Show { origin, key }) => show(context, *origin, key.as_deref()),
        None => write(context, options),
    }
}

fn show(context: &Context, origin: bool, key: Option<&str>) -> Result<Report, Failure> {
    let mut table = if origin {
        Table::new(["KEY", "VALUE", "ORIGIN"])
    } else {
        Table::new(["KEY", "VALUE", ""])
    };
    let mut json = Map::new();
    for entry in context.config.entries() {
        if key.is_some_and(|key| key != entry.key && !entry.key.starts_with(&format!("{key}."))) {
            continue;
        }
        let value = entry.value.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
        let from = if origin { entry.origin.to_string() } else { String::new() };
        table.row([entry.key.clone(), value, from]);
        json.insert(
            entry.key.clone(),
            json!({ "value": entry.value, "origin": entry.origin.to_string() }),
        );
    }
    if let (Some(key), true) = (key, json.is_empty()) {
        let known = TABLE.iter().map(|row| row.key).filter(|key| !key.contains('<'));
        let failure = Failure::usage(format!("there is no setting `{key}`"));
        return Err(match closest(key, known) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure.hint("`warg config show` lists them"),
        });
    }
    Ok(Report::new(table.to_string(), Value::Object(json)))
}

/// Writes a configuration, in the form that both clients read.
fn write(context: &Context, options: &ConfigArguments) -> Result<Report, Failure> {
    let file = match &options.path {
        Some(path) => ConfigFile::at(path.clone())?,
        None => ConfigFile::of(context)?,
    };
    let mut changes =
        hints(options.ignore_federation_hints, options.disable_auto_accept_federation_hints);
    changes.extend(creation(options.disable_auto_package_init));
    changes.extend(backend(options.keyring_backend.as_deref()));
    for (member, path) in [
        ("registriesDir", &options.registries_dir),
        ("contentDir", &options.content_dir),
        ("namespaceMapPath", &options.namespace_path),
    ] {
        if let Some(path) = path {
            let value = relative_to_file(path, &file.path).display().to_string().into();
            changes.push(Change { member, value, own: None });
        }
    }
    match &context.named {
        Some(registry) => changes.insert(0, home(registry)),
        None if changes.is_empty() && !file.exists() => {
            return Err(Failure::usage("a configuration needs a home registry").hint(
                "`warg config --registry URL` writes one; `warg config show` shows what counts",
            ));
        }
        None => {}
    }
    if file.exists() && options.path.is_some() && !options.overwrite {
        let message = format!("there is a file {} already", file.path.display());
        return Err(Failure::usage(message).hint("`--overwrite` changes it"));
    }
    if changes.is_empty() {
        return Err(Failure::usage("there is nothing to change").hint(
            "`warg config show` shows what counts; `warg config --help` lists what can be set",
        ));
    }
    file.change(&changes)?;
    let path = file.path.display().to_string();
    let verb = if file.exists() { "Changed" } else { "Wrote" };
    Ok(Report::new(
        format!("{verb} the configuration {path}.\n"),
        json!({ "path": path, "new": !file.exists() }),
    ))
}

/// A path of the command line, as it has to stand in a file.
fn relative_to_file(path: &Path, file: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    let (path, file) = (here.join(path), here.join(file));
    let directory = file.parent().map(Path::to_owned).unwrap_or_default();
    path.strip_prefix(&directory).map(Path::to_owned).unwrap_or(path)
}

/// The home registry.
pub(crate) fn home(registry: &RegistryUrl) -> Change {
    let url = registry.to_string();
    Change { member: "homeUrl", value: url.clone().into(), own: Some(("registry", url)) }
}

/// What to do with hints.
pub(crate) fn hints(ignore: Option<bool>, ask: Option<bool>) -> Vec<Change> {
    let mut changes = Vec::new();
    let word = match (ignore, ask) {
        (Some(true), _) => "ignore",
        (_, Some(true)) => "ask",
        _ => "accept",
    };
    let flags = [("ignoreFederationHints", ignore), ("disableAutoAcceptFederationHints", ask)];
    for (member, flag) in flags {
        if let Some(flag) = flag {
            changes.push(Change { member, value: flag.into(), own: Some(("hints", word.into())) });
        }
    }
    changes
}

/// Whether packages are created.
pub(crate) fn creation(ask: Option<bool>) -> Option<Change> {
    let ask = ask?;
    let word = if ask { "ask" } else { "yes" };
    let own = Some(("create-packages", word.to_owned()));
    Some(Change { member: "disableAutoPackageInit", value: ask.into(), own })
}

/// The keyring.
pub(crate) fn backend(name: Option<&str>) -> Option<Change> {
    let name = name?;
    let own = Some(("keyring-backend", name.to_owned()));
    Some(Change { member: "keyringBackend", value: name.into(), own })
}
