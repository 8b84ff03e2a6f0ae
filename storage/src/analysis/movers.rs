//! Services that do worse or better in the second half of a range than in the first.

use crate::model::{CallCounts, ServicePulse};

/// Calls each half needs before the two are compared.
pub const MOVER_CALLS_MIN: u64 = 20;
/// How much p95 must grow or shrink: the histogram's buckets are 9 % apart, and small samples scatter.
const LATENCY_FACTOR: f64 = 1.5;

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Move {
    /// Failed share, 0 to 1: earlier and later.
    Errors(f64, f64),
    /// p95 in nanoseconds: earlier and later.
    Latency(f64, f64),
}

impl Move {
    /// It got worse.
    pub fn is_worse(self) -> bool {
        let (Self::Errors(earlier, later) | Self::Latency(earlier, later)) = self;
        later > earlier
    }
}

/// Worse first, then by how far they moved: failed shares that chance does not explain (two-proportion z-test
/// at 95 %) before latencies that changed by half or more.
pub fn movers(pulses: &[ServicePulse]) -> Vec<(&ServicePulse, Move)> {
    let mut found: Vec<(&ServicePulse, Move, f64)> = Vec::new();
    for pulse in pulses {
        let (earlier, later) = (&pulse.earlier, &pulse.later);
        if earlier.calls < MOVER_CALLS_MIN || later.calls < MOVER_CALLS_MIN {
            continue;
        }
        let z = z_score(later.counts(), earlier.counts());
        if z.abs() > 1.96 {
            let (from, to) = (earlier.counts().share(), later.counts().share());
            found.push((pulse, Move::Errors(from, to), 10.0 + (to - from).abs()));
        }
        if let (Some(from), Some(to)) = (earlier.p95_ns, later.p95_ns) {
            let factor = (to / from.max(1.0)).max(from / to.max(1.0));
            if factor >= LATENCY_FACTOR {
                found.push((pulse, Move::Latency(from, to), factor.log10().min(9.0)));
            }
        }
    }
    found.sort_by(|(a, a_move, a_size), (b, b_move, b_size)| {
        (b_move.is_worse().cmp(&a_move.is_worse()))
            .then(b_size.total_cmp(a_size))
            .then_with(|| a.service_name.cmp(&b.service_name))
    });
    found
        .into_iter()
        .map(|(pulse, moved, _)| (pulse, moved))
        .collect()
}

/// Difference of two failed shares in standard errors of their pooled share. Of a sample the share is of what it stands
/// for, but it is as uncertain as so few calls are.
pub fn z_score(new: CallCounts, old: CallCounts) -> f64 {
    let (n, m) = (new.effective(), old.effective());
    let (new, old) = (new.share(), old.share());
    let pooled = (new * n + old * m) / (n + m);
    let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    if error > 0.0 {
        (new - old) / error
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HalfSummary;

    fn pulse(name: &str, earlier: (u64, u64, f64), later: (u64, u64, f64)) -> ServicePulse {
        let half = |(calls, errors, p95): (u64, u64, f64)| HalfSummary {
            calls,
            errors,
            p95_ns: Some(p95),
            ..HalfSummary::default()
        };
        ServicePulse {
            service_name: name.to_owned(),
            earlier: half(earlier),
            later: half(later),
            ..ServicePulse::default()
        }
    }

    #[test]
    fn only_what_chance_does_not_explain_moves_and_worse_comes_first() {
        let pulses = [
            pulse("few", (19, 0, 1e6), (500, 500, 9e6)),
            pulse("steady", (100, 2, 1e6), (100, 3, 1.2e6)),
            pulse("better", (100, 50, 1e6), (100, 0, 1e6)),
            pulse("slower", (100, 0, 1e6), (100, 0, 4e6)),
            pulse("worse", (100, 0, 1e6), (100, 20, 1e6)),
        ];
        let found = movers(&pulses);
        let told: Vec<(&str, Move)> = found
            .iter()
            .map(|(pulse, moved)| (pulse.service_name.as_str(), *moved))
            .collect();
        assert_eq!(
            told,
            [
                ("worse", Move::Errors(0.0, 0.2)),
                ("slower", Move::Latency(1e6, 4e6)),
                ("better", Move::Errors(0.5, 0.0)),
            ]
        );
    }

    #[test]
    fn chance_is_told_from_a_worse_version() {
        let z = |(new, of_new), (old, of_old)| {
            z_score(
                CallCounts::every(of_new, new),
                CallCounts::every(of_old, old),
            )
        };
        assert!(z((20, 60), (0, 100)) > 1.96);
        assert!(z((3, 100), (2, 100)).abs() < 1.96);
        assert!(z((0, 100), (30, 100)) < -1.96);
        assert_eq!(z((0, 50), (0, 50)), 0.0);
    }

    #[test]
    fn a_sampler_that_keeps_failures_moves_nobody() {
        // A sampler that keeps every failure and a tenth of the successes begins halfway.
        let sampled = HalfSummary {
            calls: 200,
            errors: 100,
            weight: 1_100.0,
            error_weight: 100.0,
            p95_ns: None,
        };
        let mut moved = pulse("cart", (1_100, 100, 1e6), (1_100, 100, 1e6));
        moved.later = sampled;
        assert_eq!(movers(std::slice::from_ref(&moved)), []);
        // Thrice as many failures are seen all the same.
        moved.later.errors = 300;
        moved.later.error_weight = 300.0;
        moved.later.calls = 400;
        moved.later.weight = 1_300.0;
        let pulses = [moved];
        let found = movers(&pulses);
        let [(_, Move::Errors(from, to))] = found[..] else {
            panic!("{found:?}")
        };
        assert!((from - 1.0 / 11.0).abs() < 1e-9 && (to - 3.0 / 13.0).abs() < 1e-9);
    }
}
