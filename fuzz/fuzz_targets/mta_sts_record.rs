#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| mailzone_fuzz::read("mta_sts_record", input));
