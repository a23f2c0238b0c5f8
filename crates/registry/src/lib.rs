//! The engine: what a registry *is*, without HTTP and without a database.
//!
//! A record's way: [`Registry::publish`] examines it without keeping anything; the [`sequencer`], the
//! one writer, admits it, waits for its content ([`content::Upload`]) and makes it history in a commit
//! that holds everything that follows from it; [`read`] answers from what was committed. Whatever is
//! kept goes through the seams in [`store`] and [`blobs`]; time, threads and keys come through
//! [`seams`]; what may be published, [`policy`] says. What
//! can be found by more than a name is in an [`index`], which [`follow`]s the log.
//!
//! The crate knows neither HTTP nor JSON bodies nor a database, holds no tree and no log whole in
//! memory, and builds for `wasm32-wasip2`.

pub mod blobs;
pub mod content;
pub mod error;
pub mod follow;
pub mod fsck;
pub mod index;
mod kept;
pub mod limits;
mod namespaces;
pub mod policy;
pub mod read;
mod recent;
pub mod registry;
pub mod seams;
pub mod sequencer;
pub mod snapshot;
pub mod store;
pub mod throttle;
pub mod usage;
mod view;

pub use error::{OpenError, ReadError, WriteError};
pub use registry::{Driver, Load, Parts, Registry, Submission};
pub use sequencer::{Published, RecordStatus, Tools};
