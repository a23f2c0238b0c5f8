//! What `warg compose`, `warg plug` and `warg adapt` share: adapters, and what is written in the end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use wargate_component::adapt::{AdaptError, Adapter};
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_component::provenance::Role;
use wargate_console::harmless;

use super::linking::contents;
use super::locking::Locking;
use super::product::Ingredient;
use super::roots::{is_file, read};
use crate::args::{Bounds, Composing, LockPlace, Roots};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::folder_of;
use crate::worker::{Answer, Fault, Job, work};

/// What is composed, as components: core modules are adapted.
pub(super) struct Components<'a> {
    /// In the order of what they were.
    pub(super) bytes: Vec<Cow<'a, [u8]>>,
    /// With which adapters.
    pub(super) adapters: BTreeMap<Adapter, Ingredient>,
}

impl<'a> Components<'a> {
    /// Adapts what needs it. Each has a name beside it, by which the user knows it.
    pub(super) fn new(
        context: &Context,
        options: &Composing,
        ingredients: &'a [Ingredient],
        names: &[String],
    ) -> Result<Self, Failure> {
        let mut made = Self { bytes: Vec::new(), adapters: BTreeMap::new() };
        for (ingredient, name) in ingredients.iter().zip(names) {
            let bytes = ingredient.bytes.as_slice();
            let component = if bytes.starts_with(MODULE) {
                Cow::Owned(made.adapt(context, options, bytes, name)?)
            } else {
                Cow::Borrowed(bytes)
            };
            made.bytes.push(component);
        }
        Ok(made)
    }

    fn adapt(
        &mut self,
        context: &Context,
        options: &Composing,
        module: &[u8],
        name: &str,
    ) -> Result<Vec<u8>, Failure> {
        let job = Job::Adapt { has_wit: false, world: None };
        let origin = Origins::of(options);
        let find = |adapter| find_adapter(context, &origin, adapter);
        let adapted = adapted(&job, vec![module], &options.bounds, &mut self.adapters, find)?;
        adapted.map_err(|error| not_adapted(name, &error))
    }
}

/// How a core module begins.
pub(super) const MODULE: &[u8] = b"\0asm\x01\0\0\0";

/// Adapts a module, with an adapter of those that are known or that of `find` if it needs one.
pub(super) fn adapted<'a>(
    job: &Job,
    mut contents: Vec<&'a [u8]>,
    bounds: &Bounds,
    known: &'a mut BTreeMap<Adapter, Ingredient>,
    find: impl FnOnce(Adapter) -> Result<Ingredient, Failure>,
) -> Result<Result<Vec<u8>, AdaptError>, Failure> {
    let answered = |contents: &[&[u8]]| match work(job, contents, bounds)? {
        (Answer::Adapted, bytes) => Ok(Ok(bytes)),
        (Answer::Failed(Fault::Adapt(error)), _) => Ok(Err(error)),
        _ => Err(Failure::other("the process answered something else")),
    };
    match answered(&contents)? {
        Err(AdaptError::NeedsAdapter(adapter)) => {
            let adapter = match known.entry(adapter) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(find(adapter)?),
            };
            contents.push(adapter.bytes.as_slice());
            answered(&contents)
        }
        said => Ok(said),
    }
}

/// Where packages are taken from.
pub(super) struct Origins<'a> {
    pub(super) place: &'a LockPlace,
    /// Whether the lock, if there is one, does not count.
    pub(super) no_lock: bool,
    /// A folder with content.
    pub(super) vendored: Option<&'a Path>,
    /// What is taken for the adapter.
    pub(super) adapter: Option<&'a str>,
}

impl<'a> Origins<'a> {
    pub(super) fn of(options: &'a Composing) -> Self {
        let Composing { place, no_lock, vendored, adapter, .. } = options;
        let (vendored, adapter) = (vendored.as_deref(), adapter.as_deref());
        Self { place, no_lock: *no_lock, vendored, adapter }
    }
}

/// An adapter: what is named, or else the one that fits.
pub(super) fn find_adapter(
    context: &Context,
    origins: &Origins<'_>,
    adapter: Adapter,
) -> Result<Ingredient, Failure> {
    let named = origins.adapter.map(str::to_owned);
    let name = named.map_or_else(|| default_adapter(adapter), Ok)?;
    if is_file(&name) {
        let bytes = read(Path::new(&name))?;
        return Ok(Ingredient::new(Role::Adapter, None, bytes));
    }
    let packages = packages(context, origins, std::slice::from_ref(&name));
    let packages = packages.map_err(|failure| {
        failure.hint(format!(
            "a core module needs the adapter {name}: `wargate seed` publishes it, `warg lock` with \
             the document, or with its name beside the others, takes it into the lock, and \
             `--adapter` names another one"
        ))
    })?;
    let found = packages.into_iter().next().map(|it| it.in_role(Role::Adapter));
    found.ok_or_else(|| Failure::other(format!("{name} was not answered")))
}

/// The package that an adapter is, as a person would name it.
pub(super) fn default_adapter(adapter: Adapter) -> Result<String, Failure> {
    let package = adapter.package().map_err(|error| Failure::other(error.to_string()))?;
    Ok(package.to_string())
}

/// Packages by name, with what the lock or the registry has for them, in the order of the names.
pub(super) fn packages(
    context: &Context,
    origins: &Origins<'_>,
    names: &[String],
) -> Result<Vec<Ingredient>, Failure> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let roots = Roots { named: names.to_vec(), ..Roots::default() };
    let locking = Locking::new(context, &roots, origins.place)?;
    let hint = "`warg lock` takes it into the lock; `--no-lock` does without";
    let mut lock = locking.answered(context, origins.place, origins.no_lock, hint)?;
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
    let found = contents(context, &lock, folder, origins.vendored)?;
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
        AdaptError::Panicked { .. } => failure.hint("please report it"),
        AdaptError::IsAdapter => {
            failure.hint("`--adapter` takes it, with the module that it is for")
        }
        AdaptError::OtherKind => failure
            .hint("a program gets `command`: leave out `--adapter`, or name one of that kind"),
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
