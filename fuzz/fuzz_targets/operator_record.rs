//! Runs `wargate_testkit::fuzz::operator_record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| wargate_testkit::fuzz::operator_record(data));
