//! Fixtures for the tests of this workspace.

pub mod fuzz;
pub mod registry;
pub mod vectors;
