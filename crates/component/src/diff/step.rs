//! What changes ask of version numbers.

use serde::{Deserialize, Serialize};
use wargate_protocol::Version;

use crate::shape::track;

/// By which number of its version a release must differ from the one before, at least, by Semantic
/// Versioning. Before 1.0 each number stands for the one to its left, as Cargo has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Step {
    /// None: the files are the same.
    None,
    /// The third number: nothing that can be seen from outside changed.
    Patch,
    /// The second number: there is more to use, or more is asked for.
    Minor,
    /// The first number: something breaks.
    Major,
}

impl Step {
    /// Whether a release with the version `after` may follow one with the version `before`. What
    /// follows a pre-release may be anything, since pre-releases promise nothing.
    pub fn allows(self, before: &Version, after: &Version) -> bool {
        if after <= before {
            return false;
        }
        let (was, is) = (before.as_semver(), after.as_semver());
        match self {
            _ if before.is_prerelease() => true,
            Self::None | Self::Patch => true,
            Self::Minor => was.major == 0 || is.major > was.major || is.minor > was.minor,
            Self::Major => track(before) != track(&Version::new(is.major, is.minor, is.patch)),
        }
    }

    /// The lowest version that a release may have after one with the version `before`: that version
    /// itself if the files are the same, and the release that a pre-release precedes.
    pub fn after(self, before: &Version) -> Version {
        let was = before.as_semver();
        let (major, minor, patch) = (was.major, was.minor, was.patch);
        match self {
            Self::None => before.clone(),
            _ if before.is_prerelease() => Version::new(major, minor, patch),
            Self::Major if major > 0 => Version::new(major.saturating_add(1), 0, 0),
            Self::Major if minor > 0 => Version::new(0, minor.saturating_add(1), 0),
            Self::Minor if major > 0 => Version::new(major, minor.saturating_add(1), 0),
            Self::Major | Self::Minor | Self::Patch => {
                Version::new(major, minor, patch.saturating_add(1))
            }
        }
    }
}
