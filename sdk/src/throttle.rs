//! Adaptive throttling on the client's side (Site Reliability Engineering, ch. 21, eq. 21-1).
//!
//! Of late the peer accepted so many of so many requests; refuse locally with the probability
//! `(requests − K × accepts) / (requests + 1)`. There is no open state and no probe, so there is
//! nothing that could get stuck.

use std::time::Duration;

use crate::clock::{Moment, nanos};
use crate::random::Chance;
use crate::sync::thread_number;
use crate::window::EpochRing;

/// The settings of a [`Throttle`].
///
/// ```
/// let config = tripline_sdk::ThrottleConfig::default();
/// assert_eq!(config.multiplier, 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThrottleConfig {
    /// K: how many requests to send for each that is accepted. Lower is stricter.
    pub multiplier: f64,
    /// How far back requests count.
    pub history: Duration,
    /// The largest probability of a refusal; below 1, so that recovery is noticed.
    pub max_rejection: f64,
    /// Below this many requests in the history nothing is refused.
    pub minimum_requests: u64,
    /// Makes chance repeatable.
    pub seed: Option<u64>,
}

impl Default for ThrottleConfig {
    /// K = 2 over two minutes, at most 95 % refused, from 10 requests on.
    fn default() -> Self {
        Self {
            multiplier: 2.0,
            history: Duration::from_secs(120),
            max_rejection: 0.95,
            minimum_requests: 10,
            seed: None,
        }
    }
}

const BUCKETS: usize = 24;
const REQUESTS: usize = 0;
const ACCEPTS: usize = 1;

/// An adaptive throttle.
///
/// ```
/// use tripline_sdk::{Moment, Throttle, ThrottleConfig};
/// let throttle = Throttle::new(ThrottleConfig { seed: Some(1), ..ThrottleConfig::default() });
/// let now = Moment::from_millis(1);
/// for _ in 0..100 {
///     throttle.admit(now); // and the peer accepts none of them
/// }
/// assert!(throttle.rejection(now) > 0.9);
/// ```
#[derive(Debug)]
pub struct Throttle {
    config: ThrottleConfig,
    ring: EpochRing<2>,
    chance: Chance,
}

impl Throttle {
    /// A throttle without history.
    ///
    /// ```
    /// use tripline_sdk::{Moment, Throttle, ThrottleConfig};
    /// let throttle = Throttle::new(ThrottleConfig::default());
    /// assert_eq!(throttle.rejection(Moment::ZERO), 0.0);
    /// assert!(throttle.admit(Moment::ZERO));
    /// ```
    #[must_use]
    pub fn new(config: ThrottleConfig) -> Self {
        let width_ns = (nanos(config.history) / BUCKETS as u64).max(1);
        Self {
            config,
            ring: EpochRing::new(BUCKETS, width_ns, 4),
            chance: Chance::new(config.seed),
        }
    }

    /// Asks to make a request. It counts at once, refused or not: what is still in flight, and
    /// what was refused here, is demand too.
    ///
    /// ```
    /// use tripline_sdk::{Moment, Throttle, ThrottleConfig};
    /// let throttle = Throttle::new(ThrottleConfig { seed: Some(1), ..ThrottleConfig::default() });
    /// let now = Moment::from_millis(1);
    /// assert!((0..10).all(|_| throttle.admit(now)), "nothing is refused below the minimum");
    /// // The peer accepted none of them.
    /// let admitted = (0..1_000).filter(|_| throttle.admit(now)).count();
    /// assert!((1..100).contains(&admitted), "about one in twenty, to notice a recovery");
    /// ```
    pub fn admit(&self, now: Moment) -> bool {
        let rejection = self.rejection(now);
        self.ring
            .add(thread_number(), 0, self.ring.epoch(now), REQUESTS);
        rejection <= 0.0 || self.chance.unit() >= rejection
    }

    /// The peer accepted a request (whatever became of it then).
    ///
    /// ```
    /// use tripline_sdk::{Moment, Throttle, ThrottleConfig};
    /// let throttle = Throttle::new(ThrottleConfig::default());
    /// let now = Moment::from_millis(1);
    /// for _ in 0..100 {
    ///     throttle.admit(now);
    ///     throttle.accepted(now);
    /// }
    /// assert_eq!(throttle.rejection(now), 0.0);
    /// ```
    pub fn accepted(&self, now: Moment) {
        self.ring
            .add(thread_number(), 0, self.ring.epoch(now), ACCEPTS);
    }

    /// The probability with which a request is refused now.
    ///
    /// ```
    /// use tripline_sdk::{Moment, Throttle, ThrottleConfig};
    /// let throttle = Throttle::new(ThrottleConfig::default());
    /// let now = Moment::from_millis(1);
    /// for request in 0..30 {
    ///     throttle.admit(now);
    ///     if request < 5 {
    ///         throttle.accepted(now);
    ///     }
    /// }
    /// let expected = (30.0 - 2.0 * 5.0) / 31.0;
    /// assert!((throttle.rejection(now) - expected).abs() < 1e-9);
    /// ```
    #[must_use]
    pub fn rejection(&self, now: Moment) -> f64 {
        let [requests, accepts] = self.ring.sums(0, now);
        if requests < self.config.minimum_requests {
            return 0.0;
        }
        let (requests, accepts) = (requests as f64, accepts as f64);
        let excess = (requests - self.config.multiplier * accepts) / (requests + 1.0);
        excess.clamp(0.0, self.config.max_rejection.clamp(0.0, 1.0))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_peer_is_never_throttled_and_a_recovered_one_soon_not_any_more() {
        let throttle = Throttle::new(ThrottleConfig {
            seed: Some(3),
            ..ThrottleConfig::default()
        });
        let run = |from: u64, accepts: bool| {
            let mut refused = 0;
            for tick in 0..2_000 {
                let now = Moment::from_millis((from + tick / 10) * 1_000);
                match throttle.admit(now) {
                    true if accepts => throttle.accepted(now),
                    true => {}
                    false => refused += 1,
                }
            }
            refused
        };
        assert_eq!(run(0, true), 0);
        assert!(run(200, false) > 1_000, "an outage is throttled");
        // Refusals count as demand, so the share admitted doubles about every history.
        for from in [400, 600, 800] {
            run(from, true);
        }
        assert_eq!(throttle.rejection(Moment::from_millis(1_000_000)), 0.0);
    }
}
