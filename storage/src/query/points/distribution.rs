//! A histogram's, exponential histogram's or summary's distribution, and its quantiles.

use duckdb::Row;

/// What a point says about how its values are spread.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Distribution {
    /// Counts per bucket and the inclusive upper bounds of all but the last.
    Explicit { counts: Vec<u64>, bounds: Vec<f64> },
    /// base = 2^(2^-scale); bucket `i` of a side holds (base^(offset+i), base^(offset+i+1)].
    Exponential {
        scale: i32,
        zero: u64,
        positive: (i32, Vec<u64>),
        negative: (i32, Vec<u64>),
    },
    /// Quantiles and their values, as sent.
    Summary {
        quantiles: Vec<f64>,
        values: Vec<f64>,
    },
}

impl Distribution {
    /// From the columns of `points.sql`; `None` for a point that has none.
    pub(super) fn read(row: &Row<'_>) -> duckdb::Result<Option<Self>> {
        let text = |at: usize| row.get::<_, Option<String>>(at);
        if let Some(scale) = row.get::<_, Option<i32>>(12)? {
            return Ok(Some(Self::Exponential {
                scale,
                zero: row.get::<_, Option<u64>>(13)?.unwrap_or(0),
                positive: (
                    row.get::<_, Option<i32>>(14)?.unwrap_or(0),
                    numbers(text(15)?),
                ),
                negative: (
                    row.get::<_, Option<i32>>(16)?.unwrap_or(0),
                    numbers(text(17)?),
                ),
            }));
        }
        if let Some(quantiles) = text(18)? {
            return Ok(Some(Self::Summary {
                quantiles: numbers(Some(quantiles)),
                values: numbers(text(19)?),
            }));
        }
        let counts: Vec<u64> = numbers(text(10)?);
        let bounds = numbers(text(11)?);
        Ok((!counts.is_empty()).then_some(Self::Explicit { counts, bounds }))
    }

    /// What came since `before`; `None` when the two do not compare.
    pub(super) fn minus(&self, before: &Self) -> Option<Self> {
        match (self, before) {
            (
                Self::Explicit { counts, bounds },
                Self::Explicit {
                    counts: earlier,
                    bounds: same,
                },
            ) => (bounds == same && counts.len() == earlier.len()).then(|| Self::Explicit {
                counts: counts
                    .iter()
                    .zip(earlier)
                    .map(|(now, then)| now.saturating_sub(*then))
                    .collect(),
                bounds: bounds.clone(),
            }),
            (
                Self::Exponential {
                    scale,
                    zero,
                    positive,
                    negative,
                },
                Self::Exponential {
                    scale: same,
                    zero: zero_then,
                    positive: positive_then,
                    negative: negative_then,
                },
            ) => (scale == same).then(|| Self::Exponential {
                scale: *scale,
                zero: zero.saturating_sub(*zero_then),
                positive: side_minus(positive, positive_then),
                negative: side_minus(negative, negative_then),
            }),
            _ => None,
        }
    }

    /// No values in it.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Explicit { counts, .. } => counts.iter().all(|count| *count == 0),
            Self::Exponential {
                zero,
                positive,
                negative,
                ..
            } => {
                *zero == 0
                    && positive
                        .1
                        .iter()
                        .chain(&negative.1)
                        .all(|count| *count == 0)
            }
            Self::Summary { quantiles, .. } => quantiles.is_empty(),
        }
    }

    /// Lower and upper bound and count of each bucket with values in it; the outermost buckets of explicit bounds have
    /// none outwards. A summary has no buckets.
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        let mut buckets = match self {
            Self::Explicit { counts, bounds } => {
                let bound = |at: Option<usize>| at.and_then(|at| bounds.get(at)).copied();
                counts
                    .iter()
                    .enumerate()
                    .map(|(at, count)| {
                        let low = bound(at.checked_sub(1)).unwrap_or(f64::NEG_INFINITY);
                        (low, bound(Some(at)).unwrap_or(f64::INFINITY), *count)
                    })
                    .collect()
            }
            Self::Exponential {
                scale,
                zero,
                positive,
                negative,
            } => exponential(*scale, *zero, positive, negative),
            Self::Summary { .. } => Vec::new(),
        };
        buckets.retain(|(low, high, count)| *count > 0 && !low.is_nan() && !high.is_nan());
        buckets
    }

    /// The quantile, interpolated inside its bucket; a summary answers only what it was sent.
    pub(super) fn quantile(
        &self,
        quantile: f64,
        min: Option<f64>,
        max: Option<f64>,
    ) -> Option<f64> {
        match self {
            Self::Summary { quantiles, values } => {
                let at = quantiles
                    .iter()
                    .position(|sent| (sent - quantile).abs() < 1e-9)?;
                values.get(at).copied().filter(|value| value.is_finite())
            }
            Self::Explicit { counts, bounds } => {
                interpolate(&explicit(counts, bounds, min, max), quantile)
            }
            Self::Exponential {
                scale,
                zero,
                positive,
                negative,
            } => interpolate(&exponential(*scale, *zero, positive, negative), quantile),
        }
    }
}

/// A bucket's bounds and count.
pub(super) type Bucket = (f64, f64, u64);

