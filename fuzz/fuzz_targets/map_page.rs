//! Runs `wargate_testkit::fuzz::map_page`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::map_page(data));
