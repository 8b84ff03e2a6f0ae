//! A breaker as telemetry sees it: read for as long as it lives.

use std::sync::{Arc, Weak};
use std::time::Duration;

use super::Shared;
use crate::breaker::{Origin, Snapshot};
use crate::clock::Clock;

/// Reads a breaker for as long as it lives, without keeping it alive.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use tripline_sdk::{BreakerConfig, CircuitBreaker, Listener, Transition, WatchedBreaker};
///
/// #[derive(Clone, Default)]
/// struct Watch(Arc<Mutex<Vec<WatchedBreaker>>>);
/// impl Listener for Watch {
///     fn on_transition(&self, _: &str, _: &Transition) {}
///     fn on_created(&self, breaker: WatchedBreaker) {
///         self.0.lock().unwrap().push(breaker);
///     }
/// }
///
/// let watch = Watch::default();
/// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
///     .listen(watch.clone())
///     .build()?;
/// let watched = watch.0.lock().unwrap().pop().unwrap();
/// assert!(watched.read(|origin, snapshot| assert_eq!(origin.name, "stock")).is_some());
/// drop(breaker);
/// assert!(watched.read(|_, _| ()).is_none());
/// # Ok::<(), tripline_sdk::InvalidConfig>(())
/// ```
#[derive(Clone)]
pub struct WatchedBreaker {
    shared: Weak<dyn Observe>,
}

impl WatchedBreaker {
    pub(super) fn new<C: Clock>(shared: &Arc<Shared<C>>) -> Self {
        let shared: Weak<Shared<C>> = Arc::downgrade(shared);
        Self { shared }
    }

    /// Looks at the breaker, if it still lives.
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, State, WatchedBreaker};
    /// # use tripline_sdk::{Listener, Transition};
    /// # #[derive(Default)]
    /// # struct Watch(OnceLock<WatchedBreaker>);
    /// # impl Listener for Watch {
    /// #     fn on_transition(&self, _: &str, _: &Transition) {}
    /// #     fn on_created(&self, breaker: WatchedBreaker) {
    /// #         self.0.set(breaker).expect("one breaker");
    /// #     }
    /// # }
    /// let watch = Arc::new(Watch::default()); // a listener that keeps what `on_created` gives it
    /// let breaker = CircuitBreaker::builder("stock", BreakerConfig::new())
    ///     .listen_shared(watch.clone())
    ///     .build()?;
    /// breaker.trip();
    /// let watched = watch.0.get().expect("a breaker was made");
    /// assert_eq!(watched.read(|_, snapshot| snapshot.state), Some(State::Open));
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    pub fn read<R>(&self, look: impl FnOnce(Origin<'_>, &Snapshot) -> R) -> Option<R> {
        let shared = self.shared.upgrade()?;
        Some(look(shared.origin(), &shared.snapshot()))
    }

    /// Does what is due: see [`Machine::tick`](crate::Machine::tick). Nothing if the breaker is
    /// gone, else when to look again and how far that is.
    ///
    /// ```
    /// use std::sync::{Arc, OnceLock};
    /// use std::time::Duration;
    /// use tripline_sdk::{BreakerConfig, CircuitBreaker, ManualClock, OpenTime, WatchedBreaker};
    /// # use tripline_sdk::{Listener, Transition};
    /// # #[derive(Default)]
    /// # struct Watch(OnceLock<WatchedBreaker>);
    /// # impl Listener for Watch {
    /// #     fn on_transition(&self, _: &str, _: &Transition) {}
    /// #     fn on_created(&self, breaker: WatchedBreaker) {
    /// #         self.0.set(breaker).expect("one breaker");
    /// #     }
    /// # }
    /// let watch = Arc::new(Watch::default()); // a listener that keeps what `on_created` gives it
    /// let config = BreakerConfig::new().open(OpenTime::fixed(Duration::from_secs(5)));
    /// let breaker = CircuitBreaker::builder("stock", config)
    ///     .clock(ManualClock::default())
    ///     .listen_shared(watch.clone())
    ///     .build()?;
    /// breaker.trip();
    /// let watched = watch.0.get().expect("a breaker was made");
    /// assert_eq!(watched.tick(), Some(Some(Duration::from_secs(5))), "the open time");
    /// drop(breaker);
    /// assert_eq!(watched.tick(), None);
    /// # Ok::<(), tripline_sdk::InvalidConfig>(())
    /// ```
    #[must_use]
    pub fn tick(&self) -> Option<Option<Duration>> {
        Some(self.shared.upgrade()?.tick())
    }
}

impl std::fmt::Debug for WatchedBreaker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WatchedBreaker").finish_non_exhaustive()
    }
}

trait Observe: Send + Sync {
    fn origin(&self) -> Origin<'_>;
    fn snapshot(&self) -> Snapshot;
    fn tick(&self) -> Option<Duration>;
}

impl<C: Clock> Observe for Shared<C> {
    fn origin(&self) -> Origin<'_> {
        Shared::origin(self)
    }

    fn snapshot(&self) -> Snapshot {
        self.machine.snapshot(self.clock.now())
    }

    fn tick(&self) -> Option<Duration> {
        let now = self.in_turn(|machine, now, announce| {
            machine.tick(now, announce);
            now
        });
        self.machine.next_wakeup().map(|next| next.since(now))
    }
}
