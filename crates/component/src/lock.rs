//! The lock file: which releases answered the imports of some roots, when, and at which registries.
//!
//! [`Lock`] is what `warg.lock` says, and [`Lock::from_text`] and `Display` are its text, a subset of
//! TOML. Two equal locks have the same text, whatever order they were made in, and people can read what
//! a change of it means. It names everything by digest, so that whoever has it gets the same bytes
//! without asking what is newest.
//!
//! Nothing in a file is believed before it was looked at: names are names, digests are digests, every
//! edge leads to a package of the lock, and what cannot be so is an error that says where.

mod text;
mod wkg;

pub use text::LockError;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName, Version};

use crate::names::{ImportName, ImportNameError};
use crate::solve::{Edge, Node, Release, Snapshot, SnapshotError, Solution};

/// The format of the text.
pub const LOCK_FORMAT: u32 = 1;

/// Which releases answered the imports of some roots.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// The registries that were asked, by name.
    pub registries: BTreeMap<String, LockedRegistry>,
    /// What the answer is for.
    pub roots: BTreeSet<LockedRoot>,
    /// The answer.
    pub packages: BTreeMap<PackageId, LockedPackage>,
}

/// The checkpoint of a registry from which an answer was derived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedRegistry {
    /// The length of its log.
    pub log_length: LogLength,
    /// The root of the log at that length.
    pub log_root: Digest,
    /// The root of the map at that length.
    pub map_root: Digest,
}

/// A package in a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageId {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
}

/// What imports were answered for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedRoot {
    /// A local file, by its path relative to the lock with `/` between its parts; `None` if packages were
    /// asked for by name.
    pub file: Option<LockedFile>,
    /// Its imports that are dependencies; or for packages that were asked for by name, the imports that
    /// ask for them.
    pub dependencies: BTreeSet<LockedDependency>,
}

/// A local file as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedFile {
    /// Its path, relative to the lock with `/` between its parts.
    pub path: String,
    /// The digest of its content.
    pub digest: Digest,
}

/// A package that was selected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedPackage {
    /// The digest of its content.
    pub digest: Digest,
    /// Where it comes from.
    pub origin: Origin,
    /// Its imports that are dependencies.
    pub dependencies: BTreeSet<LockedDependency>,
}

/// Where a package comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// A registry, by its name in [`Lock::registries`].
    Registry(String),
    /// A local file in the place of the package, by its path as in [`LockedFile`].
    File(String),
}

/// An import, and what answers it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedDependency {
    /// The name of the import, as it stands in the content.
    pub import: String,
    /// The package that answers.
    pub package: PackageId,
}

/// A text is no `ns:name@1.0.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a package in a version has the form <namespace>:<name>@<version>")]
pub struct PackageIdError;

impl PackageId {
    /// That of a release that the solver found.
    pub fn of(node: &Node) -> Self {
        Self { package: node.package.clone(), version: node.version.clone() }
    }
}

impl FromStr for PackageId {
    type Err = PackageIdError;

    fn from_str(text: &str) -> Result<Self, PackageIdError> {
        let (package, version) = text.split_once('@').ok_or(PackageIdError)?;
        let package = package.parse().map_err(|_| PackageIdError)?;
        Ok(Self { package, version: version.parse().map_err(|_| PackageIdError)? })
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.package, self.version)
    }
}

impl LockedDependency {
    /// The name of the import, read.
    ///
    /// # Errors
    /// [`ImportNameError`], never for what [`Lock::from_text`] has read.
    pub fn name(&self) -> Result<ImportName, ImportNameError> {
        self.import.parse()
    }
}

