//! What is known of a registry.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use crate::limits::{IMPORTS_PER_RELEASE_MAX, RELEASES_PER_PACKAGE_MAX, SNAPSHOT_PACKAGES_MAX};
use crate::names::ImportName;

/// A release of a package, as far as solving needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: Digest,
    /// Whether it is yanked.
    pub yanked: bool,
    /// The names of its imports. Those that name no package count for nothing.
    pub imports: Arc<[ImportName]>,
}

/// The packages of a registry that are known so far. A package is known wholly or not at all.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Releases from the highest version down, with imports in name order.
    packages: HashMap<PackageName, Vec<Release>>,
    /// The packages that some release of `packages` has a locked import of.
    locked: HashSet<PackageName>,
}

/// Why a package cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// More than [`SNAPSHOT_PACKAGES_MAX`].
    #[error("solving looks at more than {packages_max} packages")]
    TooManyPackages {
        /// The limit.
        packages_max: usize,
    },
    /// More than [`RELEASES_PER_PACKAGE_MAX`].
    #[error("{package} has more than {releases_max} releases")]
    TooManyReleases {
        /// The package.
        package: PackageName,
        /// The limit.
        releases_max: usize,
    },
    /// More than [`IMPORTS_PER_RELEASE_MAX`].
    #[error("{package} {version} imports more than {imports_max} packages")]
    TooManyImports {
        /// The package.
        package: PackageName,
        /// The release.
        version: Version,
        /// The limit.
        imports_max: usize,
    },
    /// A version twice, which no registry can have.
    #[error("{package} {version} is there twice")]
    Twice {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
    },
}

impl Snapshot {
    /// Adds a package with all its releases, in any order, or replaces it. A package without releases
    /// is one that does not exist.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`] if it is more than the limits allow; then nothing has changed.
    pub fn insert(
        &mut self,
        package: PackageName,
        mut releases: Vec<Release>,
    ) -> Result<(), SnapshotError> {
        if self.packages.len() >= SNAPSHOT_PACKAGES_MAX && !self.packages.contains_key(&package) {
            return Err(SnapshotError::TooManyPackages { packages_max: SNAPSHOT_PACKAGES_MAX });
        }
        if releases.len() > RELEASES_PER_PACKAGE_MAX {
            let releases_max = RELEASES_PER_PACKAGE_MAX;
            return Err(SnapshotError::TooManyReleases { package, releases_max });
        }
        releases.sort_by(|one, other| other.version.cmp(&one.version));
        if let Some(pair) = releases.windows(2).find(|pair| pair[0].version == pair[1].version) {
            return Err(SnapshotError::Twice { package, version: pair[0].version.clone() });
        }
        // Those of one content are shared by all releases that have it, and stay so.
        let mut ordered: HashMap<*const ImportName, Arc<[ImportName]>> = HashMap::new();
        for release in &mut releases {
            let shared = ordered.entry(release.imports.as_ptr());
            let shared = shared.or_insert_with(|| in_name_order(release.imports.to_vec()).into());
            release.imports = Arc::clone(shared);
            if release.imports.len() > IMPORTS_PER_RELEASE_MAX {
                let version = release.version.clone();
                let imports_max = IMPORTS_PER_RELEASE_MAX;
                return Err(SnapshotError::TooManyImports { package, version, imports_max });
            }
        }
        let imports = ordered.values().flat_map(|imports| imports.iter());
        self.locked.extend(imports.filter_map(locked).cloned());
        self.packages.insert(package, releases);
        Ok(())
    }

    /// The releases of a package from the highest version down, or `None` if it is not known yet.
    pub fn releases(&self, package: &PackageName) -> Option<&[Release]> {
        self.packages.get(package).map(Vec::as_slice)
    }

    /// Whether a known release has a locked import of the package.
    pub(super) fn locks(&self, package: &PackageName) -> bool {
        self.locked.contains(package)
    }
}

/// The imports that name packages, in the order of their text, each once.
pub(super) fn in_name_order(mut imports: Vec<ImportName>) -> Vec<ImportName> {
    imports.retain(|import| import.dependency().is_some());
    imports.sort_by_cached_key(ImportName::to_string);
    imports.dedup();
    imports
}

/// The package of a locked import.
pub(super) fn locked(import: &ImportName) -> Option<&PackageName> {
    match import {
        ImportName::Locked { package, .. } => Some(package),
        _ => None,
    }
}
