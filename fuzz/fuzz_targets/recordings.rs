//! libFuzzer's door to the target of this name in `betring_fuzz::targets`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| betring_fuzz::targets::recordings(data));
