//! Fixtures for the tests of this workspace.

pub mod vectors;
