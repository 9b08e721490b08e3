//! Feeds [`fuzz::runner_list`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| fuzz::runner_list(bytes));
