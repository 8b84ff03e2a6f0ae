//! Adaptive concurrency: a cap on calls at once that finds its own size from their latency.
//!
//! Queues show in latency before they show in errors. [`Gradient2`] compares the latency of now
//! with that of the longer past, [`Vegas`] estimates the queue from the best latency ever seen
//! (both after Netflix's concurrency-limits).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::bulkhead::{Bulkhead, Place};

/// How a limit follows the latency it sees.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{ConcurrencyAlgorithm, Gradient2, Sample};
/// let mut gradient = Gradient2::default();
/// let sample = Sample { latency: Duration::from_millis(10), in_flight: 20, dropped: false };
/// for _ in 0..100 {
///     gradient.update(sample);
/// }
/// assert!(gradient.limit() > 20, "busy and not slower than usual: it grows");
/// ```
pub trait ConcurrencyAlgorithm: Send {
    /// Takes one finished call into account.
    fn update(&mut self, sample: Sample);
    /// The calls allowed at once.
    fn limit(&self) -> u32;
}

/// One finished call.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::Sample;
/// let sample = Sample { latency: Duration::from_millis(5), in_flight: 3, dropped: false };
/// assert!(!sample.dropped);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// How long it took.
    pub latency: Duration,
    /// How many calls were in flight when it began.
    pub in_flight: u32,
    /// Whether the peer refused it or it timed out.
    pub dropped: bool,
}

/// The gradient of short-term against long-term latency.
///
/// ```
/// use tripline_sdk::{ConcurrencyAlgorithm, Gradient2};
/// assert_eq!(Gradient2::default().limit(), 20);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Gradient2 {
    /// The least limit.
    pub min: f64,
    /// The greatest limit.
    pub max: f64,
    /// How much of each new value is taken over.
    pub smoothing: f64,
    /// Calls allowed to queue.
    pub queue: f64,
    /// How much slower than usual is still fine.
    pub tolerance: f64,
    /// Over how many calls *usual* is averaged.
    pub long_window: f64,
    limit: f64,
    long: f64,
    samples: f64,
}

impl Default for Gradient2 {
    /// 20 to 200, smoothing 0.2, queue 4, tolerance 1.5, long window 600.
    fn default() -> Self {
        Self {
            min: 20.0,
            max: 200.0,
            smoothing: 0.2,
            queue: 4.0,
            tolerance: 1.5,
            long_window: 600.0,
            limit: 20.0,
            long: 0.0,
            samples: 0.0,
        }
    }
}

impl ConcurrencyAlgorithm for Gradient2 {
    fn update(&mut self, sample: Sample) {
        let short = sample.latency.as_secs_f64();
        // The first samples are averaged plainly, later ones exponentially.
        self.samples = (self.samples + 1.0).min(self.long_window);
        self.long += (short - self.long) / self.samples.max(2.0).min(self.samples.max(1.0));
        // After an outage the long average is far too slow: let it come back faster.
        if self.long / short.max(f64::MIN_POSITIVE) > 2.0 {
            self.long *= 0.95;
        }
        // A service that is not busy says nothing about its capacity.
        if f64::from(sample.in_flight) < self.limit / 2.0 {
            return;
        }
        let ratio = self.tolerance * self.long / short.max(f64::MIN_POSITIVE);
        let gradient = if sample.dropped {
            0.5
        } else {
            ratio.clamp(0.5, 1.0)
        };
        let wanted = self.limit * gradient + self.queue;
        let smoothed = self.limit * (1.0 - self.smoothing) + wanted * self.smoothing;
        self.limit = smoothed.clamp(self.min, self.max);
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }
}

/// TCP Vegas' queue estimate: `limit × (1 − best latency / latency)`.
///
/// ```
/// use tripline_sdk::{ConcurrencyAlgorithm, Vegas};
/// assert_eq!(Vegas::default().limit(), 20);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Vegas {
    /// The greatest limit.
    pub max: f64,
    /// After how many calls per unit of limit the best latency is measured anew.
    pub probe_multiplier: f64,
    limit: f64,
    best: f64,
    since_probe: f64,
}

impl Default for Vegas {
    /// 20 to 1 000, probing every 30 × limit calls.
    fn default() -> Self {
        Self {
            max: 1_000.0,
            probe_multiplier: 30.0,
            limit: 20.0,
            best: 0.0,
            since_probe: 0.0,
        }
    }
}

impl ConcurrencyAlgorithm for Vegas {
    fn update(&mut self, sample: Sample) {
        let latency = sample.latency.as_secs_f64().max(f64::MIN_POSITIVE);
        self.since_probe += 1.0;
        if self.since_probe >= self.probe_multiplier * self.limit {
            self.since_probe = 0.0;
            self.best = latency;
            return;
        }
        if self.best == 0.0 || latency < self.best {
            self.best = latency;
            return;
        }
        let step = self.limit.log10().max(1.0);
        let (alpha, beta) = (3.0 * step, 6.0 * step);
        let queue = (self.limit * (1.0 - self.best / latency)).ceil();
        let next = if sample.dropped {
            self.limit - step
        } else if f64::from(sample.in_flight) * 2.0 < self.limit {
            return;
        } else if queue <= step {
            self.limit + beta
        } else if queue < alpha {
            self.limit + step
        } else if queue > beta {
            self.limit - step
        } else {
            return;
        };
        self.limit = next.clamp(1.0, self.max);
    }

    fn limit(&self) -> u32 {
        self.limit as u32
    }
}

/// A bulkhead whose size an algorithm finds.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{AdaptiveLimit, Gradient2};
/// let limit = AdaptiveLimit::new(Gradient2::default());
/// let call = limit.try_enter().expect("room for twenty");
/// call.finish(Duration::from_millis(12), false);
/// assert_eq!(limit.in_flight(), 0);
/// ```
#[derive(Debug)]
pub struct AdaptiveLimit<A> {
    bulkhead: Bulkhead,
    algorithm: Mutex<A>,
}

