//! What a breaker keeps.

use crate::breakers::{breaker, config};
use crate::harness::Board;

pub fn run(board: &mut Board) {
    let mut kept = None;
    let measured = allocation_counter::measure(|| kept = Some(breaker(config())));
    let bytes = measured.bytes_current as f64;
    board.target("memory of a breaker", bytes / 1024.0, 4.0, "KiB");
    drop(kept);
}
