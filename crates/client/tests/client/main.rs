//! The client against real registries, in one process.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod federation;
mod getting;
mod lab;
mod liar;
mod monitoring;
mod publishing;
mod resolving;
mod updating;
mod verifying;
