//! Runs `wargate_testkit::fuzz::plug`.
#![no_main]

libfuzzer_sys::fuzz_target!(
    // A panic that is caught is none; libFuzzer still sees the others.
    init: std::panic::set_hook(Box::new(|_| {})),
    |data: &[u8]| wargate_testkit::fuzz::plug(data)
);
