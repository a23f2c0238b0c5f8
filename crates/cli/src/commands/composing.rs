//! What `warg compose`, `warg plug` and `warg adapt` share: adapters, and what is written in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;

use serde_json::{Value, json};
use wargate_component::adapt::{self, AdaptError, Adapter};
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_component::picture::Graph;
use wargate_component::provenance::{Made, Provenance, Role, Source};
use wargate_console::{counted, harmless};
use wargate_crypto::Digest;

use super::linking::contents;
use super::locking::Locking;
use super::roots::{is_file, read};
use crate::args::{Composing, Roots};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{cannot_write, folder_of, write_whole};
use crate::output::{Report, print};
use crate::worker::{Answer, Job, Worker};

/// Something that goes into a component.
pub(super) struct Ingredient {
    pub(super) role: Role,
    /// The release that it is, if it is one.
    pub(super) release: Option<PackageId>,
    pub(super) bytes: Vec<u8>,
    digest: OnceLock<Digest>,
}

impl Ingredient {
    pub(super) const fn new(role: Role, release: Option<PackageId>, bytes: Vec<u8>) -> Self {
        Self { role, release, bytes, digest: OnceLock::new() }
    }

    /// With a digest that the bytes are known to have.
    pub(super) fn of_digest(self, digest: Digest) -> Self {
        Self { digest: digest.into(), ..self }
    }

    pub(super) fn in_role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    fn digest(&self) -> Digest {
        *self.digest.get_or_init(|| Digest::of(&self.bytes))
    }

    fn to_source(&self) -> Source {
        let release = self.release.clone();
        let (package, version) = release.map(|id| (id.package, id.version)).unzip();
        Source { role: self.role, package, version, digest: self.digest() }
    }
}

/// Has a process work on what goes into a component. What its digests are is found out meanwhile.
pub(super) fn work_on(
    worker: Worker,
    job: &Job,
    ingredients: &[&Ingredient],
) -> Result<(Answer, Vec<u8>), Failure> {
    let contents: Vec<&[u8]> = ingredients.iter().map(|it| it.bytes.as_slice()).collect();
    thread::scope(|scope| {
        scope.spawn(|| {
            for ingredient in ingredients {
                ingredient.digest();
            }
        });
        worker.work(job, &contents)
    })
}

/// The adapters that core modules among contents need, as `options` say where they are from.
pub(super) fn adapters<'a>(
    context: &Context,
    options: &Composing,
    contents: impl IntoIterator<Item = &'a [u8]>,
) -> Result<BTreeMap<Adapter, Ingredient>, Failure> {
    let mut found = BTreeMap::new();
    for adapter in needed(contents) {
        let name = options.adapter.clone();
        let name = name.map_or_else(|| default_adapter(adapter), Ok)?;
        if is_file(&name) {
            let bytes = read(Path::new(&name))?;
            found.insert(adapter, Ingredient::new(Role::Adapter, None, bytes));
            continue;
        }
        let packages = packages(context, options, std::slice::from_ref(&name));
        let packages = packages.map_err(|failure| {
            failure.hint(format!(
                "a core module needs the adapter {name}: `wargate seed` publishes it, `warg lock` \
                 with its name beside the others takes it into the lock, and `--adapter` names \
                 another one"
            ))
        })?;
        let ingredient = packages.into_iter().next();
        found.extend(ingredient.map(|it| (adapter, it.in_role(Role::Adapter))));
    }
    Ok(found)
}

/// The package that an adapter is, as a person would name it.
pub(super) fn default_adapter(adapter: Adapter) -> Result<String, Failure> {
    let package = adapter.package().map_err(|error| Failure::other(error.to_string()))?;
    Ok(package.to_string())
}

/// What core modules need. What cannot be adapted at all is told when it is tried.
fn needed<'a>(contents: impl IntoIterator<Item = &'a [u8]>) -> BTreeSet<Adapter> {
    /// How a core module begins.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0";
    let modules = contents.into_iter().filter(|bytes| bytes.starts_with(MODULE));
    modules.filter_map(|bytes| adapt::look(bytes).ok()?.adapter).collect()
}

/// Packages by name, with what the lock or the registry has for them, in the order of the names.
pub(super) fn packages(
    context: &Context,
    options: &Composing,
    names: &[String],
) -> Result<Vec<Ingredient>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let roots = Roots { named: names.to_vec(), ..Roots::default() };
    let locking = Locking::new(context, &roots, &options.place)?;
    let mut lock = match &locking.known {
        Some(_) if !options.no_lock => locking.solve_within().map_err(|failure| {
            failure.hint("`warg lock` takes it into the lock; `--no-lock` does without")
        })?,
        _ => locking.solve(context, None)?,
    };
    // A lock has its roots in an order of its own.
    let edges = lock.roots.iter().flat_map(|root| &root.dependencies);
    let edges: BTreeMap<&str, &PackageId> =
        edges.map(|edge| (edge.import.as_str(), &edge.package)).collect();
    let asked = locking.resolving.roots.iter().flat_map(|(_, imports)| imports);
    let answers = asked.filter_map(|import| edges.get(import.to_string().as_str()));
    let answers: Vec<PackageId> = answers.map(|id| (*id).clone()).collect();
    let of_registry: Vec<_> = answers.iter().map(|id| released(&lock, id)).collect();
    // What these need in turn is imported, and not put in.
    lock.packages.retain(|id, _| answers.contains(id));
    let folder = folder_of(&locking.path);
    let found = contents(context, &lock, folder, options.vendored.as_deref())?;
    let ingredient = |(id, release): (PackageId, Option<PackageId>)| {
        let bytes = found.get(&id)?.clone();
        let digest = lock.packages.get(&id)?.digest;
        Some(Ingredient::new(Role::Part, release, bytes).of_digest(digest))
    };
    Ok(answers.into_iter().zip(of_registry).filter_map(ingredient).collect())
}

