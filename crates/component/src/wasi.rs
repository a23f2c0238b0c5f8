//! The WASI releases whose interfaces are known here: their WIT, as text and as packages.

use wargate_protocol::{PackageName, Version};
use wit_parser::{PackageId, Resolve};

/// A release of WASI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    /// Its version, as in `0.2.12`.
    pub version: &'static str,
    /// The packages, as name and WIT, each behind those that it needs.
    texts: &'static [(&'static str, &'static str)],
}

macro_rules! release {
    ($version:literal: $($name:literal)*) => {
        Release {
            version: $version,
            texts: &[$((
                concat!("wasi:", $name),
                include_str!(concat!("../wasi/", $version, "/", $name, ".wit")),
            )),*],
        }
    };
}

/// The newest release of WASI 0.2.
pub const PREVIEW2: Release =
    release!("0.2.12": "io" "clocks" "random" "filesystem" "sockets" "cli" "http");

/// The first release of WASI 0.3.
pub const PREVIEW3: Release =
    release!("0.3.0": "clocks" "random" "filesystem" "sockets" "cli" "http");

/// A package of WASI in its binary form, as registries have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WitPackage {
    /// As in `wasi:http`.
    pub name: PackageName,
    /// As in `0.2.12`.
    pub version: Version,
    /// A WIT package as Wasm.
    pub bytes: Vec<u8>,
}

impl Release {
    /// Its packages, each behind those that it needs.
    ///
    /// # Errors
    /// None, unless the texts in this program are not what they were.
    pub fn packages(&self) -> Result<Vec<WitPackage>, anyhow::Error> {
        let mut resolve = Resolve::default();
        let mut packages = Vec::new();
        for (id, name) in self.add_to(&mut resolve)?.into_iter().zip(self.texts) {
            packages.push(WitPackage {
                name: name.0.parse()?,
                version: self.version.parse()?,
                bytes: wit_component_258::encode(&resolve, id)?,
            });
        }
        Ok(packages)
    }

    /// Adds its packages to others.
    pub(crate) fn add_to(&self, resolve: &mut Resolve) -> Result<Vec<PackageId>, anyhow::Error> {
        let mut ids = Vec::new();
        for (name, text) in self.texts {
            ids.push(resolve.push_str(format!("{name}.wit"), text)?);
        }
        Ok(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::{Kind, Limits, inspect};

    #[test]
    fn packages_of_wasi_are_packages() {
        for release in [PREVIEW2, PREVIEW3] {
            for package in release.packages().unwrap() {
                let found = inspect(&package.bytes, &Limits::default()).unwrap();
                assert_eq!(found.kind, Kind::WitPackage, "{}", package.name);
                let said = found.package.unwrap();
                assert_eq!(said.name, package.name.to_string());
                assert_eq!(said.version, Some(package.version));
            }
        }
    }
}
