//! Runs `wargate_testkit::fuzz::operator_machine`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::operator_machine(data));
