//! `warg compose`: a component of a WAC document.

mod yaml;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
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
    let composing = &options.composing;
    let target = composing.output.clone();
    let target = target.unwrap_or_else(|| default_output(&options.document, ".wasm"));
    let document = Text { path, source };
    let (packages, ingredients) = gather(context, options, document, &references, &target)?;
    let names: Vec<String> = packages.iter().map(called).collect();
    let components = Components::new(context, composing, &ingredients, &names)?;
    let job = Job::Wire {
        source: source.to_owned(),
        form: if composing.import_dependencies { Form::Open } else { Form::Whole },
        packages: packages.clone(),
    };
    let parts: Vec<_> = packages.iter().zip(components.bytes.iter().map(Cow::as_ref)).collect();
    let text = Ingredient::new(Role::Document, None, source.as_bytes().to_vec());
    let ingredients = ingredients.iter().chain(components.adapters.values()).chain([&text]);
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
    document: Text<'_>,
    references: &[(Reference, usize)],
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
        with.extend(references.iter().filter_map(|(reference, _)| replacement(folder, reference)));
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
    let hint = "`warg lock` with the document takes it into the lock; `--no-lock` does without";
    let lock = locking.answered(context, &composing.place, composing.no_lock, hint);
    let lock = lock.map_err(|failure| not_found(document, references, failure))?;
    let mut rest = direct(&lock);
    let mut found = std::mem::take(&mut locking.resolving.held);
    found.retain(|id, held| rest.packages.get(id).is_some_and(|it| it.digest == held.0));
    rest.packages.retain(|id, _| !found.contains_key(id));
    let mut found: BTreeMap<PackageId, Vec<u8>> =
        found.into_iter().map(|(id, (_, bytes))| (id, bytes)).collect();
    let folder = folder_of(&locking.path);
    found.extend(contents(context, &rest, folder, composing.vendored.as_deref())?);
    let mut asked = Vec::new();
    for (reference, _) in references {
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
    let failure = Failure::usage(harmless(&error.to_string()));
    let document = Text { path, source };
    let ComposeError::Document { labels, hint, .. } = error else {
        return document.shown(failure, &[]);
    };
    let failure = document.shown(failure, labels);
    match hint {
        Some(hint) => failure.hint(harmless(hint)),
        None if labels.first().is_some_and(|label| document.is_range(label)) => {
            failure.hint("a range stands in `[dependencies]` of warg.toml, and the name alone here")
        }
        None => failure,
    }
}

/// What a document names and nobody has, in its lines.
fn not_found(document: Text<'_>, references: &[(Reference, usize)], failure: Failure) -> Failure {
    let labels = references.iter().filter_map(|(reference, offset)| {
        let called = called(reference);
        let length = called.len();
        let label = || Label { offset: *offset, length, text: String::new() };
        failure.message().contains(&called).then(label)
    });
    let labels: Vec<Label> = labels.take(LABELS_MAX).collect();
    document.shown(failure, &labels)
}

/// A document that is at fault.
#[derive(Clone, Copy)]
struct Text<'a> {
    path: &'a Path,
    source: &'a str,
}

impl Text<'_> {
    /// A failure with the places that it is about, the first of them in front of it.
    fn shown(self, mut failure: Failure, labels: &[Label]) -> Failure {
        let path = self.path.display();
        let mut message = format!("{path}: {}", failure.message());
        for (index, label) in labels.iter().enumerate() {
            let (line, column, length) = self.place(label);
            if index == 0 {
                message = format!("{path}:{line}:{column}: {}", failure.message());
            }
            message.push_str(&self.excerpt(label));
            failure = failure.at(json!({
                "file": path.to_string(),
                "line": line,
                "column": column,
                "length": length,
                "message": label.text,
            }));
        }
        let lines: Vec<_> = message.lines().map(harmless).collect();
        failure.saying(lines.join("\n"))
    }

    /// Whether a range stands where nothing but a version can.
    fn is_range(self, label: &Label) -> bool {
        let rest = self.source.get(label.offset..).unwrap_or_default();
        let is_mark = |letter: char| "^~*<>=".contains(letter);
        rest.strip_prefix('@').is_some_and(|rest| rest.starts_with(is_mark))
    }

    /// Line and character of a label, from 1 on, and how many characters of that line it marks.
    fn place(self, label: &Label) -> (usize, usize, usize) {
        let offset = self.source.floor_char_boundary(label.offset);
        let before = &self.source[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = self.source.floor_char_boundary(label.offset.saturating_add(label.length));
        let marked = self.source[offset..end.max(offset)].lines().next().unwrap_or_default();
        let (line, column) = (before.matches('\n').count(), before[start..].chars().count());
        (line + 1, column + 1, marked.chars().count())
    }

    /// The line of a label, and what the label says below it.
    fn excerpt(self, label: &Label) -> String {
        let (number, column, length) = self.place(label);
        let line = self.source.split('\n').nth(number - 1).unwrap_or_default();
        let (line, text) = (harmless(line.trim_end_matches('\r')), harmless(&label.text));
        if line.chars().count() > LINE_CHARACTERS_MAX {
            return format!("\n  line {number}, character {column}: {text}");
        }
        let marks = "^".repeat(length.clamp(1, LINE_CHARACTERS_MAX));
        let (margin, indent) = (" ".repeat(number.to_string().len()), " ".repeat(column - 1));
        format!(
            "\n  {number} | {line}\n  {margin} | {}",
            format!("{indent}{marks} {text}").trim_end()
        )
    }
}

/// Longest line that is shown.
const LINE_CHARACTERS_MAX: usize = 200;
/// Most places of packages that nobody has.
const LABELS_MAX: usize = 8;
