//! Which releases answer the imports of roots: the solver, fed by registries.
//!
//! What a registry says a release depends on is used to choose, and is no more than a hint: releases,
//! their digests, and which are yanked come from verified logs, and whoever downloads what was chosen
//! compares the content with what was said ([`Client::whole_locked`]).
//!
//! A registry of ours is asked once for the packages that it looks at for the same question, and then for
//! the logs and the dependencies of all of them at once. Of another registry, the releases that the
//! solver chooses are downloaded and looked into, until it chooses none that is not known.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wargate_api::dependencies::{
    self, DependenciesRequest, DependenciesResponse, Dependent, ListedRelease, SolveRequest,
};
use wargate_component::ImportName;
use wargate_component::inspect::{InspectError, Inspection, Limits, skim};
use wargate_component::lock::{Lock, LockedFile, LockedRegistry, Origin, PackageId};
use wargate_component::solve::{self, Answer, Options, Release, Snapshot, Solution};
use wargate_crypto::{AnyDigest, Digest};
use wargate_protocol::{Checkpoint, LogLength, PackageName, SignedCheckpoint, Version};

use crate::client::{Client, Selector, Wanted};
use crate::error::{Error, NotAsLocked};
use crate::limits::{
    DEPENDENTS_BYTES_MAX, DEPENDENTS_MAX, MISSING_PACKAGES_MAX, PLACE_BYTES_MAX, RESOLVE_ROUNDS_MAX,
};
use crate::origin::Domain;
use crate::package::Package;
use crate::settings::Settings;

/// What is to be answered.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// The names of the roots' imports. Those that name no package count for nothing.
    pub imports: Vec<ImportName>,
    /// What is asked for beside them.
    pub options: Options,
    /// Packages whose releases the user has, and which no registry is asked for.
    pub local: BTreeMap<PackageName, Vec<Release>>,
    /// What is locked: its packages are asked for at the registries that it names, unless the settings
    /// name others, and its releases must still have the content that it says.
    pub locked: Lock,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The releases.
    pub solution: Solution,
    /// The registry of each package that has one.
    pub registries: BTreeMap<PackageName, Domain>,
    /// The newest checkpoint of each registry under which its packages were verified.
    pub checkpoints: BTreeMap<Domain, SignedCheckpoint>,
}

impl Resolved {
    /// The lock that says so, for the roots whose imports were asked for. `files` are the paths of the
    /// packages that no registry was asked for.
    pub fn to_lock(
        &self,
        roots: &[(Option<LockedFile>, Vec<ImportName>)],
        files: &BTreeMap<PackageId, String>,
    ) -> Lock {
        let origin = |id: &PackageId| match self.registries.get(&id.package) {
            Some(registry) => Origin::Registry(registry.to_string()),
            None => Origin::File(files.get(id).cloned().unwrap_or_default()),
        };
        let mut lock = Lock::new(roots, &self.solution, origin);
        for (registry, checkpoint) in &self.checkpoints {
            let Checkpoint { log_root, log_length, map_root } = checkpoint.contents.checkpoint;
            let locked = LockedRegistry { log_length, log_root, map_root };
            lock.registries.insert(registry.to_string(), locked);
        }
        lock
    }
}

/// What was found out so far.
#[derive(Default)]
struct Knowledge {
    locked: Lock,
    snapshot: Snapshot,
    packages: BTreeMap<PackageName, Package>,
    /// Releases of which nobody has said what they import. They stand in the snapshot as if they
    /// imported nothing.
    unseen: BTreeSet<(PackageName, Version)>,
    /// What was said, and what was seen in content: imports by digest.
    imports: BTreeMap<Digest, Arc<[ImportName]>>,
    /// How many packages no registry has.
    missing: usize,
}

/// What a registry says of a release.
struct Told {
    version: Version,
    digest: Digest,
    /// What it imports, which all releases with one content share; `None` if the registry does not know,
    /// or if it cannot be read.
    imports: Option<Arc<[ImportName]>>,
}