/// The release that a package of a lock is; none if a file stands in its place.
pub(super) fn released(lock: &Lock, id: &PackageId) -> Option<PackageId> {
    let origin = &lock.packages.get(id)?.origin;
    matches!(origin, Origin::Registry(_)).then(|| id.clone())
}

/// A component that was made, and what of.
pub(super) struct Product<'a> {
    pub(super) made: Made,
    /// What it was made of, as the user calls it.
    pub(super) from: &'a str,
    pub(super) bytes: Vec<u8>,
    pub(super) ingredients: Vec<&'a Ingredient>,
}

impl Product<'_> {
    /// Writes it to a file, or to standard output if that is `-`. It says what it was made of.
    pub(super) fn write(
        mut self,
        context: &Context,
        path: &Path,
        more: &[(&str, Value)],
    ) -> Result<Report, Failure> {
        let mut sources: Vec<Source> = self.ingredients.iter().map(|it| it.to_source()).collect();
        sources.sort_by(|a, b| {
            (a.role, &a.package, &a.version, a.digest)
                .cmp(&(b.role, &b.package, &b.version, b.digest))
        });
        sources.dedup();
        let provenance = Provenance { made: self.made, sources };
        provenance.append_to(&mut self.bytes);
        if path == Path::new("-") {
            if context.globals.json {
                return Err(Failure::usage("standard output cannot take both content and JSON")
                    .hint("leave out `--json`, or name a file"));
            }
            print(&self.bytes)?;
            return Ok(Report::own(String::new(), json!({})));
        }
        let size = self.bytes.len();
        let digest = thread::scope(|scope| {
            let digest = scope.spawn(|| Digest::of(&self.bytes));
            write_whole(path, |file| {
                file.write_all(&self.bytes).map_err(|error| cannot_write(path, &error))
            })?;
            digest.join().map_err(|_| Failure::other("the digest was not computed"))
        })?;
        let releases = provenance.sources.iter().filter(|source| source.package.is_some()).count();
        let text = format!(
            "{} -> {} ({}, {})\n{digest}\n",
            harmless(self.from),
            harmless(&path.display().to_string()),
            indicatif::HumanBytes(size as u64),
            match releases {
                0 => counted(provenance.sources.len() as u64, "file"),
                releases => counted(releases as u64, "release"),
            },
        );
        let mut said = json!({
            "path": path.display().to_string(),
            "digest": digest,
            "size": size,
            "sources": provenance.sources,
        });
        for (name, value) in more {
            said[*name] = value.clone();
        }
        Ok(Report::new(text, said))
    }
}

/// What is wired with what, if it is asked for instead of a component.
pub(super) fn picture(options: &Composing, graph: &Graph) -> Option<Report> {
    let text = match (options.dot, options.svg) {
        (true, _) => graph.to_dot(),
        (_, true) => graph.to_svg(),
        _ => return None,
    };
    Some(Report::own(text, json!({})))
}

/// The file that is written if nobody says otherwise: beside nothing else that is read, here.
pub(super) fn default_output(name: &str, suffix: &str) -> PathBuf {
    let bare = name.split('@').next().unwrap_or(name);
    let last = bare.rsplit([':', '/']).next().unwrap_or(bare);
    let stem = Path::new(last).file_stem().and_then(|stem| stem.to_str()).unwrap_or("component");
    PathBuf::from(format!("{stem}{suffix}"))
}

/// Refuses to write over files that are read. What is named and is no file is none.
pub(super) fn refuse_over<'a>(
    output: &Path,
    inputs: impl IntoIterator<Item = &'a Path>,
) -> Result<(), Failure> {
    let same = |input: &&Path| {
        let Ok(input) = input.canonicalize() else { return false };
        output.canonicalize().is_ok_and(|output| output == input)
    };
    match inputs.into_iter().find(same) {
        Some(_) if output != Path::new("-") => {
            let output = output.display();
            Err(Failure::usage(format!("{output} would be written over, and it is read"))
                .hint("name another file with `--output`"))
        }
        _ => Ok(()),
    }
}

/// Why a module does not become a component.
pub(super) fn not_adapted(name: &str, error: &AdaptError) -> Failure {
    let failure = Failure::usage(harmless(&format!("{name}: {error}")));
    match error {
        AdaptError::Panicked { .. } => failure.hint("if it is no adapter itself, please report it"),
        AdaptError::NoModule => failure.hint("a component needs no adapter"),
        AdaptError::TooOld => failure.hint("build it with a newer toolchain, for wasm32-wasip1"),
        AdaptError::NoWorld => failure.hint(
            "bindings of a guest language leave it in the module; `--wit` and `--world` say it \
             otherwise",
        ),
        AdaptError::World { .. } => {
            failure.hint("`--wit` names a WIT package, `--world` its world")
        }
        _ => failure,
    }
}