fn explicit(counts: &[u64], bounds: &[f64], min: Option<f64>, max: Option<f64>) -> Vec<Bucket> {
    let (Some(first), Some(last)) = (bounds.first().copied(), bounds.last().copied()) else {
        // One bucket alone: all that is known are the extremes.
        let extremes = min.or(max).zip(max.or(min));
        let alone = extremes.zip(counts.first());
        return alone
            .map(|((low, high), count)| (low.min(high), high, *count))
            .into_iter()
            .collect();
    };
    let lowest = min
        .unwrap_or(if first > 0.0 { 0.0 } else { first })
        .min(first);
    let highest = max.unwrap_or(last).max(last);
    counts
        .iter()
        .enumerate()
        .map(|(at, count)| {
            let low = at
                .checked_sub(1)
                .and_then(|at| bounds.get(at))
                .copied()
                .unwrap_or(lowest);
            (low, bounds.get(at).copied().unwrap_or(highest), *count)
        })
        .collect()
}

fn exponential(
    scale: i32,
    zero: u64,
    positive: &(i32, Vec<u64>),
    negative: &(i32, Vec<u64>),
) -> Vec<Bucket> {
    let power = |index: f64| (index * (-f64::from(scale)).exp2()).exp2();
    let side = |(offset, counts): &(i32, Vec<u64>), sign: f64| -> Vec<Bucket> {
        let bounds = |at: usize| {
            (
                power(f64::from(*offset) + at as f64),
                power(f64::from(*offset) + at as f64 + 1.0),
            )
        };
        counts
            .iter()
            .enumerate()
            .map(|(at, count)| (sign * bounds(at).0, sign * bounds(at).1, *count))
            .collect()
    };
    let mut buckets: Vec<Bucket> = side(negative, -1.0)
        .into_iter()
        .rev()
        .map(|(high, low, count)| (low, high, count))
        .collect();
    buckets.push((0.0, 0.0, zero));
    buckets.extend(side(positive, 1.0));
    buckets
}

fn interpolate(buckets: &[Bucket], quantile: f64) -> Option<f64> {
    let total: u64 = buckets.iter().map(|(_, _, count)| count).sum();
    if total == 0 {
        return None;
    }
    let rank = quantile * total as f64;
    let mut below = 0.0;
    for (low, high, count) in buckets.iter().filter(|(_, _, count)| *count > 0) {
        let count = *count as f64;
        if below + count >= rank {
            let value = low + (high - low) * ((rank - below) / count);
            return value.is_finite().then_some(value);
        }
        below += count;
    }
    buckets
        .last()
        .map(|(_, high, _)| *high)
        .filter(|value| value.is_finite())
}

fn side_minus(
    (offset, counts): &(i32, Vec<u64>),
    (offset_then, then): &(i32, Vec<u64>),
) -> (i32, Vec<u64>) {
    let earlier = |at: usize| {
        let index = i64::from(*offset) + at as i64 - i64::from(*offset_then);
        usize::try_from(index)
            .ok()
            .and_then(|index| then.get(index))
            .copied()
            .unwrap_or(0)
    };
    (
        *offset,
        counts
            .iter()
            .enumerate()
            .map(|(at, count)| count.saturating_sub(earlier(at)))
            .collect(),
    )
}

fn numbers<T: std::str::FromStr>(text: Option<String>) -> Vec<T> {
    text.map(|text| {
        text.split(',')
            .filter_map(|number| number.trim().parse().ok())
            .collect()
    })
    .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_histogram_interpolates_inside_the_bucket() {
        let histogram = Distribution::Explicit {
            counts: vec![0, 10, 10, 0],
            bounds: vec![1.0, 2.0, 4.0],
        };
        assert_eq!(histogram.quantile(0.5, None, None), Some(2.0));
        assert_eq!(histogram.quantile(0.75, None, None), Some(3.0));
    }

    #[test]
    fn one_bucket_alone_lies_between_the_extremes() {
        let histogram = Distribution::Explicit {
            counts: vec![4],
            bounds: Vec::new(),
        };
        assert_eq!(histogram.quantile(0.5, Some(5.0), Some(9.0)), Some(7.0));
        assert_eq!(histogram.quantile(0.5, None, Some(9.0)), Some(9.0));
        assert_eq!(histogram.quantile(0.5, None, None), None);
    }

    #[test]
    fn an_exponential_histogram_knows_both_sides_of_zero() {
        let histogram = Distribution::Exponential {
            scale: 0,
            zero: 1,
            positive: (0, vec![0, 2]),
            negative: (1, vec![1]),
        };
        // -4..-2: 1, 0: 1, 2..4: 2
        assert_eq!(histogram.quantile(0.25, None, None), Some(-2.0));
        assert_eq!(histogram.quantile(0.5, None, None), Some(0.0));
        assert_eq!(histogram.quantile(1.0, None, None), Some(4.0));
    }

    #[test]
    fn the_coarsest_scale_has_buckets_too() {
        // base = 2^(2^2^31): all that is above 1 is one bucket, without an end a double has.
        let histogram = Distribution::Exponential {
            scale: i32::MIN,
            zero: 3,
            positive: (0, vec![1]),
            negative: (0, Vec::new()),
        };
        assert_eq!(histogram.quantile(0.5, None, None), Some(0.0));
        assert_eq!(histogram.quantile(1.0, None, None), None);
    }

    #[test]
    fn a_cumulative_histogram_shows_what_came_since() {
        let then = Distribution::Explicit {
            counts: vec![5, 0],
            bounds: vec![1.0],
        };
        let now = Distribution::Explicit {
            counts: vec![5, 3],
            bounds: vec![1.0],
        };
        assert_eq!(
            now.minus(&then),
            Some(Distribution::Explicit {
                counts: vec![0, 3],
                bounds: vec![1.0]
            })
        );
    }
}
