//! Fixtures for the tests of this workspace.

pub mod conformance;
pub mod faults;
pub mod fuzz;
#[cfg(feature = "hostile")]
pub mod hostile;
pub mod memory_store;
#[cfg(feature = "proxy")]
pub mod proxy;
pub mod registry;
pub mod vectors;
pub mod world;
