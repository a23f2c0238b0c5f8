//! Runs `wargate_testkit::fuzz::state_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::state_json(data));
