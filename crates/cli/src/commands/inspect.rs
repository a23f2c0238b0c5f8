//! `warg inspect`: what a component is.

use std::path::Path;

use indicatif::HumanBytes;
use serde_json::{Value, json};
use wargate_component::inspect::{
    Dependency, DependencyForm, Examination, Extern, ExternKind, InspectError, Kind, Limits,
    Metadata, NestedPart, Sizes, Wasi, WasiRelease, examine,
};
use wargate_component::provenance::{Made, Provenance, Role, Source};
use wargate_console::{Table, counted, harmless};

use super::compose::is_document;
use super::subject::Subject;
use crate::args::Inspect;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;

/// How wide the bar of a whole file is.
const BAR: u64 = 40;

/// The command.
pub(crate) fn run(context: &Context, options: &Inspect) -> Result<Report, Failure> {
    let subject = Subject::load_one(context, &options.subject)?;
    let found = examine(&subject.bytes, &Limits::default())
        .map_err(|error| unreadable(&subject.name, &error))?;
    let mut json = json!({ "subject": subject.to_json() });
    let facts = serde_json::to_value(&found).unwrap_or_default();
    if let (Value::Object(json), Value::Object(facts)) = (&mut json, facts) {
        json.extend(facts);
    }
    Ok(Report::new(text(&subject, &found, options.parts), json))
}

/// That bytes cannot be inspected.
pub(crate) fn unreadable(name: &str, error: &InspectError) -> Failure {
    let failure = Failure::usage(harmless(&format!("{name}: {error}")));
    if is_document(Path::new(name)) {
        return failure.hint("it is a WAC document: `warg compose` makes a component of it");
    }
    failure.hint("it must be a component, a core module or a WIT package, as binary")
}

/// A kind, for people.
pub(crate) const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Component => "component",
        Kind::CoreModule => "core module",
        Kind::WitPackage => "WIT package",
    }
}

fn text(subject: &Subject, found: &Examination, parts: bool) -> String {
    let mut lines = Lines::default();
    let said = &found.inspection;
    lines.line("File", &subject.name);
    lines.line("Kind", kind(said.kind));
    if let Some(package) = &said.package {
        let version = package.version.as_ref().map(|version| format!("@{version}"));
        lines.line("Package", &format!("{}{}", package.name, version.unwrap_or_default()));
    }
    lines.line("Digest", &subject.digest.to_string());
    lines.line("Size", &HumanBytes(found.anatomy.bytes).to_string());
    if let Some(wasi) = &found.wasi {
        lines.line("Targets", &targets(wasi));
    }
    metadata(&said.metadata, &mut lines);
    for (word, names) in [("Worlds", &found.worlds), ("Interfaces", &found.interfaces)] {
        lines.line(word, &names.join(", "));
    }
    let mut text = lines.0;
    // A WIT package exports nothing but what is listed above.
    if said.kind != Kind::WitPackage {
        text.push_str(&externs("IMPORT", &said.imports));
        text.push_str(&externs("EXPORT", &said.exports));
    }
    text.push_str(&dependencies(&found.dependencies));
    text.push_str(&found.provenance.as_ref().map(sources).unwrap_or_default());
    text.push_str(&space(found));
    if parts {
        text.push_str(&nested(&found.anatomy.parts, found.anatomy.parts_omitted));
    } else if !found.anatomy.parts.is_empty() {
        let count = found.anatomy.parts.len() as u64 + found.anatomy.parts_omitted;
        let parts = counted(count, "part");
        text.push_str(&format!("\nIt is made of {parts} and a frame: `--parts` shows them.\n"));
    }
    text
}

/// What it was made from, by its own word.
fn sources(said: &Provenance) -> String {
    let made = match said.made {
        Made::Composed => "COMPOSED OF",
        Made::Plugged => "PLUGGED FROM",
        Made::Bundled => "BUNDLED OF",
        Made::Adapted => "ADAPTED FROM",
        Made::Virtualized => "SEALED FROM",
    };
    let mut table = Table::new([made, "ROLE", "DIGEST"]);
    for Source { role, package, version, digest } in &said.sources {
        let role = match role {
            Role::Document => "document",
            Role::Root => "root",
            Role::Part => "part",
            Role::Adapter => "adapter",
        };
        let version = version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        let package = package.as_ref().map_or_else(|| "a file".to_owned(), ToString::to_string);
        table.row([format!("{package}{version}"), role.to_owned(), digest.to_string()]);
    }
    format!("\n{table}`warg verify --deep` asks the registry whether that is so.\n")
}

/// Lines with a word before each.
#[derive(Default)]
struct Lines(String);

impl Lines {
    /// A line, if there is something to say.
    fn line(&mut self, word: &str, what: &str) {
        if !what.is_empty() {
            self.0.push_str(&format!("{:12}{}\n", format!("{word}:"), harmless(what)));
        }
    }
}

