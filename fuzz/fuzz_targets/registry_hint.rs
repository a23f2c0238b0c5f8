//! Runs `wargate_testkit::fuzz::registry_hint`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::registry_hint(data));
