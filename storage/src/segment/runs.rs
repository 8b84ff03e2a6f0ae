//! The runs of a sealed segment: rows that were a segment of their own once.
//!
//! A compaction of many rows lays the rows of its members one after the other instead of sorting all of them anew. A
//! run is sorted by trace, and runs follow each other in time: in a file of any size the bounds of row groups tell both
//! traces and times apart. Sorted as a whole, a file of four million spans had to be read from end to end for its newest
//! hundred, or for any quarter of an hour.

use std::ops::Range;

use super::{Segment, TraceFilter};

/// The relations whose rows are sorted by trace: spans, logs, as in [`super::meta::Meta::signal_times`].
pub(crate) const TRACED: usize = 2;

/// Places that are said one by one: more of them are slower to tell apart than to read.
const PLACES_MAX: usize = 16;

/// The runs of one relation, in the order they lie in; none where all its rows are one.
pub(crate) type Runs = Vec<Run>;

/// Rows of one relation that are sorted among themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    pub rows: u64,
    /// Nearly all of them happened after this, nanoseconds; `None` where some have no time.
    pub begin: Option<i64>,
    /// Which of the segment's filters tell their traces.
    pub filters: Range<usize>,
}

/// Where rows of some traces may be in one table of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Held {
    /// There are none.
    Nowhere,
    /// Anywhere in it.
    Anywhere,
    /// In these rows, by their place in it.
    Rows(Vec<Range<u64>>),
}

impl Held {
    /// SQL of "the row whose place is `rowid` is one of these".
    pub(crate) fn condition(&self, rowid: &str) -> String {
        let ranges = match self {
            Self::Anywhere => return "true".to_owned(),
            Self::Nowhere => return "false".to_owned(),
            Self::Rows(ranges) => ranges.iter(),
        };
        let any: Vec<String> = ranges
            .map(|rows| format!("({rowid} >= {} AND {rowid} < {})", rows.start, rows.end))
            .collect();
        if any.is_empty() {
            return "false".to_owned();
        }
        format!("({})", any.join(" OR "))
    }
}

impl Segment {
    /// Where rows of any of these traces may be in its main table of a signal of [`TRACED`].
    pub(crate) fn held(&self, signal: usize, traces: &[&str]) -> Held {
        if !traces.iter().any(|id| self.may_hold_trace(id)) {
            return Held::Nowhere;
        }
        let runs = self.meta.runs.get(signal).filter(|runs| !runs.is_empty());
        if signal == 0
            && !self.places.is_empty()
            && let Some(rows) = self.rows_to_a_vector(runs, traces)
        {
            return Held::Rows(rows);
        }
        match runs {
            Some(runs) => Held::Rows(rows_of(runs, &|filters| {
                let some = self.traces.get(filters);
                some.is_none_or(|some| some.iter().any(|filter| holds_any(filter, traces)))
            })),
            None => Held::Anywhere,
        }
    }

    /// Where spans of these traces may be, to a vector; `None` where that is in too many places to be said.
    fn rows_to_a_vector(&self, runs: Option<&Runs>, traces: &[&str]) -> Option<Vec<Range<u64>>> {
        if traces.len() > 16 * PLACES_MAX {
            return None;
        }
        let mut found: Vec<Range<u64>> = Vec::new();
        for id in traces {
            let holds = |filters: Range<usize>| {
                let some = self.traces.get(filters);
                some.is_none_or(|some| some.iter().any(|filter| filter.may_hold(id)))
            };
            let mut add = |rows| found.push(self.places.narrow(rows, id));
            match runs {
                Some(runs) => each_of(runs, &holds).for_each(add),
                None => add(0..i64::MAX as u64),
            }
        }
        found.retain(|rows| !rows.is_empty());
        found.sort_unstable_by_key(|rows| rows.start);
        let mut apart: Vec<Range<u64>> = Vec::new();
        for rows in found {
            match apart.last_mut() {
                Some(last) if rows.start <= last.end => last.end = last.end.max(rows.end),
                _ => apart.push(rows),
            }
        }
        (apart.len() <= PLACES_MAX).then_some(apart)
    }

    /// Times that cut its rows of a signal into parts that lie in different row groups, oldest first; none unless every
    /// row has a time.
    pub(crate) fn cuts(&self, signal: usize) -> Vec<i64> {
        self.meta.runs.get(signal).map_or_else(Vec::new, cuts)
    }
}

fn holds_any(filter: &TraceFilter, traces: &[&str]) -> bool {
    traces.iter().any(|id| filter.may_hold(id))
}

