//! `warg compose`: a component of a WAC document.

mod yaml;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use wargate_component::compose::{self, ComposeError, Form, Label, Reference};
use wargate_component::lock::{Lock, PackageId};
use wargate_component::provenance::{Made, Role};
use wargate_console::harmless;

use super::composing::{Components, default_output, refuse_over, released};
use super::linking::contents;
use super::locking::{Locking, refuse_inputs};
use super::product::{Assembly, Ingredient, Product};
use super::roots::{import_of, read};
use crate::args::{Compose, Roots};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::folder_of;
use crate::output::Report;
use crate::worker::{Job, Worker};

/// The command.
pub(crate) fn run(context: &Context, options: &Compose) -> Result<Report, Failure> {
    if let Some(path) = &options.yaml {
        return yaml::run(context, options, path);
    }
    let path = Path::new(&options.document);
    if !is_document(path) {
        let path = path.display();
        return Err(Failure::usage(format!("{path} is no WAC document"))
            .hint("its name ends in `.wac`; `warg bundle` puts components together"));
    }
    let bytes = read(path)?;
    let source = source(path, &bytes)?;
    let worker = Worker::start(&options.composing.bounds)?;
    let references =
        compose::references(source).map_err(|error| not_composed(path, source, &error))?;
    let references: Vec<Reference> = references.into_iter().map(|(it, _)| it).collect();
    let composing = &options.composing;
    let target = composing.output.clone();
    let target = target.unwrap_or_else(|| default_output(&options.document, ".wasm"));
    let (packages, ingredients) = gather(context, options, &references, &target)?;
    let names: Vec<String> = packages.iter().map(called).collect();
    let components = Components::new(context, composing, &ingredients, &names)?;
    let job = Job::Wire {
        source: source.to_owned(),
        form: if composing.import_dependencies { Form::Open } else { Form::Whole },
        packages: packages.clone(),
    };
    let parts: Vec<_> = packages.iter().zip(components.bytes.iter().map(Cow::as_ref)).collect();
    let document = Ingredient::new(Role::Document, None, source.as_bytes().to_vec());
    let ingredients = ingredients.iter().chain(components.adapters.values()).chain([&document]);
    let product = Product {
        made: Made::Composed,
        from: &options.document,
        path: &target,
        ingredients: ingredients.collect(),
    };
    let refused = |error: &_| not_composed(path, source, error);
    let assembly = Assembly { product, parts, worker, job: &job, refused: &refused };
    assembly.make(context, composing, |_| Default::default())
}

/// What a document calls a package.
fn called(reference: &Reference) -> String {
    let Reference { package, version } = reference;
    version.as_ref().map_or_else(|| package.to_string(), |version| format!("{package}@{version}"))
}

/// What the document names, with its content: what the lock or the registry has for it. What nobody has is
/// left out, and told by who composes.
fn gather(
    context: &Context,
    options: &Compose,
    references: &[Reference],
    output: &Path,
) -> Result<(Vec<Reference>, Vec<Ingredient>), Failure> {
    let composing = &options.composing;
    let mut with = options.with.clone();
    if let Some(folder) = &options.deps_dir {
        if !folder.is_dir() {
            let folder = folder.display();
            return Err(Failure::usage(format!("there is no directory {folder}"))
                .hint("`--deps-dir` names one with NAMESPACE/NAME.wasm within"));
        }
        with.extend(references.iter().filter_map(|reference| replacement(folder, reference)));
    }
    let roots = Roots {
        named: vec![options.document.clone()],
        with,
        for_composing: true,
        ..Roots::default()
    };
    let mut locking = Locking::new(context, &roots, &composing.place)?;
    refuse_inputs(&locking, [Some(output)])?;
    refuse_over(output, composing.adapter.as_deref().map(Path::new))?;
    let lock = match &locking.known {
        Some(_) if !composing.no_lock => locking.solve_within().map_err(|failure| {
            failure.hint(
                "`warg lock` with the document takes it into the lock; `--no-lock` does without",
            )
        })?,
        _ => locking.solve(context, None)?,
    };
    let mut rest = direct(&lock);
    let mut found = std::mem::take(&mut locking.resolving.held);
    found.retain(|id, held| rest.packages.get(id).is_some_and(|it| it.digest == held.0));
    rest.packages.retain(|id, _| !found.contains_key(id));
    let mut found: BTreeMap<PackageId, Vec<u8>> =
        found.into_iter().map(|(id, (_, bytes))| (id, bytes)).collect();
    let folder = folder_of(&locking.path);
    found.extend(contents(context, &rest, folder, composing.vendored.as_deref())?);
    let mut asked = Vec::new();
    for reference in references {
        let import = import_of(context, reference)?.to_string();
        asked.extend(answer(&lock, &import).map(|id| (reference, id)));
    }
    let mut answers = (Vec::new(), Vec::new());
    for (at, (reference, id)) in asked.iter().enumerate() {
        // Two names may be of one release.
        let again = asked[at + 1..].iter().any(|(_, other)| other == id);
        let bytes = if again { found.get(*id).cloned() } else { found.remove(*id) };
        let (Some(bytes), Some(locked)) = (bytes, lock.packages.get(*id)) else { continue };
        let ingredient = Ingredient::new(Role::Part, released(&lock, id), bytes);
        answers.0.push((*reference).clone());
        answers.1.push(ingredient.of_digest(locked.digest));
    }
    Ok(answers)
}

