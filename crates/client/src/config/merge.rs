//! Sources on top of each other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wargate_crypto::KeyId;

use super::file::{self, Found};
use super::form::{Given, Value};
use super::similar::closest;
use super::table::{Row, TABLE};
use super::{
    Config, ConfigError, Entry, Machine, Origin, Project, Reference, Role, SourceFile, Sources,
};
use crate::credentials::Environment;
use crate::origin::{Domain, RegistryUrl};
use crate::settings::{Choice, Settings};

/// Variables that begin as ours and are read elsewhere.
const OTHER_VARIABLES: &[&str] =
    &["WARG_CONFIG", "WARG_SIGNING_KEY", "WARG_TOKEN", "WARG_LOG", "WARG_RUNNER"];

pub(super) fn resolve(sources: &Sources) -> Result<Config, ConfigError> {
    let mut layers = Layers::default();
    let mut files: Vec<&SourceFile> = sources.files.iter().collect();
    files.sort_by_key(|file| (file.role, !file::is_json(file)));
    for file in files {
        let mut reference = Reference::default();
        for found in file::read(file, &mut reference)? {
            file::check_role(file.role, found.row, &found.origin)?;
            layers.put(found, file::base(file))?;
        }
        layers.reference.keys.extend(reference.keys);
    }
    let pins = layers.variables(&sources.variables)?;
    for flag in &sources.flags {
        let origin = Origin::Flag(flag.name);
        let row = super::row(flag.key).ok_or_else(|| {
            ConfigError::new(&origin, format!("there is no setting `{}`", flag.key))
        })?;
        let given = Given::Text(flag.value.clone());
        layers.put(Found { row, name: None, given, origin }, None)?;
    }
    layers.pin(pins)?;
    let mut config = layers.finish()?;
    let of_project = sources.files.iter().find(|file| file.role == Role::Project);
    config.project.file = of_project.map(|file| file.path.clone());
    let has_token = |(name, value): &(String, String)| name == "WARG_TOKEN" && !value.is_empty();
    if sources.variables.iter().any(has_token) {
        config.warnings.extend(held_back(&config));
    }
    Ok(config)
}

/// Says that the token without a registry is not for a home registry that a project's file chose.
fn held_back(config: &Config) -> Option<String> {
    let home = config.settings.home.as_ref().filter(|_| config.home_is_of_project)?;
    let origin = config.origin("registry")?;
    let variable = Environment::token_variable(&home.domain());
    Some(format!(
        "WARG_TOKEN is not sent to {home}, which only {origin} names; if it is meant for it, name the \
         registry in WARG_REGISTRY, or put the token into {variable}"
    ))
}

#[derive(Default)]
struct Layers {
    entries: BTreeMap<String, (&'static Row, Value, Origin)>,
    /// The home registry, if no file of a project had chosen one.
    own_home: Option<Value>,
    reference: Reference,
    warnings: Vec<String>,
}

impl Layers {
    fn put(&mut self, found: Found, base: Option<&Path>) -> Result<(), ConfigError> {
        let Found { row, name, given, origin } = found;
        let value = row
            .form
            .read(&given, base)
            .map_err(|reason| ConfigError::new(&origin, format!("`{}`: {reason}", row.key)))?;
        let key =
            whole_key(row, name.as_deref()).map_err(|reason| ConfigError::new(&origin, reason))?;
        let pinned = key.ends_with(".operator-keys") && self.entries.contains_key(&key);
        if pinned && origin.is_project() {
            // The user's own pins stand; a project cannot add a key to them.
            return Ok(());
        }
        if is_found(&origin) && !row.project && self.entries.contains_key(&key) {
            // What is about the machine, or what is believed, the user has said.
            return Ok(());
        }
        if row.key == "registry" && !origin.is_project() {
            self.own_home = Some(value.clone());
        }
        self.entries.insert(key, (row, value, origin));
        Ok(())
    }

