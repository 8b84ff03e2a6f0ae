//! Equal steps over a range, and how intervals fall into them.

use crate::model::TimeRange;

/// Equal steps; the last may reach beyond the range.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    /// Start of the first, nanoseconds since the epoch.
    pub from: i64,
    /// Length of each, nanoseconds; at least 1.
    pub step_ns: i64,
    /// How many.
    pub count: usize,
}

impl Steps {
    /// At most `count` of them over the range.
    pub(super) fn over(range: TimeRange, count: u32) -> Self {
        let length = range.to_unix_nano.saturating_sub(range.from_unix_nano);
        let length = length.max(1);
        let step_ns = (length - 1) / i64::from(count.max(1)) + 1;
        Self {
            from: range.from_unix_nano,
            step_ns,
            count: usize::try_from((length - 1) / step_ns + 1).unwrap_or(1),
        }
    }

    /// Start of a step.
    pub(super) fn start(&self, at: usize) -> i64 {
        let offset = i64::try_from(at).unwrap_or(i64::MAX);
        self.from
            .saturating_add(self.step_ns.saturating_mul(offset))
    }

    /// The steps that `[from, to)` touches, each with how much of it lies there, nanoseconds.
    pub(super) fn touched(self, from: i64, to: i64) -> impl Iterator<Item = (usize, i64)> {
        let index = |ns: i64| usize::try_from(ns.saturating_sub(self.from) / self.step_ns);
        let first = index(from.max(self.from)).unwrap_or(0);
        let end = if to <= from || to <= self.from {
            0
        } else {
            index(to - 1).map_or(0, |last| last.saturating_add(1))
        };
        (first..end.min(self.count)).map(move |at| {
            let start = self.start(at);
            let stop = start.saturating_add(self.step_ns);
            (at, to.min(stop) - from.max(start))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_falls_into_steps_by_its_parts() {
        let range = TimeRange {
            from_unix_nano: 100,
            to_unix_nano: 200,
        };
        let steps = Steps::over(range, 10);
        assert_eq!((steps.step_ns, steps.count), (10, 10));
        let parts = |from, to| steps.touched(from, to).collect::<Vec<_>>();
        assert_eq!(parts(105, 125), [(0, 5), (1, 10), (2, 5)]);
        assert_eq!(parts(90, 101), [(0, 1)]);
        assert_eq!(parts(195, 230), [(9, 5)]);
        assert_eq!(parts(110, 120), [(1, 10)]);
        for (from, to) in [(50, 100), (200, 210), (120, 120), (130, 120)] {
            assert!(parts(from, to).is_empty(), "{from}..{to}");
        }
        assert_eq!(Steps::over(range, 7).count, 7);
    }
}
