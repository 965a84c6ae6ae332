//! Any octets as `warm`, see `nearpath_fuzz::warm`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nearpath_fuzz::warm(data));