/// The rows of each run whose filters are picked.
fn each_of(runs: &Runs, pick: &dyn Fn(Range<usize>) -> bool) -> impl Iterator<Item = Range<u64>> {
    let mut at = 0;
    runs.iter().filter_map(move |run| {
        let rows = at..at + run.rows;
        at = rows.end;
        (run.rows > 0 && pick(run.filters.clone())).then_some(rows)
    })
}

/// The same; neighbours are one.
fn rows_of(runs: &Runs, pick: &dyn Fn(Range<usize>) -> bool) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for rows in each_of(runs, pick) {
        match found.last_mut() {
            Some(last) if last.end == rows.start => last.end = rows.end,
            _ => found.push(rows),
        }
    }
    found
}

fn cuts(runs: &Runs) -> Vec<i64> {
    let begins = runs.iter().filter(|run| run.rows > 0).map(|run| run.begin);
    let Some(mut cuts) = begins.collect::<Option<Vec<i64>>>() else {
        return Vec::new();
    };
    cuts.sort_unstable();
    cuts.dedup();
    // The first part begins with the file.
    cuts.drain(..cuts.len().min(1));
    cuts
}

/// How many filters the runs of a segment have; one where there are no runs.
pub(super) fn filters(runs: &[Runs; TRACED]) -> usize {
    let ends = runs.iter().flatten().map(|run| run.filters.end);
    ends.max().unwrap_or(1)
}

/// The runs as `meta` has them: `rows begin first_filter end_filter` of each, signals apart by `;`.
pub(super) fn to_text(runs: &[Runs; TRACED]) -> String {
    let of = |run: &Run| {
        let begin = run
            .begin
            .map_or_else(|| "-".to_owned(), |ns| ns.to_string());
        format!(
            "{} {begin} {} {}",
            run.rows, run.filters.start, run.filters.end
        )
    };
    let signals = runs
        .iter()
        .map(|runs| runs.iter().map(of).collect::<Vec<_>>().join(","));
    signals.collect::<Vec<_>>().join(";")
}

/// Reads [`to_text`]; none where anything of it cannot be read.
pub(super) fn from_text(text: &str) -> [Runs; TRACED] {
    let run = |text: &str| {
        let words: Vec<&str> = text.split(' ').collect();
        let [rows, begin, first, end] = words.as_slice() else {
            return None;
        };
        Some(Run {
            rows: rows.parse().ok()?,
            begin: begin.parse().ok(),
            filters: first.parse().ok()?..end.parse().ok()?,
        })
    };
    let runs = |text: &str| match text {
        "" => Some(Runs::new()),
        text => text.split(',').map(run).collect(),
    };
    let signals: Option<Vec<Runs>> = text.split(';').map(runs).collect();
    signals
        .and_then(|signals| signals.try_into().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs() -> Runs {
        let run = |rows, begin, filters| Run {
            rows,
            begin,
            filters,
        };
        vec![
            run(10, Some(7), 0..1),
            run(20, Some(90), 1..3),
            run(0, None, 3..4),
            run(5, Some(80), 4..5),
        ]
    }

    #[test]
    fn runs_are_read_back_as_they_were_written() {
        let both = [runs(), Runs::new()];
        assert_eq!(from_text(&to_text(&both)), both);
        assert_eq!(filters(&both), 5);
        assert_eq!(from_text(""), [Runs::new(), Runs::new()]);
        assert_eq!(filters(&from_text("")), 1);
        assert_eq!(from_text("1 2 3;"), from_text(""), "half a run is none");
    }

    #[test]
    fn rows_of_runs_follow_each_other_and_are_cut_where_they_begin() {
        let of = |wanted: &'static [usize]| {
            let rows = rows_of(&runs(), &|filters| {
                wanted.iter().any(|one| filters.contains(one))
            });
            Held::Rows(rows).condition("rowid")
        };
        assert_eq!(of(&[2]), "((rowid >= 10 AND rowid < 30))");
        assert_eq!(of(&[0, 1]), "((rowid >= 0 AND rowid < 30))");
        assert_eq!(
            of(&[0, 4]),
            "((rowid >= 0 AND rowid < 10) OR (rowid >= 30 AND rowid < 35))"
        );
        assert_eq!(of(&[3]), "false");
        assert_eq!(cuts(&runs()), [80, 90]);
        let mut untimed = runs();
        untimed[1].begin = None;
        assert_eq!(cuts(&untimed), [0_i64; 0]);
    }
}
