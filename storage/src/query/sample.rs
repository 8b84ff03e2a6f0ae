//! One trace in so many: what reads many millions of spans is estimated from a share of their traces.
//!
//! Runs of segments are sorted by trace id, so a range of ids is a few row groups of each. It stands for all only where
//! ids are spread evenly, as random ones are. Ids that begin with a time or with zeros are chosen by their hash, which
//! reads every id, but nothing else of the traces that are left out.

use duckdb::Connection;

use crate::model::TimeRange;
use crate::segment::Segment;
use crate::segment::meta::Digits;
use crate::store::SegmentSet;

/// Spans read at most, about; of fewer, all are.
pub(super) const SPANS_MAX: f64 = 200_000.0;
/// A smaller share would say little about what is rare.
const ONE_IN_MAX: u64 = 64;
/// How far the traces of one leading digit may be from a sixteenth of all, as a share of it.
const UNEVEN_MAX: f64 = 0.1;

/// Which traces are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sample {
    /// One trace in so many, a power of two.
    pub one_in: u64,
    is_even: bool,
}

impl Sample {
    /// Every trace.
    pub(super) const ALL: Self = Self {
        one_in: 1,
        is_even: false,
    };

    /// Of the spans of a range, if at most about `spans_max` are to be read.
    pub(super) fn of(
        set: &SegmentSet,
        conn: &Connection,
        range: TimeRange,
        spans_max: f64,
    ) -> duckdb::Result<Self> {
        let (from, to) = (range.from_unix_nano, range.to_unix_nano);
        let segments: Vec<&Segment> = set
            .segments()
            .iter()
            .map(AsRef::as_ref)
            .filter(|segment| segment.may_have("spans") && segment.may_hold_time(from, to))
            .collect();
        let mut spans = 0.0;
        for segment in &segments {
            spans += spans_in(segment, conn, range)?;
        }
        let sealed = segments.iter().filter(|segment| !segment.is_text());
        let digits: Option<Vec<Digits>> = sealed.map(|segment| segment.meta.trace_digits).collect();
        Ok(Self {
            one_in: one_in(spans, spans_max),
            is_even: digits.is_some_and(|digits| are_even(&digits)),
        })
    }

    /// SQL of "the span's trace is read".
    pub(super) fn condition(self) -> String {
        match self {
            Self { one_in: 1, .. } => "true".to_owned(),
            // Two digits are enough for one in 256.
            Self {
                one_in,
                is_even: true,
            } => format!("trace_id < '{:02x}'", 256 / one_in),
            Self {
                one_in,
                is_even: false,
            } => format!("hash(trace_id) % {one_in} = 0"),
        }
    }
}

/// The smallest power of two that leaves at most `spans_max` of `spans`.
fn one_in(spans: f64, spans_max: f64) -> u64 {
    let mut one_in = 1;
    while one_in < ONE_IN_MAX && spans > spans_max * one_in as f64 {
        one_in *= 2;
    }
    one_in
}

/// Spans of a segment in a range, about: as if they came at one rate.
fn spans_in(segment: &Segment, conn: &Connection, range: TimeRange) -> duckdb::Result<f64> {
    let spans = segment.count_spans(conn)?;
    let share = match segment.known_times(0).flatten() {
        Some((first, last)) if first < last => {
            let from = range.from_unix_nano.max(first);
            let to = range.to_unix_nano.min(last);
            (to.saturating_sub(from).max(0) as f64 / last.saturating_sub(first) as f64).min(1.0)
        }
        _ => 1.0,
    };
    Ok(spans as f64 * share)
}

/// Whether about as many traces begin with each digit.
fn are_even(all: &[Digits]) -> bool {
    let traces = |digit: usize| all.iter().map(|digits| digits[digit]).sum::<u64>() as f64;
    let mean = (0..16).map(traces).sum::<f64>() / 16.0;
    mean > 0.0 && (0..16).all(|digit| (traces(digit) - mean).abs() <= mean * UNEVEN_MAX)
}

