//! The client of Warg registries: resolve, fetch and verify, remember, cache, publish.
//!
//! A [`Client`] is made of [`Parts`], the seams to its surroundings ([`seams`]; [`native`] has them for
//! this machine), and [`Settings`]. It prints nothing, asks nobody and looks up no directory: it tells an
//! [`Observer`](seams::Observer) what happens, and ends with a [`Question`](question::Question)
//! where somebody has to decide.
//!
//! **Invariant**: nothing that a registry says is believed before
//! [`wargate_protocol::verify`] has proven it, and a call that fails leaves trust state and cache
//! what they were, apart from evidence and from content that is exactly what its digest says.

mod client;
pub mod config;
mod content;
pub mod credentials;
pub mod error;
pub mod evidence;
#[cfg(test)]
mod fixture;
pub mod limits;
mod locked;
pub mod memory;
pub mod monitor;
#[cfg(feature = "native")]
pub mod native;
pub mod origin;
mod package;
mod publish;
pub mod question;
mod registry;
mod remote;
pub mod resolve;
pub mod seams;
mod settings;
mod similar;
mod sync;
mod text;
mod trust;
pub mod verify;

pub use self::client::{Client, Fetched, Parts, Selector, Updated, Wanted};
pub use self::error::{Error, Kind};
pub use self::package::{HistoryRecord, Package};
pub use self::publish::{
    Change, Collected, Contents, Kept, MemoryContents, Plan, Publication, Published,
};
pub use self::registry::Registry;
pub use self::settings::{Choice, Settings};
pub use self::trust::Pin;
