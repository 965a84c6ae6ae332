//! Any octets as `rewrite`, see `nearpath_fuzz::rewrite`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::rewrite(data));
