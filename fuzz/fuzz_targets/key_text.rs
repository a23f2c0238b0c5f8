//! Runs `wargate_testkit::fuzz::key_text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::key_text(data));
