//! Deadlines: how much time a piece of work has left, here and in everything it calls.
//!
//! A timeout that starts anew at every hop lets work go on that nobody waits for any more. A
//! deadline travels with the request and only ever shrinks: the server's middleware reads it from
//! the request, policies and their timeouts obey it, and the client's middleware sends what is left
//! of it ([`instrument`](crate::instrument)).

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
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::at(Moment::from_millis(500));
    /// assert_eq!(deadline.remaining(Moment::ZERO), Duration::from_millis(500));
    /// ```
    #[must_use]
    pub const fn at(moment: Moment) -> Self {
        Self(moment)
    }

    /// The deadline `timeout` from `now`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::after(Moment::from_millis(500), Duration::from_secs(2));
    /// assert_eq!(deadline, Deadline::at(Moment::from_millis(2_500)));
    /// ```
    #[must_use]
    pub fn after(now: Moment, timeout: Duration) -> Self {
        Self(now + timeout)
    }

    /// The moment it passes.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::after(Moment::ZERO, Duration::from_secs(2));
    /// assert_eq!(deadline.moment(), Moment::from_millis(2_000));
    /// ```
    #[must_use]
    pub const fn moment(self) -> Moment {
        self.0
    }

    /// The time left at `now`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::at(Moment::from_millis(500));
    /// assert_eq!(deadline.remaining(Moment::from_millis(300)), Duration::from_millis(200));
    /// assert_eq!(deadline.remaining(Moment::from_millis(900)), Duration::ZERO);
    /// ```
    #[must_use]
    pub const fn remaining(self, now: Moment) -> Duration {
        self.0.since(now)
    }

    /// Whether it has passed.
    ///
    /// ```
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::at(Moment::from_millis(500));
    /// assert!(!deadline.has_passed(Moment::from_millis(499)));
    /// assert!(deadline.has_passed(Moment::from_millis(500)));
    /// ```
    #[must_use]
    pub const fn has_passed(self, now: Moment) -> bool {
        self.remaining(now).is_zero()
    }

    /// The smaller of one's own timeout and the time left: what a call inside may take.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::at(Moment::from_millis(500));
    /// let own = Duration::from_millis(300);
    /// assert_eq!(deadline.bound(own, Moment::ZERO), own);
    /// assert_eq!(deadline.bound(own, Moment::from_millis(400)), Duration::from_millis(100));
    /// ```
    #[must_use]
    pub fn bound(self, timeout: Duration, now: Moment) -> Duration {
        timeout.min(self.remaining(now))
    }

    /// The earlier of the two.
    ///
    /// ```
    /// use tripline_sdk::{Deadline, Moment};
    /// let request = Deadline::at(Moment::from_millis(500));
    /// let own = Deadline::at(Moment::from_millis(800));
    /// assert_eq!(own.earlier(request), request);
    /// ```
    #[must_use]
    pub fn earlier(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether starting now can succeed: work that usually takes longer than what is left is
    /// refused at once instead of being abandoned half done. `usual` is the median seen, if known.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Deadline, Moment};
    /// let deadline = Deadline::at(Moment::from_millis(500));
    /// let usual = Some(Duration::from_millis(200));
    /// assert!(deadline.is_worth_starting(Moment::from_millis(300), usual));
    /// assert!(!deadline.is_worth_starting(Moment::from_millis(400), usual));
    /// assert!(deadline.is_worth_starting(Moment::from_millis(400), None), "who knows?");
    /// ```
    #[must_use]
    pub fn is_worth_starting(self, now: Moment, usual: Option<Duration>) -> bool {
        let left = self.remaining(now);
        !left.is_zero() && usual.is_none_or(|usual| left >= usual)
    }
}

/// The time the work this thread is at has left, if a request came with a deadline.
#[cfg(feature = "tower")]
pub(crate) fn inherited() -> Option<Duration> {
    #[cfg(feature = "telemetry")]
    return opentelemetry::Context::map_current(carried::remaining);
    #[cfg(not(feature = "telemetry"))]
    None
}

/// The smaller of one's own time and what is left of the request's, if either is bounded.
#[cfg(feature = "tower")]
pub(crate) fn bounded(own: Option<Duration>) -> Option<Duration> {
    match (own, inherited()) {
        (Some(own), Some(left)) => Some(own.min(left)),
        (own, left) => own.or(left),
    }
}

/// A deadline in an OpenTelemetry context, which follows the work wherever its trace does.
#[cfg(feature = "telemetry")]
mod carried {
    use std::time::{Duration, Instant};

    use opentelemetry::Context;

    struct Until(Instant);

    /// What is left in `context`.
    pub(crate) fn remaining(context: &Context) -> Option<Duration> {
        let until = context.get::<Until>()?;
        Some(until.0.saturating_duration_since(Instant::now()))
    }

    /// `context` with `left` to go, or less if it had less.
    pub(crate) fn bounded(context: &Context, left: Duration) -> Context {
        let left = remaining(context).map_or(left, |had| had.min(left));
        let now = Instant::now();
        match now.checked_add(left) {
            Some(until) => context.with_value(Until(until)),
            None => context.clone(),
        }
    }
}

#[cfg(feature = "telemetry")]
pub(crate) use carried::{bounded as bounded_context, remaining as remaining_in};

/// The deadline of the current work as OpenTelemetry contexts carry it.
#[cfg(feature = "telemetry")]
impl Deadline {
    /// The time the current work has left, if a request came with a deadline or
    /// [`Deadline::within`] set one.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Deadline;
    /// assert_eq!(Deadline::left(), None);
    /// let _attached = Deadline::within(Duration::from_secs(2)).attach();
    /// assert!(Deadline::left().unwrap() <= Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn left() -> Option<Duration> {
        opentelemetry::Context::map_current(remaining_in)
    }

    /// The current context with at most `timeout` to go: attach it, or run a future with it
    /// (`opentelemetry::trace::FutureExt::with_context`). Clients of [`instrument`] send what is left.
    ///
    /// [`instrument`]: crate::instrument
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::Deadline;
    /// let _long = Deadline::within(Duration::from_secs(60)).attach();
    /// let _short = Deadline::within(Duration::from_secs(1)).attach();
    /// let _longer = Deadline::within(Duration::from_secs(60)).attach();
    /// assert!(Deadline::left().unwrap() <= Duration::from_secs(1), "it only shrinks");
    /// ```
    #[must_use]
    pub fn within(timeout: Duration) -> opentelemetry::Context {
        opentelemetry::Context::map_current(|context| bounded_context(context, timeout))
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
