//! What the bytes of a WebAssembly file say about themselves.
//!
//! [`inspect()`] turns untrusted bytes into an [`Inspection`]: whether they are a component, a core
//! module or a WIT package, what they are called, what they import and export, and the texts that
//! their tools left in them. [`names`] reads the names of imports, some of which are dependencies on
//! packages of a registry; [`solve`] finds the releases that answer them.
//!
//! Everything here is computation over bytes: no clock, no randomness, no files, no network. Nothing
//! is ever run or instantiated.

pub mod inspect;
pub mod limits;
pub mod names;
pub mod solve;

pub use inspect::{
    EmbeddedPackage, Extern, ExternKind, InspectError, Inspection, Kind, Limits, Metadata,
    Producer, inspect,
};
pub use names::{ImportName, ImportNameError, Integrity, InterfaceName, PackageRange};
