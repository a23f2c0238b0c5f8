//! What the benchmarks measure, and how a row comes about.
//!
//! A row is something of ours beside its limit: the raw work that it cannot do without, measured in
//! the same run, or a figure. `cargo xtask bench` runs the rows and prints them as a table.
//!
//! Whole processes are measured from outside: [`hammer`] publishes and asks, [`compare`] puts our server
//! beside others, [`scale`] a large registry beside a small one, [`client`] our client beside the
//! reference implementation's.

pub mod client;
pub mod compare;
pub mod comparison;
pub mod composing;
pub mod graph;
pub mod hammer;
pub mod keys;
pub mod maps;
pub mod packages;
pub mod peers;
pub mod process;
pub mod row;
pub mod scale;
pub mod tiles;
