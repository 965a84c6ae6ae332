//! Any octets as `message`, see `nearpath_fuzz::message`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::message(data));