/// The 95 % interval of a share that was counted in `n` of many (E. B. Wilson, 1927): it stays within 0 and 1, and is
/// wide where little was counted even if all of it agrees.
pub(super) fn wilson(share: f64, n: f64) -> (f64, f64) {
    const Z: f64 = 1.96;
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let (share, squared) = (share.clamp(0.0, 1.0), Z * Z);
    let centre = (share + squared / (2.0 * n)) / (1.0 + squared / n);
    let half =
        Z / (1.0 + squared / n) * (share * (1.0 - share) / n + squared / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::as_of::now_ns;
    use crate::fixture::{append, batch, open};
    use crate::ingest::{ResourceRow, Rows, SpanColumns, SpanRow};
    use crate::store::Store;

    const EVER: TimeRange = TimeRange {
        from_unix_nano: i64::MIN,
        to_unix_nano: i64::MAX,
    };

    /// A hundred spans more than there were.
    fn append_hundred(store: &Store, sent: u64) {
        let now = u64::try_from(now_ns()).expect("after 1970");
        let mut columns = SpanColumns::default();
        for number in sent..sent + 100 {
            let start = now + number;
            columns.push(&SpanRow {
                trace_id: u128::from(number + 1).to_be_bytes(),
                span_id: (number + 1).to_be_bytes(),
                name: "work",
                kind: "internal",
                start_unix_nano: start,
                end_unix_nano: start + 1,
                status_code: "unset",
                attributes: "{}",
                ..SpanRow::default()
            });
        }
        let resource = ResourceRow {
            service_name: Some("shop".to_owned()),
            attributes: "{}".to_owned(),
            ..ResourceRow::default()
        };
        append(store, batch(vec![resource], Rows::Spans(columns)));
    }

    #[test]
    fn spans_that_a_process_before_this_one_left_behind_count() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut sent = 0;
        // They are sealed soon after the start: who looks at once has them as they were left. However busy the machine is,
        // this thread is not always away for as long as a seal takes.
        for _ in 0..200 {
            let store = open(dir.path());
            let reader = store.reader().expect("a reader");
            let set = reader.segments();
            let mut segments = set.segments().iter();
            if segments.any(|segment| segment.is_text() && segment.live.is_none()) {
                let one_in = |spans_max: u64| {
                    let sample = Sample::of(set, reader.connection(), EVER, spans_max as f64);
                    sample.expect("a sample").one_in
                };
                assert_eq!([one_in(sent), one_in(sent - 1)], [1, 2]);
                return;
            }
            drop(reader);
            append_hundred(&store, sent);
            sent += 100;
        }
        panic!("whatever was left behind was sealed before anybody looked");
    }

    #[test]
    fn all_is_read_of_few_spans_and_a_power_of_two_of_many() {
        let of = |spans: f64| one_in(spans, 500_000.0);
        assert_eq!([of(0.0), of(500_000.0), of(500_001.0)], [1, 1, 2]);
        assert_eq!([of(10_000_000.0), of(1e12)], [32, 64]);
    }

    #[test]
    fn a_range_of_ids_stands_for_all_only_where_they_are_spread() {
        let random: Digits = std::array::from_fn(|digit| 10_000 + (digit as u64 % 3) * 300);
        assert!(are_even(&[random, random]));
        // Ids that begin with a time, or with zeros because they have 64 bits.
        let mut clock = Digits::default();
        clock[6] = 10_000;
        assert!(!are_even(&[clock]));
        let mut padded = random;
        padded[0] += 3_000;
        assert!(!are_even(&[padded]));
        assert!(!are_even(&[]));
        let sample = |one_in, is_even| Sample { one_in, is_even }.condition();
        assert_eq!(sample(1, true), "true");
        assert_eq!(sample(16, true), "trace_id < '10'");
        assert_eq!(sample(64, true), "trace_id < '04'");
        assert_eq!(sample(2, true), "trace_id < '80'");
        assert_eq!(sample(4, false), "hash(trace_id) % 4 = 0");
    }

    #[test]
    fn the_interval_is_wilsons() {
        // 8 of 10: 0.490 to 0.943, as tables have it; all of 10 is not certain.
        let (low, high) = wilson(0.8, 10.0);
        assert!(
            (low - 0.490).abs() < 0.001 && (high - 0.943).abs() < 0.001,
            "{low} {high}"
        );
        let (low, high) = wilson(1.0, 10.0);
        assert!((low - 0.722).abs() < 0.001 && high == 1.0, "{low} {high}");
        assert_eq!(wilson(0.5, 0.0), (0.0, 1.0));
    }
}
