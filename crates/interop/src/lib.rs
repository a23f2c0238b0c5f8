//! Released, unmodified clients against the server, and what they say to each other; and our client
//! against our server and the reference implementation's.
//!
//! The program `interop` starts a registry for each scenario, with a proxy in front of it that writes
//! down every exchange, and lets `warg`, `wkg`, `wac` and `cargo component` do their work there, each in
//! a home directory of its own. `cargo xtask interop` obtains those programs and runs it. With
//! `--record` what was said is kept as [recordings](recording), which the test `replay` of this crate
//! says again to a registry in memory: without the programs, without a network, on every run of the
//! tests.

mod archives;
mod fixtures;
mod hammer;
mod lab;
mod machine;
mod proxy;
pub mod recording;
mod run;
mod scenarios;
mod server;
mod terminal;

pub use self::run::{play_components, run};
pub use self::scenarios::recorded as recorded_scenarios;