impl Client {
    /// Finds the releases that answer imports.
    ///
    /// # Errors
    /// [`Error::Conflict`] if none do, [`Error::Unsolvable`] if that cannot be found out,
    /// [`Error::NotAsLocked`] if a release that was taken has other content than was locked, and those
    /// of [`Client::update`] and [`Client::get`].
    pub async fn resolve(&self, question: &Question) -> Result<Resolved, Error> {
        self.routed_by(&question.locked)?.resolve_here(question).await
    }

    async fn resolve_here(&self, question: &Question) -> Result<Resolved, Error> {
        let mut known = Knowledge { locked: question.locked.clone(), ..Knowledge::default() };
        for (package, releases) in &question.local {
            insert(&mut known.snapshot, package, releases.clone())?;
        }
        self.look_ahead(question, &mut known).await?;
        for _ in 0..RESOLVE_ROUNDS_MAX {
            let answer = solve::solve(&question.imports, &known.snapshot, &question.options)
                .map_err(|error| Error::Unsolvable(error.to_string()))?;
            match answer {
                Answer::Conflict(conflict) => return Err(Error::Conflict(Box::new(conflict))),
                Answer::Missing(packages) => {
                    self.learn(packages.into_iter().collect(), &mut known).await?;
                }
                Answer::Solved(solution) => {
                    let unseen = unseen(&solution, &known);
                    if unseen.is_empty() {
                        let resolved = resolved(solution, &known);
                        compare(&resolved, &question.locked)?;
                        return Ok(resolved);
                    }
                    self.look_into(&unseen, &mut known).await?;
                }
            }
        }
        Err(Error::Unsolvable("it takes too many rounds to find out what is needed".into()))
    }

    /// Releases that depend on a package, by the word of its registry, and the length of its log through
    /// which it has looked.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the registry does not keep such a list.
    pub async fn dependents(
        &self,
        package: &PackageName,
    ) -> Result<(LogLength, Vec<Dependent>), Error> {
        if self.settings.offline {
            return Err(Error::Offline(format!("what depends on `{package}`")));
        }
        let registry = self.route(package)?;
        let remote = registry.remote().await?;
        let (mut after, mut bytes, mut dependents) = (None::<String>, 0, Vec::new());
        loop {
            let page = remote.dependents(package, after.as_deref()).await;
            let page = page.map_err(|error| registry.refused(error))?;
            let is_empty = page.dependents.is_empty();
            for dependent in page.dependents {
                bytes += dependent.import.len() + dependent.package.as_str().len();
                dependents.push(dependent);
            }
            let is_full = dependents.len() >= DEPENDENTS_MAX || bytes >= DEPENDENTS_BYTES_MAX;
            match page.next {
                // A list that has nothing more is at its end, whatever is said.
                Some(next) if !is_empty && !is_full && is_place(&next) => after = Some(next),
                _ => return Ok((page.log_length, dependents)),
            }
        }
    }

