//! `warg compose --yaml`: what `wasm-tools compose` is configured with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wargate_component::compose::config::{Config, ConfigError};
use wargate_component::compose::{Form, Reference, outline};
use wargate_component::provenance::{Made, Role};
use wargate_console::harmless;

use super::super::composing::{default_output, refuse_over};
use super::super::inspect::unreadable;
use super::super::product::{Assembly, Ingredient, Product};
use super::super::roots::read;
use super::not_composed;
use crate::args::Compose;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::folder_of;
use crate::notices::Notice;
use crate::output::Report;
use crate::worker::{self, Answer, Job, Wanted, Worker, work};

/// Composes with a configuration, or says it as a document.
pub(super) fn run(context: &Context, options: &Compose, path: &Path) -> Result<Report, Failure> {
    let composing = &options.composing;
    let text = read(path)?;
    let text = super::source(path, &text)?;
    let config = Config::from_yaml(text).map_err(|error| failed(path, &error))?;
    let Converted { source, packages, unused } = convert(options, path, text, &config)?;
    for name in unused {
        let name = name.escape_debug();
        let message = format!("nothing refers to `{name}` in `instantiations`");
        context.tell(&Notice::Warning { message });
    }
    if options.to_wac {
        let mut paths = packages.iter().map(|(_, path, _)| path);
        if let Some(path) = paths.find(|path| path.contains(char::is_control)) {
            let path = path.escape_debug();
            return Err(Failure::usage(format!("`{path}` cannot be said in a document"))
                .hint("give the file a name without control characters"));
        }
        let with = packages.iter().map(|(name, path, _)| format!("// --with {name}={path}\n"));
        let with: String = with.collect();
        return Ok(Report::new(format!("{source}\n{with}"), serde_json::json!({})));
    }
    let target = composing.output.clone();
    let target = target.unwrap_or_else(|| default_output(&options.document, ".composed.wasm"));
    let inputs = packages.iter().map(|(_, path, _)| Path::new(path));
    refuse_over(&target, inputs.chain([path]))?;
    let reference = |name: &str| {
        let package = name.parse().map_err(|_| Failure::other(format!("{name} is no package")))?;
        Ok::<_, Failure>(Reference { package, version: None })
    };
    let names: Vec<Reference> =
        packages.iter().map(|(name, ..)| reference(name)).collect::<Result<_, _>>()?;
    let open = composing.import_dependencies || config.import_components;
    let form = if open { Form::Open } else { Form::Whole };
    let job = Job::Wire { source: source.clone(), form, packages: names.clone() };
    let ingredients = packages.into_iter().map(|(.., bytes)| bytes);
    let ingredients: Vec<_> =
        ingredients.map(|bytes| Ingredient::new(Role::Part, None, bytes)).collect();
    let worker = Worker::start(&composing.bounds)?;
    let parts = ingredients.iter().map(|it| it.bytes.as_slice());
    let parts: Vec<_> = names.iter().zip(parts).collect();
    let shown = PathBuf::from(format!("{}, as `--to-wac` says it", path.display()));
    let document = Ingredient::new(Role::Document, None, text.as_bytes().to_vec());
    let product = Product {
        made: Made::Composed,
        from: &options.document,
        path: &target,
        ingredients: ingredients.iter().chain([&document]).collect(),
    };
    let refused = |error: &_| not_composed(&shown, &source, error);
    let assembly = Assembly { product, parts, worker, job: &job, refused: &refused };
    assembly.make(context, composing, |_| Default::default())
}

/// A document that says what the configuration does.
struct Converted {
    source: String,
    /// Each with the path of its component, and the bytes.
    packages: Vec<(String, String, Vec<u8>)>,
    /// Instantiations that nothing refers to.
    unused: Vec<String>,
}

/// Says what the configuration does as a document. A process of its own does, and says what else it has to
/// see for that.
fn convert(
    options: &Compose,
    path: &Path,
    text: &str,
    config: &Config,
) -> Result<Converted, Failure> {
    let root = options.document.clone();
    let mut files = BTreeMap::new();
    let mut outlines = vec![load(&root, &mut files)?];
    let mut found = Vec::new();
    loop {
        let (config_text, root) = (text.to_owned(), root.clone());
        let job = Job::Convert { config: config_text, root, found: found.clone() };
        let contents: Vec<&[u8]> = outlines.iter().map(Vec::as_slice).collect();
        match work(&job, &contents, &options.composing.bounds)?.0 {
            Answer::Wants(wanted) => {
                let place = place(config, folder_of(path), &wanted);
                let place = place.map(|place| place.display().to_string());
                if let Some(place) = &place {
                    outlines.push(load(place, &mut files)?);
                }
                found.push((wanted, place));
            }
            Answer::Converted { source, packages, unused } => {
                let packages = packages.into_iter().filter_map(|(name, path)| {
                    let bytes = files.get(&path)?.clone();
                    Some((name, path, bytes))
                });
                return Ok(Converted { source, packages: packages.collect(), unused });
            }
            Answer::Failed(worker::Fault::Config(error)) => return Err(failed(path, &error)),
            _ => return Err(Failure::other("the process answered something else")),
        }
    }
}

/// Reads a component, and returns its outline.
fn load(path: &str, files: &mut BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>, Failure> {
    let bytes = read(Path::new(path))?;
    let outline = outline(&bytes, files.len()).map_err(|error| unreadable(path, &error))?;
    files.insert(path.to_owned(), bytes);
    Ok(outline)
}

/// Where a component is.
fn place(config: &Config, folder: &Path, wanted: &Wanted) -> Option<PathBuf> {
    let candidates: Vec<PathBuf> = match wanted {
        Wanted::Path(path) => vec![folder.join(path)],
        Wanted::Name(name) => {
            let folders = [folder.to_owned()].into_iter();
            let folders = folders.chain(config.search_paths.iter().map(|path| folder.join(path)));
            folders.map(|it| it.join(format!("{name}.wasm"))).collect()
        }
    };
    candidates.into_iter().find(|path| path.is_file())
}

fn failed(path: &Path, error: &ConfigError) -> Failure {
    let failure = Failure::usage(harmless(&format!("{}: {error}", path.display())));
    match error {
        ConfigError::Text { .. } => {
            failure.hint("it is YAML as `wasm-tools compose --config` reads it")
        }
        ConfigError::Missing { .. } => failure.hint("paths are relative to the configuration"),
        _ => failure,
    }
}
