//! The program as a person meets it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod alone;
mod auditing;
mod documentation;
mod help;
mod program;
mod secrets;
mod with_registry;
