//! The program, with real components: `testdata/runner` says how they were made.

#![expect(clippy::unwrap_used, reason = "tests")]

mod commands;
mod program;
mod refused;
#[cfg(unix)]
mod served;
