//! Fixtures for the tests of this workspace.

pub mod conformance;
pub mod faults;
pub mod fuzz;
pub mod memory_store;
pub mod registry;
pub mod vectors;
pub mod world;
