//! An index in memory.

#![expect(clippy::unwrap_used, reason = "for tests only: a lock is poisoned by a failed test")]

use std::sync::Mutex;

use wargate_crypto::Digest;
use wargate_protocol::PackageName;
use wargate_registry::index::{
    Dependent, Index, IndexStep, IndexedImport, IndexedRelease, Place, Through,
};
use wargate_registry::store::StoreResult;

/// An [`Index`] in memory.
#[derive(Debug)]
pub struct MemoryIndex(Mutex<Rows>);

#[derive(Debug)]
struct Rows {
    through: Through,
    imports: Vec<(Digest, IndexedImport)>,
    releases: Vec<IndexedRelease>,
}

impl Default for MemoryIndex {
    fn default() -> Self {
        Self(Mutex::new(Rows::new()))
    }
}

impl Rows {
    fn new() -> Self {
        Self { through: Through::START, imports: Vec::new(), releases: Vec::new() }
    }

    fn has(&self, content: &Digest) -> bool {
        self.imports.iter().any(|(digest, _)| digest == content)
    }
}

impl Index for MemoryIndex {
    fn through(&self) -> StoreResult<Through> {
        Ok(self.0.lock().unwrap().through)
    }

    fn apply(&self, step: &IndexStep) -> StoreResult<()> {
        let mut rows = self.0.lock().unwrap();
        for (digest, imports) in &step.contents {
            if !rows.has(digest) {
                rows.imports.extend(imports.iter().map(|import| (*digest, import.clone())));
            }
        }
        rows.releases.extend(step.releases.iter().cloned());
        rows.through = step.through;
        Ok(())
    }

    fn clear(&self) -> StoreResult<()> {
        *self.0.lock().unwrap() = Rows::new();
        Ok(())
    }

    fn has_content(&self, digest: &Digest) -> StoreResult<bool> {
        Ok(self.0.lock().unwrap().has(digest))
    }

    fn dependents(
        &self,
        package: &PackageName,
        after: Place,
        limit: usize,
    ) -> StoreResult<Vec<(Place, Dependent)>> {
        let rows = self.0.lock().unwrap();
        let mut found = Vec::new();
        for ((digest, (target, import)), import_place) in rows.imports.iter().zip(1..) {
            for (release, release_place) in rows.releases.iter().zip(1..) {
                let place = Place { import: import_place, release: release_place };
                if target == package && release.digest == *digest && place > after {
                    let IndexedRelease { package, version, digest } = release.clone();
                    let import = import.clone();
                    found.push((place, Dependent { package, version, digest, import }));
                }
            }
        }
        found.truncate(limit);
        Ok(found)
    }
}
