//! Sums of roll-up rows by what they are of and by bucket: small enough to keep, exact for any range.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::mem::size_of;

use super::{BUCKET_NS, Totals};
use crate::model::TimeRange;

/// Sums by `K` and by bucket, oldest bucket first.
#[derive(Debug)]
pub(crate) struct ByBucket<K> {
    of: Vec<K>,
    sums: Vec<Sum>,
    /// Those of each sum together.
    durations: Vec<Counted>,
}

/// A bucket of a histogram and how many are in it. More than fit are several.
pub(crate) type Counted = (u16, u16);

/// Kept by the hundred thousand: four billion calls of a few seconds are more than there can be.
#[derive(Debug)]
struct Sum {
    bucket_start: i64,
    duration_ns: f64,
    weight: f64,
    error_weight: f64,
    of: u32,
    /// Where its durations end; they begin where those of the one before end.
    durations_end: u32,
    calls: u32,
    errors: u32,
    messages: u32,
    is_sampled: bool,
    is_unknown: bool,
}

/// The sums of one `K` in one bucket.
#[derive(Debug)]
pub(crate) struct BucketSum<'a, K> {
    pub of: &'a K,
    /// Nanoseconds since the epoch.
    pub bucket_start: i64,
    pub calls: u64,
    pub errors: u64,
    /// Of the calls, messages taken.
    pub messages: u64,
    /// How long all of them took, nanoseconds.
    pub duration_ns: f64,
    pub weight: f64,
    /// Of the weight, that of failed calls.
    pub error_weight: f64,
    pub is_sampled: bool,
    pub is_unknown: bool,
    /// Of the histogram.
    pub durations: &'a [Counted],
}

/// Sums of something over a range.
#[derive(Debug, Clone)]
pub(crate) struct Summed<K> {
    pub of: K,
    pub totals: Totals,
}

impl<K> Default for ByBucket<K> {
    fn default() -> Self {
        Self {
            of: Vec::new(),
            sums: Vec::new(),
            durations: Vec::new(),
        }
    }
}

impl<K> ByBucket<K> {
    /// What there are sums of.
    pub(crate) fn of(&self) -> &[K] {
        &self.of
    }

    /// The sums of the buckets that touch a range, oldest first.
    pub(crate) fn within(&self, range: TimeRange) -> impl Iterator<Item = BucketSum<'_, K>> {
        let from = first_bucket(range);
        let first = self.sums.partition_point(|sum| sum.bucket_start < from);
        let last = self
            .sums
            .partition_point(|sum| sum.bucket_start < range.to_unix_nano);
        (first..last).map(|at| self.sum(at))
    }

    /// All sums, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = BucketSum<'_, K>> {
        (0..self.sums.len()).map(|at| self.sum(at))
    }

    fn sum(&self, at: usize) -> BucketSum<'_, K> {
        let sum = &self.sums[at];
        let begin = at
            .checked_sub(1)
            .map_or(0, |before| self.sums[before].durations_end as usize);
        BucketSum {
            of: &self.of[sum.of as usize],
            bucket_start: sum.bucket_start,
            calls: u64::from(sum.calls),
            errors: u64::from(sum.errors),
            messages: u64::from(sum.messages),
            duration_ns: sum.duration_ns,
            weight: sum.weight,
            error_weight: sum.error_weight,
            is_sampled: sum.is_sampled,
            is_unknown: sum.is_unknown,
            durations: &self.durations[begin..sum.durations_end as usize],
        }
    }

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        // Itself and its place on a shelf; a key's texts are on the heap, some 24 bytes each.
        200 + self.of.len() * (size_of::<K>() + 200)
            + self.sums.len() * size_of::<Sum>()
            + self.durations.len() * size_of::<Counted>()
    }
}

impl<K: Clone + Eq + Hash> ByBucket<K> {
    /// Adds what lies in the range to sums.
    pub(crate) fn add_to(&self, range: TimeRange, sums: &mut HashMap<K, Totals>) {
        for sum in self.within(range) {
            match sums.get_mut(sum.of) {
                Some(totals) => totals.add(&sum),
                None => sums.entry(sum.of.clone()).or_default().add(&sum),
            }
        }
    }
}

/// Start of the first bucket that touches a range.
pub(crate) fn first_bucket(range: TimeRange) -> i64 {
    let from = range.from_unix_nano.div_euclid(BUCKET_NS);
    from.saturating_mul(BUCKET_NS)
}

/// Puts sums together.
#[derive(Debug)]
pub(super) struct Builder<K> {
    of: Vec<K>,
    numbers: HashMap<K, u32>,
    sums: BTreeMap<(i64, u32), Totals>,
}

impl<K: Clone + Eq + Hash> Builder<K> {
    pub(super) fn new() -> Self {
        Self {
            of: Vec::new(),
            numbers: HashMap::new(),
            sums: BTreeMap::new(),
        }
    }

