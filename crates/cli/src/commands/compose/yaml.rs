//! `warg compose --yaml`: what `wasm-tools compose` is configured with.

use std::path::{Path, PathBuf};

use wargate_component::compose::config::{Config, ConfigError, Conversion, Found, Lookup};
use wargate_component::compose::{Form, Reference};
use wargate_component::provenance::{Made, Role};
use wargate_console::harmless;

use super::super::composing::{default_output, refuse_over};
use super::super::product::{Assembly, Ingredient, Product};
use super::super::roots::read;
use super::not_composed;
use crate::args::Compose;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::folder_of;
use crate::output::Report;
use crate::worker::{Job, Worker};

/// Composes with a configuration, or says it as a document.
pub(super) fn run(context: &Context, options: &Compose, path: &Path) -> Result<Report, Failure> {
    let composing = &options.composing;
    let text = read(path)?;
    let text = super::source(path, &text)?;
    let config = Config::from_yaml(text).map_err(|error| failed(path, &error))?;
    let root = (options.document.clone(), read(Path::new(&options.document))?);
    let folder = folder_of(path);
    let found = config.to_wac(root, |lookup| find(&config, folder, lookup).map_err(Fault::Files));
    let Conversion { source, packages } = found.map_err(|fault| match fault {
        Fault::Config(error) => failed(path, &error),
        Fault::Files(failure) => failure,
    })?;
    if options.to_wac {
        let mut paths = packages.iter().map(|(_, (path, _))| path);
        if let Some(path) = paths.find(|path| path.contains(char::is_control)) {
            let path = path.escape_debug();
            return Err(Failure::usage(format!("`{path}` cannot be said in a document"))
                .hint("give the file a name without control characters"));
        }
        let with = packages.iter().map(|(name, (path, _))| format!("// --with {name}={path}\n"));
        let with: String = with.collect();
        return Ok(Report::new(format!("{source}\n{with}"), serde_json::json!({})));
    }
    let target = composing.output.clone();
    let target = target.unwrap_or_else(|| default_output(&options.document, ".composed.wasm"));
    let inputs = packages.iter().map(|(_, (path, _))| Path::new(path));
    refuse_over(&target, inputs.chain([path]))?;
    let reference = |name: &str| {
        let package = name.parse().map_err(|_| Failure::other(format!("{name} is no package")))?;
        Ok::<_, Failure>(Reference { package, version: None })
    };
    let names: Vec<Reference> =
        packages.iter().map(|(name, _)| reference(name)).collect::<Result<_, _>>()?;
    let open = composing.import_dependencies || config.import_components;
    let form = if open { Form::Open } else { Form::Whole };
    let job = Job::Wire { source: source.clone(), form, packages: names.clone() };
    let ingredients = packages.into_iter().map(|(_, (_, bytes))| bytes);
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

/// What is in the way of a document.
enum Fault {
    Config(ConfigError),
    Files(Failure),
}

impl From<ConfigError> for Fault {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

fn find(config: &Config, folder: &Path, lookup: Lookup<'_>) -> Result<Option<Found>, Failure> {
    let candidates: Vec<PathBuf> = match lookup {
        Lookup::Path(path) => vec![folder.join(path)],
        Lookup::Name(name) => {
            let folders = [folder.to_owned()].into_iter();
            let folders = folders.chain(config.search_paths.iter().map(|path| folder.join(path)));
            // Names may be those of interfaces; no file is called so.
            let is_plain = !name.contains(['/', '\\', ':']);
            folders.filter(|_| is_plain).map(|it| it.join(format!("{name}.wasm"))).collect()
        }
    };
    let found = candidates.into_iter().find(|path| path.is_file());
    found.map(|path| Ok((path.display().to_string(), read(&path)?))).transpose()
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
