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
//! - **Once**: what content imports is kept once, however many releases have it.
//! - An index validates nothing.

use std::fmt;
use std::str::FromStr;

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

/// A release whose content depends on packages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedRelease {
    /// The package.
    pub package: PackageName,
    /// The version.
    pub version: Version,
    /// The digest of the content, which is in the index before or comes with the same step.
    pub digest: Digest,
}

/// A name of an import of content, and the package that it depends on.
pub type IndexedImport = (PackageName, String);

/// What some records add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexStep {
    /// How far the index is with it.
    pub through: Through,
    /// Content with its imports that are dependencies, in the file's order. Content that is in the index
    /// already adds nothing.
    pub contents: Vec<(Digest, Vec<IndexedImport>)>,
    /// Releases, in the order of the log.
    pub releases: Vec<IndexedRelease>,
}

/// A place in the list of what depends on a package: an import, and a release that has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The import, counted over the contents of the index.
    pub import: u64,
    /// The release, counted likewise.
    pub release: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.import, self.release)
    }
}

/// A text is no place in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a place in a list is two numbers with a point between them")]
pub struct PlaceError;

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (import, release) = text.split_once('.').ok_or(PlaceError)?;
        let number = |text: &str| text.parse().map_err(|_| PlaceError);
        Ok(Self { import: number(import)?, release: number(release)? })
    }
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

    /// Whether the imports of content are in it.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn has_content(&self, digest: &Digest) -> StoreResult<bool>;

    /// Releases that depend on a package, behind a place of this list, at most `limit`, each with its
    /// own place. Places ascend, and are the same in an index that was made again. The default one is
    /// before the first.
    ///
    /// # Errors
    /// [`StoreError`](crate::store::StoreError)
    fn dependents(
        &self,
        package: &PackageName,
        after: Place,
        limit: usize,
    ) -> StoreResult<Vec<(Place, Dependent)>>;
}
