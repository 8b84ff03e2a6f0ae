//! When a data point is valid: the rules of `metrics.proto` as pure functions.
//!
//! A point that breaks one is rejected, for it would give wrong percentiles and rates; the client is told.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    DataPointFlags, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint,
    SummaryDataPoint,
};

use super::drops::DropReason;

type Check = Result<(), DropReason>;

/// Bit 0: the series ends here, the point's values mean nothing.
pub(super) fn no_recorded_value(flags: u32) -> bool {
    flags & DataPointFlags::NoRecordedValueMask as u32 != 0
}

fn time(unix_nano: u64) -> Check {
    if unix_nano == 0 {
        Err(DropReason::PointTime)
    } else {
        Ok(())
    }
}

pub(super) fn number(point: &NumberDataPoint) -> Check {
    time(point.time_unix_nano)?;
    if point.value.is_none() && !no_recorded_value(point.flags) {
        return Err(DropReason::PointValue);
    }
    Ok(())
}

/// Bounds strictly increasing, one count more than bounds or none of either, counts adding up.
pub(super) fn histogram(point: &HistogramDataPoint) -> Check {
    time(point.time_unix_nano)?;
    if no_recorded_value(point.flags) {
        return Ok(());
    }
    let (counts, bounds) = (&point.bucket_counts, &point.explicit_bounds);
    let both_empty = counts.is_empty() && bounds.is_empty();
    if !both_empty && counts.len() != bounds.len() + 1 {
        return Err(DropReason::HistogramBuckets);
    }
    let increasing = bounds.windows(2).all(|pair| pair[0] < pair[1]);
    if !increasing || bounds.iter().any(|bound| bound.is_nan()) {
        return Err(DropReason::HistogramBounds);
    }
    if !both_empty && sum(counts) != u128::from(point.count) {
        return Err(DropReason::HistogramCount);
    }
    Ok(())
}

/// Buckets within the range of a double, counts adding up.
pub(super) fn exponential(point: &ExponentialHistogramDataPoint) -> Check {
    time(point.time_unix_nano)?;
    if no_recorded_value(point.flags) {
        return Ok(());
    }
    let sides = [point.positive.as_ref(), point.negative.as_ref()];
    let buckets: u128 = sides
        .iter()
        .flatten()
        .map(|side| sum(&side.bucket_counts))
        .sum();
    if buckets + u128::from(point.zero_count) != u128::from(point.count) {
        return Err(DropReason::ExponentialCount);
    }
    if sides
        .into_iter()
        .flatten()
        .any(|side| !representable(side, point.scale))
    {
        return Err(DropReason::ExponentialRange);
    }
    Ok(())
}

/// Bucket `i` is (base^i, base^(i+1)], base = 2^(2^-scale): some double must lie in every bucket that counts.
fn representable(side: &Buckets, scale: i32) -> bool {
    let counted = |count: &u64| *count > 0;
    let (Some(first), Some(last)) = (
        side.bucket_counts.iter().position(counted),
        side.bucket_counts.iter().rposition(counted),
    ) else {
        return true;
    };
    let index = |at: usize| f64::from(side.offset) + at as f64;
    let exponent_step = (-f64::from(scale)).exp2();
    // 2^-1074 is the smallest double, 2^1024 the first too large. Index 0 times an infinite step is NaN: in range.
    let below = (index(first) + 1.0) * exponent_step < -1074.0;
    let above = index(last) * exponent_step >= 1024.0;
    !below && !above
}

/// Quantiles in [0, 1], strictly increasing; values not negative (NaN is what an idle Prometheus summary sends).
pub(super) fn summary(point: &SummaryDataPoint) -> Check {
    time(point.time_unix_nano)?;
    if no_recorded_value(point.flags) {
        return Ok(());
    }
    let quantiles = &point.quantile_values;
    let in_range = quantiles
        .iter()
        .all(|q| (0.0..=1.0).contains(&q.quantile) && (q.value.is_nan() || q.value >= 0.0));
    let increasing = quantiles
        .windows(2)
        .all(|pair| pair[0].quantile < pair[1].quantile);
    if in_range && increasing {
        Ok(())
    } else {
        Err(DropReason::SummaryQuantiles)
    }
}

/// Cannot overflow: a request has fewer than 2^64 buckets.
fn sum(counts: &[u64]) -> u128 {
    counts.iter().map(|count| u128::from(*count)).sum()
}
