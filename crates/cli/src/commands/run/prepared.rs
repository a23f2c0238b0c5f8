//! From what is named to one file that needs no registry: what `warg bundle` would write, and no copy of it
//! where nothing has to be linked.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wargate_component::limits::LINK_BYTES_MAX;
use wargate_component::link::Output;
use wargate_component::lock::{Lock, Origin};
use wargate_crypto::Digest;

use super::super::bundle;
use super::super::linking::{Form, Linking, one_root, save};
use super::super::locking;
use crate::args::What;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::files::{folder_of, read_regular};

/// What is kept to run components, in the cache. No registry has such a name.
const DIRECTORY: &str = ".running";

/// Bundles that are kept.
const BUNDLES_MAX: usize = 32;

/// A component that is ready to run.
pub(super) struct Prepared {
    pub(super) path: PathBuf,
    pub(super) digest: Digest,
    /// What people call it.
    pub(super) name: String,
    /// Where compiled code is kept.
    pub(super) code: PathBuf,
}

impl Prepared {
    /// Finds, verifies and links what is named.
    pub(super) fn new(context: &Context, what: &What, verb: &str) -> Result<Self, Failure> {
        refuse_nothing(context, what, verb)?;
        let (locking, lock) = bundle::solve(context, &what.roots, &what.place, what.no_lock)?;
        let folder = folder_of(&locking.path);
        let name = name_of(&lock)?;
        let kept = directory(context)?;
        let code = kept.join("code");
        if let Some((path, digest)) = as_it_is(context, &lock, folder)? {
            return Ok(Self { path, digest, name, code });
        }
        let linking = Linking::gather(context, &lock, folder, None)?;
        let output = linking.link(Form::Bundle)?;
        let (path, digest) = keep(&output, &kept.join("bundles"))?;
        Ok(Self { path, digest, name, code })
    }
}

/// Refuses to begin if nothing says what to run.
fn refuse_nothing(context: &Context, what: &What, verb: &str) -> Result<(), Failure> {
    let project = &context.config.project;
    let lock = locking::path(context, &what.place);
    let is_said = !project.files.is_empty() || !project.dependencies.is_empty() || lock.exists();
    if !what.roots.named.is_empty() || (is_said && !what.no_lock) {
        return Ok(());
    }
    let message = if what.no_lock {
        format!("nothing is named to {verb}, and the lock is not to count")
    } else {
        format!("nothing is named to {verb}, and there is no {}", lock.display())
    };
    let hint = format!(
        "name a file or a package: `warg {verb} app.wasm`, `warg {verb} my:app@^1`; without a name, what a \
         project's warg.toml or lock names is taken"
    );
    Err(Failure::usage(message).hint(hint))
}

/// Removes what was kept; how many bytes that were.
pub(crate) fn clear(context: &Context) -> Result<u64, Failure> {
    let directory = directory(context)?;
    let bytes = size(&directory);
    match fs::remove_dir_all(&directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Failure::local(format!("cannot remove {}: {error}", directory.display())))
        }
        _ => Ok(bytes),
    }
}

fn directory(context: &Context) -> Result<PathBuf, Failure> {
    Ok(context.dirs.cache(context.config.machine.cache_dir.as_ref())?.join(DIRECTORY))
}

/// All bytes of the files below a directory.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.fold(0, u64::saturating_add)
}

fn name_of(lock: &Lock) -> Result<String, Failure> {
    let root = one_root(lock)?;
    let of_file = root.file.as_ref().map(|file| file.path.clone());
    let of_package = root.dependencies.first().map(|edge| edge.package.to_string());
    Ok(of_file.or(of_package).unwrap_or_default())
}

/// A component that depends on nothing, where it is.
fn as_it_is(
    context: &Context,
    lock: &Lock,
    folder: &Path,
) -> Result<Option<(PathBuf, Digest)>, Failure> {
    let root = one_root(lock)?;
    if let Some(file) = &root.file {
        let alone = root.dependencies.is_empty();
        return Ok(alone.then(|| (folder.join(&file.path), file.digest)));
    }
    let mut packages = lock.packages.values();
    let (Some(package), None) = (packages.next(), packages.next()) else { return Ok(None) };
    if !package.dependencies.is_empty() {
        return Ok(None);
    }
    if let Origin::File(path) = &package.origin {
        return Ok(Some((folder.join(path), package.digest)));
    }
    let fetched =
        context.run(|client| async move { Ok::<_, Failed>(client.get_locked(lock).await?) })?;
    let path = fetched.first().and_then(|(_, fetched)| fetched.content.path());
    Ok(path.map(|path| (path.to_owned(), package.digest)))
}

/// Keeps a bundle under the name of its digest.
fn keep(output: &Output<'_>, directory: &Path) -> Result<(PathBuf, Digest), Failure> {
    let digest = output.digest();
    let text = digest.to_string();
    let path = directory.join(format!("{}.wasm", text.rsplit(':').next().unwrap_or_default()));
    let failed =
        |error: io::Error| Failure::local(format!("cannot write {}: {error}", path.display()));
    fs::create_dir_all(directory).map_err(failed)?;
    // What is there may have rotten.
    let is_there =
        read_regular(&path, LINK_BYTES_MAX as u64).is_ok_and(|bytes| Digest::of(&bytes) == digest);
    if !is_there {
        save(output, &path)?;
        forget_oldest(directory);
    }
    Ok((path, digest))
}

/// Leaves the newest bundles. What cannot be removed stays.
fn forget_oldest(directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<(SystemTime, PathBuf)> = entries
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    files.sort_unstable();
    for (_, path) in files.iter().rev().skip(BUNDLES_MAX) {
        let _ = fs::remove_file(path);
    }
}
