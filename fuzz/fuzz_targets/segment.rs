#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| skald_fuzz_corpus::segment(data));
