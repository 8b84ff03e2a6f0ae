//! What a breaker says about itself: its state, its transitions, its rejections, its numbers.

use std::fmt;
use std::time::Duration;

use crate::clock::Moment;
use crate::window::Sums;

/// The state of a breaker as its callers experience it.
///
/// *Open* means refusing.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, State};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
/// assert_eq!(breaker.state(), State::Closed);
/// assert_eq!(State::HalfOpen.as_str(), "half_open");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Calls pass.
    Closed,
    /// Calls are refused until the open time is over.
    Open,
    /// A few probes pass to find out whether the peer is back.
    HalfOpen,
    /// Calls are refused because somebody said so.
    ForcedOpen,
    /// Calls pass because somebody said so.
    Disabled,
    /// Calls pass, the state machine runs in the shadow.
    MetricsOnly,
}

impl State {
    /// Every state, in the order of resilience4j's numbers.
    ///
    /// ```
    /// let names = tripline_sdk::State::ALL.map(|state| state.as_str());
    /// assert_eq!(names.join(" "), "closed open half_open disabled forced_open metrics_only");
    /// ```
    pub const ALL: [Self; 6] = [
        Self::Closed,
        Self::Open,
        Self::HalfOpen,
        Self::Disabled,
        Self::ForcedOpen,
        Self::MetricsOnly,
    ];

    /// The name telemetry uses.
    ///
    /// ```
    /// use tripline_sdk::State;
    /// assert_eq!(State::ForcedOpen.as_str(), "forced_open");
    /// assert_eq!(State::ForcedOpen.to_string(), "forced_open");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Disabled => "disabled",
            Self::MetricsOnly => "metrics_only",
        }
    }

    pub(crate) const fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a breaker changed its state.
///
/// ```
/// assert_eq!(tripline_sdk::Reason::HalfOpenTimeout.as_str(), "half_open_timeout");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Too large a share of calls failed.
    FailureRate,
    /// Too large a share of calls was slow.
    SlowRate,
    /// Too many calls failed.
    FailureCount,
    /// Too many calls in a row failed.
    Consecutive,
    /// The probes failed.
    ProbeFailed,
    /// The probes succeeded.
    ProbeOk,
    /// The open time is over.
    WaitElapsed,
    /// A probe never came back.
    HalfOpenTimeout,
    /// Somebody said so.
    Manual,
    /// Something outside said so, for example a health check.
    External,
}

impl Reason {
    /// The name telemetry uses.
    ///
    /// ```
    /// use tripline_sdk::Reason;
    /// assert_eq!(Reason::SlowRate.as_str(), "slow_rate");
    /// assert_eq!(Reason::SlowRate.to_string(), "slow_rate");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FailureRate => "failure_rate",
            Self::SlowRate => "slow_rate",
            Self::FailureCount => "failure_count",
            Self::Consecutive => "consecutive",
            Self::ProbeFailed => "probe_failed",
            Self::ProbeOk => "probe_ok",
            Self::WaitElapsed => "wait_elapsed",
            Self::HalfOpenTimeout => "half_open_timeout",
            Self::Manual => "manual",
            Self::External => "external",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What the classifier makes of a finished call.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::Outcome;
/// let overloaded = Outcome::Overload { retry_after: Some(Duration::from_secs(3)) };
/// assert!(overloaded.is_failure() && !Outcome::Ignore.is_failure());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer did its job, whatever it answered.
    Success,
    /// The peer did not.
    Failure,
    /// Says nothing about the peer: gives the permit back and touches nothing.
    Ignore,
    /// The peer refuses work; a failure that may say when to come back.
    Overload {
        /// The peer's own hint, from `Retry-After` or `grpc-retry-pushback-ms`.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// Whether it counts as a failed call.
    ///
    /// ```
    /// use tripline_sdk::Outcome;
    /// assert!(Outcome::Failure.is_failure());
    /// assert!(Outcome::Overload { retry_after: None }.is_failure());
    /// assert!(!Outcome::Success.is_failure());
    /// ```
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failure | Self::Overload { .. })
    }
}

