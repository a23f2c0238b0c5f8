//! The memory: what is read and written where, and what is free.
//!
//! Behind the sealed things, everything is taken from the end of the memory. There is one thread, and
//! no function is entered before the one before it has ended, so that what a call needs is free when
//! the call is [done](crate::done).

use core::arch::wasm32::{memory_grow, unreachable};
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};

const PAGE: u32 = 1 << 16;

/// Where the piece for calls begins, where it is free from, and where it ends.
static START: AtomicU32 = AtomicU32::new(0);
static FREE: AtomicU32 = AtomicU32::new(0);
static END: AtomicU32 = AtomicU32::new(0);

/// Takes memory that is free when the call is done. `align` is a power of two.
pub(crate) fn allocate(len: u32, align: u32) -> u32 {
    let fits = |from: u32, end: u32| {
        let from = from.checked_next_multiple_of(align)?;
        let to = from.checked_add(len)?;
        (to <= end).then_some((from, to))
    };
    let (from, to) = fits(FREE.load(Relaxed), END.load(Relaxed)).unwrap_or_else(|| {
        // At least as much as before once more, so that all pieces together are not twice the last.
        let least = END.load(Relaxed) - START.load(Relaxed);
        let (start, end) = grow((len / PAGE + 1).max(least / PAGE));
        if start != END.load(Relaxed) {
            START.store(start, Relaxed);
            FREE.store(start, Relaxed);
        }
        END.store(end, Relaxed);
        fits(FREE.load(Relaxed), end).unwrap_or_else(|| unreachable())
    });
    FREE.store(to, Relaxed);
    from
}

/// Frees all that was allocated.
pub(crate) fn free_all() {
    FREE.store(START.load(Relaxed), Relaxed);
}

/// The first of the cells that are free, each of which has the address of the next; 0 is none.
static CELL: AtomicU32 = AtomicU32::new(0);

/// A node of the tree and a place in it, which outlive the call. Its address is a multiple of 16.
#[derive(Clone, Copy)]
pub(crate) struct Cell(pub(crate) u32);

impl Cell {
    pub(crate) fn new(node: u32, place: u64) -> Self {
        if CELL.load(Relaxed) == 0 {
            let (start, end) = grow(1);
            for cell in (start..end).step_by(16) {
                Self(cell).free();
            }
        }
        let cell = CELL.load(Relaxed);
        CELL.store(u32_at(cell), Relaxed);
        put_u32(cell, node);
        put_u64(cell + 8, place);
        Self(cell)
    }

    pub(crate) fn node(self) -> u32 {
        u32_at(self.0)
    }

    pub(crate) fn place(self) -> u64 {
        u64_at(self.0 + 8)
    }

    pub(crate) fn go_to(self, place: u64) {
        put_u64(self.0 + 8, place);
    }

    pub(crate) fn free(self) {
        put_u32(self.0, CELL.load(Relaxed));
        CELL.store(self.0, Relaxed);
    }
}

/// Adds pages. Says where they begin and end.
fn grow(pages: u32) -> (u32, u32) {
    let bytes = |pages: u32| pages.checked_mul(PAGE);
    let start = u32::try_from(memory_grow::<0>(pages as usize)).ok().and_then(bytes);
    let end = start.and_then(|start| start.checked_add(bytes(pages)?));
    // Without more memory this traps, as every allocator of a component.
    start.zip(end).unwrap_or_else(|| unreachable())
}

// Every address that is given to what follows is one of the sealed things, which nobody writes to, was
// allocated here, or was passed by the canonical ABI, which wrote what is there.

pub(crate) fn u8_at(address: u32) -> u8 {
    // SAFETY: see above; Wasm traps beyond its memory.
    unsafe { (address as *const u8).read() }
}

pub(crate) fn u32_at(address: u32) -> u32 {
    // SAFETY: as in `u8_at`.
    unsafe { (address as *const u32).read_unaligned() }
}

pub(crate) fn u64_at(address: u32) -> u64 {
    // SAFETY: as in `u8_at`.
    unsafe { (address as *const u64).read_unaligned() }
}

/// The bytes that are at an address while the call goes on.
pub(crate) fn bytes_at<'a>(address: u32, len: u32) -> &'a [u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: as in `u8_at`; nothing is written where something is that a call still needs.
    unsafe { core::slice::from_raw_parts(address as *const u8, len as usize) }
}

pub(crate) fn put_u8(address: u32, value: u8) {
    // SAFETY: as in `u8_at`.
    unsafe { (address as *mut u8).write(value) }
}

pub(crate) fn put_u32(address: u32, value: u32) {
    // SAFETY: as in `u8_at`.
    unsafe { (address as *mut u32).write_unaligned(value) }
}

pub(crate) fn put_u64(address: u32, value: u64) {
    // SAFETY: as in `u8_at`.
    unsafe { (address as *mut u64).write_unaligned(value) }
}

pub(crate) fn copy(from: u32, to: u32, len: u32) {
    // SAFETY: as in `u8_at`.
    unsafe { core::ptr::copy(from as *const u8, to as *mut u8, len as usize) }
}
