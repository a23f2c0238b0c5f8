//! Adapters that core modules need in documents: a lock takes them in with what the documents name.

use std::collections::BTreeSet;
use std::path::Path;

use wargate_component::ImportName;
use wargate_component::adapt::{AdaptError, Adapter};
use wargate_component::compose::Reference;
use wargate_component::lock::{Lock, LockedFile, PackageId};
use wargate_component::solve::Options;
use wargate_console::harmless;

use super::compose::{answer, is_document};
use super::composing::MODULE;
use super::linking::contents;
use super::locking::{Locking, ONLINE};
use super::roots::{Resolving, import_of};
use crate::args::Bounds;
use crate::context::Context;
use crate::failure::{EXIT_NOT_FOUND, Failure};
use crate::files::folder_of;
use crate::output::note;
use crate::worker::{Answer, Fault, Job, work};

impl Locking {
    /// The lock to be: what the roots need, and the adapters of what documents instantiate. The releases
    /// that `kept` names stay as long as they answer.
    pub(crate) fn lock(&mut self, context: &Context, kept: Option<&Lock>) -> Result<Lock, Failure> {
        let pins = kept.map(Lock::pins).unwrap_or_default();
        let options = self.resolving.question.options.clone();
        self.lock_with(context, Options { pins, ..options })
    }

    /// The same with these options; without the network what the lock has, and nothing else.
    pub(crate) fn lock_with(
        &mut self,
        context: &Context,
        options: Options,
    ) -> Result<Lock, Failure> {
        if context.config.settings.offline {
            self.keep_adapters();
            return self.solve_within().map_err(|failure| match &self.known {
                Some(_) => failure.hint(ONLINE),
                None => failure,
            });
        }
        let lock = self.solve_with(context, options.clone())?;
        let wanted = wanted(context, self, &lock)?;
        if wanted.is_empty() {
            return Ok(lock);
        }
        let without = self.resolving.clone();
        for (at, import) in wanted {
            self.resolving.need(at, import);
        }
        match self.solve_with(context, options) {
            // Somebody may have one in a file.
            Err(failure) if failure.exit() == EXIT_NOT_FOUND => {
                self.resolving = without;
                note(&format!(
                    "locked without an adapter that a core module needs: {}\nhint: `wargate seed` \
                     publishes them, and `warg compose --adapter` names another",
                    harmless(failure.message())
                ));
                Ok(lock)
            }
            locked => locked,
        }
    }

    /// Takes over what the lock has for adapters of documents.
    fn keep_adapters(&mut self) {
        let adapters = Adapter::ALL.map(Adapter::package);
        let is_adapter = |import: &ImportName| {
            adapters.iter().flatten().any(|adapter| import.dependency() == Some(adapter))
        };
        let mut kept = Vec::new();
        for (at, (file, _)) in self.resolving.roots.iter().enumerate() {
            let Some(file) = document_path(file.as_ref()) else { continue };
            let known = self.known.iter().flat_map(|known| &known.roots);
            let known = known.filter(|root| document_path(root.file.as_ref()) == Some(file));
            let names =
                known.flat_map(|root| &root.dependencies).filter_map(|edge| edge.name().ok());
            kept.extend(names.filter(is_adapter).map(|import| (at, import)));
        }
        for (at, import) in kept {
            self.resolving.need(at, import);
        }
    }
}

impl Resolving {
    /// Has the root at a place need something more.
    fn need(&mut self, at: usize, import: ImportName) {
        let Some((_, imports)) = self.roots.get_mut(at) else { return };
        if imports.contains(&import) {
            return;
        }
        imports.push(import.clone());
        self.question.imports.push(import);
    }
}

/// The path of a root that is a document.
pub(super) fn document_path(file: Option<&LockedFile>) -> Option<&str> {
    file.map(|file| file.path.as_str()).filter(|path| is_document(Path::new(path)))
}

/// The adapters that documents need for what is locked, each as the import that asks for it, after the
/// place of the root that the document is.
fn wanted(
    context: &Context,
    locking: &Locking,
    lock: &Lock,
) -> Result<Vec<(usize, ImportName)>, Failure> {
    let mut wanted = Vec::new();
    for (at, (file, imports)) in locking.resolving.roots.iter().enumerate() {
        if document_path(file.as_ref()).is_none() {
            continue;
        }
        let ids = imports.iter().filter_map(|import| answer(lock, &import.to_string()));
        let ids: BTreeSet<&PackageId> = ids.collect();
        let mut named = lock.clone();
        named.packages.retain(|id, _| ids.contains(id));
        let folder = folder_of(&locking.path);
        let mut adapters = BTreeSet::new();
        for bytes in contents(context, &named, folder, None)?.values() {
            adapters.extend(needed(bytes)?);
        }
        for adapter in adapters {
            let package = adapter.package().map_err(|error| Failure::other(error.to_string()))?;
            wanted.push((at, import_of(context, &Reference { package, version: None })?));
        }
    }
    Ok(wanted)
}

/// The adapter that a content needs. What cannot be adapted is told by who composes.
fn needed(bytes: &[u8]) -> Result<Option<Adapter>, Failure> {
    if !bytes.starts_with(MODULE) {
        return Ok(None);
    }
    let job = Job::Adapt { has_wit: false, world: None };
    Ok(match work(&job, &[bytes], &Bounds::default())? {
        (Answer::Failed(Fault::Adapt(AdaptError::NeedsAdapter(adapter))), _) => Some(adapter),
        _ => None,
    })
}
