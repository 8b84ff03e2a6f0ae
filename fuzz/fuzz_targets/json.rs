//! Arbitrary bytes as OTLP JSON: never a panic, and what is taken reads back the same.

#![no_main]

#[path = "../properties.rs"]
#[expect(dead_code, reason = "each target uses its own property")]
mod properties;

libfuzzer_sys::fuzz_target!(|body: &[u8]| properties::json(body));
