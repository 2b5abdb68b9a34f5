#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailzone_fuzz::read("tls_rpt", input));
