//! Exponential duration histograms added up.

/// Counts by bucket, those between the first and the last bucket that was ever counted.
#[derive(Debug, Default, Clone)]
pub(super) struct Durations {
    first: u16,
    counts: Vec<u64>,
}

impl Durations {
    /// Adds to a bucket.
    pub(super) fn add(&mut self, bucket: u16, count: u64) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let more = usize::from(self.first - bucket);
            self.counts.splice(..0, std::iter::repeat_n(0, more));
            self.first = bucket;
        }
        let at = usize::from(bucket - self.first);
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        self.counts[at] += count;
    }

    /// Takes away what was added before.
    pub(super) fn take_away(&mut self, other: &Self) {
        for (bucket, count) in other.iter() {
            let at = bucket.checked_sub(self.first).map(usize::from);
            if let Some(have) = at.and_then(|at| self.counts.get_mut(at)) {
                *have = have.saturating_sub(count);
            }
        }
    }

    /// Buckets that have a count, shortest durations first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        (self.first..=u16::MAX)
            .zip(self.counts.iter().copied())
            .filter(|(_, count)| *count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_may_come_in_any_order_and_go_again() {
        let mut all = Durations::default();
        for bucket in [7, 3, 9, 3, u16::MAX, 0] {
            all.add(bucket, 2);
        }
        let seen = |all: &Durations| all.iter().collect::<Vec<_>>();
        assert_eq!(seen(&all), [(0, 2), (3, 4), (7, 2), (9, 2), (u16::MAX, 2)]);
        let mut some = Durations::default();
        some.add(3, 1);
        some.add(9, 5);
        all.take_away(&some);
        assert_eq!(seen(&all), [(0, 2), (3, 3), (7, 2), (u16::MAX, 2)]);
        some.take_away(&all);
        assert_eq!(seen(&some), [(9, 5)]);
    }
}
