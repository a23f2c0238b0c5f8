//! Registries in memory, and clients that see only what they asked for.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use wargate_component::solve::{Answer, Release, Snapshot};
use wargate_crypto::Digest;
use wargate_protocol::PackageName;

/// All releases of a registry.
pub(crate) type Registry = BTreeMap<PackageName, Vec<Release>>;

/// The digest of a release's content.
pub(crate) fn digest(package: &str, version: &str) -> Digest {
    Digest::of(format!("{package} {version}").as_bytes())
}

/// All of the registry.
pub(crate) fn snapshot(registry: &Registry) -> Snapshot {
    let mut snapshot = Snapshot::default();
    for (package, releases) in registry {
        snapshot.insert(package.clone(), releases.clone()).unwrap();
    }
    snapshot
}

/// Asks with ever more of the registry, beginning with what is known, until there is an answer, and says
/// how often it asked.
pub(crate) fn in_rounds(
    registry: &Registry,
    mut known: Snapshot,
    ask: impl Fn(&Snapshot) -> Answer,
) -> (Answer, usize) {
    for round in 1.. {
        match ask(&known) {
            Answer::Missing(packages) => {
                assert!(!packages.is_empty());
                for package in packages {
                    assert!(known.releases(&package).is_none(), "{package} is known");
                    let releases = registry.get(&package).cloned().unwrap_or_default();
                    known.insert(package, releases).unwrap();
                }
            }
            answer => return (answer, round),
        }
    }
    unreachable!("it ends with an answer")
}
