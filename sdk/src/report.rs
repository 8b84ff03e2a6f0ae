//! What a policy says about its parts: counts that are read when somebody asks, and a word about
//! what is out of the ordinary.

use std::sync::Weak;
use std::time::Duration;

/// How often the parts of a policy did what, since it was made. Only ever grows; parts that are
/// not there stay at zero and are missing in [`PolicyCounts::parts`].
///
/// ```
/// let counts = tripline_sdk::PolicyCounts::default();
/// assert_eq!(counts.tries, 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyCounts {
    /// Which parts there are.
    pub parts: PartsPresent,
    /// Tries, refused ones included.
    pub tries: u64,
    /// Tries the breaker refused.
    pub breaker_rejected: u64,
    /// Tries that took too long.
    pub timed_out: u64,
    /// Tries the rate limit refused.
    pub rate_limited: u64,
    /// Tries that found the bulkhead full.
    pub bulkhead_full: u64,
    /// Calls whose tries together took too long.
    pub deadline_exceeded: u64,
    /// Calls that succeeded at once.
    pub succeeded_without_retry: u64,
    /// Calls that succeeded after retries.
    pub succeeded_with_retry: u64,
    /// Calls that failed and were not retried.
    pub failed_without_retry: u64,
    /// Calls that failed though they were retried.
    pub failed_with_retry: u64,
    /// Retries the budget did not pay for.
    pub budget_exhausted: u64,
    /// Calls answered by the fallback.
    pub fell_back: u64,
    /// Calls that got by with one try, by choice or for want of budget.
    pub hedge_not_needed: u64,
    /// Hedged calls whose first try answered.
    pub hedge_first_won: u64,
    /// Hedged calls whose second try answered.
    pub hedge_second_won: u64,
    /// Hedged calls of which both tries failed.
    pub hedge_both_failed: u64,
    /// Tries in the bulkhead now.
    pub in_flight: u64,
    /// The most there may be.
    pub in_flight_max: u64,
}

/// Which parts a policy has.
///
/// ```
/// assert!(!tripline_sdk::PartsPresent::default().retry);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartsPresent {
    /// A deadline over all tries.
    pub deadline: bool,
    /// A retry.
    pub retry: bool,
    /// A timeout for each try.
    pub timeout: bool,
    /// A rate limit.
    pub rate_limit: bool,
    /// A bulkhead.
    pub bulkhead: bool,
    /// A second try when the first is slow.
    pub hedge: bool,
}

/// Something out of the ordinary about one call, told where it happened.
///
/// ```
/// use tripline_sdk::PolicyEvent;
/// assert_ne!(PolicyEvent::RateLimited, PolicyEvent::BulkheadFull);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// It took more than one try.
    Retried {
        /// How many.
        tries: u32,
        /// Whether the last one succeeded.
        succeeded: bool,
    },
    /// A try took too long.
    TimedOut {
        /// The timeout.
        after: Duration,
    },
    /// All tries together took too long.
    DeadlineExceeded {
        /// The deadline.
        after: Duration,
    },
    /// The rate limit refused a try.
    RateLimited,
    /// The bulkhead was full.
    BulkheadFull,
    /// The fallback answered.
    FellBack,
    /// There was a second try before the first had ended.
    Hedged {
        /// Whether the second answered first.
        second_won: bool,
    },
}

/// Reads a policy's counts.
pub(crate) trait ReadPolicy: Send + Sync {
    fn name(&self) -> &str;
    fn counts(&self) -> PolicyCounts;
}

/// A policy, for as long as it lives: what telemetry keeps of it.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tripline_sdk::{Listener, Policy, Transition, WatchedPolicy};
///
/// #[derive(Clone, Default)]
/// struct Watch(Arc<Mutex<Vec<WatchedPolicy>>>);
/// impl Listener for Watch {
///     fn on_transition(&self, _: &str, _: &Transition) {}
///     fn on_policy_created(&self, policy: WatchedPolicy) {
///         self.0.lock().unwrap().push(policy);
///     }
/// }
///
/// let watch = Watch::default();
/// let policy = Policy::builder("stock").listen(watch.clone()).build().unwrap();
/// let watched = watch.0.lock().unwrap().pop().unwrap();
/// assert_eq!(watched.read(|name, counts| (name.to_owned(), counts.tries)), Some(("stock".into(), 0)));
/// drop(policy);
/// assert!(watched.read(|_, _| ()).is_none());
/// ```
#[derive(Clone)]
pub struct WatchedPolicy(pub(crate) Weak<dyn ReadPolicy>);

impl std::fmt::Debug for WatchedPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedPolicy").finish_non_exhaustive()
    }
}

impl WatchedPolicy {
    /// Looks at its name and counts; nothing if it is gone.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex};
    /// use tripline_sdk::{Bulkhead, Listener, Policy, Transition, WatchedPolicy};
    /// # #[derive(Clone, Default)]
    /// # struct Watch(Arc<Mutex<Vec<WatchedPolicy>>>);
    /// # impl Listener for Watch {
    /// #     fn on_transition(&self, _: &str, _: &Transition) {}
    /// #     fn on_policy_created(&self, policy: WatchedPolicy) {
    /// #         self.0.lock().unwrap().push(policy);
    /// #     }
    /// # }
    /// # let watch = Watch::default();
    /// let policy = Policy::builder("stock")
    ///     .bulkhead(Bulkhead::new(64))
    ///     .listen(watch.clone())
    ///     .build()?;
    /// let watched = watch.0.lock().unwrap().pop().unwrap(); // what the listener was given
    /// assert_eq!(watched.read(|_, counts| counts.in_flight_max), Some(64));
    /// drop(policy);
    /// assert_eq!(watched.read(|_, counts| counts.in_flight_max), None);
    /// # Ok::<(), tripline_sdk::PolicyError>(())
    /// ```
    pub fn read<R>(&self, look: impl FnOnce(&str, &PolicyCounts) -> R) -> Option<R> {
        let policy = self.0.upgrade()?;
        Some(look(policy.name(), &policy.counts()))
    }
}
