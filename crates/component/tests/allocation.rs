//! How much memory an inspection takes at most, beside its file: ARCHITECTURE.md, invariant 9.
//!
//! One test, since the counting allocator counts the whole process.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::hint::black_box;

use peak_alloc::PeakAlloc;
use wargate_component::diff::diff;
use wargate_component::wit::wit;
use wargate_component::{Limits, inspect};
use wargate_testkit::vectors::testdata;

#[global_allocator]
static PEAK: PeakAlloc = PeakAlloc;

/// What an inspection takes beyond its file, whatever its size, in bytes.
const SLACK_BYTES: usize = 64 << 10;

/// What the text of a real file's interfaces takes, and all that it is made of, in bytes.
const TEXT_BYTES_MAX: usize = 16 << 20;

/// What the items of [`limits::ITEMS_MAX`](wargate_component::limits::ITEMS_MAX) take, in bytes.
const ITEMS_BYTES_MAX: usize = 640 << 20;

/// Peak memory of an inspection beyond what was there.
fn taken(bytes: &[u8]) -> usize {
    taken_by(|| drop(black_box(inspect(bytes, &Limits::default()))))
}

fn taken_by(run: impl FnOnce()) -> usize {
    PEAK.reset_peak_usage();
    let before = PEAK.current_usage();
    run();
    PEAK.peak_usage() - before
}

fn check(what: &str, bytes: &[u8], multiple_max: usize) {
    let taken = taken(bytes);
    let allowed = bytes.len() * multiple_max + SLACK_BYTES;
    assert!(taken <= allowed, "{what}: {taken} bytes for {} of input", bytes.len());
}

/// A section of a component or a module with many equal items.
fn many(header: &[u8], id: u8, item: &[u8], count: u32) -> Vec<u8> {
    let leb = |number: usize| -> [u8; 4] {
        [0, 7, 14, 21].map(|bits| {
            let more = if bits < 21 { 0x80 } else { 0 };
            u8::try_from(number >> bits & 0x7f).unwrap() | more
        })
    };
    let body = [&leb(count as usize)[..], &item.repeat(count as usize)].concat();
    [header, &[id], &leb(body.len()), &body].concat()
}

#[test]
fn no_file_takes_more_than_its_multiple() {
    for name in ["greeter-rust.wasm", "tower-rust.wasm", "greeter-c-wasip2.wasm"] {
        check(name, &fs::read(testdata().join("components").join(name)).unwrap(), 20);
    }
    let (component, module) = (b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0");
    check("function types", &many(module, 1, &[0x60, 0, 0], 500_000), 20);
    check("ending early", &many(component, 7, &[0x42, 1, 1], 350_000), 20);

    // The text of an interface, and what it is read into, have a limit of their own.
    for name in ["greeter-rust.wasm", "greeter-c-wasip2.wasm", "foreign/wkg-wasi-http-wit.wasm"] {
        let bytes = fs::read(testdata().join("components").join(name)).unwrap();
        let taken = taken_by(|| drop(black_box(wit(&bytes, &Limits::default()))));
        assert!(taken < TEXT_BYTES_MAX, "{name}: {taken} bytes");
        let taken = taken_by(|| drop(black_box(diff(&bytes, &bytes, &Limits::default()))));
        assert!(taken < TEXT_BYTES_MAX, "{name}: {taken} bytes");
    }

    // What a byte or two declare or copy is beyond any multiple of the file, but has a limit.
    for (id, item) in [(7, &[0x7f][..]), (7, &[0x41, 0]), (7, &[0x42, 0]), (5, &[1, 0])] {
        limited(&format!("section {id} of {item:?}"), &many(component, id, item, 1_000_000));
    }
    limited("imports", &many(module, 2, &[0, 0, 3, 0x7f, 0], 1_000_000));
    let exports: Vec<_> = (0..10_000).map(|n| format!("(export \"f{n}\" (type $r2))")).collect();
    let bomb = format!(
        "(component (component $c (type $r (resource (rep i32))) (export $r2 \"r\" (type $r)) {}) {})",
        exports.concat(),
        "(instance (instantiate $c))".repeat(900)
    );
    limited("instances", &wat::parse_str(bomb).unwrap());
}

fn limited(what: &str, bytes: &[u8]) {
    let taken = taken(bytes);
    assert!(taken < ITEMS_BYTES_MAX, "{what}: {taken} bytes for {} of input", bytes.len());
}
