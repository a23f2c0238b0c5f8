//! What is resolved: packages by name, local files, and local files in the place of packages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use wargate_client::resolve::{self, Question};
use wargate_component::compose::{self, Reference};
use wargate_component::lock::{Lock, LockedFile, Origin, PackageId};
use wargate_component::names::PackageRange;
use wargate_component::solve::Release;
use wargate_component::{ImportName, InspectError, Inspection, Limits, glance, skim};
use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version, VersionReq};

use super::adapters::document_path;
use super::compose::{is_document, not_composed, source};
use crate::args::Roots;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{digests, read_regular};

/// Largest local file that is read, in bytes: what is inspected.
pub(crate) const FILE_BYTES_MAX: u64 = wargate_component::limits::FILE_BYTES_MAX as u64;

/// A root: a file or none, and its imports that are dependencies.
pub(crate) type Root = (Option<LockedFile>, Vec<ImportName>);

/// What is resolved, and what a lock says of it.
#[derive(Clone, Default)]
pub(crate) struct Resolving {
    /// The question, without pins.
    pub(crate) question: Question,
    /// The roots, each with its imports, as a lock has them.
    pub(crate) roots: Vec<Root>,
    /// The roots as the user calls them, in the same order.
    pub(crate) names: Vec<String>,
    /// The files in the place of packages.
    pub(crate) files: BTreeMap<PackageId, String>,
    /// Files in the place of packages that were read for who composes, with their digests.
    pub(crate) held: BTreeMap<PackageId, (Digest, Vec<u8>)>,
}

impl Resolving {
    /// Reads what the user names. Paths in a lock are relative to `folder`, which is where it is.
    pub(crate) fn new(context: &Context, options: &Roots, folder: &Path) -> Result<Self, Failure> {
        let mut roots = Vec::new();
        let mut question = Question::default();
        question.options.prereleases = options.prereleases;
        for text in &options.precise {
            let id: PackageId = text.parse().map_err(|_| {
                let text = text.escape_debug();
                Failure::usage(format!("`{text}` is no package in a version"))
                    .hint("it is written NAMESPACE:NAME@VERSION")
            })?;
            let twice = format!("`--precise` names {} twice", id.package);
            if question.options.precise.insert(id.package, id.version).is_some() {
                return Err(Failure::usage(twice).hint("name one version of each package"));
            }
        }
        let (mut files, mut held) = (BTreeMap::new(), BTreeMap::new());
        // Who composes needs all bytes later, and others none.
        let at_once = if options.for_composing { options.with.len().max(1) } else { 1 };
        for texts in options.with.chunks(at_once) {
            let read = texts.iter().map(|text| Replacement::read(text));
            let read = read.collect::<Result<Vec<_>, _>>()?;
            let digests = digests(read.iter().map(|it| it.bytes.as_slice()).collect());
            for (it, digest) in read.into_iter().zip(digests) {
                let (package, release) = it.release(context, digest, options.for_composing)?;
                let id = PackageId { package: package.clone(), version: release.version.clone() };
                if options.for_composing {
                    held.insert(id.clone(), (digest, it.bytes));
                }
                let twice = format!("`--with` names {id} twice");
                if files.insert(id, relative(&it.path, folder)?).is_some() {
                    return Err(Failure::usage(twice).hint("name one file for each release"));
                }
                question.local.entry(package).or_default().push(release);
            }
        }
        for text in &options.named {
            roots.push(root(context, text, folder)?);
        }
        question.imports = roots.iter().flat_map(|(_, imports)| imports.clone()).collect();
        Ok(Self { question, roots, names: options.named.clone(), files, held })
    }

    /// The roots, and the files in the place of packages, that a lock names, as they are now.
    pub(crate) fn of_lock(context: &Context, lock: &Lock, folder: &Path) -> Result<Self, Failure> {
        let mut resolving = Self::default();
        resolving.keep_files(context, lock, folder)?;
        for root in &lock.roots {
            let (name, locked) = if let Some(file) = &root.file {
                (file.path.clone(), of_file(context, &folder.join(&file.path), folder)?)
            } else {
                let names = root.dependencies.iter().filter_map(|edge| edge.name().ok());
                let imports: Vec<ImportName> = names.collect();
                let first = imports.first().and_then(ImportName::dependency);
                (first.map(ToString::to_string).unwrap_or_default(), (None, imports))
            };
            resolving.add(name, locked);
        }
        Ok(resolving)
    }

