//! Runs `wargate_testkit::fuzz::lock`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::lock(data));
