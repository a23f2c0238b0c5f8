//! Runs `wargate_testkit::fuzz::log_bundle`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::log_bundle(data));
