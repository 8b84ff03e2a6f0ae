//! Hedging: when the first try is slower than usual, a second one (The Tail at Scale, CACM 2013).
//!
//! *Usual* is a quantile of the latencies seen; the extra load comes out of the same budget as
//! retries, and there is none while the breaker is not closed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::nanos;

/// Steps an octave; the error of a quantile is at most an eighth of it.
const STEPS: usize = 8;
const OCTAVES: usize = 40;
/// Counts are halved when there are this many, so that the past fades.
const FADE_AT: u32 = 4_096;

/// When to send a second try.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::HedgePolicy;
///
/// let hedge = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
/// assert_eq!(hedge.delay(), None, "too few calls to know what is usual");
/// for ms in 1..=100 {
///     hedge.observe(Duration::from_millis(ms));
/// }
/// let delay = hedge.delay().unwrap().as_millis();
/// assert!((95..=108).contains(&delay), "{delay}");
/// ```
#[derive(Debug)]
pub struct HedgePolicy {
    quantile: f64,
    min_delay: Duration,
    latencies: Mutex<Latencies>,
}

#[derive(Debug)]
struct Latencies {
    counts: Box<[u32; STEPS * OCTAVES]>,
    total: u32,
}

/// Below this many calls nothing is usual.
const MINIMUM: u32 = 20;

impl HedgePolicy {
    /// Sends the second try when the first has taken longer than this share of calls do, and at
    /// least `min_delay`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::HedgePolicy;
    /// let hedge = HedgePolicy::at_quantile(0.9, Duration::from_millis(50));
    /// (0..20).for_each(|_| hedge.observe(Duration::from_millis(1)));
    /// assert_eq!(hedge.delay(), Some(Duration::from_millis(50)), "never sooner");
    /// ```
    #[must_use]
    pub fn at_quantile(quantile: f64, min_delay: Duration) -> Self {
        let latencies = Latencies {
            counts: Box::new([0; STEPS * OCTAVES]),
            total: 0,
        };
        Self {
            quantile: quantile.clamp(0.5, 1.0),
            min_delay,
            latencies: Mutex::new(latencies),
        }
    }

    /// A call took this long.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::HedgePolicy;
    /// let hedge = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// (0..19).for_each(|_| hedge.observe(Duration::from_millis(10)));
    /// assert!(hedge.delay().is_none(), "nineteen calls are too few");
    /// hedge.observe(Duration::from_millis(10));
    /// assert!(hedge.delay().is_some());
    /// ```
    pub fn observe(&self, latency: Duration) {
        let mut latencies = self
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        latencies.counts[place(latency)] += 1;
        latencies.total += 1;
        if latencies.total >= FADE_AT {
            latencies.counts.iter_mut().for_each(|count| *count /= 2);
            latencies.total = latencies.counts.iter().sum();
        }
    }

    /// How long to wait for the first try; nothing if that is not known yet.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::HedgePolicy;
    /// let hedge = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// (0..100).for_each(|_| hedge.observe(Duration::from_millis(10)));
    /// let delay = hedge.delay().expect("a hundred calls are enough");
    /// assert!((10..=11).contains(&delay.as_millis()), "{delay:?}");
    /// ```
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.latency_at(self.quantile)
            .map(|delay| delay.max(self.min_delay))
    }

    /// The latency that this share of calls does not exceed, if enough calls are known. The
    /// median is what a deadline check wants to know.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::HedgePolicy;
    /// let hedge = HedgePolicy::at_quantile(0.95, Duration::from_millis(1));
    /// (1..=100).for_each(|ms| hedge.observe(Duration::from_millis(ms)));
    /// let median = hedge.latency_at(0.5).expect("a hundred calls are enough");
    /// assert!((50..=56).contains(&median.as_millis()), "{median:?}");
    /// ```
    #[must_use]
    pub fn latency_at(&self, quantile: f64) -> Option<Duration> {
        let latencies = self
            .latencies
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if latencies.total < MINIMUM {
            return None;
        }
        let wanted = (f64::from(latencies.total) * quantile).ceil() as u32;
        let mut seen = 0;
        let found = latencies.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        found.map(upper_bound)
    }
}

/// Microseconds on a logarithmic scale of [`STEPS`] steps an octave.
fn place(latency: Duration) -> usize {
    let micros = (nanos(latency) / 1_000).max(1);
    let octave = micros.ilog2() as usize;
    let within = if octave >= 3 {
        (micros >> (octave - 3)) as usize & 7
    } else {
        0
    };
    (octave * STEPS + within).min(STEPS * OCTAVES - 1)
}

fn upper_bound(place: usize) -> Duration {
    let (octave, within) = (place / STEPS, place % STEPS);
    let micros = (1_u64 << octave) as f64 * (1.0 + (within + 1) as f64 / STEPS as f64);
    Duration::from_micros(micros as u64)
}
