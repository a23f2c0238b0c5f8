//! `warg plug`: components in one that imports what they export.

use std::borrow::Cow;
use std::path::Path;

use serde_json::json;
use wargate_component::compose::{ComposeError, Form, Reference};
use wargate_component::lock::PackageId;
use wargate_component::provenance::{Made, Role};
use wargate_console::harmless;
use wargate_protocol::PackageName;

use super::compose::not_plugged;
use super::composing::{Components, Origins, default_output, packages, refuse_over};
use super::product::{Assembly, Ingredient, Product};
use super::roots::{is_file, read};
use crate::args::PlugArguments;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::Report;
use crate::worker::{Job, Worker};

/// The command.
pub(crate) fn run(context: &Context, options: &PlugArguments) -> Result<Report, Failure> {
    let composing = &options.composing;
    let names: Vec<&str> =
        [&options.socket].into_iter().chain(&options.plugs).map(String::as_str).collect();
    let target = composing.output.clone();
    let target = target.unwrap_or_else(|| default_output(&options.socket, ".plugged.wasm"));
    let lock = super::locking::path(context, &composing.place);
    let inputs = names.iter().map(Path::new).chain(composing.adapter.as_deref().map(Path::new));
    refuse_over(&target, inputs.chain([lock.as_path()]))?;
    let worker = Worker::start(&composing.bounds)?;
    let ingredients = gather(context, options, &names)?;
    let pieces = ingredients
        .iter()
        .enumerate()
        .map(|(at, it)| reference(names[at], at, it))
        .collect::<Result<Vec<_>, _>>()?;
    refuse_unnamed(&pieces, &ingredients, &names, composing.import_dependencies)?;
    let as_typed = |text: &str| {
        let files = pieces.iter().zip(&names).filter(|(it, _)| it.version.is_none());
        files.fold(text.to_owned(), |text, (it, name)| text.replace(it.package.as_str(), name))
    };
    let shown: Vec<String> = names.iter().map(ToString::to_string).collect();
    let components = Components::new(context, composing, &ingredients, &shown)?;
    let form = if composing.import_dependencies { Form::Open } else { Form::Whole };
    let job = Job::Plug { form, pieces: pieces.clone() };
    let parts: Vec<_> = pieces.iter().zip(components.bytes.iter().map(Cow::as_ref)).collect();
    let product = Product {
        made: Made::Plugged,
        from: &options.socket,
        path: &target,
        ingredients: ingredients.iter().chain(components.adapters.values()).collect(),
    };
    let refused = |error: &ComposeError| not_plugged(error, &as_typed(&error.to_string()), &names);
    let assembly = Assembly { product, parts, worker, job: &job, refused: &refused };
    let mut left = Vec::new();
    let mut report = assembly.make(context, composing, |unused| {
        // The socket comes before the plugs.
        let unused: Vec<usize> = unused.iter().map(|plug| plug + 1).collect();
        left = unused.iter().filter_map(|at| names.get(*at).copied()).collect();
        (unused, vec![("unused", json!(left))])
    })?;
    if !left.is_empty() && !report.text.is_empty() {
        let left = harmless(&left.join(", "));
        report.text.push_str(&format!("Nothing was wanted of {left}.\n"));
    }
    Ok(report)
}

/// What is named: files, and what the lock or the registry has for packages.
fn gather(
    context: &Context,
    options: &PlugArguments,
    names: &[&str],
) -> Result<Vec<Ingredient>, Failure> {
    let of_registry = names.iter().filter(|name| !is_file(name));
    let of_registry: Vec<String> = of_registry.map(ToString::to_string).collect();
    let mut found = packages(context, &Origins::of(&options.composing), &of_registry)?.into_iter();
    let mut ingredients = Vec::new();
    for (at, name) in names.iter().enumerate() {
        let role = if at == 0 { Role::Root } else { Role::Part };
        if is_file(name) {
            let bytes = read(Path::new(name))?;
            ingredients.push(Ingredient::new(role, None, bytes));
        } else if let Some(package) = found.next() {
            ingredients.push(package.in_role(role));
        } else {
            return Err(Failure::other(format!("{name} was not answered")));
        }
    }
    Ok(ingredients)
}

/// What a piece is called in the composition: a release as it is, a file by a name of its own.
fn reference(name: &str, at: usize, piece: &Ingredient) -> Result<Reference, Failure> {
    if let Some(PackageId { package, version }) = piece.release.clone() {
        return Ok(Reference { package, version: Some(version) });
    }
    let numbered = format!("file:{}-p{at}", word(name));
    let package: PackageName = numbered
        .parse()
        .or_else(|_| format!("file:p{at}").parse())
        .map_err(|error| Failure::other(format!("{numbered}: {error}")))?;
    Ok(Reference { package, version: None })
}

/// Refuses what is there twice, and files where only names are to be left.
fn refuse_unnamed(
    pieces: &[Reference],
    ingredients: &[Ingredient],
    names: &[&str],
    is_open: bool,
) -> Result<(), Failure> {
    for (at, piece) in pieces.iter().enumerate() {
        if pieces[..at].contains(piece) {
            let name = names[at].escape_debug();
            return Err(Failure::usage(format!("{name} is named twice"))
                .hint("a plug is for everybody who imports what it exports: name it once"));
        }
        if is_open && ingredients[at].release.is_none() {
            let name = names[at].escape_debug();
            return Err(Failure::usage(format!("{name} is a file, and no package to be imported"))
                .hint("leave out `--import-dependencies`, or publish it first"));
        }
    }
    Ok(())
}

/// The name of a file as a word that names of packages may have.
fn word(path: &str) -> String {
    let stem = Path::new(path).file_stem().and_then(|stem| stem.to_str()).unwrap_or("plug");
    let kept: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    let words = kept.split('-').filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
    let words: Vec<&str> = words.take(8).collect();
    if words.is_empty() { "plug".to_owned() } else { words.join("-") }
}
