//! The lock that is there or is to be, and how it becomes what the roots need.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wargate_client::resolve::{Question, Resolved};
use wargate_component::limits::LOCK_BYTES_MAX;
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_component::solve::{self, Answer, Options, Solution};

use super::roots::Resolving;
use crate::args::{LockPlace, Roots};
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{folder_of, read_regular};

/// What helps where nobody may be asked.
pub(super) const ONLINE: &str = "`warg lock` without `--offline` asks the registry";

/// How the file is called.
const LOCK_FILE: &str = "warg.lock";

/// A lock that is there or is to be, and the roots that it is for.
pub(crate) struct Locking {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// What it says now.
    pub(crate) known: Option<Lock>,
    /// What it is for.
    pub(crate) resolving: Resolving,
}

impl Locking {
    /// The lock, for the roots that are named; or for those of the project, or those of the lock.
    pub(crate) fn new(
        context: &Context,
        roots: &Roots,
        place: &LockPlace,
    ) -> Result<Self, Failure> {
        let path = path(context, place);
        let folder = folder_of(&path);
        let known = read(&path)?;
        let asked = Resolving::new(context, roots, folder)?;
        if !roots.named.is_empty() {
            return Ok(Self { path, known, resolving: asked });
        }
        let project = &context.config.project;
        let of_project = !project.files.is_empty() || !project.dependencies.is_empty();
        let mut resolving = match &known {
            // A lock that somebody names is that of its own roots.
            Some(known) if place.file.is_some() || !of_project => {
                Resolving::of_lock(context, known, folder)?
            }
            _ if of_project => {
                let mut of_project = Resolving::of_project(context, &project.dependencies, folder)?;
                if let Some(known) = &known {
                    of_project.keep_files(context, known, folder)?;
                    of_project.keep_documents(context, known, folder)?;
                }
                of_project
            }
            _ => {
                let message =
                    format!("there is no {}, and nothing is named to lock", path.display());
                return Err(Failure::usage(message).hint(
                    "name files or packages: `warg lock app.wasm my:app@^1`; or list them in \
                     warg.toml",
                ));
            }
        };
        resolving.question.options = asked.question.options;
        resolving.question.local.extend(asked.question.local);
        resolving.files.extend(asked.files);
        Ok(Self { path, known, resolving })
    }

    /// Asks registries. The releases that `kept` names stay as long as they answer.
    pub(crate) fn solve(&self, context: &Context, kept: Option<&Lock>) -> Result<Lock, Failure> {
        let pins = kept.map(Lock::pins).unwrap_or_default();
        self.solve_with(context, Options { pins, ..self.resolving.question.options.clone() })
    }

    /// Asks registries, with these options.
    pub(crate) fn solve_with(&self, context: &Context, options: Options) -> Result<Lock, Failure> {
        let locked = self.known.clone().unwrap_or_default();
        let question = Question { options, locked, ..self.resolving.question.clone() };
        let (question, known) = (&question, self.known.as_ref());
        let resolved: Resolved = context.run(|client| async move {
            let resolved = client.resolve(question).await?;
            // Who wrote the lock and who has it now are to have seen one log.
            if let Some(known) = known.filter(|_| !client.settings().offline) {
                client.check_registries(known).await?;
            }
            Ok(resolved)
        })?;
        self.refuse_unused(&resolved.solution)?;
        let mut lock = resolved.to_lock(&self.resolving.roots, &self.resolving.files);
        // The same answer from a later checkpoint is no change.
        if let Some(known) = known.filter(|known| known.packages == lock.packages) {
            for (name, registry) in &mut lock.registries {
                if let Some(before) = known.registries.get(name) {
                    registry.clone_from(before);
                }
            }
        }
        Ok(lock)
    }

    /// What the roots need: by the lock if there is one, and it is to count; `hint` tells what helps if it does
    /// not answer. Else the newest releases.
    pub(crate) fn answered(
        &self,
        context: &Context,
        place: &LockPlace,
        no_lock: bool,
        hint: &str,
    ) -> Result<Lock, Failure> {
        match &self.known {
            Some(_) if !no_lock => self.solve_within().map_err(|failure| failure.hint(hint)),
            // Who names a lock does not want to do without.
            None if !no_lock && place.file.is_some() => existing(&self.path),
            _ => self.solve(context, None),
        }
    }

    /// Asks nobody: the lock's own releases must answer.
    pub(crate) fn solve_within(&self) -> Result<Lock, Failure> {
        let path = self.path.display();
        let Some(known) = &self.known else {
            let message = format!("there is no {path} to do without the network");
            return Err(Failure::usage(message).hint(ONLINE));
        };
        let does_not = |why: String| {
            Failure::usage(format!("{path} does not answer what is asked. By it alone, {why}"))
        };
        let mut snapshot = known.snapshot().map_err(|error| does_not(error.to_string()))?;
        let Question { imports, options, local, .. } = &self.resolving.question;
        for (package, releases) in local {
            let inserted = snapshot.insert(package.clone(), releases.clone());
            inserted.map_err(|error| does_not(error.to_string()))?;
        }
        let options = Options { pins: known.pins(), ..options.clone() };
        let solution = match solve::solve(imports, &snapshot, &options) {
            Ok(Answer::Solved(solution)) => solution,
            Ok(Answer::Conflict(conflict)) => return Err(does_not(conflict.to_string())),
            Ok(Answer::Missing(packages)) => {
                let names: Vec<_> = packages.iter().map(ToString::to_string).collect();
                return Err(does_not(format!("it lacks {}", names.join(", "))));
            }
            Err(error) => return Err(does_not(error.to_string())),
        };
        self.refuse_unused(&solution)?;
        let origin = |id: &PackageId| {
            let file = self.resolving.files.get(id).map(|path| Origin::File(path.clone()));
            let locked = known.packages.get(id).map(|package| package.origin.clone());
            file.or(locked).unwrap_or_else(|| Origin::File(String::new()))
        };
        let mut lock = Lock::new(&self.resolving.roots, &solution, origin);
        lock.registries.clone_from(&known.registries);
        Ok(lock.reached())
    }
}

