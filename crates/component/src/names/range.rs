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
