//! `warg lock`: which releases answer the imports of some roots, written down.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wargate_client::resolve::{Question, Resolved};
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_component::solve::{self, Answer};

use super::roots::Resolving;
use crate::args::LockArguments;
use crate::context::Context;
use crate::failure::{EXIT_OTHER, Failure};
use crate::output::Report;

/// How the file is called.
pub(crate) const LOCK_FILE: &str = "warg.lock";

/// Locks, or checks a lock.
pub(crate) fn run(context: &Context, options: &LockArguments) -> Result<Report, Failure> {
    let path = options.file.clone().unwrap_or_else(|| PathBuf::from(LOCK_FILE));
    let folder = folder_of(&path);
    let known = read(&path)?;
    let resolving = match &known {
        Some(known) if options.roots.named.is_empty() => {
            let mut resolving = Resolving::of_lock(known, folder)?;
            let asked = Resolving::new(&options.roots, folder)?;
            resolving.question.options = asked.question.options;
            for (package, releases) in asked.question.local {
                resolving.question.local.insert(package, releases);
            }
            resolving.files.extend(asked.files);
            resolving
        }
        None if options.roots.named.is_empty() => {
            let message = format!("there is no {}, and nothing is named to lock", path.display());
            return Err(Failure::usage(message)
                .hint("name files or packages: `warg lock app.wasm my:app@^1`"));
        }
        _ => Resolving::new(&options.roots, folder)?,
    };
    let lock = if context.globals.offline {
        from_lock(&resolving, known.as_ref(), &path)?
    } else {
        from_registries(context, &resolving, known.as_ref().filter(|_| !options.update))?
    };
    if let Some(export) = &options.export_wkg {
        write(export, &lock.to_wkg())?;
    }
    let changes = changes(known.as_ref(), &lock);
    if options.check {
        return Ok(check(known.as_ref(), &lock, &path, &changes));
    }
    let text = lock.to_string();
    let is_new = known.as_ref() != Some(&lock);
    if is_new {
        write(&path, &text)?;
    }
    let word = if is_new { "Locked" } else { "Unchanged:" };
    let count = lock.packages.len();
    let plural = if count == 1 { "package" } else { "packages" };
    let mut said = format!("{word} {count} {plural} in {}\n", path.display());
    said.extend(changes.iter().map(line));
    Ok(Report::new(said, document(&lock, &path, is_new, &changes)))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The lock that is there.
pub(crate) fn read(path: &Path) -> Result<Option<Lock>, Failure> {
    let failed = |why: String| {
        Failure::usage(format!("{}: {why}", path.display()))
            .hint("`warg lock --update` with the roots makes it anew, after the file was removed")
    };
    match fs::read_to_string(path) {
        Ok(text) => Lock::from_text(&text).map(Some).map_err(|error| failed(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Asks registries. What is locked stays as long as it answers.
fn from_registries(
    context: &Context,
    resolving: &Resolving,
    known: Option<&Lock>,
) -> Result<Lock, Failure> {
    let mut question = resolving.question.clone();
    question.options.pins = known.map(Lock::pins).unwrap_or_default();
    let question = &question;
    let resolved: Resolved =
        context.run(|client| async move { Ok(client.resolve(question).await?) })?;
    let mut lock = resolved.to_lock(&resolving.roots, &resolving.files);
    // The same answer from a later checkpoint is no change.
    if let Some(known) = known.filter(|known| known.packages == lock.packages) {
        for (name, registry) in &mut lock.registries {
            if let Some(before) = known.registries.get(name) {
                registry.clone_from(before);
            }
        }
    }
    Ok(lock)
}

/// Asks nobody: the lock's own releases must answer.
fn from_lock(resolving: &Resolving, known: Option<&Lock>, path: &Path) -> Result<Lock, Failure> {
    let Some(known) = known else {
        let message = format!("there is no {} to do without the network", path.display());
        return Err(Failure::usage(message).hint("make one: `warg lock` without `--offline`"));
    };
    let does_not = |why: String| {
        Failure::usage(format!("{} does not answer what is asked: {why}", path.display()))
            .hint("`warg lock` without `--offline` asks the registry")
    };
    let mut snapshot = known.snapshot().map_err(|error| does_not(error.to_string()))?;
    let Question { imports, options, local } = &resolving.question;
    for (package, releases) in local {
        let inserted = snapshot.insert(package.clone(), releases.clone());
        inserted.map_err(|error| does_not(error.to_string()))?;
    }
    let mut options = options.clone();
    options.pins = known.pins();
    let solution = match solve::solve(imports, &snapshot, &options) {
        Ok(Answer::Solved(solution)) => solution,
        Ok(Answer::Conflict(conflict)) => return Err(does_not(conflict.to_string())),
        Ok(Answer::Missing(packages)) => {
            let names: Vec<_> = packages.iter().map(ToString::to_string).collect();
            return Err(does_not(format!("it lacks {}", names.join(", "))));
        }
        Err(error) => return Err(does_not(error.to_string())),
    };
    let origin = |package: &wargate_protocol::PackageName| {
        let file = resolving.files.get(package).map(|path| Origin::File(path.clone()));
        let locked = known.packages.iter().find(|(id, _)| id.package == *package);
        let locked = locked.map(|(_, package)| package.origin.clone());
        file.or(locked).unwrap_or_else(|| Origin::File(String::new()))
    };
    let mut lock = Lock::new(&resolving.roots, &solution, origin);
    lock.registries.clone_from(&known.registries);
    Ok(lock.reached())
}

/// What became other, in the order of names.
fn changes(known: Option<&Lock>, lock: &Lock) -> Vec<Value> {
    let empty = Lock::default();
    let before = known.unwrap_or(&empty);
    let mut changes = Vec::new();
    let change = |id: &PackageId, what: &str| json!({ "package": id.package, "version": id.version, "change": what });
    for (id, package) in &before.packages {
        match lock.packages.get(id) {
            None => changes.push(change(id, "removed")),
            Some(now) if now.digest != package.digest => changes.push(change(id, "content")),
            Some(now) if now != package => changes.push(change(id, "dependencies")),
            Some(_) => {}
        }
    }
    let added = lock.packages.keys().filter(|id| !before.packages.contains_key(id));
    changes.extend(added.map(|id| change(id, "added")));
    changes.sort_by_key(|change| change["package"].to_string());
    changes
}

fn line(change: &Value) -> String {
    let word = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let sign = match &*word("change") {
        "added" => "+",
        "removed" => "-",
        _ => "~",
    };
    format!("  {sign} {}@{}\n", word("package"), word("version"))
}

fn check(known: Option<&Lock>, lock: &Lock, path: &Path, changes: &[Value]) -> Report {
    let shown = path.display();
    if known.is_some_and(|known| known.packages == lock.packages && known.roots == lock.roots) {
        return Report::new(
            format!("{shown} is up to date.\n"),
            document(lock, path, false, changes),
        );
    }
    let mut text = match known {
        None => format!("There is no {shown}.\n"),
        Some(known) if known.roots != lock.roots && changes.is_empty() => {
            format!("{shown} is for other roots than there are now.\n")
        }
        Some(_) => format!("{shown} is not up to date.\n"),
    };
    text.extend(changes.iter().map(line));
    let mut report = Report::new(text, document(lock, path, true, changes));
    report.exit = EXIT_OTHER;
    report
}

fn document(lock: &Lock, path: &Path, is_new: bool, changes: &[Value]) -> Value {
    let packages = lock.packages.iter().map(|(id, package)| {
        let mut value =
            json!({ "package": id.package, "version": id.version, "digest": package.digest });
        match &package.origin {
            Origin::Registry(registry) => value["registry"] = registry.as_str().into(),
            Origin::File(path) => value["file"] = path.as_str().into(),
        }
        value
    });
    json!({
        "path": path.display().to_string(),
        "changed": is_new,
        "changes": changes,
        "packages": packages.collect::<Vec<_>>(),
    })
}

/// Writes a file so that whoever reads it finds the old text or the new one, whole.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::local(format!("{}: {error}", path.display()));
    let mut file = tempfile::NamedTempFile::new_in(folder_of(path)).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
