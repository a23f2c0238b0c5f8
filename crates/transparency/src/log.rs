//! The Merkle log of RFC 6962 (SHA-256), kept as C2SP tiles.
//!
//! The log is append-only, and nothing here ever holds it whole. What a caller stores is [`Tile`]s,
//! runs of 256 hashes that never change once they are full; what it holds in memory is the
//! [`Edge`], the few tiles at the right end that are not full yet. Everything else is read from
//! tiles:
//!
//! - [`Edge::append`] takes leaf hashes and hands back the tiles to store, the new edge and the
//!   root,
//!   as values: the caller commits them in a transaction of its own, or drops them.
//! - [`RootPlan`] and [`ProofPlan`] say which tiles are needed for the root and the proofs of any
//!   length that the log has had, and finish the work when the tiles are there. They read nothing
//!   themselves, so any store can drive them; for a synchronous one there is [`TileReader`].
//! - [`LogProofBundle`] is the form in which proofs travel (specification 7.5), and its verifier.
//!
//! # Numbers
//!
//! Entries are counted from 0 ([`LeafIndex`]), lengths count entries ([`LogLength`]), and nodes are
//! numbered in order ([`NodeId`], specification 7.2). A log has at most 2^63 entries, so that every
//! node has a number; a bundle has 32-bit numbers and ends at 2^31 entries.

mod bundle;
mod edge;
mod entries;
mod hash;
mod node;
mod path;
mod plan;
mod position;
mod reader;
mod resource;
mod tile;
mod verify;

pub use bundle::{BundleDecodeError, BundleEncodeError, LogProofBundle};
pub use edge::{Appended, Edge, EdgeError, LogFull, StoredTile};
pub use entries::{EntryBundle, EntryBundleError};
pub(crate) use hash::{BRANCH_BYTES, branch_preimage};
pub use hash::{LeafHash, branch_hash, empty_root};
pub use node::{BalancedRoots, NodeId, Side};
pub use plan::{ProofError, ProofPlan, ProofRequestError, RootPlan, TilesError};
pub use position::{LeafIndex, LogLength, OutOfRange};
pub use reader::{ReadError, TileReader};
pub use resource::{EntriesRef, ResourcePathError, TileId, TileRef, TileWidth};
pub use tile::{Tile, TileError};
pub use verify::{Claim, Claims, VerifyError};
