//! The fault script: what is wrong with the shop at a given moment. Pure: seed and time in, fault out.
//!
//! A cycle lasts a minute. In the first one payment gets slow after six seconds and fails after
//! nine, so its breaker is seen to open and to recover within half a minute; then one shard of
//! inventory, which the seed chooses, fails alone, then the canary of recommendation shows its bug.
//! Later cycles tell the same story at moments, and about a shard, that the seed chooses anew.

use std::ops::Range;
use std::time::Duration;

/// Length of one cycle of the script.
pub(super) const CYCLE: Duration = Duration::from_secs(60);
/// Shards of inventory.
pub(super) const SHARDS: u32 = 4;
/// By how many seconds later cycles may shift.
const SHIFT_MAX: u64 = 8;

/// What can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Victim {
    /// Payment's bank.
    Payment,
    /// One shard of inventory.
    Inventory,
    /// The canary of recommendation.
    Recommendation,
}

impl Victim {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::Payment, Self::Inventory, Self::Recommendation];
}

/// What ails it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Answers take most of a second.
    Slow,
    /// Most calls fail, some hang.
    Down,
    /// This shard fails, the others work.
    ShardDown(u32),
    /// The canary answers some baskets with an error.
    Bug,
}

/// The seconds of a cycle at which a fault holds; the shard is a stand-in for the seed's choice.
const STORY: [(Victim, Range<u64>, Fault); 4] = [
    (Victim::Payment, 6..9, Fault::Slow),
    (Victim::Payment, 9..16, Fault::Down),
    (Victim::Inventory, 27..34, Fault::ShardDown(0)),
    (Victim::Recommendation, 42..50, Fault::Bug),
];

/// The script of one seed.
#[derive(Debug, Clone)]
pub(super) struct Script {
    seed: u64,
    spared: Vec<Victim>,
}

impl Script {
    /// The story `seed` tells, without what happens to the `spared`.
    pub(super) fn new(seed: u64, spared: Vec<Victim>) -> Self {
        Self { seed, spared }
    }

    /// What ails `victim` at `elapsed` since the shop opened.
    pub(super) fn fault(&self, victim: Victim, elapsed: Duration) -> Option<Fault> {
        if self.spared.contains(&victim) {
            return None;
        }
        let cycle = elapsed.as_secs() / CYCLE.as_secs();
        let (shift, shard) = self.variation(cycle);
        let second = (elapsed.as_secs() % CYCLE.as_secs()).checked_sub(shift)?;
        let (.., fault) = STORY
            .iter()
            .find(|(who, when, _)| *who == victim && when.contains(&second))?;
        Some(match fault {
            Fault::ShardDown(_) => Fault::ShardDown(shard),
            other => *other,
        })
    }

    /// What the seed varies: by how many seconds a cycle is late, and which shard fails in it. The
    /// first cycle is never late, for a newcomer watches it.
    fn variation(&self, cycle: u64) -> (u64, u32) {
        let mut dice = Dice::new(self.seed ^ cycle.wrapping_mul(0x9e37_79b9));
        let shift = dice.below(SHIFT_MAX + 1);
        let shard = u32::try_from(dice.below(u64::from(SHARDS))).unwrap_or_default();
        (if cycle == 0 { 0 } else { shift }, shard)
    }
}

/// A small seeded generator (splitmix64), so that one seed gives one story.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
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

    fn story(script: &Script) -> Vec<Option<Fault>> {
        let seconds = (60..600).map(Duration::from_secs);
        seconds
            .flat_map(|at| Victim::ALL.map(|victim| script.fault(victim, at)))
            .collect()
    }

    #[test]
    fn the_first_cycle_lets_payment_fail_and_recover_in_time() {
        let script = Script::new(7, Vec::new());
        let payment = |seconds| script.fault(Victim::Payment, Duration::from_secs(seconds));
        assert_eq!(
            [0, 6, 9, 15, 16].map(payment),
            [
                None,
                Some(Fault::Slow),
                Some(Fault::Down),
                Some(Fault::Down),
                None
            ]
        );
        let shard = script.fault(Victim::Inventory, Duration::from_secs(30));
        assert_eq!(shard, Some(Fault::ShardDown(0)));
        let canary = script.fault(Victim::Recommendation, Duration::from_secs(45));
        assert_eq!(canary, Some(Fault::Bug));
    }

    #[test]
    fn another_seed_tells_another_story_and_the_same_seed_the_same() {
        let of = |seed| story(&Script::new(seed, Vec::new()));
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }

    #[test]
    fn the_seed_chooses_the_shard_of_the_first_cycle_too() {
        let shard =
            |seed| Script::new(seed, Vec::new()).fault(Victim::Inventory, Duration::from_secs(30));
        let shards = [7, 6, 9, 12].map(shard);
        assert_eq!(
            shards,
            [0, 1, 2, 3].map(|shard| Some(Fault::ShardDown(shard)))
        );
    }

    #[test]
    fn nothing_happens_to_the_spared() {
        let spared = Script::new(7, Victim::ALL.to_vec());
        assert!(story(&spared).iter().all(Option::is_none));
        let only_payment = Script::new(7, vec![Victim::Inventory, Victim::Recommendation]);
        let whole = Script::new(7, Vec::new());
        for at in (0..600).map(Duration::from_secs) {
            let payment = only_payment.fault(Victim::Payment, at);
            assert_eq!(payment, whole.fault(Victim::Payment, at));
            assert_eq!(only_payment.fault(Victim::Inventory, at), None);
        }
    }

    #[test]
    fn every_cycle_ends_well() {
        for seed in 0..50 {
            let script = Script::new(seed, Vec::new());
            for cycle in 0..20 {
                let end = CYCLE * (cycle + 1) - Duration::from_secs(1);
                assert!(
                    Victim::ALL
                        .iter()
                        .all(|victim| script.fault(*victim, end).is_none())
                );
            }
        }
    }
}
