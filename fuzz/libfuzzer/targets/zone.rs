//! Any octets as `zone`, see `nearpath_fuzz::zone`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::zone(data));
