//! `wasi:cli/environment`.

use crate::memory::{allocate, put_u8};
use crate::tree::Head;

/// `get-environment: func() -> list<tuple<string, string>>`
#[unsafe(export_name = "get-environment")]
extern "C" fn environment() -> u32 {
    // It is there as it is to be read.
    Head::Environment.address()
}

/// `get-arguments: func() -> list<string>`
#[unsafe(export_name = "get-arguments")]
extern "C" fn arguments() -> u32 {
    Head::Arguments.address()
}

/// `initial-cwd: func() -> option<string>`
#[unsafe(export_name = "initial-cwd")]
extern "C" fn folder() -> u32 {
    let none = allocate(12, 4);
    put_u8(none, 0);
    none
}
