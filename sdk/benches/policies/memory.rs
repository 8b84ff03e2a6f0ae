//! What a breaker keeps.

use crate::breakers::{breaker, config};
use crate::harness::Targets;

pub fn run(targets: &mut Targets) {
    let mut kept = None;
    let measured = allocation_counter::measure(|| kept = Some(breaker(config())));
    let bytes = measured.bytes_current as f64;
    println!("\nA breaker at default settings keeps {bytes} bytes");
    targets.seen("memory of a breaker", bytes / 1024.0, 4.0, "KiB");
    drop(kept);
}
