//! The router in process, over a real engine in memory.
//!
//! `probes` and `session` replay what was recorded of the reference programs; `quirks` are the points
//! in which a better server differs; the rest is one module for each part of the front.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod compare;
mod content;
mod dependencies;
mod deviations;
mod document;
mod guards;
mod hostile;
mod probes;
mod publishing;
mod quirks;
mod reading;
mod resuming;
mod session;
mod throttling;
mod transcript;
mod world;
