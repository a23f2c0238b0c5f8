//! The program as a person meets it: options, messages, keys, and the operator's commands.

#![expect(clippy::panic, clippy::unwrap_used, reason = "tests")]

#[cfg(unix)]
mod doctor;
mod exchange;
mod formats;
mod hostile;
mod listener;
mod metrics;
mod operator;
mod options;
mod pausing;
mod program;
mod publishing;
mod requests;
#[cfg(unix)]
mod restart;
#[cfg(unix)]
mod tls;
mod traces;
