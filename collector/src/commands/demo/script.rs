//! The fault script: what is wrong with the shop at a given moment. Pure: seed and time in, fault out.

use std::time::Duration;

/// Length of one cycle of the script.
pub(super) const CYCLE: Duration = Duration::from_secs(60);

/// What ails payment's bank connection now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Nothing.
    None,
    /// Calls to the bank are slow.
    Slow,
    /// Calls to the bank fail.
    Down,
}

/// The fault at `elapsed` since the shop opened: healthy 12 s, slow 4 s, down 16 s, healthy to the cycle's
/// end; later cycles start their trouble up to 8 s later, by the seed.
pub(super) fn fault_at(seed: u64, elapsed: Duration) -> Fault {
    let cycle = elapsed.as_secs() / CYCLE.as_secs();
    let within = elapsed.as_secs() % CYCLE.as_secs();
    let shift = if cycle == 0 {
        0
    } else {
        Dice::new(seed ^ cycle).below(9)
    };
    match within.checked_sub(shift) {
        Some(12..16) => Fault::Slow,
        Some(16..32) => Fault::Down,
        _ => Fault::None,
    }
}

/// A small seeded generator (splitmix64), so that one seed gives one story.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// True `percent` times of a hundred.
    pub(super) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A duration between two, in milliseconds.
    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_micros(from * 1000 + self.below((to - from) * 1000 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_cycle_fails_within_twenty_seconds_and_recovers() {
        let at = |seconds| fault_at(7, Duration::from_secs(seconds));
        assert_eq!(
            (at(0), at(13), at(17), at(31), at(33)),
            (
                Fault::None,
                Fault::Slow,
                Fault::Down,
                Fault::Down,
                Fault::None
            )
        );
    }

    #[test]
    fn another_seed_tells_another_story() {
        let story = |seed| {
            (60..600)
                .map(|s| fault_at(seed, Duration::from_secs(s)) as u8)
                .collect::<Vec<_>>()
        };
        assert_eq!(story(1), story(1));
        assert_ne!(story(1), story(2));
    }
}
