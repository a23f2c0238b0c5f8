//! The seam to a synchronous store.

use std::sync::Arc;

use super::resource::TileRef;
use super::tile::Tile;

/// Reads stored tiles.
///
/// # Contract
/// - The answer has one tile for each wanted one, in the same order. Wanted tiles are distinct.
/// - A tile may be wider than wanted: a partial tile may be gone when a wider one is there. Hashes
///   beyond the wanted width are not looked at.
/// - A tile that is not there, or is narrower than wanted, is an error of the reader: every wanted
///   tile belongs to a length that the caller has committed.
/// - The reader may answer from a cache. It should share tiles that are in use, so that the nodes
///   in
///   them are computed once ([`Tile`]).
/// - Retries are the reader's business; nothing is asked twice.
///
/// What breaks the contract is reported as an error, never a panic. Wrong hashes of the right
/// number go unnoticed unless a root is given to compare with ([`super::ProofPlan::read_checked`]).
pub trait TileReader {
    /// Why tiles could not be read.
    type Error;

    /// Reads the wanted tiles.
    ///
    /// # Errors
    /// If any of them cannot be read.
    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, Self::Error>;
}

impl<R: TileReader + ?Sized> TileReader for &R {
    type Error = R::Error;

    fn tiles(&self, wanted: &[TileRef]) -> Result<Vec<Arc<Tile>>, R::Error> {
        (**self).tiles(wanted)
    }
}

/// Either the reader failed, or what it handed over does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError<R, L> {
    /// The reader's own error.
    #[error("tiles cannot be read: {0}")]
    Reader(R),
    /// The tiles are not what they should be.
    #[error(transparent)]
    Log(#[from] L),
}
