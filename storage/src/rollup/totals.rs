//! Sums of roll-up rows, and quantiles of their duration histograms.

use super::HISTOGRAM_BASE;
use super::by_bucket::{BucketSum, Counted};
use super::durations::Durations;
use crate::model::{Basis, CallCounts, Latency};

/// Sums of rows of `red` or `service_edges`.
#[derive(Debug, Default, Clone)]
pub(crate) struct Totals {
    pub calls: u64,
    pub errors: u64,
    pub weight: f64,
    /// Of the weight, that of failed calls.
    pub error_weight: f64,
    /// Of the calls, messages taken; of sums by service only.
    pub messages: u64,
    /// How long all of them took, nanoseconds; of sums of roll-ups only.
    pub duration_ns: f64,
    pub last_bucket_unix_nano: Option<i64>,
    is_sampled: bool,
    is_unknown: bool,
    durations: Durations,
}

impl Totals {
    /// Adds the sums of a bucket.
    pub(crate) fn add<K>(&mut self, sum: &BucketSum<'_, K>) {
        self.add_without_durations(sum);
        self.add_durations(sum.durations);
    }

    /// The same but for its durations.
    pub(crate) fn add_without_durations<K>(&mut self, sum: &BucketSum<'_, K>) {
        self.calls += sum.calls;
        self.errors += sum.errors;
        self.messages += sum.messages;
        self.duration_ns += sum.duration_ns;
        self.weight += sum.weight;
        self.error_weight += sum.error_weight;
        self.is_sampled |= sum.is_sampled;
        self.is_unknown |= sum.is_unknown;
        self.last_bucket_unix_nano = self.last_bucket_unix_nano.max(Some(sum.bucket_start));
    }

    /// Adds to buckets of the histogram.
    pub(crate) fn add_durations(&mut self, durations: &[Counted]) {
        for &(bucket, count) in durations {
            self.add_bucket(bucket, u64::from(count));
        }
    }

    /// Adds counts of one basis.
    pub(crate) fn add_counts(
        &mut self,
        calls: u64,
        errors: u64,
        weight: f64,
        error_weight: f64,
        basis: &str,
    ) {
        self.calls += calls;
        self.errors += errors;
        self.weight += weight;
        self.error_weight += error_weight;
        self.is_sampled |= basis == "sampled";
        self.is_unknown |= basis == "unknown";
    }

    /// Adds to a bucket of the histogram.
    pub(crate) fn add_bucket(&mut self, bucket: u16, count: u64) {
        self.durations.add(bucket, count);
    }

    /// Adds another's sums.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.errors += other.errors;
        self.weight += other.weight;
        self.error_weight += other.error_weight;
        self.messages += other.messages;
        self.duration_ns += other.duration_ns;
        self.is_sampled |= other.is_sampled;
        self.is_unknown |= other.is_unknown;
        self.last_bucket_unix_nano = self.last_bucket_unix_nano.max(other.last_bucket_unix_nano);
        for (bucket, count) in other.durations.iter() {
            self.durations.add(bucket, count);
        }
    }

    /// Takes away what was added before; what the counts stand on stays.
    pub(crate) fn take_away(&mut self, other: &Self) {
        self.calls = self.calls.saturating_sub(other.calls);
        self.errors = self.errors.saturating_sub(other.errors);
        self.weight -= other.weight;
        self.error_weight -= other.error_weight;
        self.duration_ns -= other.duration_ns;
        // Fractions leave a rest where nothing is left.
        if self.errors == 0 {
            self.error_weight = 0.0;
        }
        self.durations.take_away(&other.durations);
    }

    /// The buckets of the histogram, shortest durations first.
    pub(super) fn durations(&self) -> impl Iterator<Item = (u16, u64)> {
        self.durations.iter()
    }

    /// Whether some of the calls stand for others that were not kept.
    pub(super) fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// Whether it is unknown what some of the calls stand for.
    pub(super) fn is_unknown(&self) -> bool {
        self.is_unknown
    }

    /// Calls and failures with what they stand for.
    pub(crate) fn counts(&self) -> CallCounts {
        CallCounts::weighted((self.calls, self.errors), (self.weight, self.error_weight))
    }

    /// What the counts stand on.
    pub(crate) fn basis(&self) -> Basis {
        match (self.is_sampled, self.is_unknown) {
            (true, _) => Basis::Sampled,
            (false, true) => Basis::Unknown,
            (false, false) => Basis::All,
        }
    }

    /// Quantiles.
    pub(crate) fn latency(&self) -> Latency {
        Latency {
            p50_ns: self.quantile(0.5),
            p95_ns: self.quantile(0.95),
            p99_ns: self.quantile(0.99),
        }
    }

    /// The middle (geometrically) of the bucket the quantile falls into: off by at most half a bucket. The first one has what
    /// took no time, and hardly anything that took a nanosecond.
    fn quantile(&self, quantile: f64) -> Option<f64> {
        let total: u64 = self.durations.iter().map(|(_, count)| count).sum();
        let rank = (quantile * total as f64).ceil().max(1.0) as u64;
        let mut below = 0;
        let (bucket, _) = self.durations.iter().find(|(_, count)| {
            below += count;
            below >= rank
        })?;
        Some(if bucket == 0 {
            0.0
        } else {
            HISTOGRAM_BASE.powf(f64::from(bucket) - 0.5)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_away_takes_its_failures_with_it() {
        let mut totals = Totals::default();
        let mut some = Totals::default();
        totals.add_counts(10, 2, 64.4, 2.6, "sampled");
        some.add_counts(4, 1, 25.1, 1.3, "sampled");
        totals.take_away(&some);
        assert_eq!((totals.calls, totals.errors), (6, 1));
        assert!((totals.error_weight - 1.3).abs() < 1e-9);
        assert!((totals.counts().share() - 1.3 / 39.3).abs() < 1e-9);
        totals.take_away(&some);
        assert_eq!((totals.errors, totals.error_weight), (0, 0.0));
    }

    #[test]
    fn a_quantile_is_within_half_a_bucket_of_the_true_value() {
        let mut totals = Totals::default();
        let mut durations: Vec<f64> = (1..=1000).map(|i| f64::from(i) * 1_000.0).collect();
        for duration in &durations {
            totals.add_bucket((duration.log2() * 8.0).ceil() as u16, 1);
        }
        durations.sort_by(f64::total_cmp);
        for (estimate, true_value) in [
            (totals.quantile(0.5), durations[499]),
            (totals.quantile(0.99), durations[989]),
        ] {
            let ratio = estimate.expect("not empty") / true_value;
            assert!((0.955..1.046).contains(&ratio), "{ratio}");
        }
        assert_eq!(Totals::default().quantile(0.5), None);
        let mut at_once = Totals::default();
        at_once.add_bucket(0, 3);
        assert_eq!(at_once.quantile(0.99), Some(0.0));
    }
}