/// The call behind a result, by its trace context: how a trip finds its trace.
///
/// The core never looks inside; zero means unknown.
///
/// ```
/// use tripline_sdk::CallId;
/// assert!(CallId::default().is_unknown());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CallId {
    /// The trace id.
    pub trace_id: u128,
    /// The span id.
    pub span_id: u64,
}

impl CallId {
    /// Whether no trace is behind it.
    ///
    /// ```
    /// use tripline_sdk::CallId;
    /// assert!(CallId { trace_id: 0, span_id: 7 }.is_unknown());
    /// assert!(!CallId { trace_id: 7, span_id: 7 }.is_unknown());
    /// ```
    #[must_use]
    pub const fn is_unknown(self) -> bool {
        self.trace_id == 0
    }
}

/// The most contributing calls a transition names.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CONTRIBUTING_MAX, CallId, Machine, Moment, Outcome};
/// let machine = Machine::new(BreakerConfig::new().only_consecutive(20), Moment::ZERO)?;
/// let mut named = 0;
/// for trace_id in 1..=20 {
///     let call = machine.admit(Moment::ZERO, &mut |_| {}).expect("closed");
///     let id = CallId { trace_id, span_id: 1 };
///     machine.record(call, Outcome::Failure, Moment::ZERO, || id, &mut |change| {
///         named = change.contributing.iter().flatten().count();
///     });
/// }
/// assert_eq!(named, CONTRIBUTING_MAX, "the newest of twenty");
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
pub const CONTRIBUTING_MAX: usize = 8;

/// One change of state, with the evidence for it.
///
/// Announced exactly once, by the call that caused it, after every lock is released.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome, State};
///
/// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new().only_consecutive(1))
///     .listen(|name: &str, change: &tripline_sdk::Transition| {
///         assert_eq!((name, change.to), ("stock", State::Open));
///     })
///     .build()
///     .unwrap();
/// breaker.acquire().unwrap().finish(Outcome::Failure);
/// assert_eq!(breaker.state(), State::Open);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transition {
    /// When it took effect.
    pub at: Moment,
    /// Counts the transitions of this breaker; results of earlier generations change nothing.
    pub generation: u64,
    /// The state before.
    pub from: State,
    /// The state after.
    pub to: State,
    /// Why.
    pub reason: Reason,
    /// In metrics-only mode: this is what would have happened.
    pub shadow: bool,
    /// What the window (or, for a probe verdict, the half-open era) held at that moment.
    pub window: Sums,
    /// The threshold that was crossed, if a threshold was.
    pub threshold: Option<f64>,
    /// How long it will stay open, if it opened.
    pub open_for: Option<Duration>,
    /// How many times in a row it has opened, counting this one and what decayed.
    pub attempt: u32,
    /// How long the state before lasted.
    pub lasted: Duration,
    /// The call whose result tipped it.
    pub tripped_by: Option<CallId>,
    /// Failing and slow calls from the window, newest first, up to eight.
    pub contributing: [Option<CallId>; CONTRIBUTING_MAX],
}

/// Why a breaker refused a call.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Mode, RejectReason};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().mode(Mode::ForcedOpen)).unwrap();
/// assert_eq!(breaker.acquire().unwrap_err().reason, RejectReason::ForcedOpen);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RejectReason {
    /// It is open.
    Open,
    /// It is half-open and its probes are out.
    HalfOpen,
    /// Somebody forced it open.
    ForcedOpen,
    /// It closed recently and lets only a share of calls in.
    Ramp,
}

impl RejectReason {
    /// The name telemetry uses.
    ///
    /// ```
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker};
    /// let breaker = CircuitBreaker::new("stock", BreakerConfig::new())?;
    /// breaker.trip();
    /// assert_eq!(breaker.acquire().unwrap_err().reason.as_str(), "open");
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::HalfOpen => "half_open",
            Self::ForcedOpen => "forced_open",
            Self::Ramp => "ramp",
        }
    }
}

