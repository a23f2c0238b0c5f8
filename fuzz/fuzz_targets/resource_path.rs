//! Runs `wargate_testkit::fuzz::resource_path`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::resource_path(data));
