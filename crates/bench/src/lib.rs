//! What the benchmarks measure, and how a row comes about.
//!
//! A row is something of ours beside its limit: the raw work that it cannot do without, measured in
//! the same run, or a figure. `cargo xtask bench` runs the rows and prints them as a table.

pub mod keys;
pub mod maps;
pub mod packages;
pub mod row;
pub mod tiles;
