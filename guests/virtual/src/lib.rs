//! Environment and files that are sealed in a component.
//!
//! This is a core module. `wargate_component::virtualize` puts it into a component, gives it a memory
//! in which the sealed things are, and lifts what it exports as functions of WASI 0.2; which of them,
//! and with which types, is said there. The functions here have the signatures that the canonical ABI
//! has for those. A result with more than one number is written where nothing else is, and the
//! address given back; [`done`] is called when it was read.
//!
//! A `descriptor` is the number of a node of the [tree]. An `input-stream` is a [cell](memory::Cell)
//! with a place in a file, which has an even address, or the host's: its handle, doubled, plus one.

#![no_std]

mod environment;
mod files;
mod host;
mod memory;
mod paths;
mod streams;
mod tree;

/// Called when the caller has read the result of a function.
#[unsafe(export_name = "done")]
extern "C" fn done(_: u32) {
    memory::free_all();
}

/// Memory for what the host or the component passes.
#[unsafe(export_name = "realloc")]
extern "C" fn realloc(old: u32, old_len: u32, align: u32, len: u32) -> u32 {
    let new = memory::allocate(len, align);
    if old_len > 0 {
        memory::copy(old, new, old_len.min(len));
    }
    new
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
