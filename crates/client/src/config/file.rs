//! Files, as a list of what stands in them.

use std::path::Path;

use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::form::Given;
use super::similar::did_you_mean;
use super::table::{BACKENDS, Row, TABLE};
use super::{ConfigError, FILE_BYTES_MAX, Origin, Reference, Role, SourceFile};

/// Something that stands in a file.
pub(super) struct Found {
    pub(super) row: &'static Row,
    /// What stands for the row's placeholder.
    pub(super) name: Option<String>,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

/// Whether a file is JSON, in the reference client's form.
pub(super) fn is_json(file: &SourceFile) -> bool {
    match file.path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => true,
        Some("toml") => false,
        _ => file.text.trim_start().starts_with('{'),
    }
}

/// Reads a file.
pub(super) fn read(
    file: &SourceFile,
    reference: &mut Reference,
) -> Result<Vec<Found>, ConfigError> {
    if file.text.len() > FILE_BYTES_MAX {
        let message = format!("a configuration has at most {FILE_BYTES_MAX} bytes");
        return Err(ConfigError::new(file.path.display(), message));
    }
    if is_json(file) { read_json(file, reference) } else { Toml { file, found: Vec::new() }.read() }
}

struct Toml<'a> {
    file: &'a SourceFile,
    found: Vec<Found>,
}

impl Toml<'_> {
    fn read(mut self) -> Result<Vec<Found>, ConfigError> {
        let file = self.file;
        let table = DeTable::parse(&file.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            ConfigError::new(self.origin(at), error.message())
        })?;
        self.table(&[], table.get_ref())?;
        Ok(self.found)
    }

    fn origin(&self, offset: usize) -> Origin {
        let Self { file, .. } = self;
        Origin::File { path: file.path.clone(), role: file.role, line: line_of(&file.text, offset) }
    }

    fn table(&mut self, path: &[&str], table: &DeTable<'_>) -> Result<(), ConfigError> {
        for (key, value) in table {
            let whole: Vec<&str> = path.iter().copied().chain([key.get_ref().as_ref()]).collect();
            let origin = self.origin(key.span().start);
            match find(&whole) {
                Place::Row(row, name) => {
                    let given = given(value).map_err(|kind| {
                        let message = format!("`{}` is {}, not {kind}", whole.join("."), row.form);
                        ConfigError::new(&origin, message)
                    })?;
                    let name = name.map(str::to_owned);
                    self.found.push(Found { row, name, given, origin });
                }
                Place::Table => match value.get_ref() {
                    DeValue::Table(table) => self.table(&whole, table)?,
                    other => {
                        let message =
                            format!("`{}` is a table, not {}", whole.join("."), article(other));
                        return Err(ConfigError::new(origin, message));
                    }
                },
                Place::Nowhere => {
                    return Err(ConfigError::new(origin, unknown(&whole)));
                }
            }
        }
        Ok(())
    }
}

/// What a key of a file leads to.
enum Place<'a> {
    Row(&'static Row, Option<&'a str>),
    Table,
    Nowhere,
}

fn find<'a>(path: &[&'a str]) -> Place<'a> {
    let mut place = Place::Nowhere;
    for row in TABLE {
        let segments: Vec<&str> = row.key.split('.').collect();
        if segments.len() < path.len() {
            continue;
        }
        let mut name = None;
        let fits = path.iter().zip(&segments).all(|(given, segment)| {
            if segment.starts_with('<') {
                name = Some(*given);
            }
            segment.starts_with('<') || segment == given
        });
        if fits && segments.len() == path.len() {
            return Place::Row(row, name);
        }
        if fits {
            place = Place::Table;
        }
    }
    place
}

fn unknown(path: &[&str]) -> String {
    let (last, above) = path.split_last().map_or(("", &[][..]), |(last, above)| (*last, above));
    // What can stand at this place.
    let candidates = TABLE.iter().filter_map(|row| {
        let segments: Vec<&str> = row.key.split('.').collect();
        let is_here = segments.len() > above.len()
            && above.iter().zip(&segments).all(|(a, b)| b.starts_with('<') || a == b);
        is_here.then(|| segments[above.len()]).filter(|segment| !segment.starts_with('<'))
    });
    let did_you_mean = did_you_mean(last, candidates);
    format!("there is no setting `{}`{did_you_mean}", path.join(".").escape_debug())
}

fn given(value: &Spanned<DeValue<'_>>) -> Result<Given, &'static str> {
    match value.get_ref() {
        DeValue::String(text) => Ok(Given::Text(text.clone().into_owned())),
        DeValue::Boolean(flag) => Ok(Given::Text(flag.to_string())),
        DeValue::Integer(number) if number.radix() == 10 => {
            Ok(Given::Text(number.as_str().to_owned()))
        }
        DeValue::Array(list) => list
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned).ok_or("a list of other things"))
            .collect::<Result<_, _>>()
            .map(Given::List),
        other => Err(article(other)),
    }
}

