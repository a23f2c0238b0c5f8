//! The program as a person meets it.

#![expect(clippy::format_push_string, clippy::panic, clippy::unwrap_used, reason = "tests")]

mod alone;
mod auditing;
mod components;
mod composing;
mod documentation;
mod drill;
mod every;
mod help;
#[cfg(all(feature = "os-keyring", target_os = "linux"))]
mod keyring;
mod linking;
mod mask;
mod program;
mod project;
mod resolving;
#[cfg(unix)]
mod running;
mod schema;
mod secrets;
mod virtualizing;
mod with_registry;
