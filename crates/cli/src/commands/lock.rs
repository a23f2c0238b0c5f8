//! `warg lock`: which releases answer the imports of some roots, written down.

use std::path::Path;

use serde_json::{Value, json};
use wargate_client::origin::Domain;
use wargate_component::lock::{Lock, Origin};
use wargate_console::counted;

use super::adapters::document_path;
use super::linking::{Form, Linking};
use super::locking::{Locking, changes, line, refuse_inputs};
use super::roots::Resolving;
use crate::args::LockArguments;
use crate::context::Context;
use crate::failure::{EXIT_OTHER, Failure};
use crate::files::{folder_of, write_text};
use crate::output::{Report, note};

/// Locks, or checks a lock.
pub(crate) fn run(context: &Context, options: &LockArguments) -> Result<Report, Failure> {
    let to_stdout = options.component.as_deref() == Some(Path::new("-"));
    if to_stdout {
        context.take_stdout()?;
    }
    let mut locking = Locking::new(context, &options.roots, &options.place)?;
    if options.place.file.is_none() && !options.roots.named.is_empty() {
        take_into_project(context, &mut locking)?;
    }
    refuse_inputs(&locking, [options.component.as_deref(), options.export_wkg.as_deref()])?;
    let kept = locking.known.clone().filter(|_| !options.update);
    let lock = locking.lock(context, kept.as_ref())?;
    let known = locking.known.as_ref();
    let changes = changes(known, &lock);
    if options.check {
        return Ok(check(known, &lock, &locking.path, &changes));
    }
    // First what may fail, so that there is no lock of what cannot be linked.
    let linked = match &options.component {
        Some(path) => {
            let linking = Linking::gather(context, &lock, folder_of(&locking.path), None)?;
            Some(linking.write(context, Form::Locked, path)?)
        }
        None => None,
    };
    if let Some(export) = &options.export_wkg {
        write_text(export, &lock.to_wkg(host))?;
    }
    let mut report = write(&locking, &lock, &changes)?;
    if to_stdout {
        // The component is there already.
        note(report.text.trim_end());
        report.text.clear();
    } else if let Some(linked) = linked {
        report.text.push_str(&linked.text);
        report.json["component"] = linked.json;
    }
    Ok(report)
}

/// The lock of a project is for all that the project has. Documents that are named come into it besides.
fn take_into_project(context: &Context, locking: &mut Locking) -> Result<(), Failure> {
    let project = &context.config.project;
    if project.files.is_empty() && project.dependencies.is_empty() {
        return Ok(());
    }
    let folder = folder_of(&locking.path);
    let whole = Resolving::of_project(context, &project.dependencies, folder)?;
    let asked = &locking.resolving.roots;
    if whole.roots.iter().all(|root| asked.contains(root)) {
        return Ok(());
    }
    if asked.iter().all(|(file, _)| document_path(file.as_ref()).is_some()) {
        locking.resolving.add_all(whole);
        let known = locking.known.clone().unwrap_or_default();
        return locking.resolving.keep_documents(context, &known, folder_of(&locking.path));
    }
    let path = locking.path.display();
    Err(Failure::usage(format!("{path} is the lock of the project, and not of what is named"))
        .hint("`warg lock` locks the project; `--file other.lock` is for anything else"))
}

/// The host of a registry of this name, with its port if it has one.
fn host(registry: &str) -> String {
    let url = registry.parse::<Domain>().and_then(|name| name.to_url());
    url.map_or_else(|_| registry.to_owned(), |url| url.as_url().authority().to_owned())
}

/// Writes a lock, if it is another than the one that is there, and says what changed.
pub(crate) fn write(locking: &Locking, lock: &Lock, changes: &[Value]) -> Result<Report, Failure> {
    if locking.known.as_ref() != Some(lock) {
        let text = lock.to_string();
        // Nobody is to find a lock tomorrow that cannot be read.
        Lock::from_text(&text).map_err(|error| {
            Failure::usage(format!("there can be no such lock: {error}"))
                .hint("give the file a name without `:`, `\\` and control characters")
        })?;
        write_text(&locking.path, &text)?;
    }
    Ok(said("Locked", locking, lock, changes))
}

/// Says what would be written.
pub(crate) fn dry(locking: &Locking, lock: &Lock, changes: &[Value]) -> Report {
    said("Would lock", locking, lock, changes)
}

fn said(verb: &str, locking: &Locking, lock: &Lock, changes: &[Value]) -> Report {
    let path = &locking.path;
    let is_new = locking.known.as_ref() != Some(lock);
    let word = if is_new { verb } else { "Unchanged:" };
    let count = counted(lock.packages.len() as u64, "package");
    let mut said = format!("{word} {count} in {}\n", path.display());
    said.extend(changes.iter().map(line));
    for root in dropped(locking, lock) {
        said.push_str(&format!("  - no longer for {root}\n"));
    }
    Report::new(said, document(lock, path, is_new, changes))
}

/// The roots that the lock was for, and is not for any more, as people call them.
fn dropped(locking: &Locking, lock: &Lock) -> Vec<String> {
    let files = |lock: &Lock| -> Vec<String> {
        lock.roots.iter().filter_map(|root| Some(root.file.as_ref()?.path.clone())).collect()
    };
    let now = files(lock);
    let before = locking.known.as_ref().map(files).unwrap_or_default();
    before.into_iter().filter(|path| !now.contains(path)).collect()
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
