//! `warg publish FILE…`: release files, with what they say about themselves.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wargate_client::config::{Origin, closest};
use wargate_client::{Change, Client, Plan, Publication, Registry};
use wargate_component::inspect::{Inspection, Limits, inspect};
use wargate_console::{counted, harmless};
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{PackageName, Version};

use super::publish::{cannot_read, digest, keep, registry_of, report, signing_key};
use crate::args::{self, PublishFiles};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::open_regular;
use crate::output::{Report, note};
use crate::prompt;

/// A file to release.
struct File {
    path: PathBuf,
    name: PackageName,
    version: Version,
    digest: Digest,
    size: u64,
}

/// The command.
pub(crate) fn run(context: &Context, options: &PublishFiles) -> Result<Report, Failure> {
    let paths =
        if options.files.is_empty() { &context.config.project.files } else { &options.files };
    if paths.is_empty() {
        return Err(Failure::usage("no file to publish is given")
            .hint("name one, or list them as `files` in `[package]` of warg.toml"));
    }
    if paths.len() > 1 && (options.name.is_some() || options.release.is_some()) {
        return Err(Failure::usage("`--name` and `--release` are for one file")
            .hint("publish the files one by one"));
    }
    if let Some(failure) = options.files.first().and_then(|path| verb_meant(path)) {
        return Err(failure);
    }
    if options.files.is_empty() {
        stay_inside(context)?;
    }
    let files: Vec<File> =
        paths.iter().map(|path| describe(context, options, path)).collect::<Result<_, _>>()?;
    for (at, file) in files.iter().enumerate() {
        if files[..at].iter().any(|other| other.name == file.name && other.version == file.version)
        {
            let message = format!("two files would become {}@{}", file.name, file.version);
            return Err(Failure::usage(message).hint("publish them one by one, with `--name`"));
        }
    }
    // All of one package becomes one record.
    let mut text = String::new();
    let mut list = Vec::new();
    let mut done: Vec<&PackageName> = Vec::new();
    for file in &files {
        if done.contains(&&file.name) {
            continue;
        }
        done.push(&file.name);
        let group: Vec<&File> = files.iter().filter(|other| other.name == file.name).collect();
        let report = match release(context, options, &group) {
            Ok(report) => report,
            Err(failure) if list.is_empty() => return Err(failure),
            Err(failure) => {
                return Err(failure.after(Report::new(text, json!({ "published": list }))));
            }
        };
        text.push_str(&report.text);
        list.push(report.json);
    }
    Ok(Report::new(text, json!({ "published": list })))
}

/// Refuses files of a project that are not below its directory: what they are, came with a checkout, and
/// nobody but the user publishes what else is on this machine.
pub(crate) fn stay_inside(context: &Context) -> Result<(), Failure> {
    let origin = context.config.origin("package.files");
    let Some(Origin::File { path: project, .. }) = origin.filter(|origin| origin.is_project())
    else {
        return Ok(());
    };
    let whole = |path: &Path| path.canonicalize().map_err(|error| cannot_read(path, &error));
    let directory = whole(project.parent().unwrap_or(project))?;
    for path in &context.config.project.files {
        if !whole(path)?.starts_with(&directory) {
            let (path, project) = (path.display(), project.display());
            let message = format!("{path} is not below the directory of {project}, which lists it");
            return Err(
                Failure::usage(message).hint("if you mean that file, name it on the command line")
            );
        }
    }
    Ok(())
}

/// The failure for what is no file and looks like a verb.
fn verb_meant(path: &Path) -> Option<Failure> {
    let word = path.to_str().filter(|_| !path.exists())?;
    let command = args::command();
    let verbs = command.find_subcommand("publish")?.get_subcommands().map(clap::Command::get_name);
    let meant = closest(word, verbs)?;
    let message = format!("there is neither a file nor a verb `{}`", harmless(word));
    Some(Failure::usage(message).hint(format!("did you mean `warg publish {meant}`?")))
}

/// Name and version: from flags, the project, the file, or the user.
fn describe(context: &Context, options: &PublishFiles, path: &Path) -> Result<File, Failure> {
    let (digest, size) = digest(context, path)?;
    let facts = facts(path)?;
    let project = &context.config.project;
    let embedded = facts.package.as_ref();
    let of_file = embedded.and_then(|package| package.name.parse().ok());
    let name = settle(options.name.as_ref(), project.name.as_ref(), of_file, path, "--name")?;
    let of_file = embedded.and_then(|package| package.version.clone());
    let version =
        settle(options.release.as_ref(), project.version.as_ref(), of_file, path, "--release")?
            .or_else(|| facts.metadata.version.as_ref().and_then(|text| text.parse().ok()));
    let file = path.display();
    let name = match name {
        Some(name) => name,
        None => ask(
            context,
            &format!("Package of {file}: "),
            "--name",
            &format!("{file} does not say which package it is"),
        )?,
    };
    let version = match version {
        Some(version) => version,
        None => ask(
            context,
            &format!("Version of {name}: "),
            "--release",
            &format!("{file} does not say which version it is"),
        )?,
    };
    Ok(File { path: path.to_owned(), name, version, digest, size })
}

