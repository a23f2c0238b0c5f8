//! `warg targets`: whether a component fits a world, and on which hosts it runs.

use std::path::Path;

use serde_json::json;
use wargate_component::inspect::{Limits, WasiRelease, examine};
use wargate_component::limits::WIT_BYTES_MAX;
use wargate_component::targets::{Fit, Host, TargetError, oldest_wasi};
use wargate_component::wit::{self, WitFile};
use wargate_console::{Table, harmless};

use super::inspect::unreadable;
use super::roots::read;
use super::subject::Subject;
use crate::args::Targets;
use crate::context::Context;
use crate::failure::{EXIT_OTHER, Failure};
use crate::files::read_regular;
use crate::output::Report;
use crate::worker::{Answer, Fault, Job, work};

/// Most files of a folder of WIT.
const FILES_MAX: usize = 1000;

/// Where a component may fit.
enum Target {
    Host(Box<Host>),
    World { name: String, wit: Vec<u8>, world: Option<String> },
}

/// The command.
pub(crate) fn run(context: &Context, options: &Targets) -> Result<Report, Failure> {
    let subject = Subject::load_one(context, &options.subject)?;
    let targets = targets(context, options)?;
    let found = examine(&subject.bytes, &Limits::default())
        .map_err(|error| unreadable(&subject.name, &error))?;
    let built_for = found.wasi.and_then(|wasi| wasi.release).and_then(|release| match release {
        WasiRelease::Version(version) => Some(version),
        _ => None,
    });
    let fits = fits(&subject, &targets, options)?;
    let oldest = oldest_wasi(&subject.bytes).ok().flatten();
    let mut table = Table::new(["", "Target", "What is in the way"]);
    let mut rows = Vec::new();
    for (target, fit) in targets.iter().zip(&fits) {
        let (name, about) = match target {
            Target::Host(host) => (host.name.clone(), host.about),
            Target::World { name, .. } => (name.clone(), ""),
        };
        let mark = if fit.is_complete() { "yes" } else { "no" };
        let why = reasons(fit);
        table.row([mark.to_owned(), name.clone(), why.first().cloned().unwrap_or_default()]);
        for reason in why.iter().skip(1) {
            table.row([String::new(), String::new(), reason.clone()]);
        }
        let mut row = serde_json::to_value(fit).unwrap_or_default();
        row["target"] = name.into();
        row["fits"] = fit.is_complete().into();
        if !about.is_empty() {
            row["about"] = about.into();
        }
        rows.push(row);
    }
    let mut text = table.to_string();
    if let Some(built_for) = &built_for {
        text.push_str(&format!("\nBuilt for WASI {built_for}"));
        let older = oldest.as_ref().filter(|oldest| *oldest < built_for);
        text.push_str(&match older {
            Some(oldest) => format!(", and asks for nothing that is newer than WASI {oldest}.\n"),
            None => ".\n".to_owned(),
        });
    }
    if let Some(fix) = fix(&targets, &fits, built_for.is_some()) {
        text.push_str(&format!("{fix}\n"));
    }
    let fails = fits.iter().any(|fit| !fit.is_complete());
    let named = !options.named.is_empty() || options.wit.is_some();
    let said = json!({
        "subject": subject.to_json(),
        "targets": rows,
        "builtFor": built_for,
        "oldestWasi": oldest,
    });
    Ok(Report { exit: if fails && named { EXIT_OTHER } else { 0 }, ..Report::new(text, said) })
}

/// What helps, if anything is in the way.
fn fix(targets: &[Target], fits: &[Fit], of_wasi: bool) -> Option<String> {
    let in_the_way = targets.iter().zip(fits).find(|(_, fit)| !fit.is_complete());
    let (target, fit) = in_the_way?;
    let newer = fit.mismatches.iter().any(|it| it.reason.contains("since WASI"));
    Some(match target {
        Target::Host(host) if newer && of_wasi => format!(
            "Build it against WASI {}, or have a newer host than {}.",
            host.offers, host.name
        ),
        _ if !fit.not_offered.is_empty() => {
            "`warg plug` gives it what a component exports; `warg virtualize` seals files and \
             environment in it."
                .to_owned()
        }
        _ => return None,
    })
}

/// What is in the way, each in a line.
fn reasons(fit: &Fit) -> Vec<String> {
    let imports = fit.not_offered.iter().map(|name| format!("it imports {name}"));
    let exports = fit.not_exported.iter().map(|name| format!("it does not export {name}"));
    let types = fit.mismatches.iter().map(|it| format!("{}: {}", it.name, it.reason));
    imports.chain(exports).chain(types).map(|reason| harmless(&reason)).collect()
}

fn targets(context: &Context, options: &Targets) -> Result<Vec<Target>, Failure> {
    let mut targets = Vec::new();
    for name in &options.named {
        targets.push(target(context, name)?);
    }
    if let Some(path) = &options.wit {
        let name = match &options.world {
            Some(world) => format!("{}#{world}", path.display()),
            None => path.display().to_string(),
        };
        let world = options.world.clone();
        targets.push(Target::World { name, wit: wit_package(path)?, world });
    }
    if targets.is_empty() {
        targets.extend(Host::all().into_iter().map(|host| Target::Host(Box::new(host))));
    }
    Ok(targets)
}

