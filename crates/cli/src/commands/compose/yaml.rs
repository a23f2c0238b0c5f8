//! `warg compose --yaml`: what `wasm-tools compose` is configured with.

use std::path::{Path, PathBuf};
use std::time::Instant;

use wargate_component::compose::config::{Config, ConfigError};
use wargate_component::compose::{Form, Reference, outline};
use wargate_component::provenance::{Made, Role};
use wargate_component::{Limits, skim};
use wargate_console::harmless;

use super::super::composing::{default_output, refuse_over};
use super::super::inspect::unreadable;
use super::super::product::{Assembly, Ingredient, Product};
use super::super::roots::read;
use super::not_composed;
use crate::args::{Bounds, Compose};
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
        context.take_stdout()?;
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
    let began = Instant::now();
    let root = &options.document;
    let mut files = vec![File::read(Path::new(root))?];
    let mut found = Vec::new();
    loop {
        let bounds = &options.composing.bounds;
        let left = bounds.time_limit.saturating_sub(began.elapsed());
        let bounds = Bounds { time_limit: left, ..bounds.clone() };
        let (config_text, root) = (text.to_owned(), root.clone());
        let job = Job::Convert { config: config_text, root, found: found.clone() };
        let contents: Vec<&[u8]> = files.iter().map(|file| file.outline.as_slice()).collect();
        match work(&job, &contents, &bounds)?.0 {
            Answer::Wants(wants) => {
                for wanted in wants {
                    let file = place(config, folder_of(path), &wanted);
                    let file = file.map(|path| File::read(&path)).transpose()?;
                    found.push((wanted, file.as_ref().map(|file| file.name.clone())));
                    files.extend(file);
                }
            }
            Answer::Converted { source, packages, unused } => {
                let packages = packages.into_iter().filter_map(|(name, path)| {
                    let file = files.iter().find(|file| file.name == path)?;
                    Some((name, path, file.bytes.clone()))
                });
                return Ok(Converted { source, packages: packages.collect(), unused });
            }
            Answer::Failed(worker::Fault::Config(error)) => return Err(failed(path, &error)),
            _ => return Err(Failure::other("the process answered something else")),
        }
    }
}

/// A component that is read.
struct File {
    /// Its path, as it is shown.
    name: String,
    bytes: Vec<u8>,
    outline: Vec<u8>,
}

impl File {
    fn read(path: &Path) -> Result<Self, Failure> {
        let (name, bytes) = (path.display().to_string(), read(path)?);
        // Whatever is wrong with it is told with its place in the file.
        let outline = skim(&bytes, &Limits::default()).and_then(|_| outline(&bytes));
        let outline = outline.map_err(|error| unreadable(&name, &error))?;
        Ok(Self { name, bytes, outline })
    }
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
