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

/// All lines of the run: each is measured in every pass, and keeps its best. A pass is short enough that a machine
/// which is slow for a minute spoils some of them only.
#[derive(Default)]
pub struct Board {
    lines: Vec<(String, Option<f64>)>,
    targets: Vec<(&'static str, f64, f64, &'static str)>,
}

impl Board {
    /// A heading above the lines that follow.
    pub fn title(&mut self, title: &str) {
        self.keep(title, None);
    }

    /// Measures a line once more; its best so far.
    pub fn measure(&mut self, effort: Effort, name: &str, call: impl FnMut()) -> f64 {
        self.seen(name, best(effort, call))
    }

    /// Takes what a line measured by itself; its best so far.
    pub fn seen(&mut self, name: &str, found: f64) -> f64 {
        self.keep(name, Some(found)).unwrap_or(found)
    }

    fn keep(&mut self, name: &str, found: Option<f64>) -> Option<f64> {
        let known = self.lines.iter_mut().find(|(known, _)| known == name);
        match known {
            Some((_, best)) => *best = best.zip(found).map(|(best, found)| best.min(found)),
            None => self.lines.push((name.to_owned(), found)),
        }
        let line = self.lines.iter().find(|(known, _)| known == name);
        line.and_then(|(_, best)| *best)
    }

    /// What was promised of a number made of lines' bests, and what it is by now.
    pub fn target(&mut self, what: &'static str, seen: f64, at_most: f64, unit: &'static str) {
        self.targets.retain(|(known, ..)| *known != what);
        self.targets.push((what, seen, at_most, unit));
    }

    /// Prints everything; whether each target was met, but for what the machine's noise explains.
    pub fn print(&self) -> bool {
        for (name, best) in &self.lines {
            match best {
                Some(best) => println!("  {name:<56} {best:8.1} ns"),
                None => println!("\n{name}"),
            }
        }
        println!("\n{:<58} {:>8} {:>8}", "target", "at most", "seen");
        let mut all = true;
        for (what, seen, at_most, unit) in &self.targets {
            let verdict = if seen <= at_most { "met" } else { "MISSED" };
            println!("{what:<58} {at_most:8.1} {seen:8.1} {unit:<3} {verdict}");
            all &= *seen <= at_most * NOISE;
        }
        all
    }
}
