//! An index in memory.

#![expect(clippy::unwrap_used, reason = "for tests only: a lock is poisoned by a failed test")]

use std::sync::Mutex;

use wargate_protocol::PackageName;
use wargate_registry::index::{Dependent, Index, IndexStep, Through};
use wargate_registry::store::StoreResult;

/// An [`Index`] in memory.
#[derive(Debug)]
pub struct MemoryIndex(Mutex<Rows>);

#[derive(Debug)]
struct Rows {
    through: Through,
    dependents: Vec<(PackageName, Dependent)>,
}

impl Default for MemoryIndex {
    fn default() -> Self {
        Self(Mutex::new(Rows { through: Through::START, dependents: Vec::new() }))
    }
}

impl Index for MemoryIndex {
    fn through(&self) -> StoreResult<Through> {
        Ok(self.0.lock().unwrap().through)
    }

    fn apply(&self, step: &IndexStep) -> StoreResult<()> {
        let mut rows = self.0.lock().unwrap();
        rows.dependents.extend(step.dependents.iter().cloned());
        rows.through = step.through;
        Ok(())
    }

    fn clear(&self) -> StoreResult<()> {
        *self.0.lock().unwrap() = Rows { through: Through::START, dependents: Vec::new() };
        Ok(())
    }

    fn dependents(
        &self,
        package: &PackageName,
        after: u64,
        limit: usize,
    ) -> StoreResult<Vec<(u64, Dependent)>> {
        let rows = self.0.lock().unwrap();
        let places = rows.dependents.iter().zip(1..);
        let found = places.filter(|((target, _), place)| target == package && *place > after);
        Ok(found.map(|((_, row), place)| (place, row.clone())).take(limit).collect())
    }
}
