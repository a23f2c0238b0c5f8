//! The program where it is rough: crowds of processes, killed ones, bad lines, and a registry that lies.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "tests")]

mod crowd;
mod demo;
mod downloads;
mod files;
#[path = "../cli/mask.rs"]
mod mask;
mod pages;
#[path = "../cli/program.rs"]
#[expect(dead_code, reason = "other tests use the rest")]
mod program;
mod server;
mod uploads;
