//! A root and the releases that a lock has for it, linked.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wargate_client::Fetched;
use wargate_component::limits::LINK_BYTES_MAX;
use wargate_component::link::{self, LinkError, Output, Root};
use wargate_component::lock::{Lock, LockedDependency, LockedRoot, Origin, PackageId};
use wargate_component::provenance::{Made, Provenance, Role, Source};
use wargate_console::harmless;
use wargate_crypto::Digest;

use super::roots::read;
use crate::context::{Context, Failed};
use crate::failure::Failure;
use crate::files::{cannot_write, write_whole};
use crate::output::{Report, print};

/// What is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A component that imports them.
    Locked,
    /// A component that holds them.
    Bundle,
}

/// A root, and the content of all that it needs.
pub(crate) struct Linking {
    lock: Lock,
    name: String,
    root: Vec<u8>,
    release: Option<PackageId>,
    edges: BTreeSet<LockedDependency>,
    contents: BTreeMap<PackageId, Vec<u8>>,
}

impl Linking {
    /// Gathers what a lock with one root names. Paths in the lock are relative to `folder`; `vendored` is
    /// a directory as `warg fetch` writes it.
    pub(crate) fn gather(
        context: &Context,
        lock: &Lock,
        folder: &Path,
        vendored: Option<&Path>,
    ) -> Result<Self, Failure> {
        let root = one_root(lock)?;
        let mut contents = contents(context, lock, folder, vendored)?;
        if let Some(file) = &root.file {
            let bytes = of_digest(&folder.join(&file.path), &file.digest)?;
            let (name, edges) = (file.path.clone(), root.dependencies.clone());
            return Ok(Self {
                lock: lock.clone(),
                name,
                root: bytes,
                release: None,
                edges,
                contents,
            });
        }
        let id = root.dependencies.first().map(|edge| edge.package.clone());
        let parts = id.and_then(|id| Some((contents.remove(&id)?, lock.packages.get(&id)?, id)));
        let Some((bytes, locked, id)) = parts else {
            return Err(Failure::usage("the lock does not say what its root is"));
        };
        let (name, edges) = (id.package.name().to_string(), locked.dependencies.clone());
        let lock = lock.clone();
        Ok(Self { lock, name, root: bytes, release: Some(id), edges, contents })
    }

    /// What the file is called if nobody says otherwise.
    pub(crate) fn file_name(&self, form: Form) -> PathBuf {
        let stem = Path::new(&self.name).file_stem().and_then(|stem| stem.to_str());
        let form = match form {
            Form::Locked => "locked",
            Form::Bundle => "bundle",
        };
        PathBuf::from(format!("{}.{form}.wasm", stem.unwrap_or("component")))
    }

    /// What a bundle is made of.
    fn provenance(&self) -> Provenance {
        let source = |role, id: Option<&PackageId>, digest| Source {
            role,
            package: id.map(|id| id.package.clone()),
            version: id.map(|id| id.version.clone()),
            digest,
        };
        let root = source(Role::Root, self.release.as_ref(), Digest::of(&self.root));
        let released = self.lock.packages.iter();
        let parts = released.filter(|(id, _)| Some(*id) != self.release.as_ref());
        let parts = parts.map(|(id, it)| match it.origin {
            Origin::Registry(_) => source(Role::Part, Some(id), it.digest),
            Origin::File(_) => source(Role::Part, None, it.digest),
        });
        Provenance { made: Made::Bundled, sources: [root].into_iter().chain(parts).collect() }
    }

    /// Links.
    pub(crate) fn link(&self, form: Form) -> Result<Output<'_>, Failure> {
        let solution = self.lock.solution(&self.edges);
        let contents: Vec<&[u8]> = solution
            .nodes
            .iter()
            .map(PackageId::of)
            .map(|id| self.contents.get(&id).map(Vec::as_slice).unwrap_or_default())
            .collect();
        let release = self.release.clone().map(|id| (id.package, id.version));
        let root = Root { bytes: &self.root, release };
        let linked = match form {
            Form::Locked => link::lock(&root, &solution, &contents),
            Form::Bundle => link::bundle(&root, &solution, &contents),
        };
        let mut output = linked.map_err(|error| not_linked(&self.name, &error))?;
        // What needs nothing is its own bundle, unchanged.
        if form == Form::Bundle && !contents.is_empty() {
            output.state(&self.provenance());
        }
        Ok(output)
    }

    /// Links, and writes the result to a file, or to standard output if the path is `-`.
    pub(crate) fn write(
        &self,
        context: &Context,
        form: Form,
        path: &Path,
    ) -> Result<Report, Failure> {
        let output = self.link(form)?;
        if path == Path::new("-") {
            context.take_stdout()?;
            output.segments().try_for_each(print)?;
            return Ok(Report::new("", Value::Null));
        }
        save(&output, path)?;
        let (digest, size) = (output.digest(), output.len());
        let count = self.contents.len() as u64;
        let verb = match form {
            Form::Locked => "imports",
            Form::Bundle => "holds",
        };
        let releases = wargate_console::counted(count, "release");
        let text = format!(
            "{} -> {} ({verb} {releases}, {})\n{digest}\n",
            self.name,
            path.display(),
            indicatif::HumanBytes(size)
        );
        let path = path.display().to_string();
        Ok(Report::new(
            text,
            json!({ "path": path, "digest": digest, "size": size, "releases": count }),
        ))
    }
}

