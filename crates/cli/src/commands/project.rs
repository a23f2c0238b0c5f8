//! `warg add` and `warg remove`: what the project needs, in `[dependencies]` of its `warg.toml`.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::json;
use toml_edit::{DocumentMut, Item, Table};
use wargate_client::config::closest;
use wargate_client::{Error, Package, Selector};
use wargate_component::names::PackageRange;
use wargate_protocol::{PackageName, VersionReq};

use super::lock;
use super::locking::{self, Locking, changes};
use super::roots::Resolving;
use crate::args::{Add, LockPlace, Remove};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{folder_of, write_text};
use crate::output::{Report, note};

/// How the project's file is called.
const PROJECT_FILE: &str = "warg.toml";

/// Adds packages.
pub(crate) fn add(context: &Context, options: &Add) -> Result<Report, Failure> {
    let mut asked = Vec::new();
    for text in &options.packages {
        let (package, requirement) = super::get::parse(text)?;
        let requirement = requirement.map(|text| requirement_of(&package, &text)).transpose()?;
        asked.push((package, requirement));
    }
    let names: Vec<PackageName> = asked.iter().map(|(package, _)| package.clone()).collect();
    let names = &names;
    let packages = context.run(|client| async move { Ok(client.update(names).await?) })?;
    let mut edits = Vec::new();
    for ((package, requirement), found) in asked.into_iter().zip(&packages) {
        context.tell_where(found);
        let requirement = chosen(found, requirement, options.prereleases)?;
        edits.push((package, Some(requirement)));
    }
    change(context, &edits, options.no_lock, options.prereleases)
}

/// Removes packages.
pub(crate) fn remove(context: &Context, options: &Remove) -> Result<Report, Failure> {
    let project = &context.config.project;
    for package in &options.packages {
        if project.dependencies.contains_key(package) {
            continue;
        }
        let failure = Failure::usage(format!("the project does not depend on `{package}`"));
        let known = project.dependencies.keys().map(PackageName::as_str);
        return Err(match closest(package.as_str(), known) {
            Some(meant) => failure.hint(format!("did you mean `{meant}`?")),
            None => failure.hint("`warg config show` lists what it depends on"),
        });
    }
    let edits: Vec<_> = options.packages.iter().map(|package| (package.clone(), None)).collect();
    change(context, &edits, options.no_lock, false)
}

fn requirement_of(package: &PackageName, text: &str) -> Result<VersionReq, Failure> {
    let bad = || {
        let text = text.escape_debug();
        Failure::usage(format!("`{text}` is no requirement for `{package}`"))
            .hint("a requirement is like 1.2, =1.2.3 or \">=1.2, <3\"")
    };
    let requirement: VersionReq = text.parse().map_err(|_| bad())?;
    PackageRange::of(&requirement).ok_or_else(bad)?;
    Ok(requirement)
}

/// The requirement that was asked for, if something fits it, or what is compatible with the newest.
fn chosen(
    found: &Package,
    requirement: Option<VersionReq>,
    prereleases: bool,
) -> Result<String, Failure> {
    let state = found.state();
    let wanted = requirement.clone().unwrap_or(VersionReq::ANY);
    let range = PackageRange::of(&wanted).filter(|_| prereleases);
    let fits = |version| range.as_ref().is_some_and(|range| range.spans(version));
    let newest = state.latest(&wanted).or_else(|| {
        state.releases().rev().find(|release| !release.is_yanked() && fits(&release.version))
    });
    match (newest, requirement) {
        (Some(_), Some(requirement)) => Ok(requirement.to_string()),
        (Some(newest), None) => Ok(newest.version.to_string()),
        (None, _) => {
            let standing = state.releases().rev().filter(|release| !release.is_yanked());
            Err(Error::NoSuchRelease {
                package: found.name().clone(),
                wanted: Selector::Highest(wanted),
                available: standing.map(|release| release.version.clone()).collect(),
            }
            .into())
        }
    }
}