impl Locking {
    /// Refuses files in the place of packages that nothing needs: a slip of who typed it.
    fn refuse_unused(&self, solution: &Solution) -> Result<(), Failure> {
        let of_lock = |id: &PackageId| {
            let known = self.known.iter().flat_map(|known| known.packages.keys());
            known.into_iter().any(|known| known.package == id.package)
        };
        let is_needed = |id: &PackageId| {
            solution.nodes.iter().any(|node| node.package == id.package) || of_lock(id)
        };
        match self.resolving.files.keys().find(|id| !is_needed(id)) {
            Some(PackageId { package, .. }) => {
                Err(Failure::usage(format!("`--with` names {package}, which nothing needs"))
                    .hint("`warg dependencies` shows what is needed"))
            }
            None => Ok(()),
        }
    }
}

/// Where the lock is: where somebody says, or beside the project's file, or here.
pub(crate) fn path(context: &Context, place: &LockPlace) -> PathBuf {
    if let Some(path) = &place.file {
        return path.clone();
    }
    let Some(project) = &context.config.project.file else { return PathBuf::from(LOCK_FILE) };
    let folder = folder_of(project);
    let is_here = std::env::current_dir().is_ok_and(|here| here == folder);
    if is_here { PathBuf::from(LOCK_FILE) } else { folder.join(LOCK_FILE) }
}

/// The lock that is there.
pub(crate) fn read(path: &Path) -> Result<Option<Lock>, Failure> {
    let failed = |why: String| {
        Failure::usage(format!("{}: {why}", path.display()))
            .hint("remove the file, and `warg lock` with the roots makes it anew")
    };
    match read_regular(path, LOCK_BYTES_MAX as u64) {
        Ok(bytes) => {
            let text = String::from_utf8(bytes).map_err(|error| failed(error.to_string()))?;
            Lock::from_text(&text).map(Some).map_err(|error| failed(error.to_string()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error.to_string())),
    }
}

/// Refuses to write over the lock, or over what it is made of.
pub(crate) fn refuse_inputs<'a>(
    locking: &Locking,
    outputs: impl IntoIterator<Item = Option<&'a Path>>,
) -> Result<(), Failure> {
    let folder = folder_of(&locking.path);
    let files = locking.resolving.roots.iter().filter_map(|(file, _)| Some(&file.as_ref()?.path));
    let inputs = files.chain(locking.resolving.files.values()).map(|path| folder.join(path));
    let inputs: Vec<_> = inputs.chain([locking.path.clone()]).collect();
    for output in outputs.into_iter().flatten().filter(|path| *path != Path::new("-")) {
        // What is not there yet, is not read either.
        let is_same = |input: &PathBuf| {
            output == input
                || output
                    .canonicalize()
                    .is_ok_and(|output| Some(output) == input.canonicalize().ok())
        };
        if inputs.iter().any(is_same) {
            let output = output.display();
            return Err(Failure::usage(format!("{output} would be written over, and it is read"))
                .hint("name another file to write"));
        }
    }
    Ok(())
}

/// The lock that must be there.
pub(crate) fn existing(path: &Path) -> Result<Lock, Failure> {
    read(path)?.ok_or_else(|| {
        Failure::usage(format!("there is no {}", path.display()))
            .hint("`warg lock` makes one: name files or packages")
    })
}

/// What became other, in the order of names.
pub(crate) fn changes(known: Option<&Lock>, lock: &Lock) -> Vec<Value> {
    let empty = Lock::default();
    let before = known.unwrap_or(&empty);
    let mut changes = Vec::new();
    let change = |id: &PackageId, what: &str| json!({ "package": id.package, "version": id.version, "change": what });
    for (id, package) in &before.packages {
        match lock.packages.get(id) {
            None => changes.push(change(id, "removed")),
            Some(now) if now.digest != package.digest => changes.push(change(id, "content")),
            Some(now) if now.origin != package.origin => changes.push(change(id, "registry")),
            Some(now) if now != package => changes.push(change(id, "dependencies")),
            Some(_) => {}
        }
    }
    let added = lock.packages.keys().filter(|id| !before.packages.contains_key(id));
    changes.extend(added.map(|id| change(id, "added")));
    changes.sort_by_key(|change| change["package"].to_string());
    changes
}

/// A change, for people.
pub(crate) fn line(change: &Value) -> String {
    let word = |name: &str| change[name].as_str().unwrap_or_default().to_owned();
    let sign = match &*word("change") {
        "added" => "+",
        "removed" => "-",
        _ => "~",
    };
    let what = match &*word("change") {
        "content" => " (other content)",
        "registry" => " (from elsewhere)",
        _ => "",
    };
    format!("  {sign} {}@{}{what}\n", word("package"), word("version"))
}
