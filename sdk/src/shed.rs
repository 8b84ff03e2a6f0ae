//! Load shedding with priorities: when there is too much, the least important goes first.
//!
//! After DAGOR (Zhou et al., SoCC '18): overload is the average time work waits before it starts,
//! and the answer is a priority level below which work is refused. Each look at the last second
//! moves the level by as many calls as it takes to shed 5 % more, or admit 1 % more.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Moment;

/// The number of levels.
const LEVELS: usize = 500;

/// How important a request is: 0 the least, 499 the most.
///
/// ```
/// use tripline_sdk::Priority;
/// assert!(Priority::CRITICAL > Priority::SHEDDABLE);
/// assert_eq!(Priority::new(9_999).level(), 499);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u16);

impl Priority {
    /// Prefetching, batch work: may fail any time.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// assert_eq!(Priority::SHEDDABLE.level(), 50);
    /// assert!(Priority::SHEDDABLE < Priority::BACKGROUND, "it goes first");
    /// ```
    pub const SHEDDABLE: Self = Self(50);
    /// Work nobody waits for.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// assert_eq!(Priority::BACKGROUND.level(), 150);
    /// assert!(Priority::BACKGROUND < Priority::NORMAL);
    /// ```
    pub const BACKGROUND: Self = Self(150);
    /// The usual.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// assert_eq!(Priority::NORMAL.level(), 250);
    /// assert!(Priority::NORMAL < Priority::HIGH);
    /// ```
    pub const NORMAL: Self = Self(250);
    /// A user waits for it.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// assert_eq!(Priority::HIGH.level(), 350);
    /// assert!(Priority::HIGH < Priority::CRITICAL);
    /// ```
    pub const HIGH: Self = Self(350);
    /// Money is lost without it.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// assert_eq!(Priority::CRITICAL.level(), 450);
    /// assert!(Priority::CRITICAL < Priority::new(499), "there is room above it");
    /// ```
    pub const CRITICAL: Self = Self(450);

    /// This level, at most 499.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// const CHECKOUT: Priority = Priority::new(400);
    /// assert!(Priority::HIGH < CHECKOUT && CHECKOUT < Priority::CRITICAL);
    /// assert_eq!(Priority::new(500), Priority::new(499));
    /// ```
    #[must_use]
    pub const fn new(level: u16) -> Self {
        Self(if level < LEVELS as u16 {
            level
        } else {
            LEVELS as u16 - 1
        })
    }

    /// The level.
    ///
    /// ```
    /// use tripline_sdk::Priority;
    /// // A header can carry it to the services behind.
    /// let header = Priority::NORMAL.level().to_string();
    /// assert_eq!(header, "250");
    /// assert_eq!(Priority::new(header.parse().unwrap()), Priority::NORMAL);
    /// ```
    #[must_use]
    pub const fn level(self) -> u16 {
        self.0
    }
}

/// The settings of a [`Shedder`].
///
/// ```
/// use std::time::Duration;
/// assert_eq!(tripline_sdk::ShedConfig::default().max_wait, Duration::from_millis(20));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShedConfig {
    /// The average wait that means overload.
    pub max_wait: Duration,
    /// How often the level moves.
    pub interval: Duration,
    /// The share shed in addition after an overloaded interval.
    pub shed_step: f64,
    /// The share admitted in addition after a calm one.
    pub admit_step: f64,
}

impl Default for ShedConfig {
    /// 20 ms, every second, 5 % down, 1 % up.
    fn default() -> Self {
        Self {
            max_wait: Duration::from_millis(20),
            interval: Duration::from_secs(1),
            shed_step: 0.05,
            admit_step: 0.01,
        }
    }
}

/// Refuses the least important work while there is too much of it.
///
/// ```
/// use std::time::Duration;
/// use tripline_sdk::{Moment, Priority, ShedConfig, Shedder};
///
/// let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
/// for second in 0..60 {
///     for call in 0..100 {
///         let now = Moment::from_millis(second * 1_000 + call * 10);
///         let priority = if call % 2 == 0 { Priority::CRITICAL } else { Priority::SHEDDABLE };
///         if shedder.admit(priority, now) {
///             shedder.waited(Duration::from_millis(50), now);
///         }
///     }
/// }
/// let now = Moment::from_millis(60_000);
/// assert!(!shedder.admit(Priority::SHEDDABLE, now));
/// ```
#[derive(Debug)]
pub struct Shedder {
    config: ShedConfig,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    since: Moment,
    /// The least level admitted.
    level: usize,
    asked: Box<[u32; LEVELS]>,
    admitted: u32,
    waits: u32,
    waited: Duration,
}