/// Changes the project's file and the lock: the lock is known to be possible before either is written.
fn change(
    context: &Context,
    edits: &[(PackageName, Option<String>)],
    no_lock: bool,
    prereleases: bool,
) -> Result<Report, Failure> {
    let project = &context.config.project;
    let path = project.file.clone().unwrap_or_else(|| PathBuf::from(PROJECT_FILE));
    // Of several at once, each goes on from what the one before has written.
    let _turn = Turn::wait_for(folder_of(&path))?;
    let document = edited(&path, edits)?;
    let dependencies = dependencies_of(&path, &document)?;
    let text = document.to_string();
    let locked = if no_lock { None } else { Some(relock(context, &dependencies, prereleases)?) };
    if edited(&path, edits)?.to_string() != text {
        return Err(Failure::usage(format!("{} was changed meanwhile", path.display()))
            .hint("run the command again"));
    }
    if path.is_symlink() {
        return Err(Failure::usage(format!("{} is a link", path.display()))
            .hint("it may lead to somebody else's file: change that one by hand"));
    }
    write_text(&path, &text)?;
    let mut said = String::new();
    let mut list = Vec::new();
    for (package, requirement) in edits {
        said.push_str(&match requirement {
            Some(requirement) => format!("{package} = \"{requirement}\"\n"),
            None => format!("{package} removed\n"),
        });
        list.push(json!({ "package": package, "requirement": requirement }));
    }
    let mut json = json!({ "path": path.display().to_string(), "dependencies": list });
    if let Some((locking, lock)) = locked {
        let report = lock::write(&locking, &lock, &changes(locking.known.as_ref(), &lock))?;
        said.push_str(&report.text);
        json["lock"] = report.json;
    }
    Ok(Report::new(said, json))
}

/// The lock for these dependencies.
fn relock(
    context: &Context,
    dependencies: &BTreeMap<PackageName, VersionReq>,
    prereleases: bool,
) -> Result<(Locking, wargate_component::lock::Lock), Failure> {
    let path = locking::path(context, &LockPlace::default());
    let known = locking::read(&path)?;
    let mut resolving = Resolving::of_project(context, dependencies, folder_of(&path))?;
    if let Some(known) = &known {
        resolving.keep_files(context, known, folder_of(&path))?;
        resolving.keep_documents(context, known, folder_of(&path))?;
    }
    resolving.question.options.prereleases = prereleases;
    let mut locking = Locking { path, known: known.clone(), resolving };
    let lock = locking.lock(context, known.as_ref())?;
    Ok((locking, lock))
}

/// The project's file with other dependencies; all else in it stays as it is.
fn edited(path: &Path, edits: &[(PackageName, Option<String>)]) -> Result<DocumentMut, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(error) => {
            return Err(Failure::local(format!("cannot read {}: {error}", path.display())));
        }
    };
    let bad = |what: String| Failure::usage(format!("{}: {what}", path.display()));
    let mut document: DocumentMut = text.parse().map_err(|error| bad(format!("{error}")))?;
    let item = document.entry("dependencies").or_insert_with(|| Item::Table(Table::new()));
    let table = item.as_table_like_mut().ok_or_else(|| bad("`dependencies` is no table".into()))?;
    for (package, requirement) in edits {
        match requirement {
            Some(requirement) => {
                drop(table.insert(package.as_str(), toml_edit::value(requirement)));
            }
            None => drop(table.remove(package.as_str())),
        }
    }
    if table.is_empty() {
        document.remove("dependencies");
    }
    Ok(document)
}

/// What the project's file says that it depends on.
fn dependencies_of(
    path: &Path,
    document: &DocumentMut,
) -> Result<BTreeMap<PackageName, VersionReq>, Failure> {
    let table = document.get("dependencies").and_then(Item::as_table_like);
    let rows = table.into_iter().flat_map(|table| table.iter());
    let row = |(name, requirement): (&str, &Item)| {
        let bad = || {
            let (path, name) = (path.display(), name.escape_debug());
            Failure::usage(format!("{path}: `{name}` in `[dependencies]` cannot be read"))
                .hint("a line is like `\"my:package\" = \"1.2\"`")
        };
        let package = name.parse().map_err(|_| bad())?;
        let text = requirement.as_str().ok_or_else(bad)?;
        Ok((package, text.parse().map_err(|_| bad())?))
    };
    rows.map(row).collect()
}

/// A folder that nobody else who asks for a turn changes meanwhile. Where the system locks no folders,
/// whoever comes second is told that the file was changed.
struct Turn {
    _folder: Option<File>,
}

impl Turn {
    fn wait_for(folder: &Path) -> Result<Self, Failure> {
        let Ok(file) = File::open(folder) else { return Ok(Self { _folder: None }) };
        if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            note("another `warg` changes the project just now: waiting for it");
        }
        match file.lock() {
            Ok(()) => Ok(Self { _folder: Some(file) }),
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Self { _folder: None }),
            Err(error) => {
                let folder = folder.display();
                Err(Failure::local(format!("cannot wait for a turn in {folder}: {error}")))
            }
        }
    }
}