    /// The files that the project publishes, and the packages that it needs.
    pub(crate) fn of_project(
        context: &Context,
        dependencies: &BTreeMap<PackageName, VersionReq>,
        folder: &Path,
    ) -> Result<Self, Failure> {
        let files = &context.config.project.files;
        if let Some(missing) = files.iter().find(|path| !path.exists()) {
            return Err(Failure::usage(format!("there is no {}", missing.display()))
                .hint("warg.toml lists it in `files` of `[package]`: build it first"));
        }
        super::publish_files::stay_inside(context)?;
        let mut resolving = Self::default();
        for path in files {
            let shown = relative(path, folder)?;
            resolving.add(shown, of_file(context, path, folder)?);
        }
        for (package, requirement) in dependencies {
            let range = range_of(package, requirement)?;
            let package = package.clone();
            let name = package.to_string();
            let import = ImportName::Unlocked { package, projection: None, range };
            resolving.add(name, (None, vec![import]));
        }
        Ok(resolving)
    }

    /// Keeps the files that stand in the place of packages in a lock, as they are now.
    pub(crate) fn keep_files(
        &mut self,
        context: &Context,
        lock: &Lock,
        folder: &Path,
    ) -> Result<(), Failure> {
        for (id, package) in &lock.packages {
            let Origin::File(path) = &package.origin else { continue };
            let place = folder.join(path);
            let bytes = read(&place)?;
            let (version, digest) = (id.version.clone(), Digest::of(&bytes));
            let imports = imports(context, &place, &bytes)?;
            let release = Release { version, digest, yanked: false, imports: imports.into() };
            self.files.insert(id.clone(), path.clone());
            self.question.local.entry(id.package.clone()).or_default().push(release);
        }
        Ok(())
    }

    /// Keeps the documents that a lock has, as they are now. One that is gone was taken away.
    pub(crate) fn keep_documents(
        &mut self,
        context: &Context,
        lock: &Lock,
        folder: &Path,
    ) -> Result<(), Failure> {
        for path in lock.roots.iter().filter_map(|root| document_path(root.file.as_ref())) {
            let is_known = |(file, _): &Root| file.as_ref().is_some_and(|file| file.path == path);
            if !self.roots.iter().any(is_known) && folder.join(path).exists() {
                let root = of_file(context, &folder.join(path), folder)?;
                self.add(path.to_owned(), root);
            }
        }
        Ok(())
    }

    /// Takes over the roots of another, but not what is asked otherwise.
    pub(crate) fn add_all(&mut self, other: Self) {
        for (name, root) in other.names.into_iter().zip(other.roots) {
            if !self.roots.contains(&root) {
                self.add(name, root);
            }
        }
    }

    fn add(&mut self, name: String, root: Root) {
        self.names.push(name);
        self.question.imports.extend(root.1.iter().cloned());
        self.roots.push(root);
    }
}

/// A root: a file, or a package as the import that asks for it.
fn root(context: &Context, text: &str, folder: &Path) -> Result<Root, Failure> {
    if is_file(text) {
        return of_file(context, Path::new(text), folder);
    }
    let (package, wanted) = super::get::parse(text)?;
    let import = wanted_import(package, wanted.as_deref())?;
    Ok((None, vec![import]))
}

/// The import that asks for a package.
fn wanted_import(package: PackageName, wanted: Option<&str>) -> Result<ImportName, Failure> {
    let range = match wanted {
        None => PackageRange::ANY,
        Some(wanted) => {
            if let Ok(version) = wanted.parse::<Version>() {
                let version = Some(version);
                return Ok(ImportName::Locked {
                    package,
                    projection: None,
                    version,
                    integrity: None,
                });
            }
            let bad = || {
                let wanted = wanted.escape_debug();
                Failure::usage(format!("`{wanted}` is neither a version nor a range of versions"))
                    .hint("a version is like 1.2.0, a range like ^1 or >=1.2,<2")
            };
            let range: VersionReq = wanted.parse().map_err(|_| bad())?;
            PackageRange::of(&range).ok_or_else(bad)?
        }
    };
    Ok(ImportName::Unlocked { package, projection: None, range })
}

/// Whether a text names a file: what no package is called. A file that somebody has called as a package
/// is named with `./` before it.
pub(crate) fn is_file(text: &str) -> bool {
    let before = text.split('@').next().unwrap_or(text);
    before.parse::<PackageName>().is_err()
}

fn of_file(context: &Context, path: &Path, folder: &Path) -> Result<Root, Failure> {
    let bytes = read(path)?;
    let file = LockedFile { path: relative(path, folder)?, digest: Digest::of(&bytes) };
    Ok((Some(file), imports(context, path, &bytes)?))
}

/// Which version a file is that does not say so, where nobody asks for one.
const UNSAID: &str = "0.0.0";

/// A file in the place of a package: `NAMESPACE:NAME@VERSION=FILE`.
struct Replacement<'t> {
    name: &'t str,
    path: PathBuf,
    bytes: Vec<u8>,
}

impl<'t> Replacement<'t> {
    fn read(text: &'t str) -> Result<Self, Failure> {
        let (name, path) = text
            .split_once('=')
            .ok_or_else(|| misplaced(format!("`{}` names no file", text.escape_debug())))?;
        let path = PathBuf::from(path);
        let bytes = read(&path)?;
        Ok(Self { name, path, bytes })
    }