    /// Learns at once of all packages that the home registry looks at for the same question. Whatever
    /// goes wrong here is only slower.
    async fn look_ahead(&self, question: &Question, known: &mut Knowledge) -> Result<(), Error> {
        if self.settings.offline || self.settings.home.is_none() {
            return Ok(());
        }
        let home = self.home()?;
        // What is at other registries is none of this one's business.
        let is_here = |package: &PackageName| {
            let route = self.route(package);
            !question.local.contains_key(package)
                && route.is_ok_and(|route| route.domain() == home.domain())
        };
        let is_asked = |import: &&ImportName| import.dependency().is_some_and(is_here);
        let imports: Vec<_> =
            question.imports.iter().filter(is_asked).map(ToString::to_string).collect();
        if imports.is_empty() {
            return Ok(());
        }
        let Options { prereleases, mut pins, mut precise } = question.options.clone();
        pins.retain(|package, _| is_here(package));
        precise.retain(|package, _| is_here(package));
        let pins = pins.into_iter().map(|(name, them)| (name, them.into_iter().collect()));
        let request = SolveRequest {
            imports,
            prereleases,
            pins: pins.collect(),
            precise: precise.into_iter().collect(),
        };
        // Nobody waits long for what is only faster.
        let hasty = self.with(Settings { attempts: 1, ..(*self.settings).clone() });
        let Ok(remote) = hasty.home()?.remote().await else { return Ok(()) };
        let Ok(answer) = remote.solve(&request).await else { return Ok(()) };
        let mut packages = answer.packages;
        packages.retain(is_here);
        packages.truncate(dependencies::SOLVE_IMPORTS_MAX);
        // One that the registry does not have may be elsewhere, or nowhere, and needs a way of its own.
        let answered: BTreeSet<_> =
            answer.solution.iter().flat_map(|it| &it.releases).map(|it| &it.package).collect();
        packages.retain(|package| answered.contains(package));
        match self.learn(packages, known).await {
            Err(Error::UnknownPackage { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Brings packages up to date and learns what their releases depend on.
    async fn learn(&self, names: Vec<PackageName>, known: &mut Knowledge) -> Result<(), Error> {
        let packages = self.update_or_none(names, known).await?;
        let mut groups: BTreeMap<Domain, Vec<PackageName>> = BTreeMap::new();
        for package in &packages {
            let group = groups.entry(package.registry().clone()).or_default();
            group.push(package.name().clone());
        }
        let mut said = BTreeMap::new();
        for names in groups.into_values() {
            said.extend(self.dependencies_of(&names).await?);
        }
        for package in packages {
            let told = said.remove(package.name()).unwrap_or_default();
            let digests = self.yanked_digests(&package, &told, known).await?;
            let releases = releases(&package, told, &digests, known);
            insert(&mut known.snapshot, package.name(), releases)?;
            known.packages.insert(package.name().clone(), package);
        }
        Ok(())
    }

    /// Packages that are somewhere. Those that are nowhere have no releases.
    async fn update_or_none(
        &self,
        names: Vec<PackageName>,
        known: &mut Knowledge,
    ) -> Result<Vec<Package>, Error> {
        let (packages, missing) = self.update_known_of(&names).await?;
        known.missing += missing.len();
        for package in &missing {
            insert(&mut known.snapshot, package, Vec::new())?;
        }
        match missing.last() {
            Some(package) if known.missing > MISSING_PACKAGES_MAX => {
                Err(Error::Unsolvable(format!(
                    "more than {MISSING_PACKAGES_MAX} packages are needed that no registry has, such \
                     as {package}"
                )))
            }
            _ => Ok(packages),
        }
    }

    /// What a registry says that releases of its packages depend on; nothing if it does not say such
    /// things.
    async fn dependencies_of(
        &self,
        names: &[PackageName],
    ) -> Result<BTreeMap<PackageName, Vec<Told>>, Error> {
        let mut said = BTreeMap::new();
        let Some(first) = names.first().filter(|_| !self.settings.offline) else { return Ok(said) };
        let remote = self.route(first)?.remote().await?;
        let mut parts: Vec<Vec<PackageName>> =
            names.chunks(dependencies::PACKAGES_MAX).map(<[_]>::to_vec).collect();
        while let Some(packages) = parts.pop() {
            let count = packages.len();
            let Ok(answer) = remote.dependencies(&DependenciesRequest { packages }).await else {
                return Ok(said);
            };
            let rest = answer.rest.clone();
            let asked = told(answer).filter(|(package, _)| names.contains(package));
            said.extend(asked);
            // Whoever answers none of what was asked would be asked for ever.
            if !rest.is_empty() && rest.len() < count {
                parts.push(rest);
            }
        }
        Ok(said)
    }

    /// The digests of releases that were yanked, which the state of a log does not have: by the word of
    /// the registry, which whoever downloads compares with the record, or of the lock; else from the
    /// records.
    async fn yanked_digests(
        &self,
        package: &Package,
        told: &[Told],
        known: &Knowledge,
    ) -> Result<BTreeMap<Version, Digest>, Error> {
        let mut digests = BTreeMap::new();
        let yanked = package.state().releases().filter(|release| release.is_yanked());
        for release in yanked {
            let version = &release.version;
            let id = PackageId { package: package.name().clone(), version: version.clone() };
            let locked = known.locked.packages.get(&id).map(|locked| locked.digest);
            let told = told.iter().find(|told| told.version == *version).map(|told| told.digest);
            let digest = match told.or(locked) {
                Some(digest) => digest,
                None if self.settings.offline => continue,
                None => self.yanked_digest(package, release).await?,
            };
            digests.insert(version.clone(), digest);
        }
        Ok(digests)
    }

    /// Downloads releases, and looks into them.
    async fn look_into(
        &self,
        unseen: &[(PackageName, Version)],
        known: &mut Knowledge,
    ) -> Result<(), Error> {
        let wanted: Vec<_> = unseen
            .iter()
            .map(|(name, version)| Wanted {
                name: name.clone(),
                version: Selector::Exact(version.clone()),
                yanked: true,
            })
            .collect();
        let mut changed = BTreeSet::new();
        for mut fetched in self.get(&wanted).await? {
            let name = fetched.package.name().clone();
            let id = format!("{name}@{}", fetched.release.version);
            let (bytes, bytes_max) = (fetched.content.length(), Limits::default().bytes_max);
            if bytes > bytes_max as u64 {
                let why = format!(
                    "{id} has {bytes} bytes, more than the {bytes_max} that are looked into"
                );
                return Err(Error::Unsolvable(why));
            }
            let bytes = self.whole(&mut fetched)?;
            let imports = imports_of(&bytes).map_err(|error| {
                Error::Unsolvable(format!("{id} cannot be looked into: {error}"))
            })?;
            known.imports.insert(fetched.digest, imports.into());
            known.unseen.remove(&(name.clone(), fetched.release.version.clone()));
            changed.insert(name);
        }
        for name in changed {
            let releases = known.snapshot.releases(&name).unwrap_or_default().to_vec();
            let seen = releases.into_iter().map(|release| {
                let imports = known.imports.get(&release.digest);
                let imports = imports.cloned().unwrap_or_else(|| release.imports.clone());
                Release { imports, ..release }
            });
            let seen = seen.collect();
            insert(&mut known.snapshot, &name, seen)?;
        }
        Ok(())
    }

    /// All bytes of what was fetched.
    ///
    /// # Errors
    /// [`Error::Cache`], or [`Error::BadAnswer`] if it has rotten just now.
    pub fn whole(&self, fetched: &mut crate::client::Fetched) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let is_intact = self.copy(fetched, &mut |piece| {
            bytes.extend_from_slice(piece);
            Ok(())
        })?;
        if is_intact {
            return Ok(bytes);
        }
        let digest = fetched.digest;
        Err(crate::seams::CacheError {
            message: format!("the content {digest} has rotten in the cache just now: try again"),
        }
        .into())
    }
}

fn insert(
    snapshot: &mut Snapshot,
    package: &PackageName,
    releases: Vec<Release>,
) -> Result<(), Error> {
    snapshot.insert(package.clone(), releases).map_err(|error| Error::Unsolvable(error.to_string()))
}

/// The releases of a verified log, with what was said of them. What was said of others, or of other
/// content, counts for nothing.
fn releases(
    package: &Package,
    said: Vec<Told>,
    yanked: &BTreeMap<Version, Digest>,
    known: &mut Knowledge,
) -> Vec<Release> {
    let mut said: BTreeMap<Version, Told> =
        said.into_iter().map(|said| (said.version.clone(), said)).collect();
    let mut releases = Vec::new();
    for release in package.state().releases() {
        let version = release.version.clone();
        let told = said.remove(&version);
        let logged = release.content().and_then(|digest| Digest::try_from(digest).ok());
        let Some(digest) = logged.or_else(|| yanked.get(&version).copied()) else { continue };
        let told = told.filter(|told| told.digest == digest).and_then(|told| told.imports);
        let names = told.or_else(|| known.imports.get(&digest).cloned());
        let imports = names.unwrap_or_else(|| {
            known.unseen.insert((package.name().clone(), version.clone()));
            Arc::default()
        });
        releases.push(Release { version, digest, yanked: release.is_yanked(), imports });
    }
    releases
}

/// What an answer says of the releases of each package.
fn told(answer: DependenciesResponse) -> impl Iterator<Item = (PackageName, Vec<Told>)> {
    let content = |(digest, texts): (AnyDigest, Vec<String>)| {
        let names = texts.iter().map(|text| text.parse::<ImportName>().ok());
        Some((Digest::try_from(&digest).ok()?, names.collect::<Option<Arc<[_]>>>()?))
    };
    let contents: BTreeMap<Digest, Arc<[ImportName]>> =
        answer.contents.into_iter().filter_map(content).collect();
    answer.packages.into_iter().map(move |(package, releases)| {
        let release = |listed: ListedRelease| {
            let digest = Digest::try_from(&listed.digest).ok()?;
            let imports = contents.get(&digest).cloned();
            Some(Told { version: listed.version, digest, imports })
        };
        (package, releases.into_iter().filter_map(release).collect())
    })
}

/// Whether a registry's word for a place in a list can stand in a query.
fn is_place(text: &str) -> bool {
    (1..=PLACE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// Releases that were locked have the content that was locked.
fn compare(resolved: &Resolved, locked: &Lock) -> Result<(), Error> {
    for node in &resolved.solution.nodes {
        let id = PackageId { package: node.package.clone(), version: node.version.clone() };
        let registry = resolved.registries.get(&node.package);
        if let (Some(locked), Some(registry)) = (locked.packages.get(&id), registry)
            && matches!(locked.origin, Origin::Registry(_))
            && locked.digest != node.digest
        {
            return Err(Error::NotAsLocked(Box::new(NotAsLocked {
                registry: registry.clone(),
                release: id,
                locked: locked.digest,
                found: node.digest,
            })));
        }
    }
    Ok(())
}

/// The releases of a solution that nobody has looked into.
fn unseen(solution: &Solution, known: &Knowledge) -> Vec<(PackageName, Version)> {
    let nodes = solution.nodes.iter().map(|node| (node.package.clone(), node.version.clone()));
    nodes.filter(|id| known.unseen.contains(id)).collect()
}

fn resolved(solution: Solution, known: &Knowledge) -> Resolved {
    let mut registries = BTreeMap::new();
    let mut checkpoints: BTreeMap<Domain, SignedCheckpoint> = BTreeMap::new();
    for node in &solution.nodes {
        let Some(package) = known.packages.get(&node.package) else { continue };
        registries.insert(node.package.clone(), package.registry().clone());
        let checkpoint = package.checkpoint();
        let length = |it: &SignedCheckpoint| it.contents.checkpoint.log_length;
        let newest = checkpoints.entry(package.registry().clone());
        let newest = newest.or_insert_with(|| checkpoint.clone());
        if length(checkpoint) > length(newest) {
            *newest = checkpoint.clone();
        }
    }
    Resolved { solution, registries, checkpoints }
}

/// The imports of content that are dependencies on packages. A core module has none. Its code is not
/// looked at.
///
/// # Errors
/// [`InspectError`] if it is no valid WebAssembly.
pub fn imports_of(content: &[u8]) -> Result<Vec<ImportName>, InspectError> {
    skim(content, &Limits::default()).map(|inspection| dependencies_in(&inspection))
}

/// The imports that are dependencies on packages.
pub fn dependencies_in(inspection: &Inspection) -> Vec<ImportName> {
    let of_component = inspection.imports.iter().filter(|import| import.module.is_none());
    let names = of_component.filter_map(|import| import.name.parse::<ImportName>().ok());
    names.filter(|name| name.dependency().is_some()).collect()
}
