//! The seam to an index: what can be found by more than the name of a package.
//!
//! An index follows the log ([`follow`](crate::follow)). Nothing in it is the registry's own: what is
//! lost, or does not fit the log, is made again from the log and the content, so an index need neither
//! be durable nor be part of a snapshot.
//!
//! # Contract
//!
//! - **Atomic**: [`Index::apply`] happens whole or not at all, [`Index::through`] included.
//! - **One writer**: one [`follow::step`](crate::follow::step) at a time.
//! - **Order**: lists are in the order in which their rows were applied, which is the log's.
//! - An index validates nothing.

use wargate_crypto::Digest;
use wargate_protocol::{LogLength, PackageName, RecordId, Version};

use crate::store::StoreResult;

/// How far an index has followed the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through {
    /// Records below this length are in it.
    pub length: LogLength,
    /// The last of them, by which another history is noticed; `None` for none.
    pub last: Option<RecordId>,
}

impl Through {
    /// The beginning of the log.
    pub const START: Self = Self { length: LogLength::new(0), last: None };
}

/// A release that depends on a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependent {
    /// The package of the release.
    pub package: PackageName,
    /// Its version.
    pub version: Version,
    /// The digest of its content.
    pub digest: Digest,
    /// The name of the import that is the dependency, as it stands in the content.
    pub import: String,
}

/// What some records add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStep {
    /// How far the index is with it.
    pub through: Through,
    /// Releases, each with the package that it depends on.
    pub dependents: Vec<(PackageName, Dependent)>,
}

/// An index.
pub trait Index: Send + Sync {
    /// How far it is.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn through(&self) -> StoreResult<Through>;

    /// Adds what some records add.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn apply(&self, step: &IndexStep) -> StoreResult<()>;

    /// Forgets everything: another history begins.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn clear(&self) -> StoreResult<()>;

    /// Releases that depend on a package, behind a place of this list, at most `limit`, each with its
    /// own place. Places ascend, and are the same in an index that was made again. 0 begins with the
    /// first.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn dependents(
        &self,
        package: &PackageName,
        after: u64,
        limit: usize,
    ) -> StoreResult<Vec<(u64, Dependent)>>;
}
