//! What the benchmarks measure, and how a row comes about.
//!
//! A row is something of ours beside its limit: the raw work that it cannot do without, measured in
//! the same run, or a figure. `cargo xtask bench` runs the rows and prints them as a table.
//!
//! What a whole server does under load is measured from outside: [`hammer`] publishes, [`scale`] compares
//! a small registry with a large one.

pub mod hammer;
pub mod keys;
pub mod maps;
pub mod packages;
pub mod process;
pub mod row;
pub mod scale;
pub mod tiles;
