//! Any octets as `template`, see `nearpath_fuzz::template`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::template(data));