    /// What is known of this one in this bucket.
    pub(super) fn of(&mut self, of: K, bucket_start: i64) -> &mut Totals {
        let number = self.number(of);
        self.at(number, bucket_start)
    }

    /// Its number, by which [`Self::at`] knows it.
    pub(super) fn number(&mut self, of: K) -> u32 {
        if let Some(number) = self.numbers.get(&of) {
            return *number;
        }
        let number = u32::try_from(self.of.len()).unwrap_or(u32::MAX);
        self.of.push(of.clone());
        self.numbers.insert(of, number);
        number
    }

    /// What is known of the one with this number in this bucket.
    pub(super) fn at(&mut self, number: u32, bucket_start: i64) -> &mut Totals {
        self.sums.entry((bucket_start, number)).or_default()
    }

    pub(super) fn finish(self) -> ByBucket<K> {
        let mut durations = Vec::new();
        let sums = self
            .sums
            .into_iter()
            .map(|((bucket_start, of), totals)| {
                for (bucket, count) in totals.durations() {
                    add_counted(&mut durations, bucket, count);
                }
                Sum {
                    bucket_start,
                    of,
                    durations_end: narrow(durations.len() as u64),
                    calls: narrow(totals.calls),
                    errors: narrow(totals.errors),
                    messages: narrow(totals.messages),
                    duration_ns: totals.duration_ns,
                    weight: totals.weight,
                    error_weight: totals.error_weight,
                    is_sampled: totals.is_sampled(),
                    is_unknown: totals.is_unknown(),
                }
            })
            .collect();
        durations.shrink_to_fit();
        ByBucket {
            of: self.of,
            sums,
            durations,
        }
    }
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn add_counted(durations: &mut Vec<Counted>, bucket: u16, mut count: u64) {
    while count > 0 {
        let part = u16::try_from(count).unwrap_or(u16::MAX);
        durations.push((bucket, part));
        count -= u64::from(part);
    }
}

#[cfg(test)]
impl<K: Clone + Eq + Hash> ByBucket<K> {
    /// Of one call.
    pub(crate) fn of_one(of: K) -> Self {
        let mut builder = Builder::new();
        builder.of(of, 0).add_counts(1, 0, 1.0, 0.0, "all");
        builder.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_bucket_of_a_histogram_is_several_entries() {
        let mut builder = Builder::new();
        let totals = builder.of("a", 0);
        totals.add_counts(200_000, 0, 2e5, 0.0, "all");
        totals.add_bucket(7, 200_000);
        let sums = builder.finish();
        assert_eq!(
            sums.durations,
            [(7, 65_535), (7, 65_535), (7, 65_535), (7, 3_395)]
        );
        let mut read = HashMap::new();
        let whole = TimeRange {
            from_unix_nano: 0,
            to_unix_nano: BUCKET_NS,
        };
        sums.add_to(whole, &mut read);
        let durations: Vec<(u16, u64)> = read["a"].durations().collect();
        assert_eq!((read["a"].calls, durations), (200_000, vec![(7, 200_000)]));
    }

    #[test]
    fn a_range_has_the_buckets_that_touch_it_with_their_own_durations() {
        let mut builder = Builder::new();
        for (bucket, of, duration) in [(2, "b", 7), (0, "a", 3), (2, "a", 5), (1, "a", 4)] {
            let totals = builder.of(of, bucket * BUCKET_NS);
            totals.add_counts(1, 1, 2.0, 2.0, "sampled");
            totals.add_bucket(duration, 1);
        }
        let sums = builder.finish();
        let seen = |from: i64, to: i64| -> Vec<(&str, i64, u16)> {
            let range = TimeRange {
                from_unix_nano: from,
                to_unix_nano: to,
            };
            let within = sums.within(range);
            within
                .map(|sum| {
                    assert!(sum.is_sampled && !sum.is_unknown && sum.calls == 1);
                    assert_eq!((sum.weight, sum.error_weight), (2.0, 2.0));
                    let [(duration, 1)] = sum.durations else {
                        panic!("{sum:?}")
                    };
                    (*sum.of, sum.bucket_start / BUCKET_NS, *duration)
                })
                .collect()
        };
        let all = [("a", 0, 3), ("a", 1, 4), ("b", 2, 7), ("a", 2, 5)];
        let mut found = seen(0, 3 * BUCKET_NS);
        found.sort_by_key(|(of, bucket, _)| (*bucket, std::cmp::Reverse(*of)));
        assert_eq!(found, all);
        // A bucket that a range cuts counts whole, as everywhere.
        assert_eq!(seen(BUCKET_NS + 5, BUCKET_NS + 6), [("a", 1, 4)]);
        assert_eq!(seen(BUCKET_NS + 5, 2 * BUCKET_NS + 1).len(), 3);
        assert_eq!(seen(9 * BUCKET_NS, 10 * BUCKET_NS), []);
    }
}