impl Lock {
    /// The lock of some roots, each with its imports, from the solver's answer to all of these. `origin`
    /// says where each release comes from. Imports that name no package are left out.
    pub fn new(
        roots: &[(Option<LockedFile>, Vec<ImportName>)],
        solution: &Solution,
        mut origin: impl FnMut(&PackageId) -> Origin,
    ) -> Self {
        let dependency = |edge: &Edge| {
            let node = &solution.nodes[edge.to];
            let package = PackageId::of(node);
            LockedDependency { import: edge.import.to_string(), package }
        };
        let packages = solution.nodes.iter().map(|node| {
            let id = PackageId::of(node);
            let locked = LockedPackage {
                digest: node.digest,
                origin: origin(&id),
                dependencies: node.edges.iter().map(dependency).collect(),
            };
            (id, locked)
        });
        let packages = packages.collect();
        let roots = roots.iter().map(|(file, imports)| {
            let edges = solution.roots.iter().filter(|edge| imports.contains(&edge.import));
            LockedRoot { file: file.clone(), dependencies: edges.map(dependency).collect() }
        });
        Self { registries: BTreeMap::new(), roots: roots.collect(), packages }
    }

    /// The releases that it has, and no others, as the solver takes them: over them, its own imports have
    /// its own answer.
    ///
    /// # Errors
    /// [`SnapshotError`] if it is more than the limits allow.
    pub fn snapshot(&self) -> Result<Snapshot, SnapshotError> {
        let mut releases: BTreeMap<&PackageName, Vec<Release>> = BTreeMap::new();
        for (id, package) in &self.packages {
            let names = package.dependencies.iter().filter_map(|edge| edge.name().ok());
            let (version, digest) = (id.version.clone(), package.digest);
            let release = Release { version, digest, yanked: false, imports: names.collect() };
            releases.entry(&id.package).or_default().push(release);
        }
        let mut snapshot = Snapshot::default();
        // Whoever needs something else gets the answer that there is none, and not the question for it.
        for (package, releases) in releases {
            snapshot.insert(package.clone(), releases)?;
        }
        Ok(snapshot)
    }

    /// The versions that it has, as the solver takes them ([`Options::pins`](crate::solve::Options::pins)).
    pub fn pins(&self) -> BTreeMap<PackageName, BTreeSet<Version>> {
        let mut pins: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for id in self.packages.keys() {
            pins.entry(id.package.clone()).or_default().insert(id.version.clone());
        }
        pins
    }

    /// The part of the answer that some imports need, as the solver gives it. Imports that lead nowhere
    /// are left out; no lock has them that was read.
    pub fn solution(&self, roots: &BTreeSet<LockedDependency>) -> Solution {
        let part = Self {
            roots: BTreeSet::from([LockedRoot { file: None, dependencies: roots.clone() }]),
            packages: self.packages.clone(),
            ..Self::default()
        };
        let packages = part.reached().packages;
        let places: BTreeMap<&PackageId, usize> = packages.keys().zip(0..).collect();
        let edges = |dependencies: &BTreeSet<LockedDependency>| {
            let edge = |edge: &LockedDependency| {
                let to = *places.get(&edge.package)?;
                edge.name().ok().map(|import| Edge { import, to })
            };
            dependencies.iter().filter_map(edge).collect()
        };
        let nodes = packages.iter().map(|(id, package)| Node {
            package: id.package.clone(),
            version: id.version.clone(),
            digest: package.digest,
            yanked: false,
            edges: edges(&package.dependencies),
        });
        Solution { roots: edges(roots), nodes: nodes.collect() }
    }

    /// What of it some roots need, and nothing else.
    #[must_use]
    pub fn reached(mut self) -> Self {
        let mut wanted: Vec<PackageId> = Vec::new();
        for root in &self.roots {
            wanted.extend(root.dependencies.iter().map(|edge| edge.package.clone()));
        }
        let mut reached = BTreeSet::new();
        while let Some(id) = wanted.pop() {
            if let Some(package) = self.packages.get(&id).filter(|_| !reached.contains(&id)) {
                wanted.extend(package.dependencies.iter().map(|edge| edge.package.clone()));
                reached.insert(id);
            }
        }
        self.packages.retain(|id, _| reached.contains(id));
        let origins: BTreeSet<_> = self.packages.values().map(|package| &package.origin).collect();
        self.registries.retain(|name, _| origins.contains(&Origin::Registry(name.clone())));
        self
    }
}