/// The file of a directory that stands in the place of a package, as `wac` finds it.
fn replacement(folder: &Path, reference: &Reference) -> Option<String> {
    let Reference { package, version } = reference;
    let named = folder.join(package.namespace().as_str());
    let (path, at) = match version {
        Some(version) => {
            (named.join(package.name()).join(format!("{version}.wasm")), format!("@{version}"))
        }
        None => (named.join(format!("{}.wasm", package.name())), String::new()),
    };
    path.is_file().then(|| format!("{package}{at}={}", path.display()))
}

/// What the document itself names, without what that needs in turn.
fn direct(lock: &Lock) -> Lock {
    let mut direct = lock.clone();
    let roots = lock.roots.iter().flat_map(|root| &root.dependencies);
    let wanted: Vec<_> = roots.map(|edge| &edge.package).collect();
    direct.packages.retain(|id, _| wanted.contains(&id));
    direct
}

/// The release that answers an import.
pub(super) fn answer<'a>(lock: &'a Lock, import: &str) -> Option<&'a PackageId> {
    let mut edges = lock.roots.iter().flat_map(|root| &root.dependencies);
    edges.find(|edge| edge.import == import).map(|edge| &edge.package)
}

/// Whether a file is a WAC document, by its name.
pub(crate) fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("wac"))
}

/// The text of a document.
pub(crate) fn source<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a str, Failure> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Failure::usage(format!("{}: it is no text from byte {at} on", path.display()))
            .hint("WAC documents are UTF-8")
    })
}

/// Why plugs do not fit.
pub(super) fn not_plugged(error: &ComposeError, said: &str, names: &[&str]) -> Failure {
    let failure = Failure::usage(harmless(said));
    let list = |names: &[String]| match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    match error {
        ComposeError::NothingPlugged { imports, exports } => failure.hint(harmless(&format!(
            "{} imports {}; the plugs export {}",
            names.first().copied().unwrap_or_default(),
            list(imports),
            list(exports)
        ))),
        _ => failure,
    }
}

/// Why a document cannot be composed, with the lines that show it.
pub(crate) fn not_composed(path: &Path, source: &str, error: &ComposeError) -> Failure {
    let mut message = harmless(&format!("{}: {error}", path.display()));
    let ComposeError::Document { labels, hint, .. } = error else {
        return Failure::usage(message);
    };
    for label in labels {
        message.push_str(&excerpt(source, label));
    }
    let failure = Failure::usage(message);
    match hint {
        Some(hint) => failure.hint(harmless(hint)),
        None => failure,
    }
}

/// The line of a label, and what the label says below it.
fn excerpt(source: &str, label: &Label) -> String {
    let offset = source.floor_char_boundary(label.offset);
    let before = &source[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = source[start..].lines().next().unwrap_or_default();
    let number = before.matches('\n').count() + 1;
    let column = source[start..offset].chars().count();
    let end = source.floor_char_boundary(label.offset.saturating_add(label.length));
    let marked = source[offset..end.max(offset)].lines().next().unwrap_or_default();
    let marks = "^".repeat(marked.chars().count().clamp(1, LINE_CHARACTERS_MAX));
    let margin = " ".repeat(number.to_string().len());
    let (line, text) = (harmless(line), harmless(&label.text));
    if line.chars().count() > LINE_CHARACTERS_MAX {
        return format!("\n  line {number}, character {}: {text}", column + 1);
    }
    format!("\n  {number} | {line}\n  {margin} | {}{marks} {text}", " ".repeat(column))
}

/// Longest line that is shown.
const LINE_CHARACTERS_MAX: usize = 200;
