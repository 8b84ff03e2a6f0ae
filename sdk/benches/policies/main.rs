//! What a call through the policies costs, beside what it costs through others:
//! `cargo xtask bench -- sdk`.
//!
//! A plain harness: each line is the best of many short runs, which on a busy machine is the only
//! number that says anything about the code. What is compared is measured in turns in one run, so
//! the ratios hold where the nanoseconds do not. The run ends with the targets, and fails if one
//! of them is missed by more than the machine's noise explains.
#![cfg(not(loom))]
#![expect(clippy::print_stdout, reason = "a benchmark prints its numbers")]

mod breakers;
mod harness;
mod memory;
mod rivals;
mod stacks;
mod threads;

use harness::Board;

/// Between two passes, so that they do not all meet the same busy moment of a shared machine.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

fn main() -> std::process::ExitCode {
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let (passes, effort) = if quick {
        (1, harness::Effort(1))
    } else {
        (10, harness::Effort(200))
    };
    let mut board = Board::default();
    for pass in 0..passes {
        if pass > 0 {
            std::thread::sleep(PAUSE);
        }
        breakers::run(effort, &mut board);
        rivals::run(effort, &mut board);
        threads::run(effort, &mut board);
        stacks::run(effort, &mut board);
        memory::run(&mut board);
    }
    let met = board.print();
    // One short run says nothing about time.
    if met || quick {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
