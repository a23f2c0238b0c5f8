//! What releases depend on, what depends on them, and which releases answer. Not part of the
//! reference's API.
//!
//! Nothing here is proven. That a release has a digest, and whether it is yanked, the package's log
//! proves; what it depends on stands in its content, which has that digest. An answer of the solver is a
//! function of both, which whoever has them can compute again.

use serde::{Deserialize, Serialize};
use wargate_crypto::AnyDigest;
use wargate_protocol::{LogLength, PackageName, SignedCheckpoint, Version};

use crate::error::{ErrorBody, api_error};
use crate::{OrderedMap, is_false};

/// Most packages whose dependencies one request may ask for.
pub const PACKAGES_MAX: usize = 1000;

/// Most imports in one question to the solver, and most packages of each kind of wish.
pub const SOLVE_IMPORTS_MAX: usize = 1 << 12;

/// Answer to [`content_dependencies`](crate::paths::content_dependencies): it never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContentDependencies {
    /// The names of the imports that are dependencies, as they stand in the content
    /// (`unlocked-dep=<…>`, `locked-dep=<…>`). Absent if the registry has not looked into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<Vec<String>>,
}

/// A release with what it depends on. Answer to
/// [`release_dependencies`](crate::paths::release_dependencies).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseDependencies {
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: AnyDigest,
    /// Whether it is yanked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yanked: bool,
    /// As in [`ContentDependencies`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<Vec<String>>,
}

/// A release without what it depends on, which [`DependenciesResponse::contents`] says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedRelease {
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: AnyDigest,
    /// Whether it is yanked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yanked: bool,
}

/// Request to [`DEPENDENCIES`](crate::paths::DEPENDENCIES). An unknown member is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DependenciesRequest {
    /// Packages, at most [`PACKAGES_MAX`].
    pub packages: Vec<PackageName>,
}

/// Answer to [`DEPENDENCIES`](crate::paths::DEPENDENCIES).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DependenciesResponse {
    /// The length of the log that all of it is of.
    pub log_length: LogLength,
    /// All releases of each package, in the order of its log; none for a package that is not here.
    pub packages: OrderedMap<PackageName, Vec<ListedRelease>>,
    /// The names of the imports of their contents that are dependencies, as they stand there. Content
    /// that the registry has not looked into is missing.
    pub contents: OrderedMap<AnyDigest, Vec<String>>,
    /// Packages for which there was no room, to be asked for again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<PackageName>,
}

/// Answer to [`dependents`](crate::paths::dependents).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DependentsResponse {
    /// How far the registry has looked: releases from this length on may be missing.
    pub log_length: LogLength,
    /// Releases that depend on the package: those with one content together, and each as often as it
    /// imports the package.
    pub dependents: Vec<Dependent>,
    /// Where the list goes on, to be sent as `after` in the query; absent at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A release that depends on a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependent {
    /// The package of the release.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
    /// The digest of its content.
    pub digest: AnyDigest,
    /// Whether it is yanked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yanked: bool,
    /// The name of the import that is the dependency.
    pub import: String,
}

/// Request to [`SOLVE`](crate::paths::SOLVE). An unknown member is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SolveRequest {
    /// The names of the root's imports that are dependencies. `locked-dep=<ns:name@1.0.0>` asks for a
    /// release and all that it needs.
    pub imports: Vec<String>,
    /// Whether pre-releases are in range like other versions.
    #[serde(default, skip_serializing_if = "is_false")]
    pub prereleases: bool,
    /// Versions of a lock, which come before others.
    #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
    pub pins: OrderedMap<PackageName, Vec<Version>>,
    /// Versions that packages are to have.
    #[serde(default, skip_serializing_if = "OrderedMap::is_empty")]
    pub precise: OrderedMap<PackageName, Version>,
}

/// Answer to [`SOLVE`](crate::paths::SOLVE).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SolveResponse {
    /// The checkpoint at whose length it was asked.
    pub checkpoint: SignedCheckpoint,
    /// The packages that were looked at. Whoever solves over their releases at that length, and no
    /// others, comes to the same answer.
    pub packages: Vec<PackageName>,
    /// The releases that answer; absent if none do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub solution: Option<Solution>,
    /// Why no choice of releases satisfies all imports, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conflict: Option<String>,
}

/// The releases that answer all imports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Solution {
    /// The root's imports.
    pub roots: Vec<SolvedImport>,
    /// The releases, by package and version.
    pub releases: Vec<SolvedRelease>,
}

/// A release that was selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SolvedRelease {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The digest of its content.
    pub digest: AnyDigest,
    /// Whether it is yanked.
    #[serde(default, skip_serializing_if = "is_false")]
    pub yanked: bool,
    /// Its imports that are dependencies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<SolvedImport>,
}

/// An import, and what answers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SolvedImport {
    /// The name of the import.
    pub import: String,
    /// The place of the release in the list.
    pub to: usize,
}

/// Error of this part of the API.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DependenciesError {
    /// There is no such package.
    #[error("the registry has no package {0}")]
    PackageNotFound(String),
    /// There is no such release.
    #[error("the registry has no release {0}")]
    ReleaseNotFound(String),
    /// Anything else.
    #[error("{message} (status {status})")]
    Message {
        /// The HTTP status.
        status: u16,
        /// For people.
        message: String,
    },
}

api_error!(DependenciesError);

impl DependenciesError {
    /// The members of the body.
    pub fn to_body(&self) -> ErrorBody {
        match self {
            Self::PackageNotFound(package) => ErrorBody::entity(404, "package", &**package),
            Self::ReleaseNotFound(release) => ErrorBody::entity(404, "release", &**release),
            Self::Message { status, message } => ErrorBody::message(*status, message),
        }
    }

    fn from_body(body: &ErrorBody) -> Option<Self> {
        let specific = match (body.status, body.kind.as_deref()) {
            (404, Some("package")) => body.id_as().map(Self::PackageNotFound),
            (404, Some("release")) => body.id_as().map(Self::ReleaseNotFound),
            _ => None,
        };
        specific.or_else(|| {
            let (status, message) = body.general()?;
            Some(Self::Message { status, message })
        })
    }
}
