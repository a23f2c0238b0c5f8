//! `warg wit`: the interfaces of a component, as text or as the files of a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use wargate_component::inspect::Limits;
use wargate_component::wit::{self, Note, WitError, WitFolder};
use wargate_console::{counted, harmless};

use super::inspect::unreadable;
use super::subject::Subject;
use crate::args::Wit;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{below, write_text};
use crate::output::{Report, note};

/// Where the packages are that a WIT package needs, as all tools have it.
const DEPENDENCIES: &str = "deps";

/// The command.
pub(crate) fn run(context: &Context, options: &Wit) -> Result<Report, Failure> {
    let subject = Subject::load_one(context, &options.subject)?;
    let failed = |error| failure(&subject, &error);
    let mut json = json!({ "subject": subject.to_json() });
    let mut add = |facts: Value| {
        if let (Value::Object(json), Value::Object(facts)) = (&mut json, facts) {
            json.extend(facts);
        }
    };
    let (text, notes) = match &options.output {
        None => {
            let said = wit::wit(&subject.bytes, &Limits::default()).map_err(failed)?;
            add(serde_json::to_value(&said).unwrap_or_default());
            (said.text, said.notes)
        }
        Some(directory) => {
            let folder = wit::folder(&subject.bytes, &Limits::default()).map_err(failed)?;
            write(&folder, directory, options.overwrite)?;
            add(serde_json::to_value(&folder).unwrap_or_default());
            json["path"] = directory.display().to_string().into();
            let files = counted(folder.files.len() as u64, "file");
            let text = format!("{} -> {} ({files})\n", folder.package, directory.display());
            (text, folder.notes)
        }
    };
    if !context.globals.json && !context.globals.quiet {
        for it in &notes {
            note(&format!("note: {}", harmless(&sentence(it))));
        }
    }
    Ok(Report::new(text, json))
}

fn failure(subject: &Subject, error: &WitError) -> Failure {
    match error {
        WitError::Inspect(error) => unreadable(&subject.name, error),
        WitError::NoInterfaces => Failure::usage(format!("{}: {error}", subject.name))
            .hint("`warg inspect` shows what it imports and exports"),
        WitError::UnreadableWorlds { .. }
        | WitError::Text { .. }
        | WitError::Inexpressible { .. } => {
            let message = harmless(&format!("{}: {error}", subject.name));
            Failure::usage(message).hint("`warg inspect` shows what it imports and exports")
        }
    }
}

/// What the text does not say, for people.
fn sentence(note: &Note) -> String {
    match note {
        Note::Renamed { import, label } => {
            format!("the import `{}` is called `{label}` here", import.name)
        }
        Note::Omitted { import } => {
            format!("the import `{}` is left out: WIT has no words for it", import.name)
        }
        Note::Merged { interface } => {
            format!("`{interface}` is imported and exported with other contents; both are in it")
        }
        Note::Undocumented { reason } => format!("its documentation cannot be read: {reason}"),
        Note::UnreadableWorlds { count } => {
            format!("{} cannot be read", counted(*count as u64, "world"))
        }
        Note::Unparsable { reason } => format!("tools cannot read this text: {reason}"),
    }
}

/// Writes the files below a directory. None is written if one that says something else would have to be
/// replaced.
fn write(folder: &WitFolder, directory: &Path, overwrite: bool) -> Result<(), Failure> {
    let mut open = Vec::new();
    for file in &folder.files {
        let path = below(directory, Path::new(&file.path))?;
        match fs::read(&path) {
            Ok(text) if text == file.text.as_bytes() => {}
            Ok(_) if !overwrite => {
                let message = format!("{} is there and says something else", path.display());
                return Err(Failure::usage(message)
                    .hint("`--overwrite` replaces it; or name another directory"));
            }
            _ => open.push((path, &file.text)),
        }
    }
    for (path, text) in open {
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent).map_err(|error| {
            Failure::local(format!("cannot make the directory {}: {error}", parent.display()))
        })?;
        write_text(&path, text)?;
    }
    if overwrite {
        remove_earlier(folder, directory)?;
    }
    Ok(())
}

/// Removes the packages that an earlier component needed: whoever reads the folder would take them for
/// those of this one. Whatever else is in their folders stays.
fn remove_earlier(folder: &WitFolder, directory: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::local(format!("cannot remove {}: {error}", path.display()))
    };
    let written: BTreeSet<_> = folder.files.iter().map(|file| directory.join(&file.path)).collect();
    let packages = directory.join(DEPENDENCIES);
    // A link may lead to what is somebody else's.
    if !packages.symlink_metadata().is_ok_and(|there| there.is_dir()) {
        return Ok(());
    }
    let entries = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten();
    for package in entries(&packages) {
        let is_folder = package.file_type().is_ok_and(|kind| kind.is_dir());
        for file in entries(&package.path()).filter(|_| is_folder) {
            let path = file.path();
            let is_wit = path.extension().is_some_and(|extension| extension == "wit")
                && file.file_type().is_ok_and(|kind| kind.is_file());
            if is_wit && !written.contains(&path) {
                fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
            }
        }
        // One that is not empty stays.
        if is_folder {
            let _ = fs::remove_dir(package.path());
        }
    }
    Ok(())
}
