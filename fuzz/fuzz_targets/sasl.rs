//! `klamm_fuzz_bodies::sasl` under libFuzzer.
#![no_main]

#[global_allocator]
static ALLOCATOR: klamm_fuzz_bodies::allocation::Counting = klamm_fuzz_bodies::allocation::Counting;

libfuzzer_sys::fuzz_target!(|input: &[u8]| klamm_fuzz_bodies::sasl::run(input));