    /// Puts the variables on top. Keys of the home registry wait until it is known which one that is.
    fn variables(
        &mut self,
        variables: &[(String, String)],
    ) -> Result<Option<(Value, Origin)>, ConfigError> {
        let mut pins = None;
        for (name, text) in variables {
            if text.is_empty() || !name.starts_with("WARG_") {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            let Some(row) = TABLE.iter().find(|row| row.variable == Some(name)) else {
                self.look_at(name);
                continue;
            };
            let given = Given::Text(text.clone());
            if row.key.contains('<') {
                let read = row.form.read(&given, None);
                let value = read.map_err(|reason| ConfigError::new(&origin, reason))?;
                pins = Some((value, origin));
            } else {
                self.put(Found { row, name: None, given, origin }, None)?;
            }
        }
        Ok(pins)
    }

    /// A variable of somebody else is none of our business; a misspelt one is.
    fn look_at(&mut self, name: &str) {
        let bare = name.trim_start_matches("WARG_");
        if OTHER_VARIABLES.contains(&name) {
            return;
        }
        if bare.starts_with("TOKEN_") {
            if Environment::registry_of(name).is_none() {
                self.warnings.push(format!(
                    "the variable `{}` names no registry; that of `my-registry.example:8443` is \
                     `WARG_TOKEN_MY__REGISTRY_EXAMPLE__8443`",
                    name.escape_debug()
                ));
            }
            return;
        }
        let known =
            TABLE.iter().filter_map(|row| row.variable).chain(OTHER_VARIABLES.iter().copied());
        if let Some(meant) = closest(bare, known.map(|known| known.trim_start_matches("WARG_"))) {
            let message = format!("`{name}` means nothing here; did you mean `WARG_{meant}`?");
            self.warnings.push(format!("the variable {message}"));
        }
    }

    fn pin(&mut self, pins: Option<(Value, Origin)>) -> Result<(), ConfigError> {
        let Some((value, origin)) = pins else { return Ok(()) };
        let Some((_, Value::Registry(home), _)) = self.entries.get("registry") else {
            let message = "the keys are those of the home registry, and none is set";
            return Err(ConfigError::new(origin, message));
        };
        let key = format!("registries.{}.operator-keys", home.domain());
        if let Some(row) = super::row("registries.<registry>.operator-keys") {
            self.entries.insert(key, (row, value, origin));
        }
        Ok(())
    }

    fn finish(self) -> Result<Config, ConfigError> {
        let mut config = Config {
            settings: Settings::default(),
            machine: Machine::default(),
            project: Project::default(),
            reference: self.reference,
            interactive: true,
            color: "auto",
            home_is_of_project: false,
            warnings: self.warnings,
            entries: Vec::new(),
        };
        let project_chose = |value: &Value, origin: &Origin| {
            origin.is_project() && self.own_home.as_ref() != Some(value)
        };
        for (key, (row, value, origin)) in &self.entries {
            if row.key == "registry" {
                config.home_is_of_project = project_chose(value, origin);
            }
            let name = key.get(..).filter(|_| row.key.contains('<'));
            apply(&mut config, row, name, value, origin)
                .map_err(|reason| ConfigError::new(origin, reason))?;
        }
        let mut entries = self.entries;
        for row in TABLE {
            let table = row.key.split('<').next().unwrap_or_default();
            let here: Vec<String> = if row.key.contains('<') {
                entries.keys().filter(|key| key.starts_with(table)).cloned().collect()
            } else {
                vec![row.key.to_owned()]
            };
            for key in here {
                let entry = if let Some((row, value, origin)) = entries.remove(&key) {
                    Entry { key, row, value: Some(value), origin }
                } else {
                    let given = Given::Text(row.default.to_owned());
                    let value = Some(row.default)
                        .filter(|default| !default.is_empty())
                        .and_then(|_| row.form.read(&given, None).ok());
                    Entry { key, row, value, origin: Origin::Default }
                };
                config.entries.push(entry);
            }
        }
        Ok(config)
    }
}

/// Whether it is a `warg-config.json` in the current directory or above it.
const fn is_found(origin: &Origin) -> bool {
    matches!(origin, Origin::File { role: Role::Found, .. })
}

/// A row's key with a name in the place of its placeholder.
fn whole_key(row: &Row, name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else { return Ok(row.key.to_owned()) };
    let escaped = name.escape_debug();
    match row.key {
        "namespaces.<namespace>" => name
            .parse::<wargate_protocol::Namespace>()
            .map(|namespace| format!("namespaces.{namespace}"))
            .map_err(|_| format!("`{escaped}` is not a namespace")),
        key @ ("packages.<package>" | "dependencies.<package>") => name
            .parse::<wargate_protocol::PackageName>()
            .map(|package| key.replace("<package>", package.as_str()))
            .map_err(|_| format!("`{escaped}` is not the name of a package (`namespace:name`)")),
        _ => domain(name).map(|domain| format!("registries.{domain}.operator-keys")),
    }
}

/// The name of a registry, or its URL.
fn domain(text: &str) -> Result<Domain, String> {
    if text.contains(['/', ':']) {
        return text
            .parse::<RegistryUrl>()
            .map(|url| url.domain())
            .map_err(|error| error.to_string());
    }
    text.parse().map_err(|error: crate::origin::DomainError| error.to_string())
}

fn apply(
    config: &mut Config,
    row: &Row,
    key: Option<&str>,
    value: &Value,
    origin: &Origin,
) -> Result<(), String> {
    let settings = &mut config.settings;
    match (row.key, value) {
        ("registry", Value::Registry(url)) => {
            settings.home = Some(url.clone());
        }
        ("namespaces.<namespace>", Value::Registry(url)) => {
            let name = key.and_then(|key| key.strip_prefix("namespaces.")).unwrap_or_default();
            let namespace = name.parse().map_err(|_| format!("`{name}` is not a namespace"))?;
            settings.namespaces.insert(namespace, url.clone());
        }
        ("packages.<package>", Value::Registry(url)) => {
            let name = key.and_then(|key| key.strip_prefix("packages.")).unwrap_or_default();
            let package = name.parse().map_err(|_| format!("`{name}` is not a package"))?;
            settings.packages.insert(package, url.clone());
        }
        ("dependencies.<package>", Value::Requirement(requirement)) => {
            let name = key.and_then(|key| key.strip_prefix("dependencies.")).unwrap_or_default();
            let package = name.parse().map_err(|_| format!("`{name}` is not a package"))?;
            config.project.dependencies.insert(package, requirement.clone());
        }
        ("registries.<registry>.operator-keys", Value::Keys(keys)) => {
            let name = key
                .and_then(|key| key.strip_prefix("registries."))
                .and_then(|key| key.strip_suffix(".operator-keys"))
                .unwrap_or_default();
            pin(settings, &domain(name)?, keys)?;
            if origin.is_project() {
                settings.keys_of_projects.insert(domain(name)?);
            }
        }
        ("checkpoint-age-max", Value::Time(time)) => settings.checkpoint_age_max = *time,
        ("clock-skew-max", Value::Time(Some(time))) => settings.clock_skew_max = *time,
        ("publish-wait", Value::Time(Some(time))) => settings.publish_wait_max = *time,
        ("hints", Value::Word(word)) => settings.hints = choice(word),
        ("create-packages", Value::Word(word)) => settings.create_packages = choice(word),
        ("offline", Value::Flag(flag)) => settings.offline = *flag,
        ("attempts", Value::Count(count)) => settings.attempts = *count,
        ("downloads-at-once", Value::Count(count)) => {
            settings.downloads_at_once = usize::try_from(*count).unwrap_or(1);
        }
        ("interactive", Value::Flag(flag)) => config.interactive = *flag,
        ("color", Value::Word(word)) => config.color = word,
        _ => apply_rest(config, row, value, origin),
    }
    Ok(())
}

/// What is not the client's.
fn apply_rest(config: &mut Config, row: &Row, value: &Value, origin: &Origin) {
    let machine = &mut config.machine;
    match (row.key, value) {
        ("ca-file", Value::Path(path)) => machine.ca_file = Some(path.clone()),
        ("cache-dir", Value::Path(path)) => machine.cache_dir = Some(path.clone()),
        ("state-dir", Value::Path(path)) => machine.state_dir = Some(path.clone()),
        ("keyring-backend", Value::Word(word)) => machine.keyring_backend = Some(word),
        ("key-file", Value::Path(path)) => machine.key_file = Some(path.clone()),
        ("credential-helper", Value::Texts(command)) => {
            machine.credential_helper = Some(command.clone()).filter(|command| !command.is_empty());
        }
        ("safe-directories", Value::Texts(directories)) => {
            machine.safe_directories.clone_from(directories);
        }
        ("package.name", Value::Package(name)) => config.project.name = Some(name.clone()),
        ("package.version", Value::Version(version)) => {
            config.project.version = Some(version.clone());
        }
        ("package.files", Value::Texts(files)) => {
            let base = match origin {
                Origin::File { path, .. } => path.parent().map(Path::to_owned),
                _ => None,
            };
            let base = base.unwrap_or_default();
            config.project.files =
                files.iter().map(|file| base.join(file)).collect::<Vec<PathBuf>>();
        }
        _ => {}
    }
}

fn pin(settings: &mut Settings, domain: &Domain, keys: &[KeyId]) -> Result<(), String> {
    if keys.is_empty() {
        return Err("an empty list of keys would believe nobody; leave the setting out".into());
    }
    settings.operator_keys.insert(domain.clone(), keys.to_vec());
    Ok(())
}

fn choice(word: &str) -> Choice {
    match word {
        "accept" | "yes" => Choice::Yes,
        "ask" => Choice::Ask,
        _ => Choice::No,
    }
}

/// Whose file comes after whose; see the module's documentation.
const _: () = assert!(
    (Role::User as u8) < (Role::Found as u8)
        && (Role::Found as u8) < (Role::Project as u8)
        && (Role::Project as u8) < (Role::Given as u8)
);
