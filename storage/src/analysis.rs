//! What can be read off the spans of one trace, or off the halves of a range: pure functions over plain data, for pages and API alike.
//!
//! Parents missing, cycles, equal ids and clocks that disagree are survived; nothing recurses, so the depth
//! of a trace is bounded by memory alone.

mod callee;
mod comparison;
mod critical_path;
mod flame;
mod folding;
mod movers;
mod pattern;
mod statistics;
mod tree;

pub use callee::callee_of;
pub use comparison::{ComparedRow, compare};
pub use critical_path::{CriticalPath, Section, critical_path};
pub use flame::{Flame, flame};
pub use folding::without_sidecars;
pub use movers::{MOVER_CALLS_MIN, Move, movers, z_score};
pub use pattern::{pattern, pattern_is_whole, pattern_regex};
pub use statistics::{StatisticsRow, self_times, statistics};

#[cfg(test)]
mod tests;