/// A host that is known, or a world of a package.
fn target(context: &Context, name: &str) -> Result<Target, Failure> {
    if let Ok(host) = Host::named(name) {
        return Ok(Target::Host(Box::new(host)));
    }
    let known: Vec<String> = Host::all().into_iter().map(|host| host.name).collect();
    let known = format!(
        "these are known: {}; a world of a package is named NAMESPACE:NAME/WORLD[@VERSION]",
        known.join(", ")
    );
    let unknown = || {
        Failure::usage(format!("`{}` is no host that is known", name.escape_debug())).hint(&known)
    };
    let (path, version) = match name.split_once('@') {
        Some((path, version)) => (path, format!("@{version}")),
        None => (name, String::new()),
    };
    let (package, world) = path.split_once('/').ok_or_else(unknown)?;
    let package = format!("{package}{version}");
    super::get::parse(&package).map_err(|_| unknown())?;
    let subject = Subject::load_one(context, &package)?;
    let world = Some(world.to_owned());
    Ok(Target::World { name: name.to_owned(), wit: subject.bytes, world })
}

fn fits(subject: &Subject, targets: &[Target], options: &Targets) -> Result<Vec<Fit>, Failure> {
    let mut fits = Vec::new();
    let mut hosts = Vec::new();
    let mut ask = |hosts: &mut Vec<String>, wit: Option<(&[u8], Option<String>)>, name: &str| {
        let (wit, world) = wit.unzip();
        let mut contents = vec![subject.bytes.as_slice()];
        contents.extend(wit);
        let job = Job::Fit { hosts: std::mem::take(hosts), world: world.flatten() };
        match work(&job, &contents, &options.bounds)? {
            (Answer::Fits(found), _) => fits.extend(found),
            (Answer::Failed(Fault::Target(error)), _) => {
                return Err(not_compared(subject, name, &error));
            }
            _ => return Err(Failure::other("the process answered something else")),
        }
        Ok(())
    };
    for target in targets {
        match target {
            Target::Host(host) => hosts.push(host.name.clone()),
            Target::World { name, wit, world } => {
                ask(&mut hosts, Some((wit, world.clone())), name)?;
            }
        }
    }
    if !hosts.is_empty() {
        ask(&mut hosts, None, "")?;
    }
    Ok(fits)
}

fn not_compared(subject: &Subject, target: &str, error: &TargetError) -> Failure {
    match error {
        TargetError::NoSuchWorld { .. } | TargetError::World { .. } => Failure::usage(harmless(
            &format!("{target}: {error}"),
        ))
        .hint("a world is named NAMESPACE:NAME/WORLD[@VERSION], or by `--world` beside `--wit`"),
        _ => Failure::usage(harmless(&format!("{}: {error}", subject.name))),
    }
}

/// A WIT package in its binary form, of a file of WIT or Wasm, or of a folder with WIT as build tools read
/// it.
pub(super) fn wit_package(path: &Path) -> Result<Vec<u8>, Failure> {
    if path.is_dir() {
        let mut files = Vec::new();
        add_files(path, "", &mut files)?;
        return encode(path, &files);
    }
    let bytes = read(path)?;
    if bytes.starts_with(b"\0asm") {
        return Ok(bytes);
    }
    encode(path, &[file("world.wit", path, bytes)?])
}

fn encode(path: &Path, files: &[WitFile]) -> Result<Vec<u8>, Failure> {
    wit::encode(files).map_err(|error| {
        Failure::usage(harmless(&format!("{}: {error}", path.display())))
            .hint("`--wit` names a file of WIT, a folder with such files, or a WIT package as Wasm")
    })
}

fn file(name: &str, path: &Path, bytes: Vec<u8>) -> Result<WitFile, Failure> {
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::usage(format!("{} is neither WIT nor Wasm", path.display())))?;
    Ok(WitFile { path: name.to_owned(), text })
}

/// Adds the files of WIT of a folder, with what is in `deps`.
fn add_files(folder: &Path, prefix: &str, files: &mut Vec<WitFile>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        names.extend(entry.file_name().into_string());
    }
    names.sort();
    for name in names {
        let (path, within) = (folder.join(&name), format!("{prefix}{name}"));
        let is_of_deps = prefix == "deps/" || within == "deps";
        if is_of_deps && path.is_dir() {
            add_files(&path, &format!("{within}/"), files)?;
        } else if path.extension().is_some_and(|extension| extension == "wit") {
            let bytes = read_regular(&path, WIT_BYTES_MAX as u64)
                .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
            files.push(file(&within, &path, bytes)?);
        }
        if files.len() > FILES_MAX {
            let folder = folder.display();
            return Err(Failure::usage(format!("{folder} has more than {FILES_MAX} files")));
        }
    }
    Ok(())
}
