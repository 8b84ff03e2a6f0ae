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

use harness::Targets;

fn main() -> std::process::ExitCode {
    // `cargo test --benches` only wants to know that it runs.
    let quick = std::env::args().any(|argument| argument == "--test");
    let effort = if quick {
        harness::Effort(1)
    } else {
        harness::Effort(400)
    };
    let mut targets = Targets::default();
    breakers::run(effort, &mut targets);
    rivals::run(effort);
    threads::run(effort, &mut targets);
    stacks::run(effort, &mut targets);
    memory::run(&mut targets);
    let met = targets.print();
    // One short run says nothing about time.
    if met || quick {
        std::process::ExitCode::SUCCESS
    } else {
        std::process::ExitCode::FAILURE
    }
}
