//! What can be wrong with pages that a store hands back.

use super::path::PageId;

/// The pages do not make a map: the store, or the memory it is kept in, is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapError {
    /// The store answered with another number of pages than were asked for.
    #[error("asked for {wanted} pages of the map, got {got}")]
    Count {
        /// Pages asked for.
        wanted: usize,
        /// Pages returned.
        got: usize,
    },
    /// A page is not the one that the page above it, or the head, names by its hash.
    #[error("the map's page {0:?} is another one than the map has there")]
    OtherPage(PageId),
    /// A page cannot stand where it was found.
    #[error("the map's page {0:?} does not belong where it is")]
    Misplaced(PageId),
    /// The operation needs pages that have not been supplied yet.
    #[error("the map's pages have not all been supplied")]
    Incomplete,
    /// An update must have a greater version than the state it starts from.
    #[error("the update's version is not greater than the version it starts from")]
    Version,
}

/// Why an operation over a [`PageReader`](super::PageReader) failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MapReadError<E> {
    /// The reader failed.
    #[error("the map's pages cannot be read")]
    Reader(#[source] E),
    /// The reader answered with pages that do not make a map.
    #[error(transparent)]
    Map(#[from] MapError),
}