impl Shedder {
    /// A shedder that admits everything at first.
    ///
    /// ```
    /// use tripline_sdk::{Moment, Priority, ShedConfig, Shedder};
    /// let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
    /// assert_eq!(shedder.level(), Priority::new(0));
    /// assert!(shedder.admit(Priority::new(0), Moment::ZERO));
    /// ```
    #[must_use]
    pub fn new(config: ShedConfig, now: Moment) -> Self {
        let state = State {
            since: now,
            level: 0,
            asked: Box::new([0; LEVELS]),
            admitted: 0,
            waits: 0,
            waited: Duration::ZERO,
        };
        Self {
            config,
            state: Mutex::new(state),
        }
    }

    /// Whether work of this priority is admitted now.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, Priority, ShedConfig, Shedder};
    /// let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
    /// for _ in 0..20 {
    ///     assert!(shedder.admit(Priority::SHEDDABLE, Moment::ZERO));
    ///     shedder.waited(Duration::from_millis(50), Moment::ZERO);
    /// }
    /// let later = Moment::from_millis(1_000); // after a second of too long waits
    /// assert!(!shedder.admit(Priority::SHEDDABLE, later));
    /// assert!(shedder.admit(Priority::NORMAL, later));
    /// ```
    pub fn admit(&self, priority: Priority, now: Moment) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.look(&self.config, now);
        let level = usize::from(priority.level());
        state.asked[level] = state.asked[level].saturating_add(1);
        let admitted = level >= state.level;
        state.admitted += u32::from(admitted);
        admitted
    }

    /// Admitted work waited this long before it started.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, Priority, ShedConfig, Shedder};
    /// let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
    /// shedder.admit(Priority::SHEDDABLE, Moment::ZERO);
    /// shedder.waited(Duration::from_millis(5), Moment::ZERO);
    /// let later = Moment::from_millis(1_000);
    /// assert!(shedder.admit(Priority::SHEDDABLE, later), "5 ms are no overload");
    /// ```
    pub fn waited(&self, wait: Duration, now: Moment) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.look(&self.config, now);
        state.waits += 1;
        state.waited += wait;
    }

    /// The least priority admitted; tell it to callers, so that they need not ask.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_sdk::{Moment, Priority, ShedConfig, Shedder};
    /// let shedder = Shedder::new(ShedConfig::default(), Moment::ZERO);
    /// shedder.admit(Priority::SHEDDABLE, Moment::ZERO);
    /// shedder.waited(Duration::from_millis(50), Moment::ZERO);
    /// shedder.admit(Priority::NORMAL, Moment::from_millis(1_000));
    /// assert_eq!(shedder.level(), Priority::new(51), "just above what there was too much of");
    /// ```
    #[must_use]
    pub fn level(&self) -> Priority {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Priority(u16::try_from(state.level).unwrap_or(u16::MAX))
    }
}

impl State {
    fn look(&mut self, config: &ShedConfig, now: Moment) {
        if now.since(self.since) < config.interval {
            return;
        }
        let overloaded = self.waits > 0 && self.waited / self.waits > config.max_wait;
        let admitted = f64::from(self.admitted);
        if overloaded {
            // Raise the level past enough levels to shed the step, but never past the last.
            let mut to_shed = (admitted * config.shed_step).max(1.0);
            while to_shed > 0.0 && self.level < LEVELS - 1 {
                to_shed -= f64::from(self.asked[self.level]);
                self.level += 1;
            }
        } else {
            let mut to_admit = (admitted * config.admit_step).max(1.0);
            while to_admit > 0.0 && self.level > 0 {
                self.level -= 1;
                to_admit -= f64::from(self.asked[self.level]);
            }
        }
        self.since = now;
        self.asked.fill(0);
        (self.admitted, self.waits, self.waited) = (0, 0, Duration::ZERO);
    }
}