/// The root of a lock that has one.
pub(crate) fn one_root(lock: &Lock) -> Result<&LockedRoot, Failure> {
    let mut roots = lock.roots.iter();
    match (roots.next(), roots.next()) {
        (Some(root), None) if root.file.is_some() || root.dependencies.len() == 1 => Ok(root),
        _ => Err(Failure::usage("one component is linked at a time, and there are several")
            .hint("name the one: a file, or a package")),
    }
}

/// The content of all that a lock names. Paths in it are relative to `folder`; `vendored` is a directory as
/// `warg fetch` writes it.
pub(crate) fn contents(
    context: &Context,
    lock: &Lock,
    folder: &Path,
    vendored: Option<&Path>,
) -> Result<BTreeMap<PackageId, Vec<u8>>, Failure> {
    if let Some(directory) = vendored.filter(|directory| !directory.is_dir()) {
        return Err(Failure::usage(format!("there is no directory {}", directory.display()))
            .hint("`warg fetch` writes one"));
    }
    let mut contents = local(lock, folder, vendored)?;
    let mut rest = lock.clone();
    rest.packages.retain(|id, _| !contents.contains_key(id));
    if rest.packages.is_empty() {
        return Ok(contents);
    }
    let rest = &rest;
    contents.extend(context.run(|client| async move {
        let mut contents = Vec::new();
        let fetched = client.get_locked(rest).await?;
        refuse_large(&fetched)?;
        for (id, mut fetched) in fetched {
            if let Some(locked) = rest.packages.get(&id) {
                let bytes = client.whole_locked(&id, locked, &mut fetched)?;
                contents.push((id, bytes));
            }
        }
        Ok(contents)
    })?);
    Ok(contents)
}

/// What is in files: those that stand in the place of packages, and those of a directory of content.
fn local(
    lock: &Lock,
    folder: &Path,
    vendored: Option<&Path>,
) -> Result<BTreeMap<PackageId, Vec<u8>>, Failure> {
    let mut contents = BTreeMap::new();
    for (id, package) in &lock.packages {
        let path = match (&package.origin, vendored) {
            (Origin::File(path), _) => folder.join(path),
            (Origin::Registry(_), Some(directory)) => {
                let path = directory.join(super::fetch::file_name(id));
                if !path.is_file() {
                    continue;
                }
                path
            }
            (Origin::Registry(_), None) => continue,
        };
        contents.insert(id.clone(), of_digest(&path, &package.digest)?);
    }
    Ok(contents)
}

/// The bytes of a file that must have a digest.
fn of_digest(path: &Path, digest: &Digest) -> Result<Vec<u8>, Failure> {
    let bytes = read(path)?;
    let found = Digest::of(&bytes);
    if found == *digest {
        return Ok(bytes);
    }
    let path = path.display();
    Err(Failure::usage(format!("{path} is {found}, and was to be {digest}"))
        .hint("it was changed: `warg lock` locks it as it is, `warg fetch` fetches it again"))
}

/// Refuses what is too much together before any of it is in memory.
fn refuse_large(fetched: &[(PackageId, Fetched)]) -> Result<(), Failed> {
    let sizes = fetched.iter().map(|(_, fetched)| fetched.content.length());
    let bytes = sizes.fold(0_u64, u64::saturating_add);
    if bytes <= LINK_BYTES_MAX as u64 {
        return Ok(());
    }
    let message = format!("the releases have {bytes} bytes, more than {LINK_BYTES_MAX} together");
    Err(Failure::usage(message).into())
}

/// Writes the bytes to a file.
pub(crate) fn save(output: &Output<'_>, path: &Path) -> Result<(), Failure> {
    write_whole(path, |file| {
        let mut writer = BufWriter::new(file);
        let written = output.write_to(&mut writer).and_then(|()| writer.flush());
        written.map_err(|error| cannot_write(path, &error))
    })
}

fn not_linked(name: &str, error: &LinkError) -> Failure {
    let failure = Failure::other(harmless(&format!("{name}: {error}")));
    match error {
        LinkError::Resource { .. } | LinkError::Mismatch { .. } => failure.hint(
            "`warg dependencies --why PACKAGE` shows who needs which version, `--precise` chooses one",
        ),
        LinkError::Remote { .. } => {
            failure.hint("`warg lock --component` writes one that imports it still")
        }
        _ => failure,
    }
}
