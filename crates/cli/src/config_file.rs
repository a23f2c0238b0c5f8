//! Writing the user's configuration: the file that is shared with the reference client, or our own if
//! there is one.
//!
//! A file is replaced as a whole. What stands in it and is not changed stays as it is: unknown members
//! in JSON, and comments and order in TOML.

use std::io::Write;
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde_json::Value;

use crate::context::Context;
use crate::failure::Failure;

/// A change: a member of the reference client's form, and our own key with its value.
pub(crate) struct Change {
    pub(crate) member: &'static str,
    pub(crate) value: Value,
    /// `None`: there is nothing of that in our own form.
    pub(crate) own: Option<(&'static str, String)>,
}

/// A file that can be changed.
pub(crate) struct ConfigFile {
    pub(crate) path: PathBuf,
    text: Option<String>,
}

impl ConfigFile {
    /// The one that `--config` names, or else the user's; it need not exist. A `warg-config.json` that
    /// came with the current directory is read and never written to: what is in it, and where a link of
    /// that name leads, somebody else has chosen.
    pub(crate) fn of(context: &Context) -> Result<Self, Failure> {
        if let Some(path) = &context.globals.config {
            return Self::at(path.clone());
        }
        if let Some(path) = std::env::var_os("WARG_CONFIG").filter(|path| !path.is_empty()) {
            return Self::at(path.into());
        }
        let own = context.dirs.config()?.join("config.toml");
        let shared = context.dirs.config()?.join("config.json");
        Self::at(if own.exists() { own } else { shared })
    }

    /// A file.
    pub(crate) fn at(path: PathBuf) -> Result<Self, Failure> {
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text: Some(text) }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(Self { path, text: None })
            }
            Err(error) => Err(Failure::local(format!("cannot read {}: {error}", path.display()))),
        }
    }

    pub(crate) const fn exists(&self) -> bool {
        self.text.is_some()
    }

    pub(crate) fn is_toml(&self) -> bool {
        self.path.extension().is_some_and(|extension| extension == "toml")
    }

    /// The names of keys that the reference client's form lists.
    pub(crate) fn listed_keys(&self) -> Vec<String> {
        let members = self.members().unwrap_or_default();
        let list = members.get("keys").and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
    }

    /// Whether it has a home registry.
    pub(crate) fn names_home(&self) -> Result<bool, Failure> {
        if self.is_toml() {
            return Ok(self.document()?.contains_key("registry"));
        }
        Ok(self.members()?.get("homeUrl").is_some_and(|url| !url.is_null()))
    }

    fn members(&self) -> Result<IndexMap<String, Value>, Failure> {
        let Some(text) = &self.text else { return Ok(IndexMap::new()) };
        serde_json::from_str(text).map_err(|error| {
            Failure::usage(format!("{}:{}: {error}", self.path.display(), error.line()))
        })
    }

    /// Makes changes and replaces the file.
    pub(crate) fn change(&self, changes: &[Change]) -> Result<(), Failure> {
        let text = if self.is_toml() { self.toml(changes)? } else { self.json(changes)? };
        replace(&self.path, &text).map_err(|error| {
            Failure::local(format!("cannot write {}: {error}", self.path.display()))
        })
    }

    fn json(&self, changes: &[Change]) -> Result<String, Failure> {
        let mut members = self.members()?;
        for change in changes {
            members.insert(change.member.to_owned(), change.value.clone());
        }
        // The reference client always writes these.
        for flag in [
            "keyringAuth",
            "ignoreFederationHints",
            "disableAutoAcceptFederationHints",
            "disableAutoPackageInit",
            "disableInteractive",
        ] {
            members.entry(flag.to_owned()).or_insert(Value::Bool(false));
        }
        let text = serde_json::to_string_pretty(&members)
            .map_err(|error| Failure::local(format!("cannot write a configuration: {error}")))?;
        Ok(format!("{text}\n"))
    }

    fn document(&self) -> Result<toml_edit::DocumentMut, Failure> {
        let text = self.text.as_deref().unwrap_or_default();
        text.parse().map_err(|error| Failure::usage(format!("{}: {error}", self.path.display())))
    }

    fn toml(&self, changes: &[Change]) -> Result<String, Failure> {
        let mut document = self.document()?;
        for (key, value) in changes.iter().filter_map(|change| change.own.as_ref()) {
            document[*key] = toml_edit::value(value.as_str());
        }
        Ok(document.to_string())
    }
}

/// Replaces a file, as a whole and durably. A link stays a link.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::Builder::new().prefix(".warg-").tempfile_in(directory)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map_err(|error| error.error)?;
    Ok(())
}
