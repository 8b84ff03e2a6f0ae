//! Arbitrary text as SQL: the guard answers, never panics, and lets through only what it lets through again.

#![no_main]

#[path = "../properties.rs"]
#[expect(dead_code, reason = "each target uses its own property")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::sql(body));
