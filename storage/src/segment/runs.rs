//! The runs of a sealed segment: rows that were a segment of their own once.
//!
//! A compaction of many rows lays the rows of its members one after the other instead of sorting all of them anew. A
//! run is sorted by trace, and runs follow each other in time: in a file of any size the bounds of row groups tell both
//! traces and times apart. Sorted as a whole, a file of four million spans had to be read from end to end for its newest
//! hundred, or for any quarter of an hour.

use super::Segment;
use super::meta::Times;

/// The relations whose rows are sorted by trace: spans, logs, as in [`super::meta::Meta::signal_times`].
pub(crate) const TRACED: usize = 2;

/// When what is in one run happened, nanoseconds since the epoch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Run {
    /// First and last event time of its rows of each signal, where every one of them has a time.
    pub times: [Times; TRACED],
    /// Nearly all of them happened after this.
    pub begin: [Option<i64>; TRACED],
}

/// No rows: nothing is at these times.
pub(crate) const NEVER: (i64, i64) = (i64::MAX, i64::MIN);

/// When rows of a trace in one segment may have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// There are none.
    Nowhere,
    /// Anywhere in the file.
    Anywhere,
    /// Within these times, both inclusive.
    Within(i64, i64),
}

impl Held {
    /// SQL of "the time in `column` is one of these".
    pub(crate) fn condition(self, column: &str) -> String {
        match self {
            Self::Nowhere => "false".to_owned(),
            Self::Anywhere => "true".to_owned(),
            Self::Within(first, last) => format!(
                "{column} >= make_timestamp_ns({first}) AND {column} <= make_timestamp_ns({last})"
            ),
        }
    }
}

impl Segment {
    /// When rows of any of these traces may have happened, of its main table of a signal of [`TRACED`].
    pub(crate) fn held(&self, signal: usize, traces: &[&str]) -> Held {
        if !traces.iter().any(|id| self.may_hold_trace(id)) {
            return Held::Nowhere;
        }
        let runs = &self.meta.runs;
        if runs.is_empty() || runs.len() != self.traces.len() {
            return Held::Anywhere;
        }
        let mut within = NEVER;
        for (run, filter) in runs.iter().zip(&self.traces) {
            if !traces.iter().any(|id| filter.may_hold(id)) {
                continue;
            }
            let Some((first, last)) = run.times[signal] else {
                return Held::Anywhere;
            };
            within = (within.0.min(first), within.1.max(last));
        }
        Held::Within(within.0, within.1)
    }

    /// Times that cut its rows of a signal into parts that lie in different row groups, oldest first; none unless every
    /// row has a time.
    pub(crate) fn cuts(&self, signal: usize) -> Vec<i64> {
        let runs = &self.meta.runs;
        if signal >= TRACED {
            return Vec::new();
        }
        if runs.iter().any(|run| run.times[signal].is_none()) {
            return Vec::new();
        }
        let mut cuts: Vec<i64> = runs.iter().filter_map(|run| run.begin[signal]).collect();
        cuts.sort_unstable();
        cuts.dedup();
        // The first part begins with the file.
        cuts.drain(..cuts.len().min(1));
        cuts
    }
}

/// The runs as `meta` has them: `first last begin` of each signal, `-` for what is not known.
pub(super) fn to_text(runs: &[Run]) -> String {
    let number = |known: Option<i64>| known.map_or_else(|| "-".to_owned(), |ns| ns.to_string());
    let of = |run: &Run| {
        let signals = (0..TRACED).flat_map(|signal| {
            let times = run.times[signal];
            [
                times.map(|times| times.0),
                times.map(|times| times.1),
                run.begin[signal],
            ]
        });
        signals.map(number).collect::<Vec<_>>().join(" ")
    };
    runs.iter().map(of).collect::<Vec<_>>().join(",")
}

/// Reads [`to_text`]; none where anything of it cannot be read.
pub(super) fn from_text(text: &str) -> Vec<Run> {
    let run = |text: &str| {
        let numbers: Vec<Option<i64>> = text.split(' ').map(|word| word.parse().ok()).collect();
        let numbers: [Option<i64>; 3 * TRACED] = numbers.try_into().ok()?;
        let mut run = Run::default();
        for (signal, of) in numbers.chunks_exact(3).enumerate() {
            run.times[signal] = of[0].zip(of[1]);
            run.begin[signal] = of[2];
        }
        Some(run)
    };
    text.split(',')
        .map(run)
        .collect::<Option<_>>()
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_read_back_as_they_were_written() {
        let runs = [
            Run {
                times: [Some((5, 90)), None],
                begin: [Some(7), None],
            },
            Run {
                times: [Some((80, 190)), Some(NEVER)],
                begin: [Some(91), None],
            },
        ];
        assert_eq!(from_text(&to_text(&runs)), runs);
        assert_eq!(from_text(""), []);
        assert_eq!(from_text("1 2 3"), [], "half a run is none");
    }
}
