//! Buckets of many points added up step by step, and the quantiles of the sum.
//!
//! Streams need not share their bounds: inside a bucket values are taken as spread evenly, as they are for the
//! quantiles of one stream, and the densities add up. Where bounds are the same, so are the results.

use std::collections::HashMap;

/// A bucket's bounds and how many values it holds.
pub(super) type Weighted = (f64, f64, f64);

/// Buckets with their values in each step.
#[derive(Debug, Clone, Default)]
pub(super) struct Mixture {
    /// By the bits of the bounds.
    buckets: HashMap<(u64, u64), Vec<f64>>,
    steps: usize,
}

impl Mixture {
    /// Without values, over so many steps.
    pub(super) fn new(steps: usize) -> Self {
        Self {
            buckets: HashMap::new(),
            steps,
        }
    }

    /// Adds values of a bucket to a step.
    pub(super) fn add(&mut self, (low, high): (f64, f64), step: usize, values: f64) {
        // -0 and 0 are one bound.
        let key = ((low + 0.0).to_bits(), (high + 0.0).to_bits());
        let bucket = self
            .buckets
            .entry(key)
            .or_insert_with(|| vec![0.0; self.steps]);
        if let Some(there) = bucket.get_mut(step) {
            *there += values;
        }
    }

    /// Every bucket and its values, a step each.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, f64, &[f64])> {
        self.buckets.iter().map(|((low, high), values)| {
            (
                f64::from_bits(*low),
                f64::from_bits(*high),
                values.as_slice(),
            )
        })
    }

    /// The buckets of a step; where one has no bound outwards, the smallest or largest value of the step is it.
    pub(super) fn at(&self, step: usize, min: Option<f64>, max: Option<f64>) -> Vec<Weighted> {
        self.buckets()
            .filter_map(|(low, high, values)| {
                let values = values.get(step).copied().filter(|values| *values > 0.0)?;
                let (low, high) = bounded(low, high, min, max)?;
                Some((low, high, values))
            })
            .collect()
    }
}

/// Bounds that are numbers: an open end reaches to the extreme value if that lies beyond, a first bucket above 0 down
/// to 0.
fn bounded(low: f64, high: f64, min: Option<f64>, max: Option<f64>) -> Option<(f64, f64)> {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => Some((low, high)),
        (false, true) => {
            let lowest = min.unwrap_or(if high > 0.0 { 0.0 } else { high });
            Some((lowest.min(high), high))
        }
        (true, false) => Some((low, max.unwrap_or(low).max(low))),
        // One bucket alone: all that is known are the extremes.
        (false, false) => {
            let (low, high) = (min.or(max)?, max.or(min)?);
            Some((low.min(high), high))
        }
    }
}

/// Where the density of the values changes.
struct Edge {
    at: f64,
    density: f64,
    opens: i32,
    jump: f64,
}

fn edges(buckets: &[Weighted]) -> Vec<Edge> {
    let mut edges = Vec::with_capacity(buckets.len() * 2);
    for (low, high, values) in buckets {
        let mut edge = |at: f64, density: f64, opens: i32, jump: f64| {
            edges.push(Edge {
                at,
                density,
                opens,
                jump,
            });
        };
        if high > low {
            let density = values / (high - low);
            edge(*low, density, 1, 0.0);
            edge(*high, -density, -1, 0.0);
        } else {
            edge(*low, 0.0, 0, *values);
        }
    }
    edges.sort_by(|a, b| a.at.total_cmp(&b.at));
    edges
}

/// The quantiles of buckets together; `None` without values.
pub(super) fn quantiles<const N: usize>(
    buckets: &[Weighted],
    wanted: [f64; N],
) -> [Option<f64>; N] {
    let total: f64 = buckets.iter().map(|(_, _, values)| values).sum();
    let mut found = [None; N];
    if total <= 0.0 {
        return found;
    }
    let mut reach = |below: f64, mass: f64, (from, to): (f64, f64)| {
        for (slot, quantile) in found.iter_mut().zip(wanted) {
            let rank = quantile * total;
            // A rank that a bucket reaches but for rounding is in it.
            if slot.is_none() && mass > 0.0 && below + mass >= rank - total * 1e-9 {
                let share = ((rank - below) / mass).clamp(0.0, 1.0);
                *slot = Some(from + (to - from) * share);
            }
        }
    };
    let (mut below, mut density, mut open, mut at) = (0.0, 0.0, 0, f64::NEG_INFINITY);
    for edge in edges(buckets) {
        if open > 0 {
            let mass = density * (edge.at - at);
            reach(below, mass, (at, edge.at));
            below += mass;
        }
        reach(below, edge.jump, (edge.at, edge.at));
        below += edge.jump;
        at = edge.at;
        open += edge.opens;
        density = if open > 0 {
            density + edge.density
        } else {
            0.0
        };
    }
    found.map(|value| value.filter(|value| value.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_equal_buckets_are_those_of_their_sum() {
        let buckets = [(1.0, 2.0, 4.0), (2.0, 4.0, 10.0), (1.0, 2.0, 6.0)];
        assert_eq!(quantiles(&buckets, [0.5, 0.75]), [Some(2.0), Some(3.0)]);
        assert_eq!(quantiles(&[], [0.5]), [None]);
    }

    #[test]
    fn buckets_that_overlap_share_their_density_and_a_zero_bucket_is_a_jump() {
        // Two a unit from 0 to 1, three from 1 to 2: 2.5 of five values are reached at 1 + 0.5 / 3.
        let buckets = [(0.0, 2.0, 4.0), (1.0, 2.0, 1.0)];
        let [median] = quantiles(&buckets, [0.5]);
        assert!((median.expect("values") - (1.0 + 0.5 / 3.0)).abs() < 1e-9);
        let buckets = [(-4.0, -2.0, 1.0), (0.0, 0.0, 1.0), (2.0, 4.0, 2.0)];
        assert_eq!(
            quantiles(&buckets, [0.25, 0.5, 1.0]),
            [Some(-2.0), Some(0.0), Some(4.0)]
        );
    }

    #[test]
    fn open_ends_reach_to_the_extremes_of_the_step() {
        let mut mixture = Mixture::new(2);
        mixture.add((f64::NEG_INFINITY, 1.0), 0, 1.0);
        mixture.add((10.0, f64::INFINITY), 0, 1.0);
        assert!(mixture.at(1, None, None).is_empty());
        let mut buckets = mixture.at(0, None, Some(30.0));
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_eq!(buckets, [(0.0, 1.0, 1.0), (10.0, 30.0, 1.0)]);
    }
}
