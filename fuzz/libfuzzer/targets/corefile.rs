//! Any octets as `corefile`, see `nearpath_fuzz::corefile`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::corefile(data));
