//! What the bytes of a WebAssembly file say about themselves.
//!
//! [`inspect()`] turns untrusted bytes into an [`Inspection`]: whether they are a component, a core
//! module or a WIT package, what they are called, what they import and export, and the texts that
//! their tools left in them. [`names`] reads the names of imports, some of which are dependencies on
//! packages of a registry; [`solve`] finds the releases that answer them, [`lock`] (feature `lock`) is
//! the file that says so, and [`link`] puts them together.
//!
//! [`diff`] says what changed between two releases, and whether the later one can take the place of the
//! earlier one. With the feature `wit`, the module of that name says the interfaces of a file as WIT
//! text, and [`wasi`] has those of WASI. With the feature `compose`, WAC documents become components,
//! plugs are put in sockets, core modules become components, and components are compared with worlds.
//! What came of it says what it was made from: [`provenance`].
//!
//! Everything here is computation over bytes: no clock, no randomness, no files, no network. Nothing
//! is ever run or instantiated.

#[cfg(feature = "compose")]
pub mod adapt;
#[cfg(feature = "compose")]
pub mod compose;
pub mod diff;
pub mod inspect;
pub mod limits;
pub mod link;
#[cfg(feature = "lock")]
pub mod lock;
pub mod names;
pub mod picture;
pub mod provenance;
mod shape;
pub mod solve;
#[cfg(feature = "compose")]
pub mod targets;
pub mod virtualize;
#[cfg(feature = "wit")]
pub mod wasi;
#[cfg(feature = "wit")]
pub mod wit;

pub use inspect::{
    EmbeddedPackage, Extern, ExternKind, InspectError, Inspection, Kind, Limits, Metadata,
    Producer, glance, inspect, skim,
};
pub use names::{ImportName, ImportNameError, Integrity, InterfaceName, PackageRange};
