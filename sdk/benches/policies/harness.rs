//! Measuring and judging.

use std::time::Instant;

/// Calls in one short run.
pub const CALLS: u32 = 2_000;

/// What a shared machine may add to the best of many runs without the code being at fault.
const NOISE: f64 = 1.25;

/// How many short runs a line gets.
#[derive(Clone, Copy)]
pub struct Effort(pub usize);

/// Nanoseconds a call, best of all runs.
pub fn best(effort: Effort, mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..effort.0 {
        let start = Instant::now();
        (0..CALLS).for_each(|_| call());
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

/// [`best`], printed.
pub fn measure(effort: Effort, name: &str, call: impl FnMut()) -> f64 {
    let found = best(effort, call);
    println!("{name:<58} {found:8.1} ns");
    found
}

/// What was promised, and what was seen.
#[derive(Default)]
pub struct Targets(Vec<(&'static str, f64, f64, &'static str)>);

impl Targets {
    pub fn seen(&mut self, what: &'static str, seen: f64, at_most: f64, unit: &'static str) {
        self.0.push((what, seen, at_most, unit));
    }

    /// Prints them all; whether each was met, but for what the machine's noise explains.
    pub fn print(&self) -> bool {
        println!("\n{:<58} {:>8} {:>8}", "target", "at most", "seen");
        let mut all = true;
        for (what, seen, at_most, unit) in &self.0 {
            let verdict = if seen <= at_most { "met" } else { "MISSED" };
            println!("{what:<58} {at_most:8.1} {seen:8.1} {unit:<3} {verdict}");
            all &= *seen <= at_most * NOISE;
        }
        all
    }
}
