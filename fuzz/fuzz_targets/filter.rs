//! Arbitrary text as a filter: never a panic, complaints point inside, and what is read prints as itself.

#![no_main]

#[path = "../properties.rs"]
#[expect(dead_code, reason = "each target uses its own property")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::filter(body));