fn article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number of this form",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}

/// Reads the reference client's form (specification 15.3). Members that it does not know are ignored,
/// as it does, and so are those that say where it keeps its own cache.
fn read_json(file: &SourceFile, reference: &mut Reference) -> Result<Vec<Found>, ConfigError> {
    let json: Json = serde_json::from_str(&file.text).map_err(|error| {
        let origin = format!("{}:{}", file.path.display(), error.line().max(1));
        ConfigError::new(origin, error.to_string())
    })?;
    let Json::Object(members) = json else {
        return Err(ConfigError::new(file.path.display(), "a configuration is a JSON object"));
    };
    let members = Members { file, members };
    reference.keys = members.texts("keys")?;
    let mut found = Vec::new();
    let mut add = |key, value: String, member| {
        if let Some(row) = super::row(key) {
            let origin = members.origin(member);
            found.push(Found { row, name: None, given: Given::Text(value), origin });
        }
    };
    if let Some(url) = members.text("homeUrl")? {
        add("registry", url, "homeUrl");
    }
    if let Some(backend) = members.text("keyringBackend")? {
        // A name that is not known may be that of a later version; it counts when a secret is needed.
        if BACKENDS.contains(&backend.as_str()) {
            add("keyring-backend", backend, "keyringBackend");
        } else {
            let message = format!(
                "there is no keyring backend `{}`; there are `{}`",
                backend.escape_debug(),
                BACKENDS.join("`, `")
            );
            return Err(ConfigError::new(members.origin("keyringBackend"), message));
        }
    }
    // The reference client always writes its flags, so `false` says nothing.
    if members.flag("ignoreFederationHints")? {
        add("hints", "ignore".into(), "ignoreFederationHints");
    } else if members.flag("disableAutoAcceptFederationHints")? {
        add("hints", "ask".into(), "disableAutoAcceptFederationHints");
    }
    if members.flag("disableAutoPackageInit")? {
        add("create-packages", "ask".into(), "disableAutoPackageInit");
    }
    if members.flag("disableInteractive")? {
        add("interactive", "false".into(), "disableInteractive");
    }
    Ok(found)
}

struct Members<'a> {
    file: &'a SourceFile,
    members: serde_json::Map<String, Json>,
}

impl Members<'_> {
    /// Where a member stands: its first mention. JSON readers do not tell lines of values.
    fn origin(&self, member: &str) -> Origin {
        let offset = self.file.text.find(&format!("\"{member}\"")).unwrap_or(0);
        let line = line_of(&self.file.text, offset);
        Origin::File { path: self.file.path.clone(), role: self.file.role, line }
    }

    fn wrong(&self, member: &str, form: &str) -> ConfigError {
        ConfigError::new(self.origin(member), format!("`{member}` is {form}"))
    }

    fn text(&self, member: &str) -> Result<Option<String>, ConfigError> {
        match self.members.get(member) {
            None | Some(Json::Null) => Ok(None),
            Some(Json::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong(member, "a text")),
        }
    }

    fn flag(&self, member: &str) -> Result<bool, ConfigError> {
        match self.members.get(member) {
            None | Some(Json::Null) => Ok(false),
            Some(Json::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong(member, "`true` or `false`")),
        }
    }

    fn texts(&self, member: &str) -> Result<Vec<String>, ConfigError> {
        let wrong = || self.wrong(member, "a list of texts");
        match self.members.get(member) {
            None | Some(Json::Null) => Ok(Vec::new()),
            Some(Json::Array(list)) => {
                list.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
            }
            Some(_) => Err(wrong()),
        }
    }
}

/// The directory that relative paths of a file are relative to.
pub(super) fn base(file: &SourceFile) -> Option<&Path> {
    file.path.parent()
}

/// Refuses what a project's file may not say.
pub(super) fn check_role(role: Role, row: &Row, origin: &Origin) -> Result<(), ConfigError> {
    // What the reference client's form can say names no file and no program that this client uses.
    if role != Role::Project || row.project {
        return Ok(());
    }
    let advice = if row.key.ends_with("-max") || row.key == "hints" || row.key == "create-packages"
    {
        "it decides how much is believed, which is yours to decide"
    } else {
        "it is about your machine"
    };
    let message = format!(
        "a project may not set `{}`: {advice}, and this file came with the project; put it into your \
         own configuration",
        row.key
    );
    Err(ConfigError::new(origin, message))
}
