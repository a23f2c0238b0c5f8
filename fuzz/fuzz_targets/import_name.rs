//! Runs `wargate_testkit::fuzz::import_name`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::import_name(data));
