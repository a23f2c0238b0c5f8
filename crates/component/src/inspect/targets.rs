//! What the names of imports and exports say: which WASI a file is made for, and which packages of a
//! registry it depends on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wargate_protocol::Version;

use super::{Extern, ExternKind, Inspection};
use crate::names::ImportName;

/// The packages that are released together as WASI. Others below `wasi:` have versions of their own.
const RELEASED_TOGETHER: [&str; 7] = [
    "wasi:cli",
    "wasi:clocks",
    "wasi:filesystem",
    "wasi:http",
    "wasi:io",
    "wasi:random",
    "wasi:sockets",
];

/// Which WASI a file is made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wasi {
    /// The release, which a host must offer at least. Absent if only packages with versions of their
    /// own are mentioned, or packages without a version. Of a core module that imports from both, the one
    /// before 0.2: that is what its code was made for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<WasiRelease>,
    /// The packages that imports and exports mention, in the order of their names. None for
    /// releases before 0.2. A core module mentions them as modules from which it imports, as
    /// components have them within.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<WasiPackage>,
}

/// A release of WASI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WasiRelease {
    /// `wasi_unstable`, which core modules import.
    Preview0,
    /// `wasi_snapshot_preview1`, which core modules import.
    Preview1,
    /// Packages of the component model: the highest version of those that are released together.
    Version(Version),
}

/// A package of WASI that imports or exports mention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WasiPackage {
    /// As in `wasi:http`.
    pub name: String,
    /// The versions that are mentioned, in ascending order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Version>,
}

/// An import that is answered by certain content, and not by whoever offers an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dependency {
    /// The name of the import, as it stands in the file.
    pub import: String,
    /// What is imported.
    pub kind: ExternKind,
    /// What the name says.
    #[serde(flatten)]
    pub form: DependencyForm,
}

/// The forms of dependencies ([`names`](crate::names)). Ranges, versions and digests are in the text
/// form that names have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "form")]
pub enum DependencyForm {
    /// `unlocked-dep=<…>`
    Unlocked {
        /// As in `acme:tool`.
        package: String,
        /// The `iface` of `acme:tool/iface`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        projection: Option<String>,
        /// Which versions will do; `*` for any.
        range: String,
    },
    /// `locked-dep=<…>`
    Locked {
        /// As in `acme:tool`.
        package: String,
        /// The `iface` of `acme:tool/iface`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        projection: Option<String>,
        /// The version.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<Version>,
        /// The digest of the content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        integrity: Option<String>,
    },
    /// `url=<…>`
    Url {
        /// What stands between the brackets.
        url: String,
        /// The digest of the content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        integrity: Option<String>,
    },
    /// `integrity=<…>`
    Integrity {
        /// The digest of the content.
        integrity: String,
    },
    /// A name that says that it is a dependency, and cannot be read as one.
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
}

impl Inspection {
    /// Which WASI the file is made for, judged by what it imports and exports; none if it mentions
    /// none.
    pub fn wasi(&self) -> Option<Wasi> {
        let mut packages: BTreeMap<String, Vec<Version>> = BTreeMap::new();
        let mut release = None;
        for import in &self.imports {
            release = match import.module.as_deref() {
                Some("wasi_snapshot_preview1") => Some(WasiRelease::Preview1),
                Some("wasi_unstable") => release.or(Some(WasiRelease::Preview0)),
                _ => release,
            };
        }
        for each in self.imports.iter().chain(&self.exports) {
            let name = each.module.as_ref().or(each.implements.as_ref()).unwrap_or(&each.name);
            let Ok(ImportName::Interface(name)) = name.parse() else { continue };
            if name.package.namespace().as_str() != "wasi" {
                continue;
            }
            let versions = packages.entry(name.package.as_str().to_owned()).or_default();
            versions.extend(name.version);
        }
        for versions in packages.values_mut() {
            versions.sort();
            versions.dedup();
        }
        let together = RELEASED_TOGETHER.iter().filter_map(|name| packages.get(*name)?.last());
        let highest = together.max().cloned().map(WasiRelease::Version);
        let found = highest.is_some() || release.is_some() || !packages.is_empty();
        let packages = packages.into_iter().map(|(name, versions)| WasiPackage { name, versions });
        found.then(|| Wasi { release: release.or(highest), packages: packages.collect() })
    }

    /// The imports that are answered by certain content, in the file's order.
    pub fn dependencies(&self) -> Vec<Dependency> {
        let component = self.imports.iter().filter(|import| import.module.is_none());
        component.filter_map(dependency).collect()
    }
}

fn dependency(import: &Extern) -> Option<Dependency> {
    let text = |integrity: Option<crate::Integrity>| integrity.map(|each| each.to_string());
    let form = match import.name.parse() {
        Ok(ImportName::Interface(_) | ImportName::Plain(_)) => return None,
        Ok(ImportName::Unlocked { package, projection, range }) => {
            let (package, range) = (package.as_str().to_owned(), range.to_string());
            DependencyForm::Unlocked { package, projection, range }
        }
        Ok(ImportName::Locked { package, projection, version, integrity }) => {
            let (package, integrity) = (package.as_str().to_owned(), text(integrity));
            DependencyForm::Locked { package, projection, version, integrity }
        }
        Ok(ImportName::Url { url, integrity }) => {
            DependencyForm::Url { url, integrity: text(integrity) }
        }
        Ok(ImportName::Integrity(integrity)) => {
            DependencyForm::Integrity { integrity: integrity.to_string() }
        }
        Err(error) => DependencyForm::Unreadable { reason: error.to_string() },
    };
    Some(Dependency { import: import.name.clone(), kind: import.kind, form })
}
