//! Any octets as `packet`, see `nearpath_fuzz::packet`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::packet(data));
