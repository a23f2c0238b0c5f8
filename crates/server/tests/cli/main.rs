//! The program as a person meets it: options, messages, keys, and the operator's commands.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

mod hostile;
mod listener;
mod operator;
mod options;
mod program;
