//! Any octets as `record`, see `nearpath_fuzz::record`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::record(data));
