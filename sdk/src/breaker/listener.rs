//! Whom a breaker tells what happens: of transitions and settings, and of each call as it ends.

use std::time::SystemTime;

use super::{BreakerConfig, CallId, CallTimes, State, Transition, WatchedBreaker};
use crate::report::{PolicyEvent, WatchedPolicy};

/// Which breaker something is about.
///
/// ```
/// let origin = tripline_sdk::Origin { name: "orders", key: Some("shard-7") };
/// assert_eq!(origin.key, Some("shard-7"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its key among the breakers of that name.
    pub key: Option<&'a str>,
}

/// How a call through a breaker ended, as telemetry tells it.
///
/// ```
/// assert_eq!(tripline_sdk::CallOutcome::SlowFailure.as_str(), "slow_failure");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CallOutcome {
    /// Succeeded in time.
    Success,
    /// Failed in time.
    Failure,
    /// Succeeded, slowly.
    SlowSuccess,
    /// Failed, slowly.
    SlowFailure,
    /// Said nothing about the peer.
    Ignored,
    /// Refused.
    Rejected,
    /// Dropped by its caller.
    Cancelled,
}

impl CallOutcome {
    /// The name telemetry uses.
    ///
    /// ```
    /// use tripline_sdk::CallOutcome;
    /// assert_eq!(CallOutcome::Cancelled.as_str(), "cancelled");
    /// ```
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::SlowSuccess => "slow_success",
            Self::SlowFailure => "slow_failure",
            Self::Ignored => "ignored",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Hears of transitions. Called outside every lock, so it may ask the breaker anything.
///
/// ```
/// use tripline_sdk::{Listener, Transition};
/// struct Print;
/// impl Listener for Print {
///     fn on_transition(&self, name: &str, change: &Transition) {
///         println!("{name}: {} -> {}", change.from, change.to);
///     }
/// }
/// ```
pub trait Listener: Send + Sync {
    /// A breaker changed its state.
    fn on_transition(&self, name: &str, change: &Transition);

    /// The same with all there is to know: which breaker, and when it took effect by the wall clock
    /// (a transition that time alone caused is noticed by whoever comes next).
    fn on_announced(&self, origin: Origin<'_>, change: &Transition, _at: SystemTime) {
        self.on_transition(origin.name, change);
    }

    /// The call being recorded on this thread, for [`Transition::tripped_by`]; asked only for
    /// failing and slow calls.
    fn current_call(&self) -> CallId {
        CallId::default()
    }

    /// Whether a call that begins on this thread is recorded by itself in [`Listener::on_call`], as a
    /// span does, rather than only counted. The breaker then admits it and counts its result in
    /// turns, one call after the other, and [`CallTimes`] says in which; other calls wait for
    /// nobody. Asked once for each call.
    fn tells_call(&self) -> bool {
        false
    }

    /// A call ended, or was refused, on this thread; `state` is what it met. Who wants to know when
    /// it ran asks `times`, which costs three readings of clocks.
    fn on_call(
        &self,
        _origin: Origin<'_>,
        _state: State,
        _outcome: CallOutcome,
        _times: &dyn Fn() -> CallTimes,
    ) {
    }

    /// A breaker was made, or its settings changed. When several threads change them at once, the
    /// settings in force are told last, and some of those before may be left out.
    fn on_config(&self, _origin: Origin<'_>, _config: &BreakerConfig) {}

    /// [`Listener::on_config`] with the time since when the settings hold, by the same wall clock as
    /// the times of transitions.
    fn on_configured(&self, origin: Origin<'_>, config: &BreakerConfig, _at: SystemTime) {
        self.on_config(origin, config);
    }

    /// A breaker was made: the handle reads it for as long as it lives.
    fn on_created(&self, _breaker: WatchedBreaker) {}

    /// A policy was made: the handle reads it for as long as it lives.
    fn on_policy_created(&self, _policy: WatchedPolicy) {}

    /// Something out of the ordinary happened to a call under a policy, on this thread.
    fn on_policy_event(&self, _policy: &str, _event: PolicyEvent) {}
}

impl<F: Fn(&str, &Transition) + Send + Sync> Listener for F {
    fn on_transition(&self, name: &str, change: &Transition) {
        self(name, change);
    }
}