/// What the flag says, or else the project, or else the file. Where the latter two differ, somebody is
/// wrong, and only the user can say who.
fn settle<T: Clone + PartialEq + std::fmt::Display>(
    flag: Option<&T>,
    project: Option<&T>,
    file: Option<T>,
    path: &Path,
    name: &str,
) -> Result<Option<T>, Failure> {
    match (flag, project, file) {
        (Some(flag), ..) => Ok(Some(flag.clone())),
        (None, Some(project), Some(file)) if *project != file => {
            let path = path.display();
            let message = format!("{path} says that it is `{file}`, and warg.toml `{project}`");
            Err(Failure::usage(message).hint(format!("`{name}` says which of them counts")))
        }
        (None, project, file) => Ok(project.cloned().or(file)),
    }
}

/// What a file says about itself. It is in memory for that, up to a limit.
fn facts(path: &Path) -> Result<Inspection, Failure> {
    let limits = Limits::default();
    let failed = |error| cannot_read(path, &error);
    let mut bytes = Vec::new();
    let (file, _) = open_regular(path).map_err(failed)?;
    file.take(limits.bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    inspect(&bytes, &limits).map_err(|error| {
        let message = format!("{} cannot be published: {error}", path.display());
        Failure::usage(message).hint("`warg publish release` sends any file as it is")
    })
}

fn ask<T: std::str::FromStr>(
    context: &Context,
    question: &str,
    flag: &str,
    complaint: &str,
) -> Result<T, Failure> {
    if !context.may_ask() {
        return Err(Failure::usage(complaint)
            .hint(format!("name it with `{flag}`, or in `[package]` of warg.toml")));
    }
    let answer = prompt::line(question)?;
    answer.parse().map_err(|_| Failure::usage(format!("`{}` cannot be used", harmless(&answer))))
}

/// Publishes the files of one package as one record.
fn release(context: &Context, options: &PublishFiles, files: &[&File]) -> Result<Report, Failure> {
    let Some(name) = files.first().map(|file| &file.name) else {
        return Err(Failure::usage("no file to publish is given"));
    };
    let change = |file: &&File| Change::Release {
        version: file.version.clone(),
        content: AnyDigest::from(file.digest),
    };
    let entries = files.iter().map(change).collect();
    let publication = Publication { name: name.clone(), head: None, entries };
    let publication = &publication;
    context.run(|client| async move {
        let registry = registry_of(&client, name)?;
        let key = signing_key(context, &registry)?;
        let plan = Box::pin(registry.plan(publication, &key.public_key())).await?;
        let key_id = key.public_key().id();
        let shown = show(name, &plan, files, &registry, key_id.as_str());
        if options.dry_run {
            let json = json!({
                "package": name.as_str(),
                "registry": registry.domain().as_str(),
                "state": "planned",
                "keyId": key_id.as_str(),
                "creates": plan.creates,
                "changes": plan.changes,
                "releases": files.iter().map(|file| release_json(file)).collect::<Vec<_>>(),
            });
            return Ok(Report::new(format!("{shown}Nothing was signed.\n"), json));
        }
        if !plan.changes.is_empty() && !context.globals.quiet && !context.globals.json {
            note(shown.trim_end());
        }
        keep_all(&client, &registry, files)?;
        let contents = client.kept(registry.domain());
        let wait = !options.options.no_wait;
        let published = Box::pin(registry.publish(publication, &key, &contents, wait)).await?;
        let mut report = report(name, &registry, &published);
        let mut releases = Vec::new();
        for file in files {
            report.text.push_str(&format!("{name}@{}: {}\n", file.version, file.digest));
            releases.push(release_json(file));
        }
        report.json["releases"] = releases.into();
        Ok(report)
    })
}

fn release_json(file: &File) -> Value {
    json!({
        "version": file.version.to_string(),
        "digest": file.digest.to_string(),
        "size": file.size,
        "file": file.path.display().to_string(),
    })
}

fn keep_all(client: &Client, registry: &Registry, files: &[&File]) -> Result<(), Failure> {
    for file in files {
        keep(client, registry, &file.path, &file.digest)?;
    }
    Ok(())
}

/// What will be signed.
fn show(
    name: &PackageName,
    plan: &Plan,
    files: &[&File],
    registry: &Registry,
    key: &str,
) -> String {
    let url = registry.url();
    if plan.changes.is_empty() {
        return format!("{name} at {url} says all of it already.\n");
    }
    let mut text = format!("To sign with {key} for {name} at {url}:\n");
    for change in &plan.changes {
        text.push_str(&format!("  {}\n", sentence(change)));
        let Change::Release { version, .. } = change else { continue };
        if let Some(file) = files.iter().find(|file| file.version == *version) {
            let size = counted(file.size, "byte");
            text.push_str(&format!(
                "    from {}, {size}\n",
                harmless(&file.path.to_string_lossy())
            ));
        }
    }
    text
}

/// What a change does.
pub(crate) fn sentence(change: &Change) -> String {
    match change {
        Change::Init => "create the package".to_owned(),
        Change::Release { version, content } => format!("release {version} ({content})"),
        Change::Yank { version } => format!("yank {version}"),
        Change::Grant { key, permissions } => {
            format!("let {} {}", key.id(), words(permissions))
        }
        Change::Revoke { key_id, permissions } => {
            format!("no longer let {key_id} {}", words(permissions))
        }
    }
}

fn words(permissions: &[wargate_protocol::PackagePermission]) -> String {
    permissions.iter().map(|one| super::show::permission(*one)).collect::<Vec<_>>().join(", ")
}
