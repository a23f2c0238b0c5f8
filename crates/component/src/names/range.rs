//! Ranges of versions as they stand in the names of imports.

use std::fmt;

use wargate_protocol::{Version, VersionReq};

use super::ImportNameError;

/// Which versions of a package will do: any, or those between bounds.
///
/// Printed as in a name: `*`, `{>=1.0.0}`, `{<2.0.0}`, `{>=1.0.0 <2.0.0}`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PackageRange {
    lower: Option<Version>,
    upper: Option<Version>,
    requirement: VersionReq,
}

impl PackageRange {
    /// Any version that is no pre-release.
    pub const ANY: Self = Self { lower: None, upper: None, requirement: VersionReq::ANY };

    /// The lowest version that will do.
    pub const fn lower(&self) -> Option<&Version> {
        self.lower.as_ref()
    }

    /// The lowest version that is too high.
    pub const fn upper(&self) -> Option<&Version> {
        self.upper.as_ref()
    }

    /// The same as a requirement, with Cargo's rules: a pre-release matches only if a bound with the
    /// same three numbers is one too.
    pub const fn requirement(&self) -> &VersionReq {
        &self.requirement
    }

    /// Whether a version, pre-release or not, lies between the bounds. The pre-releases of an upper bound
    /// that is none itself do not: whoever wants less than 2.0.0 does not want 2.0.0-rc.1.
    pub fn spans(&self, version: &Version) -> bool {
        let version = version.as_semver();
        let above =
            self.lower().is_none_or(|lower| version.cmp_precedence(lower.as_semver()).is_ge());
        let below = self.upper().map(Version::as_semver).is_none_or(|upper| {
            let same = (version.major, version.minor, version.patch)
                == (upper.major, upper.minor, upper.patch);
            version.cmp_precedence(upper).is_lt() && !(same && upper.pre.is_empty())
        });
        above && below
    }

    /// The versions that satisfy a requirement, if they are all those between two bounds. `None` if they
    /// are not, as those of `>1.0.0-rc.1`; no bound has build metadata.
    pub fn of(wanted: &VersionReq) -> Option<Self> {
        let (mut lower, mut upper): (Option<Version>, Option<Version>) = (None, None);
        for comparator in &wanted.as_semver().comparators {
            let (above, below) = bounds(comparator)?;
            lower = lower.into_iter().chain(above).max();
            upper = upper.into_iter().chain(below).min_by(Version::cmp);
        }
        if let (Some(lower), Some(upper)) = (&lower, &upper)
            && lower >= upper
        {
            return None;
        }
        if lower.is_none() && upper.is_none() {
            return Some(Self::ANY);
        }
        let requirement = requirement(lower.as_ref(), upper.as_ref()).ok()?;
        Some(Self { lower, upper, requirement })
    }

    /// Reads what stands behind the `@`, which is at byte `offset` of the whole name.
    pub(super) fn read(text: &str, offset: usize) -> Result<Self, ImportNameError> {
        if text == "*" {
            return Ok(Self::ANY);
        }
        let expected = |expected, skipped: usize| {
            Err(ImportNameError::Expected { expected, offset: offset + skipped })
        };
        let Some(bounds) = text.strip_prefix('{') else { return expected("{", 0) };
        let Some(bounds) = bounds.strip_suffix('}') else { return expected("}", text.len()) };
        if bounds == "*" {
            return Ok(Self::ANY);
        }
        let (lower, upper) = match bounds.strip_prefix(">=") {
            Some(rest) => match rest.split_once(' ') {
                Some((lower, upper)) => (Some(lower), Some((upper, 4 + lower.len()))),
                None => (Some(rest), None),
            },
            None => (None, Some((bounds, 1))),
        };
        let upper = match upper {
            Some((upper, skipped)) => match upper.strip_prefix('<') {
                Some(upper) => Some(upper.parse::<Version>()?),
                None => return expected("<", skipped),
            },
            None => None,
        };
        let lower = lower.map(str::parse::<Version>).transpose()?;
        let requirement = requirement(lower.as_ref(), upper.as_ref())?;
        Ok(Self { lower, upper, requirement })
    }
}

/// The lowest version that satisfies a comparator, and the lowest that is too high.
fn bounds(comparator: &semver::Comparator) -> Option<(Option<Version>, Option<Version>)> {
    use semver::Op;
    let (major, minor, patch) = (comparator.major, comparator.minor, comparator.patch);
    let next = |number: u64| number.checked_add(1);
    // The lowest, and the first behind all that begin with the numbers that are given.
    let mut lowest = semver::Version::new(major, minor.unwrap_or(0), patch.unwrap_or(0));
    lowest.pre.clone_from(&comparator.pre);
    let behind = match (minor, patch) {
        (Some(minor), Some(patch)) => Version::new(major, minor, next(patch)?),
        (Some(minor), None) => Version::new(major, next(minor)?, 0),
        (None, _) => Version::new(next(major)?, 0, 0),
    };
    let lowest: Version = lowest.to_string().parse().ok()?;
    // What is just above a pre-release has no bound of the form that names have.
    let is_prerelease = !comparator.pre.is_empty();
    Some(match comparator.op {
        Op::Exact | Op::LessEq | Op::Greater if is_prerelease => return None,
        Op::Exact | Op::Wildcard => (Some(lowest), Some(behind)),
        Op::Greater => (Some(behind), None),
        Op::GreaterEq => (Some(lowest), None),
        Op::Less => (None, Some(lowest)),
        Op::LessEq => (None, Some(behind)),
        Op::Tilde => {
            let upper = match minor {
                Some(minor) => Version::new(major, next(minor)?, 0),
                None => behind,
            };
            (Some(lowest), Some(upper))
        }
        Op::Caret => {
            let upper = match (major, minor, patch) {
                (0, Some(0), Some(patch)) => Version::new(0, 0, next(patch)?),
                (0, Some(minor), _) => Version::new(0, next(minor)?, 0),
                _ => Version::new(next(major)?, 0, 0),
            };
            (Some(lowest), Some(upper))
        }
        _ => return None,
    })
}

fn requirement(
    lower: Option<&Version>,
    upper: Option<&Version>,
) -> Result<VersionReq, ImportNameError> {
    let lower = lower.map(|version| format!(">={version}"));
    let upper = upper.map(|version| format!("<{version}"));
    let bounds: Vec<String> = lower.into_iter().chain(upper).collect();
    Ok(bounds.join(", ").parse()?)
}

impl fmt::Display for PackageRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.lower, &self.upper) {
            (None, None) => f.write_str("*"),
            (Some(lower), None) => write!(f, "{{>={lower}}}"),
            (None, Some(upper)) => write!(f, "{{<{upper}}}"),
            (Some(lower), Some(upper)) => write!(f, "{{>={lower} <{upper}}}"),
        }
    }
}
