#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| perf_fuzz::check(bytes, perf_fuzz::targets::traces));
