//! Chance, seeded: jitter must differ between the instances of a fleet and repeat in a replay.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use crate::clock::seconds;
use crate::sync::{AtomicU64, Ordering};

/// A lock-free SplitMix64: one `fetch_add` a number, same seed, same numbers.
///
/// Good enough for jitter and probabilistic admission, useless for secrets.
///
/// ```
/// use tripline_sdk::Chance;
/// let (one, two) = (Chance::seeded(7), Chance::seeded(7));
/// assert_eq!(one.unit(), two.unit());
/// assert!((0.0..1.0).contains(&one.unit()));
/// ```
#[derive(Debug)]
pub struct Chance {
    state: AtomicU64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    /// The sequence that belongs to `seed`.
    ///
    /// ```
    /// use tripline_sdk::Chance;
    /// let (chance, same, other) = (Chance::seeded(1), Chance::seeded(1), Chance::seeded(2));
    /// let first = chance.unit();
    /// assert_eq!(first, same.unit());
    /// assert_ne!(first, other.unit());
    /// ```
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            state: AtomicU64::new(seed),
        }
    }

    /// A sequence nobody has seen before, seeded as the standard library seeds its hash maps.
    ///
    /// ```
    /// use tripline_sdk::Chance;
    /// assert_ne!(Chance::from_entropy().unit(), Chance::from_entropy().unit());
    /// ```
    #[must_use]
    pub fn from_entropy() -> Self {
        Self::seeded(RandomState::new().build_hasher().finish())
    }

    /// `seeded` if there is a seed, else `from_entropy`.
    ///
    /// ```
    /// use tripline_sdk::Chance;
    /// assert_eq!(Chance::new(Some(7)).unit(), Chance::seeded(7).unit());
    /// assert_ne!(Chance::new(None).unit(), Chance::new(None).unit());
    /// ```
    #[must_use]
    pub fn new(seed: Option<u64>) -> Self {
        seed.map_or_else(Self::from_entropy, Self::seeded)
    }

    /// The next number, uniform in `[0, 1)`.
    ///
    /// ```
    /// use tripline_sdk::Chance;
    /// let chance = Chance::seeded(1);
    /// let numbers: Vec<f64> = (0..1_000).map(|_| chance.unit()).collect();
    /// assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
    /// let mean = numbers.iter().sum::<f64>() / 1_000.0;
    /// assert!((0.45..0.55).contains(&mean));
    /// ```
    #[must_use]
    pub fn unit(&self) -> f64 {
        let mut z = self
            .state
            .fetch_add(GOLDEN, Ordering::Relaxed)
            .wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // The top 53 bits fill a double's mantissa exactly.
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// How a delay is spread, so that a thousand clients that failed together do not return together.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Chance, Jitter};
///
/// let chance = Chance::seeded(1);
/// let base = Duration::from_secs(10);
/// let spread = Jitter::PlusMinus(0.2).spread(base, &chance);
/// assert!(spread >= Duration::from_secs(8) && spread <= Duration::from_secs(12));
/// assert_eq!(Jitter::None.spread(base, &chance), base);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Jitter {
    /// Exactly the delay.
    None,
    /// Anywhere in `[0, delay)` ("full jitter", AWS architecture blog).
    Full,
    /// Half the delay, plus anywhere in `[0, delay / 2)` (Finagle's "equal jitter").
    Equal,
    /// The delay, give or take this share of it (`0.2` is ±20 %).
    PlusMinus(f64),
}

impl Jitter {
    /// One spread delay.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Chance, Jitter};
    /// let (chance, delay) = (Chance::seeded(1), Duration::from_secs(10));
    /// assert!(Jitter::Full.spread(delay, &chance) < delay);
    /// let equal = Jitter::Equal.spread(delay, &chance);
    /// assert!(equal >= delay / 2 && equal < delay);
    /// ```
    #[must_use]
    pub fn spread(self, delay: Duration, chance: &Chance) -> Duration {
        let length = delay.as_secs_f64();
        match self {
            Self::None => delay,
            Self::Full => seconds(length * chance.unit()),
            Self::Equal => seconds(length / 2.0 * (1.0 + chance.unit())),
            Self::PlusMinus(share) => {
                seconds(length * (1.0 + share.clamp(0.0, 1.0) * (2.0 * chance.unit() - 1.0)))
            }
        }
    }
}