    /// As a release. The version may stand in the file instead.
    fn release(
        &self,
        context: &Context,
        digest: Digest,
        for_composing: bool,
    ) -> Result<(PackageName, Release), Failure> {
        let Self { name, path, bytes } = self;
        // Who composes validates it.
        let look = if for_composing { glance } else { skim };
        let (imports, said) = looked_at(context, path, bytes, look)?;
        let (package, version) = if let Ok(id) = name.parse::<PackageId>() {
            (id.package, id.version)
        } else {
            let package: PackageName = name
                .parse()
                .map_err(|error| misplaced(format!("`{}`: {error}", name.escape_debug())))?;
            let unsaid = || for_composing.then(|| UNSAID.parse().ok()).flatten();
            let Some(version) = said.or_else(unsaid) else {
                let path = path.display();
                let why = format!("{path} does not say which version of {package} it is");
                return Err(misplaced(why));
            };
            (package, version)
        };
        Ok((package, Release { version, digest, yanked: false, imports: imports.into() }))
    }
}

fn misplaced(why: String) -> Failure {
    Failure::usage(why).hint("`--with` is written NAMESPACE:NAME@VERSION=FILE")
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        return Err(Failure::usage("standard input is not read here")
            .hint("write it to a file first, and name that"));
    }
    let failed = |error: std::io::Error| {
        let said = format!("{}: {error}", path.display());
        if error.kind() == std::io::ErrorKind::PermissionDenied {
            return Failure::local(said).hint("have it opened to you, or name another file");
        }
        let failure = Failure::usage(said);
        let is_text = ["wac", "wit", "yml", "yaml"]
            .iter()
            .any(|extension| path.extension().is_some_and(|it| it == *extension));
        if is_text {
            return failure.hint("it is a file of yours: check its path");
        }
        failure.hint("a component is a file, or a package: NAMESPACE:NAME[@VERSION]")
    };
    read_regular(path, FILE_BYTES_MAX).map_err(failed)
}

/// The imports of a file that are dependencies; those of a WAC document are the packages that it names.
fn imports(context: &Context, path: &Path, bytes: &[u8]) -> Result<Vec<ImportName>, Failure> {
    looked_at(context, path, bytes, skim).map(|(imports, _)| imports)
}

/// The same, and the version that a file says it has.
fn looked_at(
    context: &Context,
    path: &Path,
    bytes: &[u8],
    look: fn(&[u8], &Limits) -> Result<Inspection, InspectError>,
) -> Result<(Vec<ImportName>, Option<Version>), Failure> {
    if is_document(path) {
        let source = source(path, bytes)?;
        let references =
            compose::references(source).map_err(|error| not_composed(path, source, &error))?;
        let imports = references.iter().map(|(reference, _)| import_of(context, reference));
        return Ok((imports.collect::<Result<_, _>>()?, None));
    }
    // A core module depends on no package.
    let found = look(bytes, &Limits::default())
        .map_err(|error| super::inspect::unreadable(&path.display().to_string(), &error))?;
    let imports = resolve::dependencies_in(&found);
    Ok((imports, found.package.and_then(|package| package.version)))
}

/// The import that asks for what a WAC document names: in the version that it says, or in the range that
/// the project has for the package.
pub(crate) fn import_of(context: &Context, reference: &Reference) -> Result<ImportName, Failure> {
    let Reference { package, version } = reference;
    match context.config.project.dependencies.get(package) {
        Some(requirement) if version.is_none() => {
            let range = range_of(package, requirement)?;
            Ok(ImportName::Unlocked { package: package.clone(), projection: None, range })
        }
        _ => Ok(reference.to_import()),
    }
}

/// The range that a requirement of the project is.
fn range_of(package: &PackageName, requirement: &VersionReq) -> Result<PackageRange, Failure> {
    PackageRange::of(requirement).ok_or_else(|| {
        Failure::usage(format!("no import can ask for {package} {requirement}"))
            .hint("a requirement is like 1.2, =1.2.3 or >=1.2, <3")
    })
}

/// A path as a lock in a folder has it: relative to that, with `/` between its parts.
fn relative(path: &Path, folder: &Path) -> Result<String, Failure> {
    let absolute = |path: &Path| {
        std::fs::canonicalize(path)
            .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
    };
    let (path, folder) = (absolute(path)?, absolute(folder)?);
    let shared = path.components().zip(folder.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Ok(".."));
    let down = path.components().skip(shared).map(|part| {
        part.as_os_str().to_str().ok_or_else(|| {
            Failure::usage(format!("{} has a name that is no Unicode", path.display()))
        })
    });
    let parts: Vec<&str> = up.chain(down).collect::<Result<_, _>>()?;
    Ok(parts.join("/"))
}