fn targets(wasi: &Wasi) -> String {
    let release = match &wasi.release {
        Some(WasiRelease::Preview0) => "WASI preview 0".to_owned(),
        Some(WasiRelease::Preview1) => "WASI preview 1".to_owned(),
        Some(WasiRelease::Version(version)) => format!("WASI {version}"),
        None => "parts of WASI".to_owned(),
    };
    let packages = wasi.packages.iter().map(|package| {
        let versions: Vec<_> = package.versions.iter().map(ToString::to_string).collect();
        format!("{} {}", package.name, versions.join(" and ")).trim_end().to_owned()
    });
    let packages: Vec<_> = packages.collect();
    if packages.is_empty() { release } else { format!("{release} ({})", packages.join(", ")) }
}

fn metadata(said: &Metadata, lines: &mut Lines) {
    let Metadata { description, licenses, authors, source, homepage, revision, version, producers } =
        said;
    for (word, what) in [
        ("About", description),
        ("Version", version),
        ("Licence", licenses),
        ("Authors", authors),
        ("Source", source),
        ("Homepage", homepage),
        ("Revision", revision),
    ] {
        lines.line(word, what.as_deref().unwrap_or_default());
    }
    let made = producers.iter().map(|made| format!("{} {}", made.name, made.version));
    let made: Vec<_> = made.map(|made| made.trim_end().to_owned()).collect();
    lines.line("Made with", &made.join(", "));
}

fn externs(word: &str, list: &[Extern]) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut table = Table::new([word, "KIND"]);
    for item in list {
        let module = item.module.as_ref().map(|module| format!("{module} "));
        let implements = item.implements.as_ref().map(|name| format!(" ({name})"));
        let name = [module.unwrap_or_default(), item.name.clone(), implements.unwrap_or_default()];
        table.row([name.concat(), extern_kind(item.kind).to_owned()]);
    }
    format!("\n{table}")
}

const fn extern_kind(kind: ExternKind) -> &'static str {
    match kind {
        ExternKind::Func => "function",
        ExternKind::Instance => "instance",
        ExternKind::Component => "component",
        ExternKind::Value => "value",
        ExternKind::Type => "type",
        ExternKind::Module => "module",
        ExternKind::Table => "table",
        ExternKind::Memory => "memory",
        ExternKind::Global => "global",
        ExternKind::Tag => "tag",
    }
}

fn dependencies(list: &[Dependency]) -> String {
    if list.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["DEPENDS ON", "VERSION", "CONTENT"]);
    let named = |package: &str, projection: &Option<String>| match projection {
        Some(projection) => format!("{package}/{projection}"),
        None => package.to_owned(),
    };
    for dependency in list {
        table.row(match &dependency.form {
            DependencyForm::Unlocked { package, projection, range } => {
                [named(package, projection), range.clone(), "any".into()]
            }
            DependencyForm::Locked { package, projection, version, integrity } => [
                named(package, projection),
                version.as_ref().map_or("any".into(), |version| format!("={version}")),
                integrity.clone().unwrap_or_else(|| "any".into()),
            ],
            DependencyForm::Url { url, integrity } => {
                [url.clone(), String::new(), integrity.clone().unwrap_or_else(|| "any".into())]
            }
            DependencyForm::Integrity { integrity } => {
                ["content by its digest".into(), String::new(), integrity.clone()]
            }
            DependencyForm::Unreadable { reason } => {
                [dependency.import.clone(), format!("unreadable: {reason}"), String::new()]
            }
        });
    }
    format!("\n{table}")
}

/// What takes the space, with a bar for each.
fn space(found: &Examination) -> String {
    let whole = found.anatomy.bytes.max(1);
    let Sizes { code, data, custom, structure } = found.anatomy.sizes;
    let mut table = Table::new(["SPACE", "SIZE", "", ""]);
    let mut row = |name: &str, bytes: u64| {
        let share = bytes.saturating_mul(100) / whole;
        let bar = "█".repeat(usize::try_from(bytes.saturating_mul(BAR) / whole).unwrap_or(0));
        table.row([name.into(), HumanBytes(bytes).to_string(), format!("{share:3}%"), bar]);
    };
    for (name, bytes) in
        [("code", code), ("data", data), ("structure", structure), ("custom sections", custom)]
    {
        row(name, bytes);
    }
    for section in found.anatomy.custom.iter().filter(|section| section.bytes * 20 > whole) {
        row(&format!("  {}", section.name), section.bytes);
    }
    format!("\n{table}")
}

fn nested(parts: &[NestedPart], omitted: u64) -> String {
    if parts.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["PART", "NAME", "SIZE", "CODE", "DATA", "CUSTOM"]);
    let human = |bytes| HumanBytes(bytes).to_string();
    for part in parts {
        let Sizes { code, data, custom, .. } = part.sizes;
        table.row([
            format!("{}{}", "  ".repeat(part.depth.saturating_sub(1).min(20)), kind(part.kind)),
            part.name.clone().unwrap_or_default(),
            human(part.bytes),
            human(code),
            human(data),
            human(custom),
        ]);
    }
    let more = if omitted > 0 { format!("and {omitted} more\n") } else { String::new() };
    format!("\n{table}{more}")
}
