//! What decoding leaves out, by reason: counted, and told to the client in English.

use std::fmt::Write as _;

/// Why something of a request is not stored as sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DropReason {
    /// A span's trace id is not 16 bytes, or all zero.
    SpanTraceId,
    /// A span's own id is not 8 bytes, or all zero.
    SpanId,
    /// A span's parent id is neither empty nor 8 bytes: the span is rejected, for a wrong tree misleads.
    SpanParentId,
    /// A data point without a time.
    PointTime,
    /// A number point with neither value and without the no-recorded-value flag.
    PointValue,
    /// A histogram whose bucket counts do not fit its bounds.
    HistogramBuckets,
    /// A histogram whose bounds do not increase strictly.
    HistogramBounds,
    /// A histogram whose bucket counts do not add up to its count.
    HistogramCount,
    /// An exponential histogram with a bucket outside what a double can hold.
    ExponentialRange,
    /// An exponential histogram whose buckets do not add up to its count.
    ExponentialCount,
    /// A summary whose quantiles are outside [0, 1] or do not increase, or whose values are negative.
    SummaryQuantiles,
    /// A metric of a kind this version does not know; how many points it had is not known either.
    MetricKind,
    /// A log record's or exemplar's id that is neither empty nor of the right length: stored without it.
    Association,
    /// A sum or histogram without a temporality: stored, but rates cannot be computed.
    TemporalityUnspecified,
    /// A string by index into a table that only profiles have: read as absent.
    StringIndex,
    /// A key given twice in one attribute map: the first stays.
    DuplicateKey,
}

/// What the client hears of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The item is not stored and counts as rejected.
    Rejects,
    /// Stored, but not all of it: a warning.
    Warns,
    /// Only counted: behaviour the protocol leaves open.
    Counts,
}

impl DropReason {
    const ALL: [Self; 16] = [
        Self::SpanTraceId,
        Self::SpanId,
        Self::SpanParentId,
        Self::PointTime,
        Self::PointValue,
        Self::HistogramBuckets,
        Self::HistogramBounds,
        Self::HistogramCount,
        Self::ExponentialRange,
        Self::ExponentialCount,
        Self::SummaryQuantiles,
        Self::MetricKind,
        Self::Association,
        Self::TemporalityUnspecified,
        Self::StringIndex,
        Self::DuplicateKey,
    ];

    /// The word for label values and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SpanTraceId => "span_trace_id_invalid",
            Self::SpanId => "span_id_invalid",
            Self::SpanParentId => "span_parent_id_invalid",
            Self::PointTime => "point_time_missing",
            Self::PointValue => "point_value_missing",
            Self::HistogramBuckets => "histogram_bucket_mismatch",
            Self::HistogramBounds => "histogram_bounds_not_increasing",
            Self::HistogramCount => "histogram_count_mismatch",
            Self::ExponentialRange => "exponential_histogram_out_of_range",
            Self::ExponentialCount => "exponential_histogram_count_mismatch",
            Self::SummaryQuantiles => "summary_quantiles_invalid",
            Self::MetricKind => "metric_kind_unknown",
            Self::Association => "association_id_invalid",
            Self::TemporalityUnspecified => "temporality_unspecified",
            Self::StringIndex => "string_index_unsupported",
            Self::DuplicateKey => "attribute_key_duplicate",
        }
    }

    fn effect(self) -> Effect {
        match self {
            Self::MetricKind
            | Self::Association
            | Self::TemporalityUnspecified
            | Self::StringIndex => Effect::Warns,
            Self::DuplicateKey => Effect::Counts,
            _ => Effect::Rejects,
        }
    }

    /// Whether it keeps an item out of the store.
    pub fn rejects(self) -> bool {
        self.effect() == Effect::Rejects
    }

    fn advice(self) -> &'static str {
        match self {
            Self::SpanTraceId => "spans with an invalid trace_id (send 16 bytes, not all zero)",
            Self::SpanId => "spans with an invalid span_id (send 8 bytes, not all zero)",
            Self::SpanParentId => {
                "spans with an invalid parent_span_id (send 8 bytes, or leave it empty for a root)"
            }
            Self::PointTime => "data points without time_unix_nano (set it)",
            Self::PointValue => {
                "number data points without a value (set as_int or as_double, or the no-recorded-value flag)"
            }
            Self::HistogramBuckets => {
                "histogram data points whose bucket_counts do not fit explicit_bounds (send one count more than bounds, or neither)"
            }
            Self::HistogramBounds => {
                "histogram data points whose explicit_bounds are not strictly increasing (sort them, no NaN)"
            }
            Self::HistogramCount => {
                "histogram data points whose bucket_counts do not add up to count (send the sum of the buckets)"
            }
            Self::ExponentialRange => {
                "exponential histogram data points with buckets beyond the range of a double (lower the scale)"
            }
            Self::ExponentialCount => {
                "exponential histogram data points whose zero_count and buckets do not add up to count (send the sum)"
            }
            Self::SummaryQuantiles => {
                "summary data points with invalid quantiles (quantiles in [0, 1] strictly increasing, values not negative)"
            }
            Self::MetricKind => {
                "metrics with no data of a kind known here were skipped (send gauge, sum, histogram, exponential histogram or summary)"
            }
            Self::Association => {
                "trace_id or span_id values of the wrong length were left out (send 16 and 8 bytes, or leave them empty)"
            }
            Self::TemporalityUnspecified => {
                "data points have no aggregation_temporality and no rate can be computed (send delta or cumulative)"
            }
            Self::StringIndex => {
                "string_value_strindex and key_strindex were read as absent (they belong to profiles only)"
            }
            Self::DuplicateKey => "attribute keys given twice (the first value stays)",
        }
    }
}

/// Counts by reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drops {
    counts: [u64; DropReason::ALL.len()],
}

impl Drops {
    /// Counts one.
    pub fn add(&mut self, reason: DropReason) {
        self.add_many(reason, 1);
    }

    /// Counts several.
    pub fn add_many(&mut self, reason: DropReason, count: u64) {
        self.counts[reason as usize] += count;
    }

    /// Reasons seen, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL
            .into_iter()
            .zip(self.counts)
            .filter(|&(_, count)| count > 0)
    }

    /// How often this reason was seen.
    pub fn count(&self, reason: DropReason) -> u64 {
        self.counts[reason as usize]
    }

    /// Items refused for good.
    pub fn rejected(&self) -> u64 {
        self.iter()
            .filter(|(reason, _)| reason.rejects())
            .map(|(_, count)| count)
            .sum()
    }

    /// Why, and what to do; `None` when there is nothing the client should know.
    pub fn message(&self) -> Option<String> {
        let mut text = String::new();
        for (reason, count) in self.iter() {
            if reason.effect() == Effect::Counts {
                continue;
            }
            if !text.is_empty() {
                text.push_str("; ");
            }
            let verb = if reason.rejects() { "rejected " } else { "" };
            let _ = write!(text, "{verb}{count} {}", reason.advice());
        }
        (!text.is_empty()).then_some(text)
    }
}
