//! Versions and version requirements (specification 2.7): Semantic Versioning 2.0.0 with Cargo's
//! requirement syntax.

use std::fmt;
use std::str::FromStr;

use crate::encoding::serde_as_text;
use crate::limits::{VERSION_BYTES_MAX, VERSION_REQ_BYTES_MAX};

/// Why a text is no version or no requirement.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VersionError {
    /// Longer than [`VERSION_BYTES_MAX`] or [`VERSION_REQ_BYTES_MAX`].
    #[error("the version is longer than {bytes_max} bytes")]
    TooLong {
        /// The limit, in bytes.
        bytes_max: usize,
    },
    /// Not the grammar of Semantic Versioning 2.0.0, or of Cargo's requirements; says where.
    #[error("not a semantic version: {0}")]
    Grammar(String),
}

impl From<semver::Error> for VersionError {
    fn from(error: semver::Error) -> Self {
        Self::Grammar(error.to_string())
    }
}

/// A version of a package.
///
/// Build metadata counts: `1.0.0`, `1.0.0+a` and `1.0.0+b` are three versions, in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(semver::Version);

impl Version {
    /// A version without pre-release and build metadata.
    pub const fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self(semver::Version::new(major, minor, patch))
    }

    /// Its parts.
    pub const fn as_semver(&self) -> &semver::Version {
        &self.0
    }

    /// Whether it has a pre-release part.
    pub fn is_prerelease(&self) -> bool {
        !self.0.pre.is_empty()
    }
}

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > VERSION_BYTES_MAX {
            Err(VersionError::TooLong { bytes_max: VERSION_BYTES_MAX })
        } else {
            Ok(Self(text.parse()?))
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A requirement on versions, for example `^0.2`, `=1.0.0` or `>=1.0.0, <2.0.0`.
///
/// Without a pre-release it matches no pre-release version; build metadata is ignored.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct VersionReq(semver::VersionReq);

impl VersionReq {
    /// `*`: every version that is no pre-release.
    pub const ANY: Self = Self(semver::VersionReq::STAR);

    /// `=version`: this version, whatever its build metadata.
    pub fn exact(version: &Version) -> Self {
        let semver::Version { major, minor, patch, pre, .. } = version.0.clone();
        let op = semver::Op::Exact;
        let exact = semver::Comparator { op, major, minor: Some(minor), patch: Some(patch), pre };
        Self(semver::VersionReq { comparators: vec![exact] })
    }

    /// Its parts.
    pub const fn as_semver(&self) -> &semver::VersionReq {
        &self.0
    }

    /// Whether the version satisfies it.
    pub fn matches(&self, version: &Version) -> bool {
        self.0.matches(&version.0)
    }

    /// The highest of the versions that satisfy it.
    pub fn highest<'a>(
        &self,
        versions: impl IntoIterator<Item = &'a Version>,
    ) -> Option<&'a Version> {
        versions.into_iter().filter(|version| self.matches(version)).max()
    }
}

impl FromStr for VersionReq {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        if text.len() > VERSION_REQ_BYTES_MAX {
            Err(VersionError::TooLong { bytes_max: VERSION_REQ_BYTES_MAX })
        } else {
            Ok(Self(text.parse()?))
        }
    }
}

impl fmt::Display for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

serde_as_text!(Version, VersionReq);
