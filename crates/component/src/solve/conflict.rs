//! Why imports cannot be satisfied together, as data and as text.

use std::fmt;

use wargate_crypto::Digest;
use wargate_protocol::{PackageName, Version};

use crate::names::ImportName;

/// Why imports cannot be satisfied together.
///
/// Where several choices were possible, each of them failed, and this is how the one failed that
/// comes first by the solver's rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// How the root comes to the import that nothing answers; and for each version that is in its
    /// way, how the root comes to that one. Of a cycle, the only chain ends with the import that
    /// closes it.
    pub chains: Vec<Vec<Step>>,
    /// How many more versions are in the way, beyond
    /// [`CONFLICT_CHAINS_MAX`](crate::limits::CONFLICT_CHAINS_MAX).
    pub chains_left_out: usize,
    /// What is wrong in the end.
    pub problem: Problem,
}

/// One import on the way from the root to a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who imports. `None` is the root.
    pub importer: Option<(PackageName, Version)>,
    /// What it imports.
    pub import: ImportName,
}

/// What is wrong with an import.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The registry does not have it.
    #[error("the registry has no package {package}, or no release of it")]
    NoPackage {
        /// The package.
        package: PackageName,
    },
    /// No release matches.
    #[error("no version of {package} matches; the highest there is is {newest}")]
    NoVersion {
        /// The package.
        package: PackageName,
        /// Its highest version.
        newest: Version,
    },
    /// All that matches is yanked.
    #[error("all versions of {package} that match are yanked; the highest of them is {highest}")]
    AllYanked {
        /// The package.
        package: PackageName,
        /// The highest version that matches.
        highest: Version,
    },
    /// All that matches, and is not yanked, is a pre-release.
    #[error("only pre-releases of {package} match; the highest of them is {highest}")]
    OnlyPrereleases {
        /// The package.
        package: PackageName,
        /// The highest version that matches.
        highest: Version,
    },
    /// What matches is in the track of a version that was asked for, and is not that version.
    #[error("{package} {precise} was asked for, and does not match")]
    Overridden {
        /// The package.
        package: PackageName,
        /// The version that was asked for.
        precise: Version,
    },
    /// A locked import names another digest than the release has.
    #[error(
        "the content of {package} {version} is {found}, but the import is locked to {demanded}"
    )]
    OtherDigest {
        /// The package.
        package: PackageName,
        /// The version.
        version: Version,
        /// What the import names.
        demanded: Digest,
        /// What the release has.
        found: Digest,
    },
    /// A locked import names a digest, and no release has it.
    #[error("no release of {package} has the content {demanded}")]
    NoDigest {
        /// The package.
        package: PackageName,
        /// What the import names.
        demanded: Digest,
    },
    /// A locked import has an integrity that is not exactly one SHA-256 digest.
    #[error(
        "the integrity of the import of {package} is not one SHA-256 digest, so that it cannot \
             be checked"
    )]
    UncheckableIntegrity {
        /// The package.
        package: PackageName,
    },
    /// What matches would be a second version in a track.
    #[error("{package} {selected} is needed by others, and no version satisfies all of them", selected = List(selected))]
    Taken {
        /// The package.
        package: PackageName,
        /// The versions in the way, each in its own track, as far as there are chains for them.
        selected: Vec<Version>,
    },
    /// Releases import each other.
    #[error(
        "{package} {version} needs itself, and components that import each other in a cycle \
             cannot be instantiated"
    )]
    Cycle {
        /// Where the cycle was entered.
        package: PackageName,
        /// Its version.
        version: Version,
    },
}

impl Problem {
    /// What the user can do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoPackage { .. } => "check the name, and which registry it is in",
            Self::NoVersion { .. } => "change the range, or publish a version that is in it",
            Self::AllYanked { .. } => {
                "change the range; a lock that has the version, or asking for precisely this \
                 version, keeps it"
            }
            Self::OnlyPrereleases { .. } => {
                "allow pre-releases, or name one as a bound of the range"
            }
            Self::Overridden { .. } => "ask for another version, or change the range",
            Self::OtherDigest { .. } | Self::NoDigest { .. } => {
                "the import was locked to something else than this registry has: find out which \
                 is right, and lock the importing component again"
            }
            Self::UncheckableIntegrity { .. } => {
                "lock the importing component again, with a SHA-256 digest"
            }
            Self::Taken { .. } => {
                "widen one of the ranges so that they share a version, or narrow one so that its \
                 versions are not compatible with the other's"
            }
            Self::Cycle { .. } => {
                "take one of the imports out of the cycle, or move what both need to a package of \
                 its own"
            }
        }
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.chains.iter().flatten().enumerate() {
            if number > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{step}")?;
        }
        if self.chains_left_out > 0 {
            write!(f, "; and {} more", self.chains_left_out)?;
        }
        write!(f, ": {}", self.problem)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.importer {
            None => f.write_str("the root")?,
            Some((package, version)) => write!(f, "{package} {version}")?,
        }
        f.write_str(" imports ")?;
        match &self.import {
            ImportName::Unlocked { package, projection, range } => {
                write!(f, "{package}")?;
                projection.iter().try_for_each(|projection| write!(f, "/{projection}"))?;
                write!(f, "@{range}")
            }
            locked => write!(f, "{locked}"),
        }
    }
}

/// Versions, one after the other.
struct List<'a>(&'a [Version]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, version) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{version}")?;
        }
        Ok(())
    }
}
