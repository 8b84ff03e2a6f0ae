//! Deadlines: how much time a piece of work has left, here and in everything it calls.
//!
//! A timeout that starts anew at every hop lets work go on that nobody waits for any more. A
//! deadline travels with the request and only ever shrinks.

use std::time::Duration;

use crate::clock::Moment;

/// When the answer is no longer wanted.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Deadline, Moment};
///
/// let deadline = Deadline::after(Moment::ZERO, Duration::from_secs(2));
/// let later = Moment::from_millis(1_500);
/// assert_eq!(deadline.remaining(later), Duration::from_millis(500));
/// assert_eq!(deadline.bound(Duration::from_secs(1), later), Duration::from_millis(500));
/// assert!(!deadline.is_worth_starting(later, Some(Duration::from_secs(1))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Moment);

impl Deadline {
    /// The deadline at this moment.
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self(moment)
    }

    /// The deadline `timeout` from `now`.
    #[must_use]
    pub fn after(now: Moment, timeout: Duration) -> Self {
        Self(now + timeout)
    }

    /// The moment it passes.
    #[must_use]
    pub const fn moment(self) -> Moment {
        self.0
    }

    /// The time left at `now`.
    #[must_use]
    pub const fn remaining(self, now: Moment) -> Duration {
        self.0.since(now)
    }

    /// Whether it has passed.
    #[must_use]
    pub const fn has_passed(self, now: Moment) -> bool {
        self.remaining(now).is_zero()
    }

    /// The smaller of one's own timeout and the time left: what a call inside may take.
    #[must_use]
    pub fn bound(self, timeout: Duration, now: Moment) -> Duration {
        timeout.min(self.remaining(now))
    }

    /// The earlier of the two.
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether starting now can succeed: work that usually takes longer than what is left is
    /// refused at once instead of being abandoned half done. `usual` is the median seen, if known.
    #[must_use]
    pub fn is_worth_starting(self, now: Moment, usual: Option<Duration>) -> bool {
        let left = self.remaining(now);
        !left.is_zero() && usual.is_none_or(|usual| left >= usual)
    }
}

/// Reads a `grpc-timeout` header: up to eight digits and a unit.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::parse_grpc_timeout;
/// assert_eq!(parse_grpc_timeout("250m"), Some(Duration::from_millis(250)));
/// assert_eq!(parse_grpc_timeout("2H"), Some(Duration::from_secs(7_200)));
/// assert_eq!(parse_grpc_timeout("123456789S"), None, "nine digits");
/// assert_eq!(parse_grpc_timeout("-1S"), None);
/// ```
#[must_use]
pub fn parse_grpc_timeout(header: &str) -> Option<Duration> {
    let unit = header.chars().last().filter(char::is_ascii)?;
    let digits = &header[..header.len() - 1];
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value: u64 = digits.parse().ok()?;
    match unit {
        'H' => Some(Duration::from_secs(value * 3_600)),
        'M' => Some(Duration::from_secs(value * 60)),
        'S' => Some(Duration::from_secs(value)),
        'm' => Some(Duration::from_millis(value)),
        'u' => Some(Duration::from_micros(value)),
        'n' => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Writes a `grpc-timeout` header: the finest unit that fits eight digits, rounded up.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::format_grpc_timeout;
/// assert_eq!(format_grpc_timeout(Duration::from_millis(250)), "250000u");
/// assert_eq!(format_grpc_timeout(Duration::from_secs(3_600)), "3600000m");
/// ```
#[must_use]
pub fn format_grpc_timeout(timeout: Duration) -> String {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let nanos = timeout.as_nanos();
    let fits = |(size, unit): &(u128, char)| {
        let value = nanos.div_ceil(*size);
        (value < 100_000_000).then(|| format!("{value}{unit}"))
    };
    UNITS
        .iter()
        .find_map(fits)
        .unwrap_or_else(|| "99999999H".into())
}
