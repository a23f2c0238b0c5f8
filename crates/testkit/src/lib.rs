//! Fixtures for the tests of this workspace.

pub mod conformance;
pub mod faults;
pub mod fuzz;
#[cfg(feature = "hostile")]
pub mod hostile;
pub mod memory_index;
pub mod memory_store;
#[cfg(feature = "proxy")]
pub mod proxy;
pub mod registry;
#[cfg(feature = "s3")]
pub mod s3;
pub mod vectors;
pub mod world;
