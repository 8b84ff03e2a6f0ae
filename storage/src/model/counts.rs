//! Calls and failures, and what they stand for where spans are a sample.

/// Calls counted, and the calls that these stand for by the weights of samplers. A sampler that keeps every failure and
/// few successes makes failures many among the spans: shares are of what the spans stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CallCounts {
    /// Calls counted.
    pub calls: u64,
    /// Of these, failed.
    pub errors: u64,
    weight: f64,
    error_weight: f64,
}

impl CallCounts {
    /// Calls and failures, each of which stands for itself.
    pub fn every(calls: u64, errors: u64) -> Self {
        Self {
            calls,
            errors,
            weight: calls as f64,
            error_weight: errors as f64,
        }
    }

    /// Calls and failures, and the sums of their weights, each of which is at least one. Where none is told (0), a call
    /// stands for itself, and a failure for as many as calls do.
    pub fn weighted((calls, errors): (u64, u64), (weight, error_weight): (f64, f64)) -> Self {
        let weight = weight.max(calls as f64);
        let failed = errors as f64;
        let error_weight = match errors {
            0 => 0.0,
            _ if error_weight > 0.0 => error_weight.max(failed).min(weight),
            _ => failed * weight / (calls as f64).max(failed),
        };
        Self {
            calls,
            errors,
            weight,
            error_weight,
        }
    }

    /// Calls that those counted stand for.
    pub fn all(self) -> f64 {
        self.weight
    }

    /// Of these, failed.
    pub fn failed(self) -> f64 {
        self.error_weight
    }

    /// Failed share of the calls that those counted stand for, 0 to 1; 0 without calls.
    pub fn share(self) -> f64 {
        if self.calls == 0 {
            0.0
        } else {
            self.error_weight / self.weight
        }
    }

    /// Some of the calls stand for others that were not kept. Sums of fractions are a little off.
    pub fn is_sample(self) -> bool {
        self.weight > self.calls as f64 * 1.000_001
    }

    /// How many calls of weight one would tell the share as well: as many as were counted, unless other parts are kept of
    /// failures than of successes. Both are counts of their own, each as uncertain as its square root.
    pub fn effective(self) -> f64 {
        let usual = self.weight / (self.calls as f64).max(1.0);
        let mean = |weight: f64, count: u64| match count {
            0 => usual,
            _ => weight / count as f64,
        };
        let passed = self.calls.saturating_sub(self.errors);
        let share = self.share();
        let of_failed = mean(self.error_weight, self.errors);
        let of_passed = mean(self.weight - self.error_weight, passed);
        let spread = (1.0 - share) * of_failed + share * of_passed;
        if spread > 0.0 {
            self.weight / spread
        } else {
            0.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_what_calls_stand_for() {
        // All of the failures and a tenth of the successes.
        let counts = CallCounts::weighted((20, 10), (110.0, 10.0));
        assert!((counts.share() - 10.0 / 110.0).abs() < 1e-12);
        assert_eq!((counts.all(), counts.failed()), (110.0, 10.0));
        assert!(counts.is_sample());
        let plain = CallCounts::every(40, 4);
        assert_eq!(CallCounts::weighted((40, 4), (40.0, 4.0)), plain);
        assert!((plain.share() - 0.1).abs() < 1e-12 && !plain.is_sample());
        assert_eq!(CallCounts::default().share(), 0.0);
    }

    #[test]
    fn without_weights_a_failure_stands_for_as_many_as_calls_do() {
        assert_eq!(
            CallCounts::weighted((40, 4), (0.0, 0.0)),
            CallCounts::every(40, 4)
        );
        let counts = CallCounts::weighted((40, 4), (400.0, 0.0));
        assert_eq!((counts.all(), counts.failed()), (400.0, 40.0));
        // What fractions leave when all was taken away is no failure.
        assert_eq!(CallCounts::weighted((3, 0), (9.0, 1e-12)).share(), 0.0);
    }

    #[test]
    fn a_sample_tells_as_much_as_it_has_calls() {
        assert!((CallCounts::every(100, 7).effective() - 100.0).abs() < 1e-9);
        let even = CallCounts::weighted((100, 7), (1_000.0, 70.0));
        assert!((even.effective() - 100.0).abs() < 1e-9);
        // Few successes stand for many: less than as many calls would say, more than as were counted.
        let kept = CallCounts::weighted((20, 10), (110.0, 10.0)).effective();
        assert!((20.0..110.0).contains(&kept), "{kept}");
        assert_eq!(CallCounts::default().effective(), 0.0);
    }
}