impl<A: ConcurrencyAlgorithm> AdaptiveLimit<A> {
    /// A limit that starts where the algorithm does.
    ///
    /// ```
    /// use tripline_sdk::{AdaptiveLimit, Gradient2};
    /// let limit = AdaptiveLimit::new(Gradient2::default());
    /// assert_eq!(limit.limit(), 20);
    /// ```
    #[must_use]
    pub fn new(algorithm: A) -> Self {
        Self {
            bulkhead: Bulkhead::new(algorithm.limit()),
            algorithm: Mutex::new(algorithm),
        }
    }

    /// A place, if there is one.
    ///
    /// ```
    /// use tripline_sdk::{AdaptiveLimit, Vegas};
    /// let limit = AdaptiveLimit::new(Vegas::default());
    /// let calls: Vec<_> = (0..20).map_while(|_| limit.try_enter()).collect();
    /// assert_eq!(calls.len(), 20);
    /// assert!(limit.try_enter().is_none(), "full, for now");
    /// ```
    #[must_use]
    pub fn try_enter(&self) -> Option<LimitedCall<'_, A>> {
        let place = self.bulkhead.try_enter()?;
        let in_flight = u32::try_from(self.bulkhead.in_flight()).unwrap_or(u32::MAX);
        Some(LimitedCall {
            limit: self,
            in_flight,
            _place: place,
        })
    }

    /// The calls allowed at once, for now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{AdaptiveLimit, Vegas};
    /// let limit = AdaptiveLimit::new(Vegas::default());
    /// let calls: Vec<_> = (0..20).map_while(|_| limit.try_enter()).collect();
    /// for call in calls {
    ///     call.finish(Duration::from_millis(10), false);
    /// }
    /// assert!(limit.limit() > 20, "full, and no call was slower than another: it grows");
    /// ```
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.bulkhead.max()
    }

    /// Calls inside.
    ///
    /// ```
    /// use tripline_sdk::{AdaptiveLimit, Vegas};
    /// let limit = AdaptiveLimit::new(Vegas::default());
    /// let call = limit.try_enter();
    /// assert_eq!(limit.in_flight(), 1);
    /// drop(call);
    /// assert_eq!(limit.in_flight(), 0);
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.bulkhead.in_flight()
    }
}

/// A call inside an [`AdaptiveLimit`]. Dropped without a result it frees its place and teaches the
/// algorithm nothing.
///
/// ```
/// use tripline_sdk::{AdaptiveLimit, Vegas};
/// let limit = AdaptiveLimit::new(Vegas::default());
/// drop(limit.try_enter());
/// assert_eq!(limit.limit(), 20);
/// ```
#[must_use = "the place is free again when this is dropped"]
#[derive(Debug)]
pub struct LimitedCall<'a, A> {
    limit: &'a AdaptiveLimit<A>,
    in_flight: u32,
    _place: Place,
}

impl<A: ConcurrencyAlgorithm> LimitedCall<'_, A> {
    /// The call took this long; `dropped` if it was refused by the peer or timed out.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{AdaptiveLimit, Vegas};
    /// let limit = AdaptiveLimit::new(Vegas::default());
    /// for dropped in [false, true] {
    ///     let call = limit.try_enter().expect("room for twenty");
    ///     call.finish(Duration::from_millis(10), dropped);
    /// }
    /// assert_eq!(limit.limit(), 18, "smaller since the peer refused a call");
    /// ```
    pub fn finish(self, latency: Duration, dropped: bool) {
        let mut algorithm = self
            .limit
            .algorithm
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        algorithm.update(Sample {
            latency,
            in_flight: self.in_flight,
            dropped,
        });
        self.limit.bulkhead.resize(algorithm.limit());
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// A server that works on `capacity` calls at once; the rest queue.
    fn settle(mut algorithm: impl ConcurrencyAlgorithm, capacity: u32) -> u32 {
        for _ in 0..20_000 {
            let in_flight = algorithm.limit();
            let queueing = f64::from(in_flight.max(capacity)) / f64::from(capacity);
            let latency = Duration::from_secs_f64(0.010 * queueing);
            algorithm.update(Sample {
                latency,
                in_flight,
                dropped: false,
            });
        }
        algorithm.limit()
    }

    #[test]
    fn vegas_settles_near_the_capacity() {
        // Under constant load every later probe would measure a queue and take it for the best.
        let one_probe = Vegas {
            probe_multiplier: f64::INFINITY,
            ..Vegas::default()
        };
        let limit = settle(one_probe, 100);
        assert!((90..=130).contains(&limit), "{limit}");
    }

    #[test]
    fn gradient_stays_within_its_bounds_and_backs_off_when_latency_jumps() {
        let mut gradient = Gradient2::default();
        let sample = |ms, in_flight| Sample {
            latency: Duration::from_millis(ms),
            in_flight,
            dropped: false,
        };
        for _ in 0..1_000 {
            gradient.update(sample(10, 200));
        }
        assert_eq!(gradient.limit(), 200);
        for _ in 0..20 {
            gradient.update(sample(200, 200));
        }
        assert!(gradient.limit() < 60, "{}", gradient.limit());
    }

    #[test]
    fn an_idle_service_does_not_grow_its_limit() {
        let mut gradient = Gradient2::default();
        for _ in 0..1_000 {
            gradient.update(Sample {
                latency: Duration::from_millis(10),
                in_flight: 1,
                dropped: false,
            });
        }
        assert_eq!(gradient.limit(), 20);
    }
}
