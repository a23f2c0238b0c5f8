//! The suite that every store passes: the reference in memory first, then SQLite.

use std::sync::Arc;

use wargate_registry::store::Store;
use wargate_store_sqlite::SqliteStore;
use wargate_testkit::conformance::Fixture;
use wargate_testkit::memory_store::MemoryStore;

use crate::folder::Folder;

/// The reference; it is gone when it is closed.
struct Memory(Arc<MemoryStore>);

impl Fixture for Memory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.0) as Arc<dyn Store>
    }

    fn reopen(&mut self) -> bool {
        false
    }
}

/// A database in a folder of its own.
struct Sqlite {
    store: Option<Arc<SqliteStore>>,
    folder: Folder,
}

impl Sqlite {
    fn new() -> Self {
        let folder = Folder::new();
        let store = Some(Arc::new(SqliteStore::open(&folder.path("registry.db")).unwrap()));
        Self { store, folder }
    }
}

impl Fixture for Sqlite {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(self.store.as_ref().unwrap()) as Arc<dyn Store>
    }

    fn reopen(&mut self) -> bool {
        let old = self.store.take().unwrap();
        assert_eq!(Arc::strong_count(&old), 1, "somebody still uses the store");
        drop(old);
        let store = SqliteStore::open(&self.folder.path("registry.db")).unwrap();
        self.store = Some(Arc::new(store));
        true
    }
}

mod memory {
    use super::*;

    wargate_testkit::conformance!(|| Memory(Arc::new(MemoryStore::new())));
}

mod sqlite {
    use super::*;

    wargate_testkit::conformance!(Sqlite::new);
}
