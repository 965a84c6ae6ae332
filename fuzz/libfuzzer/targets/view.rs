//! Any octets as `view`, see `nearpath_fuzz::view`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::view(data));
