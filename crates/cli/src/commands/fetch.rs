//! `warg fetch`: the content that a lock names, as files.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use wargate_client::Client;
use wargate_component::lock::{Lock, Origin, PackageId};
use wargate_console::counted;
use wargate_crypto::Digest;

use super::get::write;
use super::locking;
use super::publish::digest;
use crate::args::Fetch;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::files::below;
use crate::output::Report;

/// The file of a release, below the directory: `NAMESPACE/NAME/VERSION.wasm`.
pub(crate) fn file_name(id: &PackageId) -> PathBuf {
    // A name of a package has no point, so that none of these is a way out.
    let (namespace, name) = (id.package.namespace().as_str(), id.package.name());
    Path::new(namespace).join(name).join(format!("{}.wasm", id.version))
}

/// The command.
pub(crate) fn run(context: &Context, options: &Fetch) -> Result<Report, Failure> {
    let path = locking::path(context, &options.place);
    let lock = locking::existing(&path)?;
    let directory = Some(options.output.as_path()).filter(|_| !options.cache_only);
    let mut open = lock.clone();
    open.packages.retain(|id, package| {
        let there = directory.map(|directory| directory.join(file_name(id)));
        let is_there = there.is_some_and(|path| is_intact(context, &path, &package.digest));
        matches!(package.origin, Origin::Registry(_)) && !is_there
    });
    let open = &open;
    let (lock_ref, is_online) = (&lock, !context.config.settings.offline);
    context.run(|client| async move {
        if is_online {
            client.check_registries(lock_ref).await?;
        }
        fetch(&client, open, directory).await
    })?;
    let of_registry = |origin: &Origin| matches!(origin, Origin::Registry(_));
    let packages = lock.packages.iter().filter(|(_, package)| of_registry(&package.origin));
    let mut list = Vec::new();
    for (id, package) in packages {
        let mut item = json!({
            "package": id.package,
            "version": id.version,
            "digest": package.digest,
            "fetched": open.packages.contains_key(id),
        });
        if let Some(directory) = directory {
            item["path"] = directory.join(file_name(id)).display().to_string().into();
        }
        list.push(item);
    }
    let (all, new) = (list.len() as u64, open.packages.len() as u64);
    let place = directory.map_or_else(|| "the cache".into(), |it| it.display().to_string());
    let mut text = format!("{} in {place}, {new} of them new.\n", counted(all, "release"));
    let mut pruned = Vec::new();
    if options.prune
        && let Some(directory) = directory
    {
        for path in unnamed(directory, &lock)? {
            fs::remove_file(&path).map_err(|error| {
                Failure::local(format!("cannot remove {}: {error}", path.display()))
            })?;
            text.push_str(&format!("Removed {}\n", path.display()));
            pruned.push(path.display().to_string());
        }
    }
    Ok(Report::new(text, json!({ "packages": list, "removed": pruned })))
}

/// Whether a file is what a release has, so that it need not be fetched.
fn is_intact(context: &Context, path: &Path, wanted: &Digest) -> bool {
    path.is_file()
        && !path.is_symlink()
        && digest(context, path).is_ok_and(|(found, _)| found == *wanted)
}

async fn fetch(client: &Client, open: &Lock, directory: Option<&Path>) -> Result<(), Failed> {
    for (id, mut fetched) in client.get_locked(open).await? {
        let Some(directory) = directory else { continue };
        let path = below(directory, &file_name(&id))?;
        let parent = path.parent().unwrap_or(directory);
        fs::create_dir_all(parent).map_err(|error| {
            Failure::local(format!("cannot make the directory {}: {error}", parent.display()))
        })?;
        write(client, &mut fetched, &path)?;
    }
    Ok(())
}

/// The files below a directory that have the form of a release's, and that the lock does not name.
fn unnamed(directory: &Path, lock: &Lock) -> Result<Vec<PathBuf>, Failure> {
    let mut unnamed = Vec::new();
    for namespace in entries(directory)? {
        for name in entries(&namespace)? {
            for file in entries(&name)? {
                let words: Vec<_> = [&namespace, &name, &file]
                    .into_iter()
                    .filter_map(|path| path.file_name().and_then(|name| name.to_str()))
                    .collect();
                let [namespace, name, file_name] = words.as_slice() else { continue };
                let Some(version) = file_name.strip_suffix(".wasm") else { continue };
                let id = format!("{namespace}:{name}@{version}").parse::<PackageId>();
                if id.is_ok_and(|id| !lock.packages.contains_key(&id)) && file.is_file() {
                    unnamed.push(file);
                }
            }
        }
    }
    unnamed.sort();
    Ok(unnamed)
}

/// What is in a directory; nothing of what is none, or a link.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    if !directory.is_dir() || directory.is_symlink() {
        return Ok(Vec::new());
    }
    let failed = |error: std::io::Error| {
        Failure::local(format!("cannot read {}: {error}", directory.display()))
    };
    let entries = fs::read_dir(directory).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}