/// A refused call.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new().only_consecutive(1)).unwrap();
/// breaker.acquire().unwrap().finish(Outcome::Failure);
/// let refused = breaker.acquire().unwrap_err();
/// assert!(refused.retry_after.is_some());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// When asking again makes sense, if that is known.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason {
            RejectReason::Open => f.write_str("circuit breaker is open"),
            RejectReason::HalfOpen => f.write_str("circuit breaker is half-open and probing"),
            RejectReason::ForcedOpen => f.write_str("circuit breaker is forced open"),
            RejectReason::Ramp => f.write_str("circuit breaker is letting traffic in gradually"),
        }
    }
}

impl std::error::Error for Rejection {}

/// How many calls ended how, since the breaker was made. Only ever grows.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Outcome};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
/// breaker.acquire().unwrap().finish(Outcome::Success);
/// assert_eq!(breaker.snapshot().totals.success, 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Succeeded in time.
    pub success: u64,
    /// Failed in time.
    pub failure: u64,
    /// Succeeded, slowly.
    pub slow_success: u64,
    /// Failed, slowly.
    pub slow_failure: u64,
    /// Said nothing about the peer.
    pub ignored: u64,
    /// Dropped by their callers.
    pub cancelled: u64,
    /// Refused.
    pub rejected: u64,
    /// Passed in metrics-only or disabled mode though the state machine would have refused them.
    pub would_reject: u64,
    /// Calls that were let through, finished or not.
    pub admitted: u64,
    /// Results of an earlier generation; also counted above, but in no window.
    pub stale: u64,
}

impl Totals {
    /// Calls that were let through and have no result yet.
    ///
    /// ```
    /// use tripline_sdk::Totals;
    /// let totals = Totals { admitted: 10, success: 6, failure: 1, ..Totals::default() };
    /// assert_eq!(totals.in_flight(), 3);
    /// ```
    #[must_use]
    pub const fn in_flight(&self) -> u64 {
        let finished = self.success
            + self.failure
            + self.slow_success
            + self.slow_failure
            + self.ignored
            + self.cancelled;
        self.admitted.saturating_sub(finished)
    }
}

/// Everything there is to know about a breaker at one moment. Taking one changes nothing.
///
/// ```
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, State};
/// let breaker = CircuitBreaker::new("stock", BreakerConfig::new()).unwrap();
/// let snapshot = breaker.snapshot();
/// assert_eq!(snapshot.state, State::Closed);
/// assert_eq!(snapshot.failure_ratio, None, "below the minimum there is no ratio");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Snapshot {
    /// What callers experience.
    pub state: State,
    /// What the state machine computed; differs from `state` when a mode overrules it.
    pub computed: State,
    /// Since when `state` holds.
    pub since: Moment,
    /// Counts the transitions.
    pub generation: u64,
    /// What the window holds.
    pub window: Sums,
    /// The failure ratio, once the window holds the minimum.
    pub failure_ratio: Option<f64>,
    /// The slow ratio, once the window holds the minimum.
    pub slow_ratio: Option<f64>,
    /// When an open breaker will probe.
    pub next_probe_at: Option<Moment>,
    /// Probes a half-open breaker can still issue.
    pub permits_left: u16,
    /// Calls by outcome.
    pub totals: Totals,
    /// How long it has been in each state, indexed like [`Snapshot::time_in`] says.
    pub(crate) time_in: [Duration; 6],
    /// Trips that did not happen because too many breakers of the group were open already.
    pub suppressed_trips: u64,
}

impl Snapshot {
    /// How long the breaker has been in `state`, all in all. The sum over all states is its age.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, State};
    /// let clock = ManualClock::default();
    /// let breaker =
    ///     CircuitBreaker::builder("stock", BreakerConfig::new()).clock(clock.clone()).build()?;
    /// clock.advance(Duration::from_secs(30));
    /// breaker.trip();
    /// clock.advance(Duration::from_secs(2));
    /// let snapshot = breaker.snapshot();
    /// assert_eq!(snapshot.time_in(State::Closed), Duration::from_secs(30));
    /// assert_eq!(snapshot.time_in(State::Open), Duration::from_secs(2));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub const fn time_in(&self, state: State) -> Duration {
        self.time_in[state.index()]
    }
}
