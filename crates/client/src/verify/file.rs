//! A file: whether it is a release, and what stands behind that.

use serde::Serialize;
use wargate_component::{Kind, Limits, inspect};
use wargate_crypto::Digest;
use wargate_protocol::PackageName;

use super::Depth;
use super::package::{size, time_of};
use super::report::{Report, counted};
use crate::client::Client;
use crate::error::Error;

/// What a file is by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FileFacts {
    /// Its digest.
    pub digest: Digest,
    /// How many bytes it has.
    pub bytes: u64,
    /// What kind of WebAssembly it is; `None` if it is no valid one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// The package that it says it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<PackageName>,
}

impl FileFacts {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let inspection = inspect(bytes, &Limits::default()).ok();
        let embedded = inspection.as_ref().and_then(|inspection| inspection.package.as_ref());
        Self {
            digest: Digest::of(bytes),
            bytes: bytes.len() as u64,
            kind: inspection.as_ref().map(|inspection| inspection.kind),
            package: embedded.and_then(|package| package.name.parse().ok()),
        }
    }
}

impl Client {
    /// Says what a file is: its digest, its kind, and the releases of a package that are exactly this
    /// file, with who signed them when. The package is the one given, or else the one that the file
    /// names, and is derived as [`Client::verify_package`] does. That no release is the file is a problem
    /// in the report, and no error.
    ///
    /// # Errors
    /// As [`Client::verify_package`].
    pub async fn verify_file(
        &self,
        bytes: &[u8],
        package: Option<&PackageName>,
    ) -> Result<Report, Error> {
        let file = FileFacts::of(bytes);
        let name = package.or(file.package.as_ref()).cloned();
        let mut report = match &name {
            Some(name) => self.derive_package(name, Depth::default()).await?.0,
            None => Report::new(),
        };
        let what = match file.kind {
            Some(Kind::Component) => "a component",
            Some(Kind::CoreModule) => "a core module",
            Some(Kind::WitPackage) => "a WIT package",
            None => "no valid WebAssembly",
        };
        let text = format!("the file is {what} of {}, {}", size(file.bytes), file.digest);
        report.releases.retain(|release| release.digest == file.digest);
        match name {
            None => {
                report.notes.push("the file names no package; name the one it should be".into());
            }
            Some(name) if report.releases.is_empty() => {
                report.problem(format!("no release of `{name}` is this file"));
            }
            Some(name) => describe(&mut report, &name),
        }
        report.prove("file", 1, text);
        // What it is comes first.
        report.facts.rotate_right(1);
        report.file = Some(file);
        Ok(report)
    }
}

fn describe(report: &mut Report, name: &PackageName) {
    let under = report.checkpoint.as_ref().map(|checkpoint| {
        let length = checkpoint.contents.checkpoint.log_length.get();
        let records = counted(length, "record", "records");
        format!(", under the checkpoint of {records} of {}", time_of(checkpoint))
    });
    let under = under.unwrap_or_default();
    for release in report.releases.clone() {
        let text = format!(
            "it is `{name}@{}`, released by {} in record {}{under}",
            release.version, release.signed_by, release.registry_index,
        );
        report.prove("release", 1, text);
        if release.yanked {
            report.problem(format!("`{name}@{}` was yanked", release.version));
        }
    }
}
